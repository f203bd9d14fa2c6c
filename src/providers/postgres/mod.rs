//! `postgres`: a database with a role of its own on a shared server.
//!
//! Target. The server, a role with CREATEDB and CREATEROLE, and its password: see [`target`]. Its
//! settings `host`, `port` and `sslmode` are the address that users connect to.
//! Config: the limits of [`limits`], `sizes`, which gives the same per value of the input `size`, and
//! `extensions` (see [`extensions`]). Inputs of the same names win; extensions are added.
//! Outputs: host, port, database, user, password, url.
//!
//! Repeat safety. Names and password follow from the job. The role is made together with its
//! marker comment in one transaction, the database belongs to it from its first moment until it has
//! its own marker and is closed until it is complete; so every half-done state is recognized and finished by the next
//! attempt. What has our name and not our marker is never touched. See [`session`] for the fence.
//!
//! This is the client of the *target* server: it knows nothing of Paddock's own store.

mod extensions;
mod inspect;
mod inventory;
mod limits;
mod names;
mod plan;
mod rotation;
mod session;
mod settings;
mod shared;
mod sql;
mod target;
mod words;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;

use self::inspect::{Database, Found};
use self::session::Session;
use self::settings::Wish;
use self::sql::Statement;
use super::{
    Drift, Finding, Host, Inventory, Job, Marked, Output, Plan, Provider, ProviderError, Resource, Stream, Target,
    TargetForm,
};
use crate::base::failpoint::reach;

pub use self::extensions::{are_asked_for as asks_for_extensions, objections};
pub use self::target::from_connection_url;

/// The provider of databases.
#[derive(Debug, Clone, Copy, Default)]
pub struct PostgresProvider;

#[async_trait]
impl Provider for PostgresProvider {
    fn name(&self) -> &'static str {
        "postgres"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn target_form(&self) -> &'static TargetForm {
        &target::FORM
    }

    async fn check_target(&self, target: &Target) -> Vec<Finding> {
        target::look_at(target).await
    }

    async fn set_credential(&self, target: &Target, new: &SecretString, salt: [u8; 32]) -> Result<(), ProviderError> {
        target::set_password(target, new, salt).await
    }

    async fn plan(&self, job: &Job, _host: &dyn Host) -> Result<Plan, ProviderError> {
        let (access, wish) = settings::read(job)?;
        let mut session = Session::open(&access, &job.cancel).await?;
        if job.operation == "delete" {
            let found = inspect::find(&mut session, &wish).await?;
            session.close().await;
            return Ok(plan::away(&found));
        }
        let wish = possible(&mut session, wish).await?;
        let found = inspect::find_with_inside(&mut session, &access, &wish, &job.cancel).await?;
        session.close().await;
        Ok(plan::toward(&wish, &found))
    }

    async fn apply(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let (access, wish) = settings::read(&rotation::current(job, host).await?)?;
        let mut session = Session::open(&access, &job.cancel).await?;
        session.fence(job).await?;
        let wish = possible(&mut session, wish).await?;
        let found = inspect::find(&mut session, &wish).await?;
        make_role(&mut session, &wish, &found, host).await?;
        make_database(&mut session, &wish, &found, host).await?;
        if wish.rule.closes() {
            let mut inside = Session::open(&access.within(&wish.name), &job.cancel).await?;
            // What a dead attempt left running in there counts as well.
            inside.fence(job).await?;
            let installed = inspect::installed(&mut inside).await?;
            extensions::make(&mut inside, &wish, &installed, host).await?;
            inside.close().await;
        }
        say(host, &format!("Database {} is ready for connections", wish.name)).await?;
        session.close().await;
        Ok(())
    }

    async fn act(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let wanted = job.action.as_ref().map_or("", |action| action.run.as_str());
        if wanted != rotation::ROTATE {
            let message = format!("postgres knows the action {}, not “{wanted}”", rotation::ROTATE);
            return Err(ProviderError::failed(message));
        }
        let (access, wish) = settings::read(&rotation::begin(job, host).await?)?;
        let mut session = Session::open(&access, &job.cancel).await?;
        session.fence(job).await?;
        if inspect::find(&mut session, &wish).await?.role.is_none() {
            return Err(ProviderError::failed(format!("the role {} is not on the server", wish.name)));
        }
        say(host, &format!("Setting a new password of role {}", wish.name)).await?;
        let alter = Statement::new("ALTER ROLE ").identifier(&wish.name).text(" PASSWORD ").literal(&wish.verifier);
        reach("postgres.password");
        session.write(alter).await?;
        reach("postgres.password_set");
        session.close().await;
        Ok(())
    }

    async fn collect(&self, job: &Job, host: &dyn Host) -> Result<(Vec<Output>, Vec<Resource>), ProviderError> {
        let (wish, found) = look(&rotation::current(job, host).await?).await?;
        if found.role.is_none() || !found.database(&wish).is_some_and(|database| database.open) {
            return Err(ProviderError::failed(format!("the database {} is not on the server", wish.name)));
        }
        Ok((outputs(&wish), found.resources()))
    }

    async fn destroy(&self, job: &Job, host: &dyn Host) -> Result<(), ProviderError> {
        let (access, wish) = settings::read(job)?;
        let mut session = Session::open(&access, &job.cancel).await?;
        session.fence(job).await?;
        let found = inspect::find(&mut session, &wish).await?;
        for database in &found.databases {
            drop_database(&mut session, database, host).await?;
        }
        if let Some(role) = &found.role {
            say(host, &format!("Removing role {}", role.name)).await?;
            reach("postgres.role_drop");
            session.write(Statement::new("DROP ROLE IF EXISTS ").identifier(&role.name)).await?;
            reach("postgres.role_dropped");
        }
        session.close().await;
        Ok(())
    }

    async fn read_back(&self, job: &Job, _host: &dyn Host) -> Result<Vec<Resource>, ProviderError> {
        Ok(look(job).await?.1.resources())
    }

    async fn inventory(&self, target: &Target) -> Result<Inventory, ProviderError> {
        Ok(Inventory::Listed(inventory::list(target).await?))
    }

    async fn remove_marked(&self, target: &Target, marked: &Marked, host: &dyn Host) -> Result<(), ProviderError> {
        say(host, &format!("Removing {} {}", marked.r#type, marked.id)).await?;
        inventory::remove(target, marked).await
    }

    async fn drift(&self, job: &Job, _host: &dyn Host) -> Result<Drift, ProviderError> {
        let (access, wish) = settings::read(job)?;
        let mut session = Session::open(&access, &job.cancel).await?;
        let found = inspect::find_with_inside(&mut session, &access, &wish, &job.cancel).await?;
        let size = if wish.storage.is_some() { inspect::size(&mut session, &wish).await? } else { None };
        session.close().await;
        Ok(Drift::of(plan::differences(&wish, &found, size)))
    }
}

/// The wish, if the target allows it and the server can do it.
async fn possible(session: &mut Session, wish: Wish) -> Result<Wish, ProviderError> {
    let limited = wish.defaults.iter().any(|default| default.setting == limits::TEMP_FILES && default.value.is_some());
    if limited && !inspect::may_limit_files(session).await? {
        return Err(ProviderError::failed(
            "the template limits temporary files, which the administrator of the target may not set there. \
             As a superuser: GRANT SET ON PARAMETER temp_file_limit TO it (PostgreSQL 15 and later)",
        ));
    }
    extensions::checked(session, wish).await
}

async fn look(job: &Job) -> Result<(Wish, Found), ProviderError> {
    let (access, wish) = settings::read(job)?;
    let mut session = Session::open(&access, &job.cancel).await?;
    let found = inspect::find(&mut session, &wish).await?;
    session.close().await;
    Ok((wish, found))
}

async fn make_role(session: &mut Session, wish: &Wish, found: &Found, host: &dyn Host) -> Result<(), ProviderError> {
    let name = &wish.name;
    let mut statements = Vec::new();
    if found.role.is_none() {
        say(host, &format!("Creating role {name}")).await?;
        statements.push(Statement::new("CREATE ROLE ").identifier(name));
        statements.push(Statement::new("COMMENT ON ROLE ").identifier(name).text(" IS ").literal(&wish.marker));
        let superuser: bool = session
            .read(async |c| {
                sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetch_one(c).await
            })
            .await?;
        if !superuser {
            // Only a member may give a database to a role.
            statements.push(Statement::new("GRANT ").identifier(name).text(" TO CURRENT_USER"));
        }
    } else {
        say(host, &format!("Setting role {name}")).await?;
    }
    statements.push(
        Statement::new("ALTER ROLE ")
            .identifier(name)
            .text(" LOGIN NOCREATEDB NOCREATEROLE CONNECTION LIMIT ")
            .number(wish.connection_limit.into())
            .text(" PASSWORD ")
            .literal(&wish.verifier),
    );
    for default in &wish.defaults {
        let alter = Statement::new("ALTER ROLE ").identifier(name);
        let there = found.role.as_ref().and_then(|role| role.default(default.setting));
        match &default.value {
            Some(value) => statements.push(alter.text(" SET ").text(default.setting).text(" = ").literal(value)),
            // Not all of them are for every administrator to reset.
            None if there.is_some() => statements.push(alter.text(" RESET ").text(default.setting)),
            None => {}
        }
    }
    reach("postgres.role");
    session.transaction(statements).await?;
    reach("postgres.role_made");
    Ok(())
}

async fn make_database(
    session: &mut Session,
    wish: &Wish,
    found: &Found,
    host: &dyn Host,
) -> Result<(), ProviderError> {
    let name = &wish.name;
    let mut there = found.database(wish);
    if let Some(broken) = there.filter(|database| database.broken) {
        drop_database(session, broken, host).await?;
        there = None;
    }
    match there {
        Some(database)
            if database.open
                && !database.public
                && database.comment.as_deref() == Some(wish.marker.as_str())
                && plan::has_right_owner(wish, database) =>
        {
            return say(host, &format!("Database {name} is there")).await;
        }
        Some(database) if database.open => say(host, &format!("Setting the rights on database {name}")).await?,
        Some(_) => say(host, &format!("Database {name} was begun by an earlier attempt: finishing it")).await?,
        None => {
            say(host, &format!("Creating database {name}")).await?;
            // Closed until nobody but its owner may connect.
            let mut create = Statement::new("CREATE DATABASE ").identifier(name).text(" OWNER ").identifier(name);
            if let Some(tablespace) = &wish.tablespace {
                create = create.text(" TABLESPACE ").identifier(tablespace);
            }
            reach("postgres.database");
            session.write(create.text(" ALLOW_CONNECTIONS false")).await?;
            reach("postgres.database_made");
        }
    }
    let mut statements = vec![
        Statement::new("ALTER DATABASE ").identifier(name).text(" OWNER TO ").identifier(&wish.owner),
        Statement::new("COMMENT ON DATABASE ").identifier(name).text(" IS ").literal(&wish.marker),
        Statement::new("REVOKE ALL ON DATABASE ").identifier(name).text(" FROM PUBLIC"),
    ];
    if wish.rule.closes() {
        let all = Statement::new("REVOKE ALL ON DATABASE ").identifier(name).text(" FROM ").identifier(name);
        let own = Statement::new("GRANT CONNECT, TEMPORARY ON DATABASE ").identifier(name);
        statements.extend([all, own.text(" TO ").identifier(name)]);
    }
    statements.push(Statement::new("ALTER DATABASE ").identifier(name).text(" ALLOW_CONNECTIONS true"));
    session.transaction(statements).await?;
    reach("postgres.database_opened");
    Ok(())
}

async fn drop_database(session: &mut Session, database: &Database, host: &dyn Host) -> Result<(), ProviderError> {
    say(host, &format!("Removing database {}", database.name)).await?;
    reach("postgres.database_drop");
    // FORCE ends the connections of its users.
    let drop = Statement::new("DROP DATABASE IF EXISTS ").identifier(&database.name).text(" WITH (FORCE)");
    session.write(drop).await?;
    reach("postgres.database_dropped");
    Ok(())
}

fn outputs(wish: &Wish) -> Vec<Output> {
    let output = |name: &str, sensitive, value| Output { name: name.to_owned(), sensitive, value };
    vec![
        output("host", false, Value::from(wish.host.as_str())),
        output("port", false, Value::from(wish.port)),
        output("database", false, Value::from(wish.name.as_str())),
        output("user", false, Value::from(wish.name.as_str())),
        output("password", true, Value::from(wish.password.as_str())),
        output("url", true, Value::from(wish.url())),
    ]
}

/// Also asks whether this attempt still holds the run: a worker that lost its lease stops here.
async fn say(host: &dyn Host, line: &str) -> Result<(), ProviderError> {
    host.log(Stream::Paddock, line).await
}
