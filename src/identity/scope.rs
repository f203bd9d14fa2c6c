//! What an API token may be used for.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Serialize, Serializer};

use super::{IdentityError, Result};
use crate::policy::Action;

/// One thing that a token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Look at everything that the person may look at, but for the audit log and secrets.
    Read,
    /// Ask for operations on environments, follow them, cancel and retry, reveal outputs.
    Request,
    /// Approve and reject requests.
    Review,
    /// Curate: catalog, policies, projects, people.
    Admin,
    /// Read the audit log.
    Audit,
}

impl Scope {
    /// Every scope, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Read, Self::Request, Self::Review, Self::Admin, Self::Audit];

    /// The word in the API and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Request => "request",
            Self::Review => "review",
            Self::Admin => "admin",
            Self::Audit => "audit",
        }
    }
}

impl From<Action> for Scope {
    /// The scope that a token needs for this action. A new action must choose one here.
    fn from(action: Action) -> Self {
        match action {
            Action::ReadCatalog | Action::ReadProject | Action::ReadEnvironment | Action::ReadRequest => Self::Read,
            Action::CreateEnvironment
            | Action::UpdateEnvironment
            | Action::ExtendEnvironment
            | Action::PowerEnvironment
            | Action::ActOnEnvironment
            | Action::DeleteEnvironment
            | Action::RetryRun
            | Action::CancelRun
            | Action::CheckDrift
            | Action::AcceptDrift
            | Action::HandOver
            | Action::RevealOutput
            | Action::WithdrawRequest
            | Action::AskForRole => Self::Request,
            Action::ReviewRequest => Self::Review,
            Action::ManageCatalog
            | Action::ReadAdmin
            | Action::ManageQueue
            | Action::ManageTargets
            | Action::ManageQuotas
            | Action::ManagePrices
            | Action::ManageRoles
            | Action::BreakGlass
            | Action::ManageOrphans
            | Action::ManagePolicies
            | Action::PublishPolicies
            | Action::ManageTokens => Self::Admin,
            Action::ReadAudit => Self::Audit,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            IdentityError::invalid("/scopes", format!("“{text}” is not a scope; the scopes are {known}"))
        })
    }
}

/// A set of scopes, never empty. `read` is always part of it: whoever may change a thing through
/// the API must be able to see what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenScopes(BTreeSet<Scope>);

impl TokenScopes {
    /// These scopes, and `read`.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut set: BTreeSet<Scope> = scopes.into_iter().collect();
        set.insert(Scope::Read);
        Self(set)
    }

    /// Every scope.
    pub fn all() -> Self {
        Self::new(Scope::ALL)
    }

    /// Whether a token with these scopes may be used for a scope, or for an action of policy.
    pub fn allows(&self, what: impl Into<Scope>) -> bool {
        self.0.contains(&what.into())
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// The words, for the store.
    pub(super) fn words(&self) -> Vec<String> {
        self.iter().map(|scope| scope.as_str().to_owned()).collect()
    }
}

impl FromStr for TokenScopes {
    type Err = IdentityError;

    /// Reads words with commas or spaces between: `read,request`.
    fn from_str(text: &str) -> Result<Self> {
        let words: Vec<&str> = text.split([',', ' ']).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err(IdentityError::invalid("/scopes", "name at least one scope"));
        }
        Ok(Self::new(words.into_iter().map(Scope::from_str).collect::<Result<Vec<_>>>()?))
    }
}

impl fmt::Display for TokenScopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(","))
    }
}

impl Serialize for TokenScopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Scope::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reaches_only_its_scopes() {
        let scopes: TokenScopes = "request, audit".parse().unwrap();
        let allowed: Vec<_> = Scope::ALL.into_iter().filter(|scope| scopes.allows(*scope)).collect();
        assert_eq!(allowed, [Scope::Read, Scope::Request, Scope::Audit]);
        assert_eq!(scopes.to_string(), "read,request,audit");
    }

    #[test]
    fn reading_scopes_change_nothing_and_reveal_nothing() {
        let scopes: TokenScopes = "read,audit".parse().unwrap();
        let allowed: Vec<_> = Action::ALL.iter().copied().filter(|action| scopes.allows(*action)).collect();
        assert_eq!(
            allowed,
            [Action::ReadCatalog, Action::ReadProject, Action::ReadEnvironment, Action::ReadRequest, Action::ReadAudit]
        );
        assert!(Action::ALL.iter().all(|action| TokenScopes::all().allows(*action)));
    }

    #[test]
    fn unknown_and_missing_scopes_are_refused() {
        for bad in ["", " , ", "read,everything", "*", "Read"] {
            assert!(bad.parse::<TokenScopes>().is_err(), "{bad}");
        }
    }
}
