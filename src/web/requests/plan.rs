//! A plan as pages show it: as a table, or how far it is.

use super::view::Planning;
use crate::policy::ability;
use crate::providers::{PlanAction, PlanChange};
use crate::requests::{PlanProgress, RequestDetail, RequestStatus};
use crate::web::ui::{Look, Plan, PlanRow, PlanSign};
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::count;

/// The changes as a table.
pub fn table(changes: Vec<PlanChange>) -> Plan {
    let (destroys, rows): (Vec<PlanRow>, Vec<PlanRow>) =
        changes.into_iter().map(row).partition(|row| row.sign == PlanSign::Destroy);
    let all = || rows.iter().chain(&destroys);
    let parts: Vec<String> = [PlanSign::Create, PlanSign::Change, PlanSign::Replace, PlanSign::Destroy]
        .into_iter()
        .map(|sign| (sign, all().filter(|row| row.sign == sign).count()))
        .filter(|(_, n)| *n > 0)
        .map(|(sign, n)| format!("{n} {}", sign.word()))
        .collect();
    let summary = if parts.is_empty() { "nothing to change".to_owned() } else { parts.join(", ") };
    Plan { summary, aside: count(all().count(), "resource", "resources"), rows, destroys }
}

fn row(change: PlanChange) -> PlanRow {
    let sign = match change.action {
        PlanAction::Create => PlanSign::Create,
        PlanAction::Change => PlanSign::Change,
        PlanAction::Replace => PlanSign::Replace,
        PlanAction::Destroy => PlanSign::Destroy,
    };
    PlanRow { sign, resource: change.address, what: change.summary }
}

/// The plan of a request, once it is made.
pub fn made(visitor: &Visitor, detail: &RequestDetail) -> Option<Plan> {
    let plan = detail.plan.as_ref()?;
    let PlanProgress::Made { changes, at, .. } = &plan.progress else { return None };
    let shown = table(changes.clone());
    let aside = format!("{}, planned {}", shown.aside, visitor.times().near(*at).shown);
    Some(Plan { aside, ..shown })
}

/// How far it is, while there is none to see; only as long as the request waits.
pub fn progress(detail: &RequestDetail) -> Option<Planning> {
    let waits = detail.request.status == RequestStatus::AwaitingApproval;
    let plan = detail.plan.as_ref().filter(|_| waits)?;
    let run_href = urls::run(plan.run);
    let words = |look, title: &str, text: String| Planning {
        look,
        title: title.to_owned(),
        text,
        run_href: run_href.clone(),
        retry_action: None,
    };
    match &plan.progress {
        PlanProgress::Made { .. } => None,
        PlanProgress::Queued => Some(words(
            Look::Busy,
            "The plan waits for a worker",
            "It shows what would be done before anybody approves. Nothing is changed by it.".to_owned(),
        )),
        PlanProgress::Planning => Some(words(
            Look::Busy,
            "The plan is being made",
            "It shows what would be done before anybody approves. Nothing is changed by it.".to_owned(),
        )),
        PlanProgress::Failed { error } => Some(Planning {
            retry_action: Some(urls::run_retry(plan.run)),
            ..words(Look::Bad, "The plan could not be made", error.clone())
        }),
    }
}

/// Whether the viewer may have it planned again.
pub fn may_retry(visitor: &Visitor, environment: Option<&crate::environments::Environment>) -> bool {
    environment.is_some_and(|environment| {
        visitor.app.permit_on::<ability::RetryRun>(&visitor.op, &visitor.access, environment).is_ok()
    })
}
