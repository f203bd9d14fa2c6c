//! Home: what is mine, what waits for me, what ends soon.

pub mod view;

use axum::response::Response;

use super::answer;
use super::error::PageError;
use super::frame;
use super::shell::Section;
use super::visitor::Visitor;
use view::HomePage;

/// `GET /`
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    let page = HomePage {
        shell: frame::shell(&visitor, Section::Home, "Home").await?,
        title: visitor.access.person.display_name.clone(),
        lede: String::new(),
        mine: Vec::new(),
        first_step: None,
        open_requests: Vec::new(),
        to_approve: None,
        expiring: Vec::new(),
        recent: Vec::new(),
    };
    answer::page(&page)
}
