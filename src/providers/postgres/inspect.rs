//! Reads what is there of an environment on the server. Nothing is believed but the server.

use tokio_util::sync::CancellationToken;

use super::limits::TEMP_FILES;
use super::session::Session;
use super::settings::Wish;
use super::target::Access;
use crate::providers::{ProviderError, Resource};

/// The role as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its oid.
    pub oid: i64,
    /// Its comment.
    pub comment: Option<String>,
    /// Most connections at once; −1 is no limit.
    pub connection_limit: i32,
    /// What its sessions begin with, `name=value` each.
    pub defaults: Vec<String>,
    /// Whether it may log in.
    pub login: bool,
    /// Whether it may make databases or roles.
    pub maker: bool,
    /// What it may beyond its own database, in words: attributes, and roles that it is a member of.
    pub powers: Vec<String>,
}

/// A database as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
#[allow(clippy::struct_excessive_bools, reason = "a row of the catalog, not a state")]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its oid.
    pub oid: i64,
    /// Its comment.
    pub comment: Option<String>,
    /// Its owner.
    pub owner: String,
    /// Whether anybody can connect: false until everything is set.
    pub open: bool,
    /// Whether a `DROP DATABASE` was broken off in the middle: it can only be dropped.
    pub broken: bool,
    /// Whether every role of the server may connect.
    pub public: bool,
    /// Whether the role may connect.
    pub reachable: bool,
    /// Whether the role may make schemas there, and install what the server trusts.
    pub extensible: bool,
}

/// What is there of the environment, and only that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The role with our marker.
    pub role: Option<Role>,
    /// The databases that belong to it: one, as long as nobody renamed and remade by hand.
    pub databases: Vec<Database>,
    /// What is installed in the database, in the order in which it was; looked at where the target lists
    /// extensions, and the database can be entered.
    pub installed: Option<Vec<Installed>>,
}

/// An extension in the database.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// The schema of what it holds.
    pub schema: String,
}

/// Reads what is there, and refuses when the names are taken by something that is not ours.
pub async fn find(session: &mut Session, wish: &Wish) -> Result<Found, ProviderError> {
    let roles: Vec<Role> = session
        .read(async |c| {
            sqlx::query_as(
                "SELECT r.rolname::text AS name, r.oid::bigint AS oid, \
                    shobj_description(r.oid, 'pg_authid') AS comment, r.rolconnlimit AS connection_limit, \
                    coalesce((SELECT d.setconfig FROM pg_db_role_setting d \
                              WHERE d.setrole = r.oid AND d.setdatabase = 0), '{}') AS defaults, \
                    r.rolcanlogin AS login, r.rolcreatedb OR r.rolcreaterole AS maker, \
                    array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'superuser' END, \
                        CASE WHEN r.rolreplication THEN 'replication' END, \
                        CASE WHEN r.rolbypassrls THEN 'bypassing row security' END], NULL) \
                    || ARRAY(SELECT 'member of ' || m.roleid::regrole::text FROM pg_auth_members m \
                             WHERE m.member = r.oid ORDER BY 1) AS powers \
                 FROM pg_roles r WHERE r.rolname = $1 OR shobj_description(r.oid, 'pg_authid') = $2",
            )
            .bind(&wish.name)
            .bind(&wish.marker)
            .fetch_all(c)
            .await
        })
        .await?;
    let (ours, foreign): (Vec<_>, Vec<_>) =
        roles.into_iter().partition(|role| role.comment.as_deref() == Some(wish.marker.as_str()));
    if let Some(role) = foreign.first() {
        return Err(taken("role", &role.name));
    }
    let role = ours.into_iter().next();

    let databases: Vec<Database> = session
        .read(async |c| {
            sqlx::query_as(
                "SELECT d.datname::text AS name, d.oid::bigint AS oid, \
                    shobj_description(d.oid, 'pg_database') AS comment, pg_get_userbyid(d.datdba)::text AS owner, \
                    d.datallowconn AS open, d.datconnlimit = -2 AS broken, \
                    has_database_privilege('public', d.oid, 'CONNECT') AS public, \
                    coalesce(has_database_privilege($2::name, d.oid, 'CONNECT'), false) AS reachable, \
                    coalesce(has_database_privilege($2::name, d.oid, 'CREATE'), false) AS extensible \
                 FROM pg_database d WHERE d.datname = $1 OR pg_get_userbyid(d.datdba) = $2 ORDER BY d.oid",
            )
            .bind(&wish.name)
            .bind(role.as_ref().map(|role| role.name.as_str()))
            .fetch_all(c)
            .await
        })
        .await?;
    // The role's marker is set in the transaction that makes the role, and only an administrator
    // can change it. So its ownership proves more than the database's own comment, which is
    // missing when an attempt died right after CREATE DATABASE, and which the owner may edit.
    let (ours, foreign): (Vec<_>, Vec<_>) = databases.into_iter().partition(|database| {
        database.comment.as_deref() == Some(wish.marker.as_str())
            || role.as_ref().is_some_and(|role| role.name == database.owner)
    });
    if let Some(database) = foreign.first() {
        return Err(taken("database", &database.name));
    }
    Ok(Found { role, databases: ours, installed: None })
}

/// The same with what is in the database, where the wish says something of that.
pub async fn find_with_inside(
    session: &mut Session,
    access: &Access,
    wish: &Wish,
    cancel: &CancellationToken,
) -> Result<Found, ProviderError> {
    let mut found = find(session, wish).await?;
    let enterable = found.database(wish).is_some_and(|database| database.open && !database.broken);
    if wish.rule.closes() && enterable {
        let mut inside = Session::open(&access.within(&wish.name), cancel).await?;
        found.installed = Some(installed(&mut inside).await?);
        inside.close().await;
    }
    Ok(found)
}

/// The extensions of the database that `session` is in.
pub async fn installed(session: &mut Session) -> Result<Vec<Installed>, ProviderError> {
    session
        .read(async |c| {
            sqlx::query_as(
                "SELECT e.extname::text AS name, n.nspname::text AS schema \
                 FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY e.oid",
            )
            .fetch_all(c)
            .await
        })
        .await
}

/// How many bytes the database takes; none where it is not there, or the administrator may not know.
pub async fn size(session: &mut Session, wish: &Wish) -> Result<Option<u64>, ProviderError> {
    let size: Option<i64> = session
        .read(async |c| {
            sqlx::query_scalar(
                "SELECT CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END \
                 FROM pg_database WHERE datname = $1 AND datconnlimit <> -2",
            )
            .bind(&wish.name)
            .fetch_optional(c)
            .await
            .map(Option::flatten)
        })
        .await?;
    Ok(size.and_then(|size| u64::try_from(size).ok()))
}

/// Whether the administrator may set the limit of temporary files.
pub async fn may_limit_files(session: &mut Session) -> Result<bool, ProviderError> {
    let (superuser, version): (bool, i32) = session
        .read(async |c| {
            sqlx::query_as(
                "SELECT rolsuper, current_setting('server_version_num')::int FROM pg_roles WHERE rolname = current_user",
            )
            .fetch_one(c)
            .await
        })
        .await?;
    // Before PostgreSQL 15 nobody could be granted a parameter.
    if superuser || version < 150_000 {
        return Ok(superuser);
    }
    session
        .read(async |c| {
            sqlx::query_scalar("SELECT has_parameter_privilege($1, 'SET')").bind(TEMP_FILES).fetch_one(c).await
        })
        .await
}

fn taken(what: &str, name: &str) -> ProviderError {
    ProviderError::failed(format!(
        "a {what} named {name} is already on the server and does not belong to this environment; \
         Paddock left it untouched. Ask the platform team to rename or remove it"
    ))
}

impl Found {
    /// The database of the wished name.
    pub fn database(&self, wish: &Wish) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == wish.name)
    }

    /// What is there, as resources.
    pub fn resources(&self) -> Vec<Resource> {
        let databases = self.databases.iter().enumerate().map(|(index, database)| Resource {
            address: if index == 0 { "database".to_owned() } else { format!("database[{index}]") },
            r#type: "postgres_database".to_owned(),
            provider_id: Some(database.name.clone()),
        });
        let role = self.role.iter().map(|role| Resource {
            address: "role".to_owned(),
            r#type: "postgres_role".to_owned(),
            provider_id: Some(role.name.clone()),
        });
        databases.chain(role).collect()
    }
}

impl Role {
    /// What its sessions begin with.
    pub fn default(&self, setting: &str) -> Option<&str> {
        self.defaults.iter().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == setting).map(|(_, v)| v)
    }
}
