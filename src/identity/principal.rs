//! A person as policy sees them.

use super::Access;
use crate::base::id::ProjectId;
use crate::policy::Principal;

impl Access {
    /// The person at a project, or on the platform.
    pub fn principal(&self, project: Option<ProjectId>) -> Principal {
        Principal {
            id: self.person.id.to_string(),
            login: self.person.login.clone(),
            teams: self.teams.iter().map(|team| team.slug.clone()).collect(),
            platform_roles: self.platform_roles.clone(),
            project_roles: project.and_then(|id| self.project_roles.get(&id)).cloned().unwrap_or_default(),
        }
    }
}
