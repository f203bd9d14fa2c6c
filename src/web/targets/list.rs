//! `GET /admin/targets`: every target, where it is used and what its last check found.

use axum::response::Response;

use super::view::{TargetRow, TargetsPage};
use super::{look, may_manage};
use crate::orchestrator;
use crate::projects::{self, CheckReport, ConnectedTarget};
use crate::providers::Verdict;
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Empty, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count, listed};
use crate::web::{frame, queue, urls};

/// How many project environment types are named in a row.
const NAMED: usize = 3;

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    look(&visitor)?;
    let mut connection = visitor.app.db.acquire().await?;
    let targets = projects::targets(&mut connection).await?;
    let at_work = orchestrator::Queue::at_work(&mut connection).await?;
    drop(connection);
    let times = visitor.times();
    let manages = may_manage(&visitor);
    let wrong = targets.iter().filter(|one| one.check.as_ref().is_some_and(|check| check.result == Verdict::Failed));
    let lede = match wrong.count() {
        0 => "Where environments are made: accounts, servers, machines, with their credentials.".to_owned(),
        bad => format!("{} did not pass the last check.", count(bad, "target", "targets")),
    };
    let page = TargetsPage {
        shell: frame::shell(&visitor, Section::Admin, "Targets").await?,
        tabs: queue::tabs(urls::ADMIN_TARGETS),
        lede,
        empty: targets.is_empty().then(|| empty(manages)),
        rows: targets
            .into_iter()
            .map(|target| {
                let busy = at_work.get(&target.id.0).copied().unwrap_or_default();
                row(target, busy, &times)
            })
            .collect(),
        connect_href: manages.then(|| urls::ADMIN_TARGET_NEW.to_owned()),
    };
    answer::page(&page)
}

fn empty(manages: bool) -> Empty {
    Empty {
        icon: "server",
        title: "No target is connected yet".to_owned(),
        text: "Connect a database server, a cloud account or a machine: environments are made there.".to_owned(),
        action: manages.then(|| ("Connect a target".to_owned(), urls::ADMIN_TARGET_NEW.to_owned())),
    }
}

/// The state of a check in a word.
pub(super) fn pill(check: Option<&CheckReport>) -> Pill {
    match check.map(|check| check.result) {
        None => Pill::of("pending").saying("Not checked"),
        Some(Verdict::Ok) => Pill::of("succeeded").saying("Passed"),
        Some(Verdict::Warning) => Pill { icon: "triangle-alert", ..Pill::of("needs_approval").saying("Look at it") },
        Some(Verdict::Failed) => Pill::of("failed").saying("Did not pass"),
    }
}

/// `1 of 4`, or the number alone where there is no limit.
pub(super) fn at_work(busy: i64, limit: Option<i32>) -> String {
    limit.map_or_else(|| busy.to_string(), |limit| format!("{busy} of {limit}"))
}

fn row(target: ConnectedTarget, busy: i64, times: &Times) -> TargetRow {
    let places: Vec<String> =
        target.bindings.iter().map(|one| format!("{} {}", one.project, one.environment_type)).collect();
    let used_by = match places.len() {
        all if all > NAMED + 1 => {
            let named = places.get(..NAMED).unwrap_or_default().join(", ");
            format!("{named} and {} more", all - NAMED)
        }
        _ => listed(&places, "and"),
    };
    TargetRow {
        href: urls::admin_target(&target.slug),
        check: pill(target.check.as_ref()),
        checked: target.check.as_ref().map(|check| times.near(check.at)),
        at_work: at_work(busy, target.run_limit),
        name: target.name,
        slug: target.slug,
        provider: target.provider,
        used_by,
        labels: target.labels,
    }
}
