//! What an admin does with the roles of people and teams. The caller has the permit to.

use jiff::{SignedDuration, Timestamp};

use super::App;
use crate::base::Op;
use crate::base::id::{ProjectEnvironmentTypeId, ProjectId, RoleBindingId};
use crate::db::{self, Tx};
use crate::identity::{self, Binding, Holder, IdentityError, NewBinding, Role};
use crate::policy::{Permit, ability};
use crate::projects;

/// A role to be given, as people name what it is about.
#[derive(Debug, Clone)]
pub struct RoleDraft {
    /// A login, or `team:` and the short name of a team.
    pub who: String,
    /// The role.
    pub role: Role,
    /// The slug of a project; `None`: on the platform.
    pub project: Option<String>,
    /// The slug of one of its environment types; `None`: in all of it.
    pub environment_type: Option<String>,
    /// How long from now; `None`: until it is taken away.
    pub lifetime: Option<SignedDuration>,
}

impl App {
    /// Gives a role.
    pub async fn give_role(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageRoles>,
        draft: &RoleDraft,
    ) -> Result<Binding, IdentityError> {
        let mut tx = self.db.begin().await?;
        let holder = holder(&mut tx, draft.who.trim()).await?;
        let (project, place) = place(&mut tx, draft.project.as_deref(), draft.environment_type.as_deref()).await?;
        let expires_at = end(op, draft.lifetime)?;
        let new = NewBinding { role: draft.role, holder, project, place, expires_at };
        let given = identity::give_role(&mut tx, op, permit, &new).await?;
        tx.commit().await?;
        Ok(given)
    }

    /// Gives a role another end: so long from now, or none. `seen`: the end that the caller looked at.
    pub async fn change_role_end(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageRoles>,
        (id, seen): (RoleBindingId, Option<Option<Timestamp>>),
        lifetime: Option<SignedDuration>,
    ) -> Result<Binding, IdentityError> {
        let end = end(op, lifetime)?;
        let mut tx = self.db.begin().await?;
        let changed = identity::change_role_end(&mut tx, op, permit, (id, seen), end).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Takes a role away.
    pub async fn take_role(
        &self,
        op: &Op,
        permit: &Permit<ability::ManageRoles>,
        id: RoleBindingId,
    ) -> Result<Binding, IdentityError> {
        let mut tx = self.db.begin().await?;
        let taken = identity::take_role(&mut tx, op, permit, id).await?;
        tx.commit().await?;
        Ok(taken)
    }

    /// Writes down that somebody wanted to do this to a role and may not.
    pub async fn record_refused_role(&self, op: &Op, action: &'static str, of: &str) -> db::Result<()> {
        let mut tx = self.db.begin().await?;
        identity::record_role_refusal(&mut tx, op, action, of).await?;
        tx.commit().await
    }
}

/// The project and its environment type, also one in which nothing new is made.
async fn place(
    tx: &mut Tx,
    project: Option<&str>,
    environment_type: Option<&str>,
) -> Result<(Option<ProjectId>, Option<ProjectEnvironmentTypeId>), IdentityError> {
    let Some(slug) = project else {
        let alone = "is one of a project: name the project, too";
        return environment_type.map_or(Ok((None, None)), |_| Err(IdentityError::invalid("/environment_type", alone)));
    };
    let found = projects::find(tx, slug).await?;
    let project = found.ok_or_else(|| IdentityError::invalid("/project", "is the short name of a project"))?;
    let Some(kind) = environment_type else { return Ok((Some(project.id), None)) };
    let types = projects::environment_types(tx, project.id).await?;
    let place = types.iter().find(|place| place.slug == kind).ok_or_else(|| {
        let known: Vec<&str> = types.iter().map(|place| place.slug.as_str()).collect();
        let detail = format!("is an environment type of {slug}: one of {}", known.join(", "));
        IdentityError::invalid("/environment_type", detail)
    })?;
    Ok((Some(project.id), Some(place.id)))
}

async fn holder(tx: &mut Tx, who: &str) -> Result<Holder, IdentityError> {
    if let Some(slug) = who.strip_prefix("team:") {
        let team = identity::find_team(tx, slug).await?;
        let wrong = || IdentityError::invalid("/who", format!("there is no team “{slug}”"));
        return Ok(Holder::Team(team.ok_or_else(wrong)?.id));
    }
    let person = identity::find_person(tx, who).await?;
    let wrong = || IdentityError::invalid("/who", format!("there is nobody with the login “{who}”"));
    Ok(Holder::Person(person.ok_or_else(wrong)?.id))
}

fn end(op: &Op, lifetime: Option<SignedDuration>) -> Result<Option<Timestamp>, IdentityError> {
    let Some(lifetime) = lifetime else { return Ok(None) };
    let far = || IdentityError::invalid("/lifetime", "is a length of time such as 8h or 30d");
    op.now().checked_add(lifetime).map(Some).map_err(|_| far())
}
