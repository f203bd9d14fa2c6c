//! What the error page shows: title, one sentence, what to do next, operation id, ways on.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use askama::Template;

use crate::web::shell::Shell;

/// Any error, with or without a signed-in viewer.
#[derive(Debug, Template)]
#[template(path = "problem/page.html")]
pub struct ProblemPage {
    pub shell: Shell,
    pub title: String,
    /// What happened and why, one sentence.
    pub sentence: String,
    /// What to do next.
    pub next: String,
    pub operation_id: String,
    /// What does exist: words and address; the first is the main way on.
    pub links: Vec<(String, String)>,
}
