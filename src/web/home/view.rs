//! What the home page shows.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::{
    shell::Shell,
    ui::{Empty, LinkRow},
};

/// A template on the home page.
#[derive(Debug, Clone)]
pub struct RecentTemplate {
    pub name: String,
    pub href: String,
    pub request_href: String,
    pub icon: &'static str,
    /// "Postgres · 1.2.0"
    pub sub: String,
}

/// `GET /`
#[derive(Debug, Template)]
#[template(path = "home/page.html")]
pub struct HomePage {
    pub shell: Shell,
    /// "Good morning, Dana" or just the name.
    pub title: String,
    /// "You have 3 environments; one ends today."
    pub lede: String,
    pub mine: Vec<LinkRow>,
    /// Shown instead of everything when there is nothing at all yet.
    pub first_step: Option<Empty>,
    /// My requests that are not settled yet.
    pub open_requests: Vec<LinkRow>,
    /// Requests that wait for me; absent for people who approve nothing.
    pub to_approve: Option<Vec<LinkRow>>,
    pub expiring: Vec<LinkRow>,
    /// Forms that I began to fill in.
    pub drafts: Vec<LinkRow>,
    pub recent: Vec<RecentTemplate>,
}
