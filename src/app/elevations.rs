//! Roles for a time: who may ask for one, take one at once, and say yes or no.

use jiff::SignedDuration;

use super::App;
use crate::base::Op;
use crate::base::id::ElevationId;
use crate::identity::{self, Access, Alarm, Elevation, IdentityError, NewElevation, Result, Role};
use crate::policy::{Ability, Action, Context, Permit, Question, Resource, ability};
use crate::projects::{self, Project};

/// The shortest time for which rules are asked whether the role could be had at all, in seconds.
const SHORT: i64 = 60;

/// A role to be asked for, as people name what it is about.
#[derive(Debug, Clone)]
pub struct ElevationDraft {
    /// The role.
    pub role: Role,
    /// The slug of a project; `None`: on the platform.
    pub project: Option<String>,
    /// For how long.
    pub lifetime: SignedDuration,
    /// What it is for.
    pub reason: String,
    /// To be taken at once.
    pub emergency: bool,
}

impl App {
    /// Asks for a role, or takes it at once where policy lets one. A refusal is written down.
    pub async fn elevate(&self, op: &Op, access: &Access, draft: &ElevationDraft) -> Result<Elevation> {
        let mut tx = self.db.begin().await?;
        let project = match &draft.project {
            None => None,
            Some(slug) => {
                let found = projects::find(&mut tx, slug).await?;
                Some(found.ok_or_else(|| IdentityError::invalid("/project", "is the short name of a project"))?)
            }
        };
        let new = NewElevation {
            role: draft.role,
            project: project.as_ref().map(|project| (project.id, project.slug.clone())),
            lifetime: draft.lifetime,
            reason: draft.reason.clone(),
        };
        let of = (draft.role, project.as_ref());
        let done = if draft.emergency {
            match self.permit_elevation::<ability::BreakGlass>(op, access, of, draft.lifetime) {
                Ok(permit) => identity::break_glass(&mut tx, op, &permit, &new).await,
                Err(refused) => Err(refused),
            }
        } else {
            match self.permit_elevation::<ability::AskForRole>(op, access, of, draft.lifetime) {
                Ok(permit) => identity::ask_for_role(&mut tx, op, &permit, &new).await,
                Err(refused) => Err(refused),
            }
        };
        match &done {
            Ok(_) => tx.commit().await?,
            Err(IdentityError::Forbidden(_)) => {
                let action = if draft.emergency { "elevation.taken" } else { "elevation.asked" };
                identity::record_elevation_refusal(&mut tx, op, action, (draft.role, draft.project.as_deref())).await?;
                tx.commit().await?;
            }
            Err(_) => {}
        }
        done
    }

    fn permit_elevation<A: Ability>(
        &self,
        op: &Op,
        access: &Access,
        of: (Role, Option<&Project>),
        lifetime: SignedDuration,
    ) -> Result<Permit<A>> {
        let asked = elevation_question(op, access, A::ACTION, of, lifetime.as_secs());
        self.policy.permit(&asked).map_err(|denied| {
            let shorter = elevation_question(op, access, A::ACTION, of, SHORT);
            if lifetime.as_secs() > SHORT && self.policy.allows(&shorter) {
                return IdentityError::invalid(
                    "/lifetime",
                    "no rule lets you have this role for so long: ask for less",
                );
            }
            IdentityError::Forbidden(Box::new(denied))
        })
    }

    /// Which roles somebody could take at once, and where: the platform, or one of these projects.
    pub fn emergencies(&self, op: &Op, access: &Access, projects: &[Project]) -> Vec<(Role, Option<String>)> {
        let places = std::iter::once(None).chain(projects.iter().map(Some));
        let every = places.flat_map(|place| Role::ALL.map(|role| (role, place)));
        every
            .filter(|(role, place)| {
                let held =
                    place.map_or_else(|| access.platform_roles.clone(), |project| access.roles_in(project.id, None));
                let question = elevation_question(op, access, Action::BreakGlass, (*role, *place), SHORT);
                !held.contains(role) && self.policy.allows(&question)
            })
            .map(|(role, place)| (role, place.map(|project| project.slug.clone())))
            .collect()
    }

    /// The permit to give and take roles, to decide who gets one for a time, and to review emergencies: not by a
    /// role that was itself asked for, or taken in an emergency.
    pub async fn permit_roles(&self, op: &Op, access: &Access) -> Result<Permit<ability::ManageRoles>> {
        let question = |access| self.platform_question(op, access, Action::ManageRoles, Resource::platform());
        let permit =
            self.policy.permit(&question(access)).map_err(|denied| IdentityError::Forbidden(Box::new(denied)))?;
        let lasting = identity::lasting_access(&mut *self.db.acquire().await?, access).await?;
        if lasting != *access && !self.policy.allows(&question(&lasting)) {
            return Err(IdentityError::Denied(
                "a role that you asked for, or took in an emergency, gives no roles: somebody whose role stays does",
            ));
        }
        Ok(permit)
    }

    /// Grants what somebody asked for, or says no.
    pub async fn decide_elevation(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageRoles>,
        id: ElevationId,
        said: (bool, &str),
    ) -> Result<Elevation> {
        let mut tx = self.db.begin().await?;
        let decided = identity::decide_elevation(&mut tx, op, permit, id, said).await?;
        tx.commit().await?;
        Ok(decided)
    }

    /// Takes back what one asked for, or gives back what one got.
    pub async fn end_elevation(&self, op: &Op, id: ElevationId) -> Result<Elevation> {
        let mut tx = self.db.begin().await?;
        let ended = identity::end_elevation(&mut tx, op, id).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Says whether an emergency was one.
    pub async fn review_elevation(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageRoles>,
        id: ElevationId,
        said: (bool, &str),
    ) -> Result<Elevation> {
        let mut tx = self.db.begin().await?;
        let reviewed = identity::review_elevation(&mut tx, op, permit, id, said).await?;
        tx.commit().await?;
        Ok(reviewed)
    }

    /// Writes down that somebody wanted to decide on a role, or to review one, and may not.
    pub async fn record_refused_elevation(&self, op: &Op, action: &'static str, of: &Elevation) -> Result<()> {
        let mut tx = self.db.begin().await?;
        identity::record_elevation_refusal(&mut tx, op, action, (of.role, of.project_slug.as_deref())).await?;
        Ok(tx.commit().await?)
    }

    /// The emergencies that somebody is told of on every page: those to review, or their own.
    pub async fn alarms(
        &self,
        connection: &mut crate::db::Connection,
        op: &Op,
        access: &Access,
    ) -> crate::db::Result<Vec<Alarm>> {
        let every = self.platform_question(op, access, Action::ManageRoles, Resource::platform());
        let only = (!self.policy.allows(&every)).then_some(access.person.id);
        identity::alarms(connection, only).await
    }
}

/// Whether somebody may ask for a role, or take it, for so many seconds.
fn elevation_question(
    op: &Op,
    access: &Access,
    action: Action,
    (role, project): (Role, Option<&Project>),
    seconds: i64,
) -> Question {
    let resource = project.map_or_else(Resource::platform, |project| Resource::project(&project.slug));
    let context = Context {
        channel: op.origin.channel.to_owned(),
        lifetime_seconds: Some(seconds),
        asked_role: Some(role),
        ..Context::default()
    };
    Question { action, principal: access.principal(project.map(|project| project.id)), resource, context }
}
