//! `GET /requests`: one's own, those that wait, all that one may see.

use axum::response::Response;

use super::rows;
use super::view::RequestsPage;
use crate::app::Visible;
use crate::policy::Action;
use crate::projects::Project;
use crate::requests::{Filter, RequestStatus};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::shell::Section;
use crate::web::ui::{Empty, FilterBar, FilterSelect, Pill, Tab};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, urls};

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let after = listing::cursor(&query)?;
    let mut connection = visitor.app.db.acquire().await?;
    let projects = visitor.projects(&mut connection).await?;
    let visible = visitor.visible(&mut connection, Action::ReadRequest).await?;
    let filter = filter(&visitor, &query, &projects, &visible);
    let page = visitor.app.requests.list(&mut connection, &filter, after, PAGE_SIZE).await?;
    let shown = rows::rows(&visitor, &mut connection, page.items, urls::request).await?;
    drop(connection);
    let summary = match page.next_cursor {
        Some(_) => format!("The newest {}", count(shown.len(), "request", "requests")),
        None => count(shown.len(), "request", "requests"),
    };
    let page = RequestsPage {
        shell: frame::shell(&visitor, Section::Requests, "Requests").await?,
        lede: "What was asked for, and what became of it.".to_owned(),
        tabs: tabs(&query),
        filter: bar(&query, &projects),
        empty: shown.is_empty().then(|| empty(&query)),
        pager: listing::pager(urls::REQUESTS, &query, summary, page.next_cursor.as_deref()),
        rows: shown,
    };
    answer::page(&page)
}

/// The views: parameter, words.
const VIEWS: [(&str, &str); 3] = [("", "Yours"), ("waiting", "Waiting for approval"), ("all", "All")];

fn filter(visitor: &Visitor, query: &Form, projects: &[Project], visible: &Visible) -> Filter {
    let me = visitor.access.person.id;
    let wanted = projects.iter().find(|project| project.slug == query.get("project"));
    let wanted = wanted.filter(|project| visible.contains(project.id));
    let narrowed = wanted.map(|project| visible.within(project.id));
    let seen = narrowed.as_ref().unwrap_or(visible);
    let own = query.get("view").is_empty();
    Filter {
        or_requester: narrowed.is_none().then_some(me),
        projects: seen.projects(),
        parts: seen.parts(),
        requester: own.then_some(me),
        status: match query.get("view") {
            "waiting" => Some(RequestStatus::AwaitingApproval),
            _ => query.get("status").parse().ok(),
        },
        query: Some(query.get("q").trim().to_owned()).filter(|text| !text.is_empty()),
        ..Filter::default()
    }
}

fn tabs(query: &Form) -> Vec<Tab> {
    let tab = |(view, label): &(&str, &str)| Tab {
        label: (*label).to_owned(),
        count: None,
        href: listing::href(urls::REQUESTS, [("view", *view), ("project", query.get("project"))]),
        current: query.get("view") == *view,
    };
    VIEWS.iter().map(tab).collect()
}

fn bar(query: &Form, projects: &[Project]) -> FilterBar {
    let any = |words: &str| (String::new(), words.to_owned());
    let states =
        RequestStatus::ALL.iter().map(|one| (one.as_str().to_owned(), Pill::of(one.as_str()).word.into_owned()));
    let named = projects.iter().map(|project| (project.slug.clone(), project.slug.clone()));
    let select = |label: &str, name: &str, choices: Vec<(String, String)>| FilterSelect {
        label: label.to_owned(),
        name: name.to_owned(),
        choices,
        value: query.get(name).to_owned(),
    };
    let mut selects = Vec::new();
    if query.get("view") != "waiting" {
        selects.push(select("State", "status", [any("Any state")].into_iter().chain(states).collect()));
    }
    if projects.len() > 1 {
        selects.push(select("Project", "project", [any("Any project")].into_iter().chain(named).collect()));
    }
    let state = Pill::of(query.get("status")).word.into_owned();
    let filters = [
        ("q", "Name", query.get("q").to_owned()),
        ("status", "State", state),
        ("project", "Project", query.get("project").to_owned()),
    ];
    FilterBar {
        action: urls::REQUESTS.to_owned(),
        q: query.get("q").to_owned(),
        placeholder: "Filter by name".to_owned(),
        selects,
        keep: Some(("view".to_owned(), query.get("view").to_owned()))
            .filter(|(_, view)| !view.is_empty())
            .into_iter()
            .collect(),
        chips: listing::chips(urls::REQUESTS, query, &filters),
    }
}

fn empty(query: &Form) -> Empty {
    let filtered = ["q", "status", "project"].iter().any(|name| !query.get(name).is_empty());
    let (title, text, action) = match (filtered, query.get("view")) {
        (true, _) => ("No request fits", "Take a filter away.", None),
        (false, "waiting") => ("Nothing waits", "No request waits for an approval at the moment.", None),
        (false, "all") => ("No requests yet", "Requests of your projects appear here.", Some("Open the catalog")),
        (false, _) => {
            ("You have not asked for anything yet", "Pick a template and request it.", Some("Open the catalog"))
        }
    };
    Empty {
        icon: "send",
        title: title.to_owned(),
        text: text.to_owned(),
        action: action.map(|words| (words.to_owned(), urls::CATALOG.to_owned())),
    }
}
