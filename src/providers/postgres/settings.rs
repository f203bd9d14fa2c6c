//! What the job asks for: target settings, the manifest's sizes and the inputs, checked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::extensions::{self, Rule};
use super::limits::{Limits, RoleDefault};
use super::names;
use super::target::{self, Access};
use crate::providers::{Job, ProviderError};

/// Where users connect to, not always the way that Paddock itself takes, and where databases lie.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Address {
    host: Option<String>,
    port: Option<u16>,
    sslmode: Option<String>,
    tablespace: Option<String>,
}

/// The manifest's `config`.
#[derive(Debug, Clone, Default)]
struct Config {
    /// Used where neither the size nor an input says otherwise.
    limits: Limits,
    /// What the values of the input `size` mean.
    sizes: BTreeMap<String, Limits>,
    /// What every environment has.
    extensions: Vec<String>,
}

/// The inputs that mean something to this provider, beside limits; others are for people.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Inputs {
    size: Option<String>,
    extensions: Vec<String>,
}

impl Config {
    fn read(config: &Value) -> Result<Self, ProviderError> {
        const WHAT: &str = "the template's config";
        let mut parts: Map<String, Value> = section(config, WHAT)?;
        let mut take = |name: &str| parts.remove(name).unwrap_or_default();
        let sizes: BTreeMap<String, Map<String, Value>> = section(&take("sizes"), WHAT)?;
        let extensions = section(&take("extensions"), WHAT)?;
        let size = |(name, part)| Limits::read(part, &format!("the template's size “{name}”")).map(|part| (name, part));
        let sizes = sizes.into_iter().map(size).collect::<Result<_, _>>()?;
        Ok(Self { limits: Limits::read(parts, WHAT)?, sizes, extensions })
    }
}

/// The extensions that template and inputs ask for, each once.
pub fn extensions(config: &Value, inputs: &Map<String, Value>) -> Result<Vec<String>, ProviderError> {
    let config = Config::read(config)?;
    let inputs: Inputs = section(&Value::Object(inputs.clone()), "the inputs")?;
    Ok(each_once(config.extensions.into_iter().chain(inputs.extensions)))
}

fn each_once(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| name != extensions::ALWAYS_THERE && seen.insert(name.clone())).collect()
}

/// What is to be there after an apply.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Name of the database and of the role.
    pub name: String,
    /// The comment that marks both.
    pub marker: String,
    /// Who owns the database: the role, or the administrator where the target lists extensions.
    pub owner: String,
    /// Most connections at once; −1 is no limit.
    pub connection_limit: i32,
    /// What every session of the role begins with.
    pub defaults: Vec<RoleDefault>,
    /// How large the database should become at most, in bytes.
    pub storage: Option<u64>,
    /// The tablespace of a new database, if the target names one.
    pub tablespace: Option<String>,
    /// What the database is to have, in this order.
    pub extensions: Vec<String>,
    /// What the target says of extensions.
    pub rule: Rule,
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
    let config = Config::read(&job.config)?;
    let inputs: Inputs = section(&Value::Object(job.inputs.clone()), "the inputs")?;
    let size = match &inputs.size {
        Some(size) if !config.sizes.is_empty() => *config.sizes.get(size).ok_or_else(|| {
            let known: Vec<&str> = config.sizes.keys().map(String::as_str).collect();
            ProviderError::failed(format!("the size “{size}” is not one of {}", known.join(", ")))
        })?,
        Some(_) | None => Limits::default(),
    };
    let limits = Limits::of_inputs(&job.inputs)?.or(size).or(config.limits);
    let rule = Rule::of(&target.settings, &target.slug);

    let password = names::password(&job.seed);
    let name = names::object_name(&job.project, &job.environment_name, job.environment);
    let wish = Wish {
        owner: if rule.closes() { options.get_username().to_owned() } else { name.clone() },
        name,
        marker: names::marker(job.environment),
        connection_limit: limits.connection_limit.unwrap_or(-1),
        defaults: limits.defaults(),
        storage: limits.storage_mb.filter(|mb| *mb > 0).map(|mb| u64::from(mb) * 1024 * 1024),
        tablespace: address.tablespace,
        extensions: each_once(config.extensions.into_iter().chain(inputs.extensions)),
        rule,
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
