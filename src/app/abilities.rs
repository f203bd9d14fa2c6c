//! What a person may see: the same policy for lists as for single things.

use std::collections::{BTreeMap, BTreeSet};

use super::App;
use crate::base::Op;
use crate::base::id::{ProjectEnvironmentTypeId, ProjectId};
use crate::db::{self, Connection};
use crate::environments::{self, Environment};
use crate::identity::Access;
use crate::policy::{Ability, Action, Context, Denied, Permit, Question, Resource, ResourceKind, ability};
use crate::projects::{self, Project};

/// What somebody may see things of.
#[derive(Debug, Clone)]
pub enum Visible {
    /// Every project.
    All,
    /// Only these.
    Only {
        /// Projects as a whole.
        projects: Vec<ProjectId>,
        /// Single environment types of other projects.
        places: BTreeMap<ProjectEnvironmentTypeId, ProjectId>,
    },
}

impl Visible {
    /// All the projects, as the filters of lists take them: `None` is everything. Of some only [`Self::parts`].
    pub fn projects(&self) -> Option<Vec<ProjectId>> {
        match self {
            Self::All => None,
            Self::Only { projects, places } => {
                let partly: BTreeSet<&ProjectId> = places.values().collect();
                Some(projects.iter().chain(partly).copied().collect())
            }
        }
    }

    /// Of which projects only single environment types, and which, as the filters of lists take them.
    pub fn parts(&self) -> Vec<(ProjectId, ProjectEnvironmentTypeId)> {
        match self {
            Self::All => Vec::new(),
            Self::Only { places, .. } => places.iter().map(|(place, project)| (*project, *place)).collect(),
        }
    }

    /// Whether this project is among them, as a whole.
    pub fn is_whole(&self, id: ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Only { projects, .. } => projects.contains(&id),
        }
    }

    /// Whether this project is among them, if only in one of its environment types.
    pub fn contains(&self, id: ProjectId) -> bool {
        let part = || matches!(self, Self::Only { places, .. } if places.values().any(|project| *project == id));
        self.is_whole(id) || part()
    }

    /// Whether this environment type of the project is among them.
    pub fn contains_place(&self, project: ProjectId, place: ProjectEnvironmentTypeId) -> bool {
        self.is_whole(project) || matches!(self, Self::Only { places, .. } if places.contains_key(&place))
    }

    /// What of it lies in this project.
    #[must_use]
    pub fn within(&self, id: ProjectId) -> Self {
        let mut part = BTreeMap::new();
        if let Self::Only { places, .. } = self {
            part.extend(places.iter().filter(|(_, project)| **project == id));
        }
        Self::Only { projects: self.is_whole(id).then_some(id).into_iter().collect(), places: part }
    }

    /// Nothing.
    pub fn nothing() -> Self {
        Self::Only { projects: Vec::new(), places: BTreeMap::new() }
    }
}

impl App {
    /// The question whether somebody may do something to the platform as a whole or to its parts.
    pub fn platform_question(&self, op: &Op, access: &Access, action: Action, resource: Resource) -> Question {
        let context = Context { channel: op.origin.channel.to_owned(), ..Context::default() };
        Question { action, principal: access.principal(None), resource, context }
    }

    /// The question whether somebody may do something in a project.
    pub fn project_question(&self, op: &Op, access: &Access, action: Action, project: &Project) -> Question {
        let context = Context { channel: op.origin.channel.to_owned(), ..Context::default() };
        let resource = match action {
            Action::ReadProject => Resource::project(&project.slug),
            Action::ReadAudit => Resource::audit_log(Some(&project.slug)),
            Action::ReadRequest | Action::WithdrawRequest => {
                Resource { project: Some(project.slug.clone()), ..Resource::new(ResourceKind::Request, "") }
            }
            Action::ReviewRequest => Resource {
                project: Some(project.slug.clone()),
                // Nobody reviews their own.
                requester: Some("somebody else".to_owned()),
                ..Resource::new(ResourceKind::Request, "")
            },
            _ => Resource { project: Some(project.slug.clone()), ..Resource::new(ResourceKind::Environment, "") },
        };
        Question { action, principal: access.principal(Some(project.id)), resource, context }
    }

    /// Whether somebody may review the requests of others in a project, if only in one of its environment types.
    pub fn may_review(&self, op: &Op, access: &Access, project: &Project) -> bool {
        self.is_allowed_in(op, access, Action::ReviewRequest, project)
            || !self.allowed_places(op, access, Action::ReviewRequest, project).is_empty()
    }

    /// The question whether somebody may do something with an environment.
    pub fn environment_question(
        &self,
        op: &Op,
        access: &Access,
        action: Action,
        environment: &Environment,
    ) -> Question {
        let resource = Resource {
            project: Some(environment.project.slug.clone()),
            environment_type: Some(environment.place.slug.clone()),
            template: Some(environment.template.slug.clone()),
            provider: Some(environment.template.provider.clone()),
            owner: Some(environment.owner.id.to_string()),
            ..Resource::new(ResourceKind::Environment, environment.id.to_string())
        };
        let context = Context {
            channel: op.origin.channel.to_owned(),
            lifetime_seconds: environment.remaining.map(|left| left.as_secs()),
            maximum_lifetime_seconds: Some(environment.place.maximum_lifetime.as_secs()),
            ..Context::default()
        };
        Question { action, principal: access.principal(Some(environment.project.id)), resource, context }
    }

    /// The permit to do `A` with an environment.
    pub fn permit_on<A: Ability>(
        &self,
        op: &Op,
        access: &Access,
        environment: &Environment,
    ) -> Result<Permit<A>, Denied> {
        self.policy.permit(&self.environment_question(op, access, A::ACTION, environment))
    }

    /// The projects, and the environment types of others, in which `action` is allowed to this person, out of all
    /// that there are.
    pub async fn visible(
        &self,
        connection: &mut Connection,
        op: &Op,
        access: &Access,
        action: Action,
    ) -> db::Result<Visible> {
        let projects = projects::list(connection, None).await?;
        let allowed: Vec<ProjectId> = self.allowed_in(op, access, action, &projects);
        // A list that was cut may hide projects in which it is not allowed.
        let whole = projects.len() < projects::MOST_LISTED;
        if whole && allowed.len() == projects.len() {
            return Ok(Visible::All);
        }
        let mut places = BTreeMap::new();
        for project in projects.iter().filter(|project| !allowed.contains(&project.id)) {
            let here = self.allowed_places(op, access, action, project);
            places.extend(here.into_iter().map(|place| (place, project.id)));
        }
        Ok(Visible::Only { projects: allowed, places })
    }

    /// Whose audit records somebody may read: all, or those of single projects; nothing at all is
    /// refused. Being allowed in every project is not “all”: many records belong to no project.
    pub async fn readable_audit(
        &self,
        connection: &mut Connection,
        op: &Op,
        access: &Access,
    ) -> db::Result<Result<Visible, Denied>> {
        let whole = self.platform_question(op, access, Action::ReadAudit, Resource::audit_log(None));
        let whole: Result<Permit<ability::ReadAudit>, Denied> = self.policy.permit(&whole);
        let Err(refused) = whole else { return Ok(Ok(Visible::All)) };
        let projects = projects::list(connection, None).await?;
        let allowed = self.allowed_in(op, access, Action::ReadAudit, &projects);
        let nothing = allowed.is_empty();
        Ok(if nothing { Err(refused) } else { Ok(Visible::Only { projects: allowed, places: BTreeMap::new() }) })
    }

    fn allowed_in(&self, op: &Op, access: &Access, action: Action, projects: &[Project]) -> Vec<ProjectId> {
        let allowed = |project: &&Project| self.is_allowed_in(op, access, action, project);
        projects.iter().filter(allowed).map(|project| project.id).collect()
    }

    /// Whether it is allowed in a project as a whole.
    fn is_allowed_in(&self, op: &Op, access: &Access, action: Action, project: &Project) -> bool {
        let mut question = self.project_question(op, access, action, project);
        question.principal = question.principal.of_whole_project();
        self.policy.allows(&question)
    }

    /// Those of the environment types in which somebody has a role of their own, in which it is allowed. Whoever
    /// reads the project by such a role sees of it what is in them.
    fn allowed_places(
        &self,
        op: &Op,
        access: &Access,
        action: Action,
        project: &Project,
    ) -> Vec<ProjectEnvironmentTypeId> {
        let allowed = |slug: &str| {
            let mut question = self.project_question(op, access, action, project);
            if action != Action::ReadProject {
                question.resource.environment_type = Some(slug.to_owned());
            }
            self.policy.allows(&question)
        };
        let held = access.places_in(project.id);
        held.filter(|(slug, _)| allowed(slug)).map(|(_, held)| held.place).collect()
    }

    /// Writes down that somebody wanted to see a sensitive output and may not.
    pub async fn record_refused_reveal(&self, op: &Op, environment: &Environment, names: &[String]) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        environments::record_refused_reveal(&mut tx, op, environment, names).await?;
        tx.commit().await
    }
}
