//! `GET /preferences`: everything that can be chosen, on one page.

use axum::response::Response;

use super::view::PreferencesPage;
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::visitor::Visitor;
use crate::web::{frame, zone};

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    let chosen = visitor.zone.chosen.clone().unwrap_or_default();
    answer::page(&filled(&visitor, &chosen, None).await?)
}

/// The page with what was typed as the zone.
pub(super) async fn filled(visitor: &Visitor, typed: &str, error: Option<&str>) -> Result<PreferencesPage, PageError> {
    let mut shell = frame::shell(visitor, Section::Elsewhere, "Preferences").await?;
    // The answer to a post comes back to what can be opened.
    crate::web::urls::PREFERENCES.clone_into(&mut shell.here);
    Ok(PreferencesPage {
        shell,
        tabs: super::tokens::tabs(crate::web::urls::PREFERENCES),
        zone: typed.to_owned(),
        error: error.map(str::to_owned),
        zones: zone::names(),
        now: visitor.times().at(visitor.op.now()),
    })
}
