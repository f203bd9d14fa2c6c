//! Typed ids over `UUIDv7` (RFC 9562), shown outside as `prefix_` and 32 hex digits.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::{Clock, Entropy};

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id such as {prefix}_0193c3f2…, not “{given}”")]
pub struct InvalidId {
    prefix: &'static str,
    given: String,
}

/// Makes a `UUIDv7` from the injected clock and entropy.
pub fn new_uuid(clock: &dyn Clock, entropy: &dyn Entropy) -> Uuid {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let millis = u64::try_from(clock.now().as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, InvalidId> {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
        .and_then(|hex| Uuid::try_parse(hex).ok())
        .ok_or_else(|| InvalidId { prefix, given: text.chars().take(64).collect() })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id from the injected clock and entropy.
            pub fn new(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self(new_uuid(clock, entropy))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A person who signs in.
    PersonId = "usr";
    /// A group of people.
    TeamId = "team";
    /// A signed-in browser.
    SessionId = "ses";
    /// A bearer token of the API.
    TokenId = "tok";
    /// A role given to a person or a team at a scope.
    RoleBindingId = "rol";
    /// A role that somebody asked for, or took in an emergency.
    ElevationId = "elv";
    /// A project: a team's workspace.
    ProjectId = "prj";
    /// An environment type of the platform: dev, test, prod.
    EnvironmentTypeId = "ety";
    /// An environment type enabled for a project.
    ProjectEnvironmentTypeId = "pet";
    /// Where a provider makes things.
    TargetId = "tgt";
    /// A limit of a project environment type.
    QuotaId = "quo";
    /// A folder or Git repository that holds templates.
    CatalogSourceId = "src";
    /// A thing that can be requested.
    TemplateId = "tpl";
    /// Immutable content of a template.
    TemplateVersionId = "ver";
    /// What a developer owns.
    EnvironmentId = "env";
    /// Somebody's ask for an operation.
    RequestId = "req";
    /// A version of the policy set.
    PolicyVersionId = "pol";
    /// What policy said.
    DecisionId = "dec";
    /// Who must agree to a request.
    RequirementId = "apr";
    /// Who decides for an approver who is absent.
    DelegationId = "dlg";
    /// Changes that a reviewer suggests.
    SuggestionId = "sug";
    /// One person's verdict on a request.
    ReviewId = "rev";
    /// One execution of an operation.
    RunId = "run";
    /// A time in which runs are held.
    FreezeId = "frz";
    /// Something at a target that nobody owns.
    OrphanId = "orp";
    /// A circuit breaker.
    CircuitId = "cir";
    /// A process that executes runs.
    WorkerId = "wkr";
    /// One line of the audit log.
    AuditRecordId = "aud";
    /// One HTTP request, run step or command: ties log lines, audit records and error pages together.
    OperationId = "op";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{ManualClock, SeededEntropy};

    #[test]
    fn text_form_round_trips_and_refuses_other_kinds() {
        let clock = ManualClock::new(jiff::Timestamp::from_second(1_800_000_000).unwrap());
        let id = RunId::new(&clock, &SeededEntropy::new(1));
        assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
        assert!(id.to_string().parse::<EnvironmentId>().is_err());
        for bad in ["", "run_", "run_XYZ", "run_0193C3F20000700080000000000000AB", "0193c3f2"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_sort_by_time() {
        let clock = ManualClock::new(jiff::Timestamp::from_second(1_800_000_000).unwrap());
        let entropy = SeededEntropy::new(1);
        let first = RunId::new(&clock, &entropy);
        clock.advance(jiff::SignedDuration::from_millis(1));
        assert!(first < RunId::new(&clock, &entropy));
    }
}
