//! `GET /audit`: the log as sentences by day. The address holds every filter.

use axum::response::Response;
use uuid::Uuid;

use super::scope;
use super::sentence::Names;
use super::view::{AuditDay, AuditFilter, AuditPage, AuditRow};
use crate::audit::{self, ACTIONS, AuditRecord, Filter, Outcome};
use crate::base::id::ProjectId;
use crate::db::Connection;
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::shell::Section;
use crate::web::ui::Empty;
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, urls};

/// What the select offers: every action, and before those of a kind all of them.
fn actions() -> Vec<String> {
    let mut offered: Vec<String> = Vec::new();
    for (index, action) in ACTIONS.iter().enumerate() {
        let kind = audit::kind_of(action);
        let is_of_kind = |other: Option<&&str>| other.is_some_and(|other| audit::kind_of(other) == kind);
        let is_first = index == 0 || !is_of_kind(ACTIONS.get(index - 1));
        if is_first && is_of_kind(ACTIONS.get(index + 1)) {
            offered.push(format!("{kind}.*"));
        }
        offered.push((*action).to_owned());
    }
    offered
}

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let after = listing::cursor(&query)?;
    let times = visitor.times();
    let mut connection = visitor.app.db.acquire().await?;
    let projects = scope(&visitor, &mut connection).await?;
    let (records, next, names, wrong) = match filter(&query, &times) {
        Ok(filter) => {
            let filter = Filter { projects: within(&visitor, &mut connection, projects, &query).await?, ..filter };
            let page = audit::list(&mut connection, &filter, after, PAGE_SIZE).await?;
            let names = Names::of(&mut connection, &page.items).await?;
            (page.items, page.next_cursor, names, None)
        }
        Err(wrong) => (Vec::new(), None, Names::default(), Some(wrong)),
    };
    drop(connection);
    let summary = match next {
        Some(_) => format!("The newest {}", count(records.len(), "record", "records")),
        None => count(records.len(), "record", "records"),
    };
    let page = AuditPage {
        shell: frame::shell(&visitor, Section::Audit, "Audit").await?,
        lede: "Who did what to what, when, and why it was allowed. Records can't be changed or removed.".to_owned(),
        filter: shown(&query),
        chips: listing::chips(urls::AUDIT, &query, &chips(&query)),
        days: days(&records, &names, &times),
        pager: listing::pager(urls::AUDIT, &query, summary, next.as_deref()),
        empty: records.is_empty().then(|| empty(&query, wrong)),
    };
    answer::page(&page)
}

/// Of the projects that the viewer may read, the one that is asked for.
async fn within(
    visitor: &Visitor,
    connection: &mut Connection,
    readable: Option<Vec<ProjectId>>,
    query: &Form,
) -> Result<Option<Vec<ProjectId>>, PageError> {
    let slug = query.get("project");
    if slug.is_empty() {
        return Ok(readable);
    }
    let wanted = visitor.projects(connection).await?.into_iter().filter(|one| one.slug == slug).map(|one| one.id);
    Ok(Some(wanted.filter(|id| readable.as_ref().is_none_or(|ids| ids.contains(id))).collect()))
}

/// The filter, or what of it cannot be understood, in words.
fn filter(query: &Form, times: &Times) -> Result<Filter, String> {
    let text = |name: &str| Some(query.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let day = |name: &str, days| match text(name) {
        None => Ok(None),
        Some(date) => {
            times.start_of(&date, days).map(Some).ok_or_else(|| format!("“{date}” is not a date like 2026-11-01."))
        }
    };
    Ok(Filter {
        actor: text("actor"),
        action: text("action"),
        object: text("object").map(|id| any_id(&id)).transpose()?,
        outcome: match query.get("outcome") {
            "succeeded" => Some(Outcome::Succeeded),
            "denied" => Some(Outcome::Denied),
            "failed" => Some(Outcome::Failed),
            _ => None,
        },
        operation: text("operation")
            .map(|id| id.parse().map_err(|_| format!("“{id}” is not an operation id like op_0193c3f2…")))
            .transpose()?,
        from: day("from", 0)?,
        // The last day counts in full.
        to: day("to", 1)?,
        projects: None,
    })
}

/// The id of anything, by its text form.
fn any_id(text: &str) -> Result<Uuid, String> {
    let hex = text.split_once('_').map(|(_, hex)| hex).filter(|hex| hex.len() == 32);
    let id = hex.and_then(|hex| Uuid::try_parse(hex).ok());
    id.ok_or_else(|| format!("“{text}” is not an id like env_0193c3f2…; copy it from the page of the thing."))
}

fn shown(query: &Form) -> AuditFilter {
    AuditFilter {
        actor: query.get("actor").to_owned(),
        object: query.get("object").to_owned(),
        action: query.get("action").to_owned(),
        actions: actions(),
        outcome: query.get("outcome").to_owned(),
        project: query.get("project").to_owned(),
        from: query.get("from").to_owned(),
        to: query.get("to").to_owned(),
    }
}

fn chips(query: &Form) -> [(&'static str, &'static str, String); 8] {
    let value = |name| query.get(name).to_owned();
    [
        ("actor", "Who", value("actor")),
        ("action", "Did what", value("action")),
        ("object", "To what", value("object")),
        ("outcome", "Outcome", value("outcome")),
        ("operation", "Operation", value("operation")),
        ("project", "Project", value("project")),
        ("from", "From", value("from")),
        ("to", "To", value("to")),
    ]
}

fn days(records: &[AuditRecord], names: &Names, times: &Times) -> Vec<AuditDay> {
    let mut days: Vec<AuditDay> = Vec::new();
    for record in records {
        let title = times.heading(record.at);
        let said = names.sentence(record);
        let row = AuditRow {
            look: said.look,
            icon: said.icon,
            sentence: said.text,
            href: urls::audit_record(record.id),
            action: record.action.clone(),
            at: times.clock(record.at),
        };
        match days.last_mut().filter(|day| day.title == title) {
            Some(day) => day.rows.push(row),
            None => days.push(AuditDay { title, rows: vec![row] }),
        }
    }
    days
}

fn empty(query: &Form, wrong: Option<String>) -> Empty {
    let narrowed = query.0.iter().any(|(_, value)| !value.is_empty());
    Empty {
        icon: "scroll-text",
        title: if narrowed { "No record fits" } else { "Nothing was recorded yet" }.to_owned(),
        text: wrong.unwrap_or_else(|| {
            if narrowed {
                "Take a filter away. Who is the user name, as it was when it happened.".to_owned()
            } else {
                "Every step of every request appears here.".to_owned()
            }
        }),
        action: narrowed.then(|| ("Show all records".to_owned(), urls::AUDIT.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_select_offers_each_action_and_each_kind_once() {
        let offered = actions();
        let distinct: std::collections::BTreeSet<&String> = offered.iter().collect();
        assert_eq!(distinct.len(), offered.len(), "{offered:?}");
        for expected in ["state.*", "state.write_refused", "state.access_refused", "token.*", "output.revealed"] {
            assert!(offered.iter().any(|one| one == expected), "{expected}");
        }
        assert!(!offered.iter().any(|one| one == "output.*"), "one action needs no word for all");
    }
}
