//! The steps of a run, and its plan.

use super::log::anchor;
use super::view::StepRow;
use crate::base::id::RunId;
use crate::base::text::slugify;
use crate::environments::ResourceTiming;
use crate::orchestrator::{LogLine, RunStep, StepStatus};
use crate::providers;
use crate::web::requests::plan::table;
use crate::web::ui::{Pill, Plan};
use crate::web::urls;
use crate::web::words::{Times, length};

/// The step's name as a heading: "Verify gone".
pub(super) fn title(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The state of a step; of one that another attempt has taken over there is none.
pub(super) fn pill(step: Option<&RunStep>) -> Pill {
    let Some(step) = step else { return Pill::of("skipped").saying("Interrupted") };
    Pill::of(match step.status {
        StepStatus::Pending => "pending",
        StepStatus::Running => "running",
        StepStatus::Succeeded => "succeeded",
        StepStatus::Failed => "failed",
        StepStatus::Canceled => "canceled",
    })
}

/// How long a step has taken until now or until its end.
pub(super) fn took(step: &RunStep, times: &Times) -> String {
    let Some(started) = step.started_at else { return String::new() };
    length(step.ended_at.unwrap_or_else(|| times.now()).duration_since(started))
}

/// The outline; a step links to its head in the log, or to the page where that is.
pub(super) fn steps(run: RunId, steps: &[RunStep], lines: &[LogLine], times: &Times) -> Vec<StepRow> {
    let from = lines.first().map_or(1, |line| line.seq);
    let row = |step: &RunStep| {
        let shown = lines.iter().find(|line| line.step == step.name && line.attempt == step.attempt);
        // The page may begin in the middle of a step.
        let whole = shown.is_some_and(|line| line.seq > from || from == 1);
        StepRow {
            name: title(&step.name),
            pill: pill(Some(step)),
            took: took(step, times),
            href: match (whole, step.started_at) {
                (true, _) => Some(format!("#{}", anchor(&step.name, step.attempt))),
                (false, Some(_)) if from > 1 || shown.is_none() && !lines.is_empty() => {
                    Some(format!("{}?at={}", urls::run(run), slugify(&step.name)))
                }
                (false, _) => None,
            },
        }
    };
    steps.iter().map(row).collect()
}

/// "2 of 4 done".
pub(super) fn summary(steps: &[RunStep]) -> String {
    if steps.is_empty() {
        return "not begun".to_owned();
    }
    let done = steps.iter().filter(|step| step.status == StepStatus::Succeeded).count();
    format!("{done} of {} done", steps.len())
}

/// The plan as a table, each line with what became of it.
pub(super) fn plan(plan: providers::Plan, timings: &[ResourceTiming], times: &Times) -> Plan {
    let mut shown = table(plan.changes);
    for row in shown.rows.iter_mut().chain(&mut shown.destroys) {
        for timing in timings.iter().filter(|timing| timing.address == row.resource) {
            let told = became(timing, times);
            row.what = if row.what.is_empty() { told } else { format!("{} · {told}", row.what) };
        }
    }
    shown
}

/// "create 3 s", "delete failed after 2 min", "create for 40 s".
fn became(timing: &ResourceTiming, times: &Times) -> String {
    let took = length(timing.ended_at.unwrap_or_else(|| times.now()).duration_since(timing.started_at));
    match (timing.ended_at, timing.failed) {
        (Some(_), false) => format!("{} {took}", timing.action),
        (Some(_), true) => format!("{} failed after {took}", timing.action),
        (None, _) => format!("{} for {took}", timing.action),
    }
}
