//! Who asks: a person with what they hold, or a part of Paddock.

use crate::base::id::{PersonId, ProjectId};
use crate::identity::Access;
use crate::policy::Principal;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Caller<'a> {
    /// A person.
    Person(&'a Access),
    /// A part of Paddock, for example `reconciler.expiry`.
    System(&'static str),
}

impl Caller<'_> {
    /// The caller as policy sees it at a project.
    pub fn principal(&self, project: Option<ProjectId>) -> Principal {
        match self {
            Self::Person(access) => access.principal(project),
            Self::System(part) => Principal::system(part),
        }
    }

    /// The person, if it is one.
    pub fn person(&self) -> Option<PersonId> {
        match self {
            Self::Person(access) => Some(access.person.id),
            Self::System(_) => None,
        }
    }

    /// The name that lists show.
    pub fn label(&self) -> String {
        match self {
            Self::Person(access) => access.person.display_name.clone(),
            Self::System(part) => format!("Paddock ({part})"),
        }
    }
}
