//! `GET /environments` and the same as CSV: what runs, whose, until when. The address is the filter.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;

use super::row;
use super::view::EnvironmentsPage;
use crate::app::Visible;
use crate::base::cursor::Page;
use crate::catalog::{self, TemplateSummary};
use crate::environments::{self, Environment, Filter, State};
use crate::policy::Action;
use crate::projects::{self, Project};
use crate::web::answer::{self, Form, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::shell::Section;
use crate::web::ui::{Chip, Empty, FilterBar, FilterSelect, Pill, Tab};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, urls};

/// What ends within this time is in the view "Ending soon".
const ENDING: SignedDuration = SignedDuration::from_hours(24 * 7);
/// The views: parameter, words.
const VIEWS: [(&str, &str); 5] =
    [("", "All"), ("mine", "Yours"), ("ending", "Ending in 7 days"), ("drifted", "Drifted"), ("gone", "Owner gone")];

/// One page of the list, and what its filters offer.
struct Found {
    page: Page<Environment>,
    projects: Vec<Project>,
    types: Vec<(String, String)>,
    templates: Vec<TemplateSummary>,
}

/// The list.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let found = find(&visitor, &query).await?;
    let times = visitor.times();
    let rows: Vec<_> = found.page.items.iter().map(|one| row::row(one, found.current(one), &times)).collect();
    let summary = match found.page.next_cursor {
        Some(_) => format!("The newest {}", count(rows.len(), "environment", "environments")),
        None => count(rows.len(), "environment", "environments"),
    };
    let page = EnvironmentsPage {
        shell: frame::shell(&visitor, Section::Environments, "Environments").await?,
        lede: "What runs now, whose it is, and when it ends.".to_owned(),
        tabs: tabs(&query),
        filter: found.bar(&query),
        empty: rows.is_empty().then(|| empty(&query)),
        csv_href: (!rows.is_empty()).then(|| listing::href(urls::ENVIRONMENTS_CSV, listing::without(&query, &[]))),
        pager: listing::pager(urls::ENVIRONMENTS, &query, summary, found.page.next_cursor.as_deref()),
        rows,
    };
    answer::page(&page)
}

/// The same rows as a file.
pub async fn csv(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let found = find(&visitor, &query).await?;
    let lines: String = found.page.items.iter().map(row::csv).collect();
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"environments.csv\""),
    ];
    Ok((headers, format!("{}{lines}", row::CSV_HEAD)).into_response())
}

async fn find(visitor: &Visitor, query: &Form) -> Result<Found, PageError> {
    let after = listing::cursor(query)?;
    let templates = catalog::list(&visitor.app.db, &catalog::Filter::default()).await?.templates;
    let mut connection = visitor.app.db.acquire().await?;
    let visible = visitor.visible(&mut connection, Action::ReadEnvironment).await?;
    let mut projects = projects::list(&mut connection, None).await?;
    projects.retain(|project| visible.contains(project.id));
    let ids: Vec<_> = projects.iter().map(|project| project.id).collect();
    let mut types: Vec<(String, String)> = Vec::new();
    for place in projects::places(&mut connection, &ids).await? {
        let seen = visible.contains_place(place.kind.project, place.kind.id);
        if seen && !types.iter().any(|(slug, _)| *slug == place.kind.slug) {
            types.push((place.kind.slug, place.kind.name));
        }
    }
    let filter = filter(visitor, query, &visible, &projects, &templates);
    let page = environments::list(&mut connection, &filter, after, PAGE_SIZE).await?;
    Ok(Found { page, projects, types, templates })
}

fn filter(
    visitor: &Visitor,
    query: &Form,
    visible: &Visible,
    projects: &[Project],
    templates: &[TemplateSummary],
) -> Filter {
    let text = |name| Some(query.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    // A project or template that the viewer does not know of has nothing for them.
    let wanted = text("project").map(|slug| projects.iter().filter(|one| one.slug == slug).map(|one| one.id).collect());
    let template = text("template").map(|slug| templates.iter().find(|one| one.template.slug == slug));
    let wanted = if matches!(template, Some(None)) { Some(Vec::new()) } else { wanted };
    Filter {
        projects: wanted.or_else(|| visible.projects()),
        parts: visible.parts(),
        owner: (query.get("view") == "mine").then_some(visitor.access.person.id),
        state: query.get("state").parse().ok(),
        template: template.flatten().map(|one| one.template.id),
        environment_type: text("type"),
        query: text("q"),
        expires_before: (query.get("view") == "ending").then(|| visitor.op.now().checked_add(ENDING).ok()).flatten(),
        drifted: query.get("view") == "drifted",
        owner_gone: query.get("view") == "gone",
    }
}

impl Found {
    fn current(&self, environment: &Environment) -> Option<&str> {
        let found = self.templates.iter().find(|one| one.template.id == environment.template.id);
        found.map(|one| one.version.as_str())
    }

    fn bar(&self, query: &Form) -> FilterBar {
        let states = State::ALL.map(|state| (state.as_str().to_owned(), Pill::of(state.as_str()).word.into_owned()));
        let projects = self.projects.iter().map(|one| (one.slug.clone(), one.name.clone()));
        let templates = self.templates.iter().map(|one| (one.template.slug.clone(), one.template.name.clone()));
        let selects = vec![
            select("State", "state", "Any state", states, query),
            select("Project", "project", "Any project", projects, query),
            select("Environment type", "type", "Any type", self.types.iter().cloned(), query),
            select("Template", "template", "Any template", templates, query),
        ];
        FilterBar {
            action: urls::ENVIRONMENTS.to_owned(),
            q: query.get("q").to_owned(),
            placeholder: "Filter by name".to_owned(),
            chips: chips(&selects, query),
            selects,
            keep: listing::without(query, &["q", "state", "project", "type", "template", "after"])
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

fn select(
    label: &str,
    name: &str,
    any: &str,
    choices: impl IntoIterator<Item = (String, String)>,
    query: &Form,
) -> FilterSelect {
    let any = (String::new(), any.to_owned());
    FilterSelect {
        label: label.to_owned(),
        name: name.to_owned(),
        choices: std::iter::once(any).chain(choices).collect(),
        value: query.get(name).to_owned(),
    }
}

fn chips(selects: &[FilterSelect], query: &Form) -> Vec<Chip> {
    let mut filters = vec![("q", "Name", query.get("q").to_owned())];
    for select in selects {
        let chosen = select.choices.iter().find(|(value, _)| *value == select.value);
        let words = chosen.map_or_else(|| select.value.clone(), |(_, words)| words.clone());
        filters.push((&select.name, &select.label, words));
    }
    listing::chips(urls::ENVIRONMENTS, query, &filters)
}

fn tabs(query: &Form) -> Vec<Tab> {
    let view = query.get("view");
    VIEWS
        .map(|(value, label)| Tab {
            label: label.to_owned(),
            count: None,
            href: listing::href(
                urls::ENVIRONMENTS,
                listing::without(query, &["view", "after"]).chain([("view", value)]),
            ),
            current: view == value,
        })
        .to_vec()
}

fn empty(query: &Form) -> Empty {
    let narrowed = query.0.iter().any(|(_, value)| !value.is_empty());
    if narrowed {
        return Empty {
            icon: "search",
            title: "No environment fits".to_owned(),
            text: "Take a filter away, or look at another view. Deleted ones are shown by their state.".to_owned(),
            action: Some(("Show all environments".to_owned(), urls::ENVIRONMENTS.to_owned())),
        };
    }
    Empty {
        icon: "box",
        title: "There are no environments yet".to_owned(),
        text: "Environments of your projects appear here as soon as somebody asks for one.".to_owned(),
        action: Some(("Open the catalog".to_owned(), urls::CATALOG.to_owned())),
    }
}
