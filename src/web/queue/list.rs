//! `GET /admin/queue`: every run that waits, and for what.

use axum::response::Response;

use super::view::{FreezeCard, QueuePage, WaitingRowView};
use super::{circuit, freeze, look, manage, tabs};
use crate::base::FieldError;
use crate::orchestrator::{self, Freeze, Waiting, Why};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Empty, FormError, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, urls};

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    let page = filled(&visitor, &Form::default(), &[]).await?;
    answer::page(&page)
}

/// The page with a form as it was typed.
pub(super) async fn filled(visitor: &Visitor, form: &Form, found: &[FieldError]) -> Result<QueuePage, PageError> {
    look(visitor)?;
    let may_manage = manage(visitor).is_ok();
    let mut connection = visitor.app.db.acquire().await?;
    let queue = orchestrator::queue(&mut connection).await?;
    let freezes = orchestrator::freezes(&mut connection).await?;
    let circuits = orchestrator::circuits(&mut connection).await?;
    let section = if may_manage { Some(freeze::section(&mut connection, form, found).await?) } else { None };
    drop(connection);
    let times = visitor.times();
    let shown = i64::try_from(queue.waiting.len()).unwrap_or(i64::MAX);
    Ok(QueuePage {
        shell: frame::shell(visitor, Section::Admin, "Queue").await?,
        lede: format!(
            "{}, {} at work. Teams take turns, people go before automation, one run at a time for each environment.",
            count(queue.total, "run waits", "runs wait"),
            queue.running
        ),
        tabs: tabs(urls::ADMIN_QUEUE),
        freezes: freezes.into_iter().map(|freeze| card(freeze, &times, may_manage)).collect(),
        circuits: circuits.into_iter().map(|one| circuit::card(one, &times, may_manage)).collect(),
        more: (queue.total > shown).then(|| format!("Only the first {shown} of {} are shown.", queue.total)),
        empty: queue.waiting.is_empty().then(empty),
        rows: queue.waiting.into_iter().map(|one| row(one, &times)).collect(),
        errors: section.iter().flat_map(|section| FormError::collect(std::slice::from_ref(section))).collect(),
        form: section,
    })
}

fn empty() -> Empty {
    Empty {
        icon: "inbox",
        title: "Nothing waits".to_owned(),
        text: "Every run that was asked for has been taken by a worker.".to_owned(),
        action: Some(("See the workers".to_owned(), urls::ADMIN_WORKERS.to_owned())),
    }
}

fn card(freeze: Freeze, times: &Times, may_manage: bool) -> FreezeCard {
    let pill = if freeze.in_force {
        Pill::of("needs_approval").saying("Holds runs")
    } else {
        Pill::of("pending").saying("Not yet")
    };
    FreezeCard {
        scope: sentence(&freeze.scope).trim_end_matches('.').to_owned(),
        pill: Pill { icon: "circle-pause", ..pill },
        reason: freeze.reason,
        from: (!freeze.in_force).then(|| times.at(freeze.starts_at)),
        until: freeze.ends_at.map(|at| times.at(at)),
        set_by: freeze.set_by,
        lift_action: may_manage.then(|| urls::admin_freeze_lift(freeze.id)),
    }
}

fn row(one: Waiting, times: &Times) -> WaitingRowView {
    let behind_href = match &one.why {
        Why::Lane { run, .. } => Some(urls::run(run)),
        Why::Turn
        | Why::Again { .. }
        | Why::Frozen { .. }
        | Why::Circuit { .. }
        | Why::NoWorker { .. }
        | Why::Limit { .. } => None,
    };
    WaitingRowView {
        place: one.position.map_or_else(|| "Held".to_owned(), |place| format!("Place {place}")),
        label: one.label,
        href: urls::run(one.id),
        project: if one.automatic { format!("{} · asked by Paddock itself", one.project) } else { one.project },
        why: one.why.sentence(),
        behind_href,
        then: match &one.why {
            Why::Frozen { until, .. } => until.map(|at| ("until", times.at(at))),
            Why::Circuit { until, .. } => Some(("One tries again", times.near(*until))),
            Why::Again { at } => Some(("Next try", times.near(*at))),
            Why::Turn | Why::Lane { .. } | Why::NoWorker { .. } | Why::Limit { .. } => None,
        },
        starts: one.starts_in.and_then(|after| times.now().checked_add(after).ok()).map(|at| times.near(at)),
        queued: times.near(one.queued_at),
    }
}
