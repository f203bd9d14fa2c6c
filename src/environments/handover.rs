//! Environments whose owner is gone, and giving them to another member of the project.
//!
//! An owner is gone when they are deactivated, or hold neither the role developer nor lead in the project or the
//! environment type, by themselves, through a team or on the platform. Such an environment stands in a list and has a mark, so
//! that somebody takes it over; nothing about it changes by itself.

use serde_json::json;

use super::service::{about, load};
use super::store::transitions;
use super::{Environment, Error, State};
use crate::audit;
use crate::base::Op;
use crate::base::id::EnvironmentId;
use crate::db::Tx;
use crate::identity::{self, Role};
use crate::policy::{Permit, ability};
use crate::projects;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 2000;

/// Gives the environment to the person with this login. The permit is for the environment.
pub async fn hand_over(
    tx: &mut Tx,
    op: &Op,
    permit: &Permit<ability::HandOver>,
    login: &str,
    reason: &str,
) -> Result<Environment, Error> {
    let id: EnvironmentId = permit.resource().parse().map_err(|_| Error::NotFound)?;
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::NoReason);
    }
    let before = load(tx, id).await?;
    if matches!(before.state, State::Deleting | State::Deleted) {
        return Err(Error::WrongState(before.state, "there is nothing to hand over any more"));
    }
    let no_member = || Error::NoHandOver("an environment is handed over to an active developer or lead of its project");
    let person = identity::find_person(tx, login.trim()).await?.ok_or_else(no_member)?;
    let access = identity::load_access(tx, person.id).await?;
    let roles = access.roles_in(before.project.id, Some(before.place.id));
    if !person.active || !(roles.contains(&Role::Developer) || roles.contains(&Role::Lead)) {
        return Err(no_member());
    }
    if person.id == before.owner.id {
        return Err(Error::NoHandOver("that person owns it already"));
    }
    transitions::set_owner(tx, id, person.id).await?;
    projects::change_hands(tx, id).await?;
    let detail = json!({"from": before.owner.login, "to": person.login, "reason": reason});
    audit::append(tx, op, about(&before, "environment.handed_over").detail(detail)).await?;
    load(tx, id).await
}
