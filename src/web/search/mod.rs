//! `GET /search`: pages, templates, environments and requests by their name, as a page and, for the
//! palette (Ctrl-K), as a fragment.
//!
//! It finds what the viewer's own lists would show, by the same questions to policy, and nothing
//! else: whoever may not read a project learns not even that a name in it exists.

pub mod view;

use axum::response::Response;

use self::view::{FoundFragment, Hit, HitGroup, SearchPage};
use super::answer::{self, Query};
use super::catalog::provider_words;
use super::error::PageError;
use super::requests::rows;
use super::shell::{Section, Viewer};
use super::ui::Pill;
use super::visitor::Visitor;
use super::{frame, icons, listing, urls};
use crate::catalog;
use crate::db::Connection;
use crate::environments;
use crate::policy::Action;
use crate::requests;

/// Hits of a kind; the list of that kind has the rest.
const FEW: usize = 6;
/// A name is shorter.
const LONGEST: usize = 100;

/// The page, or what was found.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let q: String = query.get("q").trim().chars().take(LONGEST).collect();
    let shell = frame::shell(&visitor, Section::Elsewhere, "Search").await?;
    let mut groups = Vec::new();
    if let Some(viewer) = &shell.viewer {
        groups.push(HitGroup { title: "Pages", hits: pages(viewer, &q), all: None });
    }
    if !q.is_empty() {
        groups.extend(templates(&visitor, &q).await?);
        let mut connection = visitor.app.db.acquire().await?;
        groups.push(environments(&visitor, &mut connection, &q).await?);
        groups.push(requests(&visitor, &mut connection, &q).await?);
    }
    groups.retain(|group| !group.hits.is_empty());
    if visitor.partial {
        return answer::page(&FoundFragment { q, groups });
    }
    answer::page(&SearchPage { shell, q, groups })
}

/// The pages that this viewer has, by words of their names.
fn pages(viewer: &Viewer, q: &str) -> Vec<Hit> {
    let mut pages = vec![
        ("house", "Home", "", urls::HOME.to_owned()),
        ("layout-grid", "Catalog", "Request something new", urls::CATALOG.to_owned()),
        ("box", "Environments", "", viewer.environments()),
        ("send", "Requests", "", viewer.requests()),
        ("coins", "Costs", "What environments cost, by month", viewer.costs()),
        ("sliders-horizontal", "Preferences", "Theme, rows, time zone", urls::PREFERENCES.to_owned()),
        ("key-round", "API tokens", "For programs that act for you", urls::TOKENS.to_owned()),
        ("user-round-check", "While you are away", "Who decides for you", urls::DELEGATIONS.to_owned()),
    ];
    if viewer.can_approve {
        pages.push(("circle-check", "Approvals", "", viewer.inbox()));
    }
    if viewer.can_audit {
        pages.push(("scroll-text", "Audit", "", viewer.audit()));
    }
    if viewer.can_admin {
        pages.push(("clock", "Queue", "Admin", urls::ADMIN_QUEUE.to_owned()));
        pages.push(("server", "Workers", "Admin", urls::ADMIN_WORKERS.to_owned()));
        pages.push(("folder-git-2", "Catalog sources", "Admin", urls::ADMIN_CATALOG.to_owned()));
    }
    let words = q.to_lowercase();
    let fits = |title: &str, sub: &str| format!("{title} {sub}").to_lowercase().contains(&words);
    pages.retain(|(_, title, sub, _)| fits(title, sub));
    let hit = |(icon, title, sub, href): (&'static str, &str, &str, String)| Hit {
        icon,
        title: title.to_owned(),
        sub: sub.to_owned(),
        href,
        pill: None,
    };
    pages.into_iter().map(hit).collect()
}

/// Templates, and the forms that request them.
async fn templates(visitor: &Visitor, q: &str) -> Result<[HitGroup; 2], PageError> {
    let filter = catalog::Filter { query: q.to_owned(), ..catalog::Filter::default() };
    let found = catalog::list(&visitor.app.db, &filter).await?.templates;
    let all = (found.len() > FEW).then(|| listing::href(urls::CATALOG, [("q", q)]));
    let shown = || found.iter().take(FEW);
    let page = |one: &catalog::TemplateSummary| Hit {
        icon: icons::of_template(&one.template.icon),
        title: one.template.name.clone(),
        sub: format!("{} · {}", provider_words(&one.template.provider), one.version),
        href: urls::template(&one.template.slug),
        pill: None,
    };
    let request = |one: &catalog::TemplateSummary| Hit {
        icon: "plus",
        title: format!("Request {}", one.template.name),
        sub: String::new(),
        href: urls::template_request(&one.template.slug),
        pill: None,
    };
    let able = |one: &&catalog::TemplateSummary| one.template.requestable().is_ok();
    Ok([
        HitGroup { title: "Actions", hits: shown().filter(able).map(request).collect(), all: None },
        HitGroup { title: "Templates", hits: shown().map(page).collect(), all },
    ])
}

async fn environments(visitor: &Visitor, connection: &mut Connection, q: &str) -> Result<HitGroup, PageError> {
    let visible = visitor.visible(connection, Action::ReadEnvironment).await?;
    let filter = environments::Filter {
        projects: visible.projects(),
        parts: visible.parts(),
        query: Some(q.to_owned()),
        ..environments::Filter::default()
    };
    let found = environments::list(connection, &filter, None, i64::try_from(FEW).unwrap_or(0)).await?;
    let hit = |one: environments::Environment| Hit {
        icon: icons::of_template(&one.template.icon),
        title: one.name,
        sub: format!("{} in {}, {}", one.template.name, one.project.slug, one.place.slug),
        href: urls::environment(one.id),
        pill: Some(Pill::of(one.state.as_str())),
    };
    let all = found.next_cursor.is_some().then(|| listing::href(urls::ENVIRONMENTS, [("q", q)]));
    Ok(HitGroup { title: "Environments", hits: found.items.into_iter().map(hit).collect(), all })
}

async fn requests(visitor: &Visitor, connection: &mut Connection, q: &str) -> Result<HitGroup, PageError> {
    let visible = visitor.visible(connection, Action::ReadRequest).await?;
    let filter = requests::Filter {
        projects: visible.projects(),
        parts: visible.parts(),
        or_requester: Some(visitor.access.person.id),
        query: Some(q.to_owned()),
        ..requests::Filter::default()
    };
    let found = visitor.app.requests.list(connection, &filter, None, i64::try_from(FEW).unwrap_or(0)).await?;
    let times = visitor.times();
    let hit = |one: &requests::Request| {
        let row = rows::link(one, urls::request(one.id), &times);
        Hit { icon: "send", title: row.title, sub: row.sub, href: row.href, pill: row.pill }
    };
    let all = found.next_cursor.is_some().then(|| listing::href(urls::REQUESTS, [("view", "all"), ("q", q)]));
    Ok(HitGroup { title: "Requests", hits: found.items.iter().map(hit).collect(), all })
}
