//! Sign-in by an OpenID provider, and what its groups mean here.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{ConfigError, Result, read_secret_file};

const ROLES: [&str; 4] = ["developer", "lead", "admin", "auditor"];
const MAPPING_FLAG: &str = "--oidc-groups-file (PADDOCK_OIDC_GROUPS_FILE)";

#[derive(Debug, Clone, Args)]
#[allow(clippy::struct_field_names, reason = "they are the names of the flags")]
#[command(next_help_heading = "Sign-in by OpenID Connect")]
pub(super) struct OidcArgs {
    /// The provider's issuer, exactly as it names itself; the redirect address is PUBLIC-URL/auth/callback
    #[arg(long, env = "PADDOCK_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    oidc_issuer: Option<String>,
    /// Our client id at the provider
    #[arg(long, env = "PADDOCK_OIDC_CLIENT_ID", value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    // An environment variable only: a flag's value would stand in the list of processes.
    #[arg(long, env = "PADDOCK_OIDC_CLIENT_SECRET", hide_env_values = true, hide = true)]
    oidc_client_secret: Option<String>,
    /// A file with our client secret (or the variable `PADDOCK_OIDC_CLIENT_SECRET`)
    #[arg(long, env = "PADDOCK_OIDC_CLIENT_SECRET_FILE", value_name = "FILE")]
    oidc_client_secret_file: Option<PathBuf>,
    /// What the sign-in button calls the provider
    #[arg(long, env = "PADDOCK_OIDC_NAME", value_name = "NAME", default_value = "single sign-on")]
    oidc_name: String,
    /// Scopes to ask for besides `openid`
    #[arg(
        long,
        env = "PADDOCK_OIDC_SCOPES",
        value_name = "SCOPES",
        value_delimiter = ' ',
        default_value = "profile email"
    )]
    oidc_scopes: Vec<String>,
    /// The claim that lists a person's groups
    #[arg(long, env = "PADDOCK_OIDC_GROUPS_CLAIM", value_name = "CLAIM", default_value = "groups")]
    oidc_groups_claim: String,
    /// A TOML file that says which group means which team and role
    #[arg(long, env = "PADDOCK_OIDC_GROUPS_FILE", value_name = "FILE")]
    oidc_groups_file: Option<PathBuf>,
}

/// The OpenID provider.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// The issuer, exactly as the provider names itself (a trailing slash matters).
    pub issuer: String,
    /// Our client id.
    pub client_id: String,
    /// Our client secret; a public client has none.
    pub client_secret: Option<SecretString>,
    /// What the sign-in button says.
    pub name: String,
    /// Scopes besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that lists groups.
    pub groups_claim: String,
    /// What groups mean here.
    pub groups: Vec<GroupRule>,
}

/// What one of the provider's groups means: membership of a team, a role, or both.
///
/// ```toml
/// [[group]]
/// name = "grp-payments-leads"   # as the claim spells it
/// team = "payments"             # optional
/// role = "lead"                 # optional: developer, lead, admin, auditor
/// project = "payments"          # optional: without it, the role holds on the whole platform
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRule {
    /// The group, as the claim spells it.
    pub name: String,
    /// The team that its people belong to.
    pub team: Option<String>,
    /// The role that its people have.
    pub role: Option<String>,
    /// The project in which they have it; without it, the whole platform.
    pub project: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupFile {
    #[serde(default)]
    group: Vec<GroupRule>,
}

impl OidcArgs {
    pub(super) fn check(self) -> Result<Option<OidcConfig>> {
        let (Some(issuer), Some(client_id)) = (self.oidc_issuer, self.oidc_client_id) else {
            return Ok(None);
        };
        check_issuer(&issuer)?;
        let client_secret = match (self.oidc_client_secret, self.oidc_client_secret_file) {
            (Some(secret), _) if !secret.is_empty() => Some(secret.into()),
            (_, Some(file)) => Some(read_secret_file("--oidc-client-secret-file", &file)?),
            _ => None,
        };
        let groups = self.oidc_groups_file.as_deref().map(read_groups).transpose()?.unwrap_or_default();
        Ok(Some(OidcConfig {
            issuer,
            client_id,
            client_secret,
            name: self.oidc_name,
            scopes: self.oidc_scopes.into_iter().filter(|scope| !scope.is_empty() && scope != "openid").collect(),
            groups_claim: self.oidc_groups_claim,
            groups,
        }))
    }
}

fn check_issuer(issuer: &str) -> Result<()> {
    let flag = "--oidc-issuer (PADDOCK_OIDC_ISSUER)";
    let url = Url::parse(issuer).map_err(|error| ConfigError::invalid(flag, error.to_string()))?;
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    if url.scheme() != "https" && !(url.scheme() == "http" && local) {
        return Err(ConfigError::invalid(flag, "must start with https://, unless the provider is on this machine"));
    }
    Ok(())
}

fn read_groups(path: &Path) -> Result<Vec<GroupRule>> {
    let unreadable = |source| ConfigError::Unreadable { flag: MAPPING_FLAG, path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    parse_groups(&text).map_err(|problem| ConfigError::invalid(MAPPING_FLAG, format!("{}: {problem}", path.display())))
}

fn parse_groups(text: &str) -> std::result::Result<Vec<GroupRule>, String> {
    let file: GroupFile = toml::from_str(text).map_err(|error| error.to_string())?;
    for rule in &file.group {
        let name = &rule.name;
        match &rule.role {
            Some(role) if !ROLES.contains(&role.as_str()) => {
                return Err(format!("group “{name}”: there is no role “{role}”; the roles are {}", ROLES.join(", ")));
            }
            None if rule.team.is_none() => {
                return Err(format!("group “{name}” means nothing: name a team, a role, or both"));
            }
            None if rule.project.is_some() => {
                return Err(format!("group “{name}”: a project needs a role beside it"));
            }
            _ => {}
        }
    }
    Ok(file.group)
}

#[cfg(test)]
mod tests {
    use super::parse_groups;

    #[test]
    fn group_rules_are_checked_in_words() {
        let good = "[[group]]\nname = 'g'\nteam = 't'\nrole = 'lead'\nproject = 'p'";
        assert_eq!(parse_groups(good).unwrap().len(), 1);
        assert_eq!(parse_groups("").unwrap().len(), 0);
        for (bad, part) in [
            ("[[group]]\nname = 'g'", "means nothing"),
            ("[[group]]\nname = 'g'\nrole = 'root'", "no role “root”"),
            ("[[group]]\nname = 'g'\nteam = 't'\nproject = 'p'", "needs a role"),
            ("[[group]]\nname = 'g'\ntaem = 't'", "taem"),
        ] {
            let error = parse_groups(bad).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
