//! The limits of an environment: what config, sizes and inputs can say, and what becomes of it on the
//! server.
//!
//! Enforced by the server: connections, and temporary files where the administrator may set that. The
//! time-outs are defaults, which a session can change for itself. Postgres has no quota of a
//! database's size: `storage_mb` is told of when it is passed, and holds nobody up.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::providers::ProviderError;

/// Every limit, by its key in config, sizes and inputs.
const KEYS: [&str; 6] = [
    "connection_limit",
    "statement_timeout_seconds",
    "lock_timeout_seconds",
    "idle_in_transaction_timeout_seconds",
    "temp_file_mb",
    "storage_mb",
];

/// The one that only a superuser, or who was granted it, may set; the role cannot change it.
pub const TEMP_FILES: &str = "temp_file_limit";

/// A setting that every session of the role begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleDefault {
    /// The setting's name on the server.
    pub setting: &'static str,
    /// What people call it.
    pub words: &'static str,
    /// Its value as the server keeps it; none is the server's own.
    pub value: Option<String>,
}

impl RoleDefault {
    fn new(setting: &'static str, words: &'static str, value: Option<String>) -> Self {
        Self { setting, words, value }
    }
}

/// Limits, as far as somebody says something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most connections at once; −1 is no limit.
    pub connection_limit: Option<i32>,
    /// How long a statement may take, as a default of the role; 0 is no limit, as in all of these.
    pub statement_timeout_seconds: Option<u32>,
    /// How long a statement may wait for a lock, as a default of the role.
    pub lock_timeout_seconds: Option<u32>,
    /// How long a transaction may do nothing, as a default of the role.
    pub idle_in_transaction_timeout_seconds: Option<u32>,
    /// The most that the temporary files of one session may take, in MiB.
    pub temp_file_mb: Option<u32>,
    /// How large the database should become at most, in MiB.
    pub storage_mb: Option<u32>,
}

impl Limits {
    /// These, and where they say nothing, those.
    pub fn or(self, other: Self) -> Self {
        Self {
            connection_limit: self.connection_limit.or(other.connection_limit),
            statement_timeout_seconds: self.statement_timeout_seconds.or(other.statement_timeout_seconds),
            lock_timeout_seconds: self.lock_timeout_seconds.or(other.lock_timeout_seconds),
            idle_in_transaction_timeout_seconds: self
                .idle_in_transaction_timeout_seconds
                .or(other.idle_in_transaction_timeout_seconds),
            temp_file_mb: self.temp_file_mb.or(other.temp_file_mb),
            storage_mb: self.storage_mb.or(other.storage_mb),
        }
    }

    /// Those among the inputs; the other inputs are for people.
    pub fn of_inputs(inputs: &Map<String, Value>) -> Result<Self, ProviderError> {
        let given = inputs.iter().filter(|(name, _)| KEYS.contains(&name.as_str()));
        Self::read(given.map(|(name, value)| (name.clone(), value.clone())).collect(), "the inputs")
    }

    /// Those of a part of the template, which has nothing else in it.
    pub fn read(part: Map<String, Value>, what: &str) -> Result<Self, ProviderError> {
        let limits: Self = serde_json::from_value(Value::Object(part))
            .map_err(|error| ProviderError::failed(format!("{what} cannot be used: {error}")))?;
        if limits.connection_limit.is_some_and(|limit| limit < -1) {
            return Err(ProviderError::failed("the connection limit must be −1 (no limit) or more"));
        }
        Ok(limits)
    }

    /// What a role has besides its connection limit: the setting, its name for people, and its value.
    pub fn defaults(&self) -> Vec<RoleDefault> {
        // More than a day is nobody's time-out.
        let seconds = |value: Option<u32>| value.filter(|value| *value > 0).map(|s| format!("{}s", s.min(86_400)));
        let mebibytes = |value: Option<u32>| value.filter(|value| *value > 0).map(|mb| format!("{mb}MB"));
        vec![
            RoleDefault::new("statement_timeout", "statement time-out", seconds(self.statement_timeout_seconds)),
            RoleDefault::new("lock_timeout", "lock time-out", seconds(self.lock_timeout_seconds)),
            RoleDefault::new(
                "idle_in_transaction_session_timeout",
                "idle time-out in transactions",
                seconds(self.idle_in_transaction_timeout_seconds),
            ),
            RoleDefault::new(TEMP_FILES, "temporary files", mebibytes(self.temp_file_mb)),
        ]
    }
}

/// A size for people: `1.3 GB`.
pub fn size_words(bytes: u64) -> String {
    const MB: u64 = 1024 * 1024;
    // Rounded up to a tenth, so that what is too much never reads like what is allowed.
    let tenths = |unit: u64| (u128::from(bytes) * 10).div_ceil(u128::from(unit));
    let (tenths, unit) = if bytes < 1000 * MB { (tenths(MB), "MB") } else { (tenths(1024 * MB), "GB") };
    if tenths % 10 == 0 { format!("{} {unit}", tenths / 10) } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_key_is_a_limit_and_the_first_to_say_something_wins() {
        for key in KEYS {
            let Value::Object(one) = json!({key: 3, "purpose": "x"}) else { unreachable!() };
            assert_ne!(Limits::of_inputs(&one).unwrap(), Limits::default(), "{key}");
            assert_eq!(Limits::of_inputs(&one).unwrap().or(Limits::default()), Limits::of_inputs(&one).unwrap());
            assert_eq!(Limits::default().or(Limits::of_inputs(&one).unwrap()), Limits::of_inputs(&one).unwrap());
        }
        let Value::Object(bad) = json!({"colour": 1}) else { unreachable!() };
        assert!(Limits::read(bad, "the size").is_err());
    }

    #[test]
    fn sizes_are_told_in_words() {
        const MB: u64 = 1024 * 1024;
        for (bytes, words) in [
            (0, "0 MB"),
            (MB, "1 MB"),
            (MB + 1, "1.1 MB"),
            (512 * MB, "512 MB"),
            (1024 * MB, "1 GB"),
            (1300 * MB, "1.3 GB"),
        ] {
            assert_eq!(size_words(bytes), words);
        }
    }
}
