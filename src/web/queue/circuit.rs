//! Circuits that are open.

use axum::extract::Path;
use axum::response::Response;

use super::manage;
use super::view::CircuitCard;
use crate::base::id::CircuitId;
use crate::orchestrator::Circuit;
use crate::web::answer;
use crate::web::error::{PageError, sentence};
use crate::web::ui::Pill;
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};

/// `POST /admin/circuits/{circuit}/close`
pub async fn close(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let permit = manage(&visitor)?;
    let id: CircuitId = id.parse().map_err(|_| PageError::not_found("circuit"))?;
    let closed = visitor.app.close_circuit(&visitor.op, &permit, id).await;
    closed.map_err(|error| PageError::from(error).link("Queue", urls::ADMIN_QUEUE))?;
    Ok(answer::see_other_saying(urls::ADMIN_QUEUE, "Runs go on there."))
}

/// What the page shows of one.
pub(super) fn card(circuit: Circuit, times: &Times, may_manage: bool) -> CircuitCard {
    let met = count(i64::from(circuit.environments), "environment in a row", "environments in a row");
    CircuitCard {
        scope: sentence(&circuit.of).trim_end_matches('.').to_owned(),
        pill: Pill { icon: "triangle-alert", ..Pill::of("failed").saying("Holds runs") },
        why: format!("{met} met an error there that may pass. Runs wait; one tries whether it has passed."),
        error: circuit.error,
        next: times.near(circuit.until),
        close_action: may_manage.then(|| urls::admin_circuit_close(circuit.id)),
    }
}
