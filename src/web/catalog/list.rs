//! `GET /catalog`: cards, search, facets.

use axum::response::Response;

use super::facets::Chosen;
use super::provider_words;
use super::view::{CardNote, CatalogPage, TemplateCard};
use crate::catalog::{self, Filter, TemplateSummary};
use crate::web::answer::{self, Query};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Empty, Look, Pager};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, icons, urls};

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let q = query.get("q").trim().to_owned();
    let filter = Filter { query: q.clone(), ..Filter::default() };
    let all = catalog::list(&visitor.app.db, &filter).await?.templates;
    let chosen = Chosen::of(&query.0);
    let shown: Vec<&TemplateSummary> = all.iter().filter(|template| chosen.shows(template)).collect();
    let empty = match (shown.is_empty(), q.is_empty() && chosen.is_empty()) {
        (false, _) => None,
        (true, true) => Some(nothing_published()),
        (true, false) => Some(nothing_found()),
    };
    let summary = if shown.len() == all.len() {
        count(all.len(), "template", "templates")
    } else {
        format!("{} of {}", shown.len(), count(all.len(), "template", "templates"))
    };
    let page = CatalogPage {
        shell: frame::shell(&visitor, Section::Catalog, "Catalog").await?,
        lede: "What you can have, ready to request.".to_owned(),
        facets: chosen.facets(&all),
        chips: chosen.chips(),
        cards: shown.into_iter().map(card).collect(),
        pager: Pager { summary, ..Pager::default() },
        empty,
        q,
    };
    answer::page(&page)
}

fn card(summary: &TemplateSummary) -> TemplateCard {
    let template = &summary.template;
    let mut notes = Vec::new();
    if template.requestable().is_err() {
        notes.push(CardNote {
            look: Look::Wait,
            icon: "info",
            strong: "Not available here".to_owned(),
            rest: ": this version of Paddock cannot make it yet".to_owned(),
        });
    }
    TemplateCard {
        name: template.name.clone(),
        href: urls::template(&template.slug),
        icon: icons::of_template(&template.icon),
        sub: format!("{} · {}", provider_words(&template.provider), summary.version),
        summary: template.summary.clone(),
        notes,
    }
}

fn nothing_published() -> Empty {
    Empty {
        icon: "layout-grid",
        title: "The catalog is empty".to_owned(),
        text: "Templates appear here when a platform admin has added a catalog source and it was read.".to_owned(),
        action: None,
    }
}

fn nothing_found() -> Empty {
    Empty {
        icon: "search",
        title: "No template fits".to_owned(),
        text: "Take a filter away, or search for something else.".to_owned(),
        action: Some(("Show all templates".to_owned(), urls::CATALOG.to_owned())),
    }
}
