//! Handing an environment over on its page.

use axum::extract::Path;
use axum::response::Response;

use super::view::HandOverCard;
use super::{actions, id_of, readable};
use crate::db::Connection;
use crate::environments::{Environment, State};
use crate::identity;
use crate::policy::{Role, ability};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// `POST …/hand-over`, with `to` and `reason`.
pub async fn hand_over(visitor: Visitor, Path(id): Path<String>, form: Form) -> Result<Response, PageError> {
    let environment = readable(&visitor, &mut *visitor.app.db.acquire().await?, id_of(&id)?).await?;
    let back = urls::environment(environment.id);
    let permit = visitor.app.permit_on::<ability::HandOver>(&visitor.op, &visitor.access, &environment);
    let permit = permit.map_err(|denied| PageError::from(denied).link(&environment.name, &back))?;
    let given = visitor.app.hand_over(&visitor.op, &permit, form.get("to"), form.get("reason")).await;
    let given = given.map_err(|error| PageError::from(error).link(&environment.name, &back))?;
    Ok(answer::see_other_saying(&back, &format!("{} owns it from now on.", given.owner.name)))
}

/// The card: for those who may, and for everybody while the owner is gone.
pub(super) async fn card(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
) -> Result<Option<HandOverCard>, PageError> {
    if matches!(environment.state, State::Deleting | State::Deleted) {
        return Ok(None);
    }
    let may = actions::denied::<ability::HandOver>(visitor, environment).is_none();
    let owner = &environment.owner;
    let gone = owner.gone.then(|| {
        format!(
            "{} is gone: deactivated, or no member of {} any more. Somebody should take it over.",
            owner.name, environment.project.name
        )
    });
    if !may && gone.is_none() {
        return Ok(None);
    }
    let mut members: Vec<(String, String)> = Vec::new();
    if may {
        for member in identity::members(connection, environment.project.id).await? {
            let here = member.place.is_none_or(|place| place == environment.place.id);
            let can = here && matches!(member.role, Role::Developer | Role::Lead) && member.person != owner.id;
            if can && !members.iter().any(|(login, _)| *login == member.login) {
                members.push((member.login, member.display_name));
            }
        }
    }
    Ok(Some(HandOverCard { gone, members, action: may.then(|| urls::hand_over(environment.id)) }))
}
