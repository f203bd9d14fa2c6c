//! What a person may see: the same policy for lists as for single things.

use super::App;
use crate::base::Op;
use crate::base::id::ProjectId;
use crate::db::{self, Connection};
use crate::environments::{self, Environment};
use crate::identity::Access;
use crate::policy::{Ability, Action, Context, Denied, Permit, Question, Resource, ResourceKind, ability};
use crate::projects::{self, Project};

/// The projects that somebody may see things of.
#[derive(Debug, Clone)]
pub enum Visible {
    /// Every project.
    All,
    /// Only these.
    Only(Vec<ProjectId>),
}

impl Visible {
    /// As the filters of lists take it: `None` is everything.
    pub fn ids(&self) -> Option<Vec<ProjectId>> {
        match self {
            Self::All => None,
            Self::Only(ids) => Some(ids.clone()),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Only(ids) if ids.is_empty())
    }

    /// Whether this project is among them.
    pub fn contains(&self, id: ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&id),
        }
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

    /// Whether somebody may review the requests of others in a project.
    pub fn may_review(&self, op: &Op, access: &Access, project: &Project) -> bool {
        self.policy.decide(&self.project_question(op, access, Action::ReviewRequest, project)).is_allowed()
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

    /// The projects in which `action` is allowed to this person, out of all that there are.
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
        Ok(if whole && allowed.len() == projects.len() { Visible::All } else { Visible::Only(allowed) })
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
        Ok(if allowed.is_empty() { Err(refused) } else { Ok(Visible::Only(allowed)) })
    }

    fn allowed_in(&self, op: &Op, access: &Access, action: Action, projects: &[Project]) -> Vec<ProjectId> {
        let allowed = |project: &&Project| self.policy.allows(&self.project_question(op, access, action, project));
        projects.iter().filter(allowed).map(|project| project.id).collect()
    }

    /// Writes down that somebody wanted to see a sensitive output and may not.
    pub async fn record_refused_reveal(&self, op: &Op, environment: &Environment, names: &[String]) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        environments::record_refused_reveal(&mut tx, op, environment, names).await?;
        tx.commit().await
    }
}
