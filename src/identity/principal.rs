//! A person as policy sees them.

use super::Access;
use crate::base::id::ProjectId;
use crate::policy::Principal;

impl Access {
    /// The person at a project, or on the platform. What they hold in single environment types of the project goes
    /// with them: which of it counts follows from what they are asked about (`Question::roles`).
    pub fn principal(&self, project: Option<ProjectId>) -> Principal {
        let places = project.into_iter().flat_map(|id| self.places_in(id));
        Principal {
            id: self.person.id.to_string(),
            login: self.person.login.clone(),
            teams: self.teams.iter().map(|team| team.slug.clone()).collect(),
            platform_roles: self.platform_roles.clone(),
            project_roles: project.and_then(|id| self.project_roles.get(&id)).cloned().unwrap_or_default(),
            place_roles: places.map(|(slug, held)| (slug.clone(), held.roles.clone())).collect(),
        }
    }
}
