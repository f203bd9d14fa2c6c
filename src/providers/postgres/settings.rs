//! What the job asks for: target settings, the manifest's sizes and the inputs, checked.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::names;
use super::target::{self, Access};
use crate::providers::{Job, ProviderError};

/// Where users connect to; not always the way that Paddock itself takes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Address {
    host: Option<String>,
    port: Option<u16>,
    sslmode: Option<String>,
}

/// The manifest's `config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Used where neither the size nor an input says otherwise.
    connection_limit: Option<i32>,
    /// The same for statements.
    statement_timeout_seconds: Option<u32>,
    /// What the values of the input `size` mean.
    sizes: BTreeMap<String, Limits>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Limits {
    connection_limit: Option<i32>,
    statement_timeout_seconds: Option<u32>,
}

/// The inputs that mean something to this provider; others are for people.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Inputs {
    size: Option<String>,
    connection_limit: Option<i32>,
    statement_timeout_seconds: Option<u32>,
}

/// What is to be there after an apply.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Name of the database and of the role.
    pub name: String,
    /// The comment that marks both.
    pub marker: String,
    /// Most connections at once; −1 is no limit.
    pub connection_limit: i32,
    /// How long a statement may take, as a default of the role; 0 is no limit.
    pub statement_timeout_seconds: u32,
    /// The role's password.
    pub password: String,
    /// What the server stores of it.
    pub verifier: String,
    /// The host that users connect to.
    pub host: String,
    /// The port that users connect to.
    pub port: u16,
    /// The `sslmode` of the connection URL, if the target names one.
    pub sslmode: Option<String>,
}

/// The connection to the target server, and what the job wishes there.
pub fn read(job: &Job) -> Result<(Access, Wish), ProviderError> {
    let target = job.target.as_ref().ok_or_else(|| {
        ProviderError::failed(format!("no database server is bound to {} for this project", job.environment_type))
    })?;
    let Access { options, next } = target::access(target)?;
    let address: Address = section(&target.settings, &format!("the settings of the target {}", target.slug))?;
    let config: Config = section(&job.config, "the template's config")?;
    let inputs: Inputs = section(&Value::Object(job.inputs.clone()), "the inputs")?;

    let size = match &inputs.size {
        Some(size) if !config.sizes.is_empty() => Some(config.sizes.get(size).ok_or_else(|| {
            let known: Vec<&str> = config.sizes.keys().map(String::as_str).collect();
            ProviderError::failed(format!("the size “{size}” is not one of {}", known.join(", ")))
        })?),
        Some(_) | None => None,
    };
    let connection_limit =
        inputs.connection_limit.or(size.and_then(|s| s.connection_limit)).or(config.connection_limit);
    if connection_limit.is_some_and(|limit| limit < -1) {
        return Err(ProviderError::failed("the connection limit must be −1 (no limit) or more"));
    }
    let statement_timeout_seconds = inputs
        .statement_timeout_seconds
        .or(size.and_then(|s| s.statement_timeout_seconds))
        .or(config.statement_timeout_seconds);

    let password = names::password(&job.seed);
    let wish = Wish {
        name: names::object_name(&job.project, &job.environment_name, job.environment),
        marker: names::marker(job.environment),
        connection_limit: connection_limit.unwrap_or(-1),
        statement_timeout_seconds: statement_timeout_seconds.unwrap_or(0).min(86_400),
        verifier: names::scram_verifier(&job.seed, &password),
        password,
        host: address.host.unwrap_or_else(|| options.get_host().to_owned()),
        port: address.port.unwrap_or_else(|| options.get_port()),
        sslmode: address.sslmode,
    };
    let name = names::application_name(job);
    let next = next.map(|options| options.application_name(&name));
    Ok((Access { options: options.application_name(&name), next }, wish))
}

fn section<T: Default + serde::de::DeserializeOwned>(value: &Value, what: &str) -> Result<T, ProviderError> {
    if value.is_null() {
        return Ok(T::default());
    }
    T::deserialize(value).map_err(|error| ProviderError::failed(format!("{what} cannot be used: {error}")))
}

impl Wish {
    /// The connection URL for users.
    pub fn url(&self) -> String {
        // Every part is plain: the name is [a-z0-9_], the password base64url.
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let mode = self.sslmode.as_ref().map(|mode| format!("?sslmode={mode}")).unwrap_or_default();
        format!("postgres://{0}:{1}@{host}:{2}/{0}{mode}", self.name, self.password, self.port)
    }
}
