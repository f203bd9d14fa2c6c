//! Targets of databases: what an admin fills in, how the server is reached with it, and what a check
//! looks at.
//!
//! A target from before there was a form has no setting `server`: its credential is the whole
//! connection URL of an administrator.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::session::Session;
use super::sql::Statement;
use super::{names, shared, words};
use crate::providers::address;
use crate::providers::target::{Finding, Kind, TargetField, TargetForm};
use crate::providers::{ProviderError, Target};

/// The oldest server that this is tried with.
const OLDEST: i32 = 130_000;

pub static FORM: TargetForm = TargetForm {
    about: "A Postgres server, on which every environment gets a database with a role of its own.",
    fields: &[
        TargetField::new("server", "Server", Kind::Line)
            .help("Host name or address as Paddock reaches it, or the folder of a Unix socket.")
            .like("db.internal.example.com")
            .required()
            .binds(),
        TargetField::new("server_port", "Port", Kind::Number { min: 1, max: 65_535 })
            .help("5432 when left empty.")
            .like("5432")
            .binds(),
        TargetField::new("user", "Administrator", Kind::Line)
            .help("A role with CREATEDB and CREATEROLE; it need not be a superuser.")
            .like("paddock")
            .required()
            .binds(),
        TargetField::new("password", "Password", Kind::Line)
            .help("Of the administrator. It is encrypted and never shown again.")
            .secret(),
        TargetField::new("database", "Database", Kind::Line)
            .help("The one to connect to; postgres when left empty.")
            .like("postgres"),
        TargetField::new(
            "tls",
            "Encryption",
            Kind::Choice(&[
                ("prefer", "If the server offers it"),
                ("require", "Always"),
                ("verify-full", "Always, and check the server's certificate"),
                ("disable", "Never"),
            ]),
        )
        .binds(),
        TargetField::new("ca_certificate", "Certificate authority", Kind::Text)
            .help("PEM, for a server whose certificate is signed by your own; the usual ones when left empty.")
            .binds(),
        TargetField::new("host", "Host for users", Kind::Line)
            .help("What environments are told to connect to; the server above when left empty.")
            .like("db.example.com"),
        TargetField::new("port", "Port for users", Kind::Number { min: 1, max: 65_535 })
            .help("The port above when left empty.")
            .like("5432"),
        TargetField::new(
            "sslmode",
            "Encryption for users",
            Kind::Choice(&[
                ("", "As their program likes"),
                ("prefer", "If the server offers it"),
                ("require", "Always"),
                ("verify-full", "Always, and check the server's certificate"),
                ("disable", "Never"),
            ]),
        ),
        TargetField::new("extensions", "Extensions", Kind::Names)
            .help(
                "Those that environments may have, one in a line. Databases then belong to the administrator, and \
                 nothing else can be installed in them; plpgsql alone allows none. Left empty, templates get none, \
                 and every role may install what the server trusts.",
            )
            .like("pg_trgm"),
        TargetField::new("tablespace", "Tablespace", Kind::Line)
            .help(
                "Where new databases lie; the server's own when left empty. On a file system with a quota it bounds \
                 what all environments take together.",
            )
            .like("environments"),
    ],
    sets_credential: true,
};

/// How an administrator gets to the server: with the credential, and with the one that may be due.
#[derive(Debug, Clone)]
pub struct Access {
    pub options: PgConnectOptions,
    pub next: Option<PgConnectOptions>,
}

impl Access {
    /// The way into one of its databases.
    pub fn within(&self, database: &str) -> Self {
        let into = |options: &PgConnectOptions| options.clone().database(database);
        Self { options: into(&self.options), next: self.next.as_ref().map(into) }
    }
}

/// The way to the target's server.
pub fn access(target: &Target) -> Result<Access, ProviderError> {
    let options = options(target, target.secret.as_ref())?;
    let next = target.next_secret.as_ref().map(|next| self::options(target, Some(next))).transpose()?;
    Ok(Access { options, next })
}

fn options(target: &Target, secret: Option<&SecretString>) -> Result<PgConnectOptions, ProviderError> {
    let text = |name: &str| target.settings.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(server) = text("server") else { return from_url(target, secret) };
    let user = text("user").unwrap_or("postgres");
    let port = target.settings.get("server_port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
    // An empty password keeps that of the worker's own variables out.
    let password = secret.map_or("", |secret| secret.expose_secret());
    let mode = match text("tls").unwrap_or("prefer") {
        "disable" => PgSslMode::Disable,
        "require" => PgSslMode::Require,
        "verify-full" => PgSslMode::VerifyFull,
        _ => PgSslMode::Prefer,
    };
    let mut options = PgConnectOptions::new_without_pgpass()
        .port(port.unwrap_or(5432))
        .username(user)
        .password(password)
        .database(text("database").unwrap_or("postgres"))
        .ssl_mode(mode);
    options = if server.starts_with('/') { options.socket(server) } else { options.host(server) };
    if let Some(certificate) = text("ca_certificate") {
        options = options.ssl_root_cert_from_pem(certificate.as_bytes().to_vec());
    }
    Ok(options)
}

fn from_url(target: &Target, secret: Option<&SecretString>) -> Result<PgConnectOptions, ProviderError> {
    let slug = &target.slug;
    let secret = secret.ok_or_else(|| ProviderError::failed(format!("the target {slug} has no connection URL yet")))?;
    // The parser's own message is not shown: it may quote the URL with its password.
    secret.expose_secret().trim().parse().map_err(|_| {
        ProviderError::failed(format!(
            "the credential of the target {slug} is not a connection URL such as postgres://user:password@host:5432/postgres"
        ))
    })
}

/// The settings and the credential that a connection URL means, where the form can say all of it.
pub fn from_connection_url(url: &Url) -> Option<(Map<String, Value>, Option<SecretString>)> {
    let decoded = |text: &str| {
        let form = format!("x={}", text.replace('+', "%2B"));
        url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    let mut server = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let mut settings = Map::new();
    for (name, value) in url.query_pairs() {
        match name.as_ref() {
            "host" => server = value.into_owned(),
            "sslmode" => drop(settings.insert("tls".to_owned(), Value::from(value.as_ref()))),
            _ => return None,
        }
    }
    let server = if server.is_empty() { "localhost".to_owned() } else { server };
    settings.insert("server".to_owned(), server.into());
    settings.insert("server_port".to_owned(), url.port().unwrap_or(5432).into());
    settings.insert("user".to_owned(), decoded(url.username()).filter(|user| !user.is_empty())?.into());
    settings.insert("database".to_owned(), decoded(url.path().trim_start_matches('/'))?.into());
    let secret = match url.password() {
        Some(password) => Some(SecretString::from(decoded(password)?)),
        None => None,
    };
    FORM.lay_over(&Map::new(), &settings).ok().map(|settings| (settings, secret))
}

/// Sets the administrator's password on the server; as a SCRAM verifier, which is all that it sees.
pub async fn set_password(target: &Target, new: &SecretString, salt: [u8; 32]) -> Result<(), ProviderError> {
    if target.settings.get("server").is_none() {
        return Err(ProviderError::failed(format!(
            "the target {} has a whole connection URL as its credential: give it a server and a user first",
            target.slug
        )));
    }
    let access = access(target)?;
    refuse_special(&access.options).await?;
    let mut session = Session::open(&access, &CancellationToken::new()).await?;
    let statement =
        Statement::new("ALTER ROLE CURRENT_USER PASSWORD ").literal(&names::scram_verifier(&salt, new.expose_secret()));
    session.write(statement).await?;
    session.close().await;
    Ok(())
}

/// What a check finds.
pub async fn look_at(target: &Target) -> Vec<Finding> {
    let access = match access(target) {
        Ok(access) => access,
        Err(error) => return vec![Finding::failed("Settings", error.sentence(), "Correct them, or the credential.")],
    };
    if let Err(error) = refuse_special(&access.options).await {
        return vec![Finding::failed("Reach", error.sentence(), "Correct the server's name or address.")];
    }
    let server = words::server(&access.options);
    let mut session = match Session::open(&access, &CancellationToken::new()).await {
        Ok(session) => session,
        Err(error) => return vec![Finding::failed("Reach", error.sentence(), advice(&error))],
    };
    let mut findings = vec![Finding::ok("Reach", format!("Connected to {server}."))];
    match facts(&mut session).await {
        Ok(facts) => {
            findings.extend(facts.findings(is_local(&access.options)));
            match shared::look(&mut session, target, facts.superuser).await {
                Ok(more) => findings.extend(more),
                Err(error) => findings.push(unreadable(&error)),
            }
        }
        Err(error) => findings.push(unreadable(&error)),
    }
    session.close().await;
    findings
}

fn unreadable(error: &ProviderError) -> Finding {
    Finding::failed("Rights", error.sentence(), "See what the server's log says.")
}

fn advice(error: &ProviderError) -> &'static str {
    let text = error.to_string();
    if text.contains("password") || text.contains("authentication") {
        "Bring the administrator's password again, and see that pg_hba.conf lets this machine in."
    } else if text.contains("encrypted") {
        "Choose another setting for the encryption, or give the certificate authority of the server."
    } else {
        "See that the server runs, that its name and port are right, and that a firewall lets this machine through."
    }
}

/// Whether the connection does not leave this machine.
fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    options.get_socket().is_some() || host == "localhost" || loopback
}

/// The address of a server over the network is one that a server can have.
async fn refuse_special(options: &PgConnectOptions) -> Result<(), ProviderError> {
    if options.get_socket().is_some() {
        return Ok(());
    }
    address::refuse_special(options.get_host(), options.get_port()).await
}

struct Facts {
    version: i32,
    version_text: String,
    tls: Option<String>,
    user: String,
    superuser: bool,
    makes_databases: bool,
    makes_roles: bool,
    connections: i64,
    most: i64,
}

async fn facts(session: &mut Session) -> Result<Facts, ProviderError> {
    type Row = (i32, String, Option<String>, String, bool, bool, bool, i64, i64);
    let row: Row = session
        .read(async |c| {
            sqlx::query_as(
                "SELECT current_setting('server_version_num')::int, current_setting('server_version'), \
                    (SELECT s.version FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid() AND s.ssl), \
                    current_user::text, r.rolsuper, r.rolcreatedb, r.rolcreaterole, \
                    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), \
                    current_setting('max_connections')::bigint \
                 FROM pg_roles r WHERE r.rolname = current_user",
            )
            .fetch_one(c)
            .await
        })
        .await?;
    let (version, version_text, tls, user, superuser, makes_databases, makes_roles, connections, most) = row;
    Ok(Facts { version, version_text, tls, user, superuser, makes_databases, makes_roles, connections, most })
}

impl Facts {
    fn findings(&self, local: bool) -> Vec<Finding> {
        let user = &self.user;
        let mut findings = Vec::new();
        findings.push(match &self.tls {
            Some(version) => Finding::ok("Encryption", format!("The connection is encrypted ({version}).")),
            None if local => Finding::ok("Encryption", "Not needed: the connection does not leave this machine."),
            None => Finding::warning(
                "Encryption",
                "The connection is not encrypted: passwords of new roles go over the network as SCRAM verifiers, \
                 all else as it is.",
                "Switch TLS on at the server, and choose “Always” for the encryption.",
            ),
        });
        findings.push(if self.version >= OLDEST {
            Finding::ok("Version", format!("PostgreSQL {}.", self.version_text))
        } else {
            let advice = "Upgrade the server: Paddock is tried with PostgreSQL 13 and later.";
            Finding::warning("Version", format!("PostgreSQL {} is old.", self.version_text), advice)
        });
        for (what, may, right) in [
            ("Make databases", self.makes_databases || self.superuser, "CREATEDB"),
            ("Make roles", self.makes_roles || self.superuser, "CREATEROLE"),
        ] {
            findings.push(if may {
                Finding::ok(what, format!("The role {user} may."))
            } else {
                let advice = format!("As a superuser: ALTER ROLE \"{user}\" {right}.");
                Finding::failed(what, format!("The role {user} may not: it lacks {right}."), &advice)
            });
        }
        if self.superuser {
            findings.push(Finding::warning(
                "Least rights",
                format!("The role {user} is a superuser: whoever gets its password owns the whole server."),
                "Make a role with CREATEDB and CREATEROLE only, and connect the target with it.",
            ));
        }
        let room = format!("{} of {} connections are in use.", self.connections, self.most);
        // A tenth is what the next environments will want.
        findings.push(if self.connections * 10 > self.most * 9 {
            Finding::warning("Room", room, "Raise max_connections, or end what is not needed.")
        } else {
            Finding::ok("Room", room)
        });
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_settings_or_stays_a_url() {
        let url = Url::parse("postgres://admin:p%40ss@localhost:5499/postgres?host=/run/pg").unwrap();
        let (settings, secret) = from_connection_url(&url).unwrap();
        assert_eq!(
            Value::Object(settings.clone()),
            serde_json::json!({"server": "/run/pg", "server_port": 5499, "user": "admin", "database": "postgres"})
        );
        assert_eq!(secret.unwrap().expose_secret(), "p@ss");
        let target = Target { settings: settings.into(), ..Target::default() };
        assert_eq!(words::server(&access(&target).unwrap().options), "the database server at /run/pg");
        for other in ["postgres://db/x", "postgres://a@db/x?application_name=y"] {
            assert!(from_connection_url(&Url::parse(other).unwrap()).is_none(), "{other}");
        }
    }
}
