//! Reads what is there of an environment on the server. Nothing is believed but the server.

use super::session::Session;
use super::settings::Wish;
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
    /// Its default `statement_timeout`, as set.
    pub statement_timeout: Option<String>,
    /// Whether it may log in.
    pub login: bool,
    /// Whether it may make databases or roles.
    pub maker: bool,
}

/// A database as the server knows it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
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
}

/// What is there of the environment, and only that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The role with our marker.
    pub role: Option<Role>,
    /// The databases that belong to it: one, as long as nobody renamed and remade by hand.
    pub databases: Vec<Database>,
}

/// Reads what is there, and refuses when the names are taken by something that is not ours.
pub async fn find(session: &mut Session, wish: &Wish) -> Result<Found, ProviderError> {
    let roles: Vec<Role> = session
        .read(async |c| {
            sqlx::query_as(
                "SELECT r.rolname::text AS name, r.oid::bigint AS oid, \
                    shobj_description(r.oid, 'pg_authid') AS comment, r.rolconnlimit AS connection_limit, \
                    (SELECT substr(s, 19) FROM pg_db_role_setting d, unnest(d.setconfig) s \
                     WHERE d.setrole = r.oid AND d.setdatabase = 0 AND s LIKE 'statement_timeout=%') \
                    AS statement_timeout, r.rolcanlogin AS login, r.rolcreatedb OR r.rolcreaterole AS maker \
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
                    has_database_privilege('public', d.oid, 'CONNECT') AS public \
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
    Ok(Found { role, databases: ours })
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
