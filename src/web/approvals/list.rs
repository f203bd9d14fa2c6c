//! `GET /approvals`: what waits for the viewer.

use axum::response::Response;

use super::view::ApprovalsPage;
use crate::base::cursor::{Cursor, Page};
use crate::base::id::ProjectId;
use crate::db::Connection;
use crate::policy::Action;
use crate::requests::{Filter, Request, RequestStatus};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::requests::rows;
use crate::web::shell::Section;
use crate::web::ui::{Empty, Pager, Tab};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, urls};

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let after = listing::cursor(&query)?;
    let mut connection = visitor.app.db.acquire().await?;
    let all = query.get("view") == "all";
    let projects = visitor.projects(&mut connection).await?;
    let mut filter = if all {
        let visible = visitor.visible(&mut connection, Action::ReadRequest).await?;
        Filter {
            projects: visible.projects(),
            parts: visible.parts(),
            status: Some(RequestStatus::AwaitingApproval),
            ..Filter::default()
        }
    } else {
        frame::to_review(&visitor)
    };
    let slug = query.get("project");
    if !slug.is_empty() {
        // A project that the viewer does not know of has nothing for them.
        let within = |id: &ProjectId| filter.projects.as_ref().is_none_or(|ids| ids.contains(id));
        let wanted = projects.iter().filter(|one| one.slug == slug).map(|one| one.id);
        filter.projects = Some(wanted.filter(within).collect());
    }
    let found = if all {
        Found::only(visitor.app.requests.list(&mut connection, &filter, after, PAGE_SIZE).await?)
    } else {
        pressing_first(&visitor, &mut connection, filter, after, query.get(PART) == REST).await?
    };
    let (next, rest) = (found.next_cursor.clone(), found.rest);
    let shown = rows::rows(&visitor, &mut connection, found.items, urls::approval).await?;
    drop(connection);
    let shell = frame::shell(&visitor, Section::Approvals, "Approvals").await?;
    let waiting = shell.viewer.as_ref().map_or(0, |viewer| viewer.approvals);
    let tab = |label: &str, view: &str, count: Option<String>| Tab {
        label: label.to_owned(),
        count,
        href: listing::href(urls::APPROVALS, [("view", view), ("project", slug)]),
        current: (view == "all") == all,
    };
    let page = ApprovalsPage {
        shell,
        lede: "Decide soon: somebody waits for each of them.".to_owned(),
        chips: listing::chips(urls::APPROVALS, &query, &[("project", "Project", slug.to_owned())]),
        tabs: vec![tab("Waiting for you", "", Some(waiting.to_string())), tab("All that wait", "all", None)],
        empty: shown.is_empty().then(|| empty(slug)),
        pager: pager(&query, rest, next.as_deref(), shown.len()),
        rows: shown,
    };
    answer::page(&page)
}

/// The part of the inbox after what presses.
const PART: &str = "part";
const REST: &str = "rest";

/// A page of the inbox.
struct Found {
    items: Vec<Request>,
    next_cursor: Option<String>,
    /// Whether it goes on after what presses.
    rest: bool,
}

impl Found {
    fn only(page: Page<Request>) -> Self {
        Self { items: page.items, next_cursor: page.next_cursor, rest: false }
    }
}

/// The foot: the next page goes on in its part, and the first one is the first of all.
fn pager(query: &Form, rest: bool, next: Option<&str>, shown: usize) -> Pager {
    let kept: Vec<_> = query.0.iter().filter(|(name, _)| name != PART).cloned().collect();
    let whole = Form(kept.clone());
    let first_href = listing::pager(urls::APPROVALS, &whole, String::new(), None).first_href;
    let pages = Form(kept.into_iter().chain(rest.then(|| (PART.to_owned(), REST.to_owned()))).collect());
    Pager { first_href, ..listing::pager(urls::APPROVALS, &pages, count(shown, "request", "requests"), next) }
}

/// What has waited long and what somebody asks an answer to comes before all the rest; each part is the newest first.
async fn pressing_first(
    visitor: &Visitor,
    connection: &mut Connection,
    filter: Filter,
    after: Option<Cursor>,
    rest: bool,
) -> Result<Found, PageError> {
    let requests = &visitor.app.requests;
    let part = |pressing| Filter { pressing: Some((pressing, requests.settings.reminder_after)), ..filter.clone() };
    if rest {
        let page = requests.list(connection, &part(false), after, PAGE_SIZE).await?;
        return Ok(Found { rest, ..Found::only(page) });
    }
    let mut found = Found::only(requests.list(connection, &part(true), after, PAGE_SIZE).await?);
    if found.next_cursor.is_none() {
        let page = requests.list(connection, &part(false), None, PAGE_SIZE).await?;
        found.items.extend(page.items);
        found.next_cursor = page.next_cursor;
        found.rest = true;
    }
    Ok(found)
}

fn empty(project: &str) -> Empty {
    Empty {
        icon: "circle-check",
        title: "Nothing waits".to_owned(),
        text: match project {
            "" => "Requests that need an approval appear here.".to_owned(),
            slug => format!("Requests of {slug} that need an approval appear here."),
        },
        action: None,
    }
}
