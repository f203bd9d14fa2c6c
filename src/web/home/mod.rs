//! Home: what is mine, what waits for me, what ends soon.

pub mod view;

use axum::response::Response;
use jiff::SignedDuration;

use super::shell::Section;
use super::ui::{Empty, LinkRow, Pill};
use super::visitor::Visitor;
use super::words::{Times, count, listed};
use super::{answer, frame, icons, urls};
use crate::base::id::RequestId;
use crate::catalog;
use crate::db::Connection;
use crate::environments::{self, Environment};
use crate::requests::{self, Filter, Request, RequestStatus, SavedDraft};
use crate::web::catalog::provider_words;
use crate::web::error::PageError;
use crate::web::requests::rows;
use view::{HomePage, RecentTemplate};

/// Rows of a card.
const FEW: i64 = 8;
/// My latest requests, from which open ones and used templates are picked.
const LATEST: i64 = 30;
/// What ends within this time ends soon.
const SOON: SignedDuration = SignedDuration::from_hours(24 * 7);
/// What ends within this time is amber.
const VERY_SOON: SignedDuration = SignedDuration::from_hours(24);

/// `GET /`
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    let shell = frame::shell(&visitor, Section::Home, "Home").await?;
    let mut connection = visitor.app.db.acquire().await?;
    let me = visitor.access.person.id;
    // The project that the viewer keeps to, when they keep to one.
    let chosen = shell.viewer.as_ref().and_then(|viewer| viewer.project.clone());
    let only = match &chosen {
        Some(slug) => {
            visitor.projects(&mut connection).await?.iter().find(|one| one.slug == *slug).map(|one| vec![one.id])
        }
        None => None,
    };
    let own = environments::Filter { owner: Some(me), projects: only.clone(), ..environments::Filter::default() };
    let mine = environments::list(&mut connection, &own, None, FEW).await?;
    let ending = environments::Filter { expires_before: visitor.op.now().checked_add(SOON).ok(), ..own };
    let mut ending = environments::list(&mut connection, &ending, None, FEW).await?.items;
    ending.sort_by_key(|environment| environment.expires_at);
    let asked = Filter { requester: Some(me), projects: only.clone(), ..Filter::default() };
    let asked = visitor.app.requests.list(&mut connection, &asked, None, LATEST).await?.items;
    let approves = shell.viewer.as_ref().is_some_and(|viewer| viewer.can_approve);
    let to_approve = if approves {
        let waiting = Filter { projects: only, ..frame::to_review(&visitor) };
        Some(visitor.app.requests.list(&mut connection, &waiting, None, FEW).await?.items)
    } else {
        None
    };
    let recent = recent(&mut connection, &asked).await?;
    let open: Vec<&Request> = asked.iter().filter(|one| is_open(one)).collect();
    let ids: Vec<RequestId> = open.iter().map(|one| one.id).collect();
    let suggested = visitor.app.requests.suggested(&mut connection, &ids).await?;
    let drafts = requests::drafts_of(&mut connection, me, FEW).await?;
    drop(connection);
    let times = visitor.times();
    let new_here = mine.items.is_empty() && asked.is_empty();
    let page = HomePage {
        shell,
        title: visitor.access.person.display_name.split(" (").next().unwrap_or_default().to_owned(),
        lede: lede(&visitor, chosen.as_deref(), mine.items.len(), mine.next_cursor.is_some(), &ending),
        first_step: new_here.then(first_step),
        mine: mine.items.iter().map(|environment| row(&visitor, environment)).collect(),
        open_requests: open.into_iter().map(|one| open_row(one, suggested.get(&one.id), &times)).collect(),
        to_approve: to_approve
            .map(|waiting| waiting.iter().map(|one| rows::link(one, urls::approval(one.id), &times)).collect()),
        expiring: ending.iter().map(|environment| row(&visitor, environment)).collect(),
        drafts: drafts.into_iter().map(|draft| draft_row(draft, &times)).collect(),
        recent,
    };
    answer::page(&page)
}

fn draft_row(draft: SavedDraft, times: &Times) -> LinkRow {
    LinkRow {
        title: draft.title,
        href: draft.form,
        sub: "Draft, not sent".to_owned(),
        pill: None,
        when: Some(times.near(draft.saved_at)),
        soon: false,
    }
}

/// One that waits for the requester says so.
fn open_row(request: &Request, suggested_by: Option<&Vec<String>>, times: &Times) -> LinkRow {
    let row = rows::link(request, urls::request(request.id), times);
    match suggested_by {
        Some(people) => {
            let (who, verb) = (listed(people, "and"), if people.len() == 1 { "suggests" } else { "suggest" });
            LinkRow { sub: format!("{who} {verb} changes"), ..row }
        }
        None => row,
    }
}

fn is_open(request: &Request) -> bool {
    matches!(
        request.status,
        RequestStatus::AwaitingQuota
            | RequestStatus::AwaitingApproval
            | RequestStatus::Approved
            | RequestStatus::Running
    )
}

fn row(visitor: &Visitor, environment: &Environment) -> LinkRow {
    let end = environment.expires_at;
    LinkRow {
        title: environment.name.clone(),
        href: urls::environment(environment.id),
        sub: format!("{} in {}, {}", environment.template.name, environment.project.slug, environment.place.slug),
        pill: Some(Pill::of(environment.state.as_str())),
        when: end.map(|at| visitor.times().near(at)),
        soon: environment.remaining.is_some_and(|left| left < VERY_SOON),
    }
}

fn lede(visitor: &Visitor, project: Option<&str>, shown: usize, more: bool, ending: &[Environment]) -> String {
    let place = project.map(|slug| format!(" in {slug}")).unwrap_or_default();
    if shown == 0 {
        return format!("Nothing of yours runs{place} at the moment.");
    }
    let has =
        if more { format!("more than {shown} environments") } else { count(shown, "environment", "environments") };
    match ending.first().and_then(|environment| Some((environment, environment.expires_at?))) {
        Some((next, at)) => format!("You have {has}{place}; {} ends {}.", next.name, visitor.times().near(at).shown),
        None => format!("You have {has}{place}."),
    }
}

fn first_step() -> Empty {
    Empty {
        icon: "box",
        title: "You have no environments yet".to_owned(),
        text: "Pick a template from the catalog. Before you send it you see whether it is allowed, who must agree, \
               and when it ends."
            .to_owned(),
        action: Some(("Open the catalog".to_owned(), urls::CATALOG.to_owned())),
    }
}

/// The templates of the latest requests, each once.
async fn recent(connection: &mut Connection, asked: &[Request]) -> Result<Vec<RecentTemplate>, PageError> {
    let mut recent: Vec<RecentTemplate> = Vec::new();
    for request in asked {
        let href = urls::template(&request.template_slug);
        if recent.len() == 4 || recent.iter().any(|one| one.href == href) {
            continue;
        }
        let (template, version) = catalog::get_template(connection, &request.template_slug).await?;
        if version.requestable().is_ok() {
            recent.push(RecentTemplate {
                name: template.name.clone(),
                href,
                request_href: urls::template_request(&template.slug),
                icon: icons::of_template(&template.icon),
                sub: format!("{} · {}", provider_words(&template.provider), version.version),
            });
        }
    }
    Ok(recent)
}
