//! The versions of an environment's state, by name: what each has more, changed or less.

use std::collections::BTreeMap;

use super::view::VersionRow;
use crate::base::id::RequestId;
use crate::db::Connection;
use crate::environments::{self, Environment, StateVersion};
use crate::orchestrator::Run;
use crate::policy::ability;
use crate::providers::{PlanAction, PlanChange, StateOrigin};
use crate::web::error::PageError;
use crate::web::urls;
use crate::web::visitor::Visitor;
use crate::web::words::Times;

/// How many the page shows; the API has all.
const SHOWN: usize = 10;
/// How many resources one line names.
const NAMED: usize = 6;

/// The newest ones, for those who may see secrets.
pub(super) async fn rows(
    visitor: &Visitor,
    connection: &mut Connection,
    environment: &Environment,
    runs: &[Run],
) -> Result<Vec<VersionRow>, PageError> {
    let permit = visitor.app.permit_on::<ability::RevealOutput>(&visitor.op, &visitor.access, environment)?;
    let sealer = &visitor.app.sealer;
    let versions = environments::list_versions(connection, sealer, &permit, None, SHOWN).await?;
    let times = visitor.times();
    let mut people = BTreeMap::new();
    for version in &versions {
        let request = version.by.and_then(|(id, _)| runs.iter().find(|run| run.id == id)?.request);
        if let Some(id) = request.filter(|id| !people.contains_key(id))
            && let Some(request) = visitor.app.requests.find(connection, id).await?
        {
            people.insert(id, request.requester_label);
        }
    }
    Ok(versions.iter().map(|version| row(version, runs, &people, &times)).collect())
}

fn row(version: &StateVersion, runs: &[Run], people: &BTreeMap<RequestId, String>, times: &Times) -> VersionRow {
    let origin = match version.origin {
        StateOrigin::Written | StateOrigin::Migrated => "",
        StateOrigin::Rescued => ", rescued",
        StateOrigin::Stray => ", stray: not used",
    };
    let by = version.by.map(|(id, attempt)| {
        let label = runs.iter().find(|run| run.id == id).map_or("A run", |run| run.label.as_str());
        (format!("{label}, attempt {attempt}"), urls::run(id))
    });
    let request = version.by.and_then(|(id, _)| runs.iter().find(|run| run.id == id)?.request);
    VersionRow {
        who: request.and_then(|id| people.get(&id)).cloned(),
        version: version.version,
        note: format!("serial {}{origin}", version.serial),
        changes: changes(&version.changes),
        by,
        written: times.near(version.written_at),
    }
}

/// "created a, b; changed c (input); removed d".
fn changes(all: &[PlanChange]) -> String {
    let part = |words: &str, is: fn(PlanAction) -> bool| {
        let found: Vec<&PlanChange> = all.iter().filter(|change| is(change.action)).collect();
        let mut names: Vec<String> = found.iter().take(NAMED).map(|change| named(change)).collect();
        if found.len() > NAMED {
            names.push(format!("{} more", found.len() - NAMED));
        }
        (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")))
    };
    let parts = [
        part("created", |action| action == PlanAction::Create),
        part("changed", |action| matches!(action, PlanAction::Change | PlanAction::Replace)),
        part("removed", |action| action == PlanAction::Destroy),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn named(change: &PlanChange) -> String {
    if change.summary.is_empty() { change.address.clone() } else { format!("{} ({})", change.address, change.summary) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_one_sentence() {
        let change = |address: &str, action, summary: &str| PlanChange {
            address: address.to_owned(),
            action,
            summary: summary.to_owned(),
        };
        let many: Vec<PlanChange> = (0..8).map(|n| change(&format!("a{n}"), PlanAction::Create, "")).collect();
        assert_eq!(changes(&many), "created a0, a1, a2, a3, a4, a5, 2 more");
        let mixed = [change("b", PlanAction::Change, "input, output"), change("c", PlanAction::Destroy, "")];
        assert_eq!(changes(&mixed), "changed b (input, output); removed c");
        assert_eq!(changes(&[]), "");
    }
}
