//! `GET /approvals`: what waits for the viewer.

use axum::response::Response;

use super::view::ApprovalsPage;
use crate::base::id::ProjectId;
use crate::policy::Action;
use crate::requests::{Filter, RequestStatus};
use crate::web::answer::{self, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::requests::rows;
use crate::web::shell::Section;
use crate::web::ui::{Empty, Tab};
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
    let found = visitor.app.requests.list(&mut connection, &filter, after, PAGE_SIZE).await?;
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
        pager: listing::pager(
            urls::APPROVALS,
            &query,
            count(shown.len(), "request", "requests"),
            found.next_cursor.as_deref(),
        ),
        rows: shown,
    };
    answer::page(&page)
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
