//! What a check of a target says of a server that many share: what the roles of environments can reach
//! beside their own database, and whether what the target allows them is there.

use serde_json::Value;

use super::extensions;
use super::session::Session;
use crate::providers::target::Finding;
use crate::providers::{ProviderError, Target};

/// Most databases that a finding names.
const NAMED: usize = 10;

/// What is found; `superuser` is whether the administrator is one.
pub async fn look(session: &mut Session, target: &Target, superuser: bool) -> Result<Vec<Finding>, ProviderError> {
    let mut findings = vec![open_databases(session).await?];
    if let Some(listed) = target.settings.get("extensions").and_then(Value::as_array) {
        let listed: Vec<String> = listed.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        findings.extend(of_extensions(session, &listed, superuser).await?);
    }
    if let Some(tablespace) = target.settings.get("tablespace").and_then(Value::as_str) {
        findings.push(of_tablespace(session, tablespace).await?);
    }
    Ok(findings)
}

async fn open_databases(session: &mut Session) -> Result<Finding, ProviderError> {
    const WHAT: &str = "Other databases";
    let names: Vec<String> = session
        .read(async |c| {
            sqlx::query_scalar(
                "SELECT datname::text FROM pg_database \
                 WHERE datallowconn AND has_database_privilege('public', oid, 'CONNECT') ORDER BY 1",
            )
            .fetch_all(c)
            .await
        })
        .await?;
    if names.is_empty() {
        return Ok(Finding::ok(WHAT, "No database of the server is open to every role."));
    }
    let mut shown = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED {
        shown = format!("{shown} and {} more", names.len() - NAMED);
    }
    Ok(Finding::warning(
        WHAT,
        format!("The roles of environments may connect to {shown}, like every role of the server."),
        "As the owner of each: REVOKE CONNECT, TEMPORARY ON DATABASE … FROM PUBLIC, and GRANT CONNECT to those who \
         need it, Paddock's administrator among them.",
    ))
}

async fn of_extensions(
    session: &mut Session,
    listed: &[String],
    superuser: bool,
) -> Result<Vec<Finding>, ProviderError> {
    const WHAT: &str = "Extensions";
    let listed: Vec<String> = listed.iter().filter(|name| *name != extensions::ALWAYS_THERE).cloned().collect();
    let available = extensions::available(session, &listed).await?;
    let mut findings = Vec::new();
    let missing: Vec<&str> =
        listed.iter().map(String::as_str).filter(|name| !available.iter().any(|one| one.name == *name)).collect();
    if !missing.is_empty() {
        findings.push(Finding::warning(
            WHAT,
            format!("Not available on the server: {}.", missing.join(", ")),
            "Install their packages on the server, or take them off the list.",
        ));
    }
    let untrusted: Vec<&str> =
        available.iter().filter(|one| one.superuser && !superuser).map(|one| one.name.as_str()).collect();
    if !untrusted.is_empty() {
        findings.push(Finding::warning(
            WHAT,
            format!("Only a superuser may install {}: the server does not trust it to others.", untrusted.join(", ")),
            "Have a superuser set trusted = true in its control file, if its makers say that it is safe, or take it off \
             the list.",
        ));
    }
    for one in &available {
        let unlisted = |needed: &&String| *needed != extensions::ALWAYS_THERE && !listed.contains(needed);
        if let Some(needed) = one.requires.iter().find(unlisted) {
            let words = format!("{} needs {needed}, which is not on the list.", one.name);
            findings.push(Finding::warning(WHAT, words, "List both."));
        }
    }
    if findings.is_empty() {
        let all = available.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        let words = if all.is_empty() {
            "Environments may have none.".to_owned()
        } else {
            format!("All are available: {all}.")
        };
        findings.push(Finding::ok(WHAT, words));
    }
    Ok(findings)
}

async fn of_tablespace(session: &mut Session, name: &str) -> Result<Finding, ProviderError> {
    const WHAT: &str = "Tablespace";
    let may: Option<bool> = session
        .read(async |c| {
            sqlx::query_scalar("SELECT has_tablespace_privilege(oid, 'CREATE') FROM pg_tablespace WHERE spcname = $1")
                .bind(name)
                .fetch_optional(c)
                .await
        })
        .await?;
    Ok(match may {
        Some(true) => Finding::ok(WHAT, format!("New databases lie in {name}.")),
        Some(false) => {
            let advice = format!("As a superuser: GRANT CREATE ON TABLESPACE \"{name}\" to the administrator.");
            Finding::failed(WHAT, format!("The administrator may make nothing in {name}."), &advice)
        }
        None => Finding::failed(
            WHAT,
            format!("There is no tablespace {name} on the server."),
            "Correct its name, or leave it empty.",
        ),
    })
}
