//! Parts of lists: filter chips, tabs, facets, paging, facts, links, and what an empty list says.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use super::{Pill, When};

/// A step of the path above the title.
#[derive(Debug, Clone)]
pub struct Crumb {
    pub label: String,
    pub href: String,
}

impl Crumb {
    /// A crumb from its words and its address.
    pub fn to(label: impl Into<String>, href: impl Into<String>) -> Self {
        Self { label: label.into(), href: href.into() }
    }
}

/// A filter that is on: field, value, and the address without it.
#[derive(Debug, Clone)]
pub struct Chip {
    pub field: String,
    pub value: String,
    pub remove_href: String,
}

/// A select of a filter bar; it sends the form when it changes.
#[derive(Debug, Clone)]
pub struct FilterSelect {
    pub label: String,
    /// Name of the query parameter.
    pub name: String,
    /// Value and words; the first one stands for "any" and has an empty value.
    pub choices: Vec<(String, String)>,
    /// The chosen value; empty for "any".
    pub value: String,
}

/// The filter bar of a list. Its state is the URL; it works by a plain GET.
#[derive(Debug, Clone)]
pub struct FilterBar {
    /// Path of the list.
    pub action: String,
    /// What was searched for; `q`.
    pub q: String,
    pub placeholder: String,
    pub selects: Vec<FilterSelect>,
    /// Query parameters that stay as they are (the saved view).
    pub keep: Vec<(String, String)>,
    pub chips: Vec<Chip>,
}

/// The next automatic event: "Deletes 3 Oct, 18:00 UTC+2".
#[derive(Debug, Clone)]
pub struct NextEvent {
    pub first: String,
    /// When that is: "Deletes" and then the moment.
    pub at: Option<When>,
    /// The rest of the sentence, may be empty.
    pub then: String,
    /// What stands right, may be empty.
    pub aside: String,
    /// It is near: amber.
    pub soon: bool,
}

/// A button of a page head.
#[derive(Debug, Clone)]
pub struct Action {
    pub label: String,
    pub href: String,
    pub icon: &'static str,
    /// `primary`, `outline`, `ghost` or `danger`.
    pub variant: &'static str,
    /// Sends a post without fields instead of following a link.
    pub post: bool,
    /// Follows the link in a tab of its own.
    pub new_tab: bool,
}

/// The first real error, unwrapped.
#[derive(Debug, Clone)]
pub struct Failure {
    /// "Apply failed after 12 s"
    pub title: String,
    pub text: String,
    /// What to do next.
    pub advice: String,
}

/// A saved view of a list.
#[derive(Debug, Clone)]
pub struct Tab {
    pub label: String,
    pub count: Option<String>,
    pub href: String,
    pub current: bool,
}

/// One question of the facet column, asked with checkboxes.
#[derive(Debug, Clone)]
pub struct Facet {
    pub title: String,
    /// Name of the query parameter.
    pub name: String,
    pub choices: Vec<FacetChoice>,
}

/// One answer of a facet, with how many would be left.
#[derive(Debug, Clone)]
pub struct FacetChoice {
    pub value: String,
    pub label: String,
    pub count: u64,
    pub checked: bool,
}

/// The foot of a list: what is shown, and the addresses of the pages beside it.
#[derive(Debug, Clone, Default)]
pub struct Pager {
    /// "13 environments · updated 10:01:23 UTC+1".
    pub summary: String,
    /// First page again, when this is not the first.
    pub first_href: Option<String>,
    /// Next page by key.
    pub next_href: Option<String>,
}

/// What an empty list says: why it is empty, and the first step.
#[derive(Debug, Clone)]
pub struct Empty {
    pub icon: &'static str,
    pub title: String,
    pub text: String,
    /// Words and address of the first step.
    pub action: Option<(String, String)>,
}

/// A label and its value; `before` when something changes.
#[derive(Debug, Clone)]
pub struct Fact {
    pub label: String,
    pub before: Option<String>,
    pub value: String,
    /// Names, ids, paths: monospace.
    pub mono: bool,
    pub href: Option<String>,
    /// Offer to copy the value.
    pub copy: bool,
    /// The value is a moment; `value` says the rest of it, or nothing.
    pub when: Option<When>,
}

impl Fact {
    /// A plain label and value.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            before: None,
            value: value.into(),
            mono: false,
            href: None,
            copy: false,
            when: None,
        }
    }

    /// A moment.
    pub fn time(label: impl Into<String>, when: When) -> Self {
        Self { when: Some(when), ..Self::new(label, "") }
    }

    /// A name or id: monospace, can be copied.
    pub fn id(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { mono: true, copy: true, ..Self::new(label, value) }
    }

    /// A value that links somewhere.
    pub fn link(label: impl Into<String>, value: impl Into<String>, href: impl Into<String>) -> Self {
        Self { href: Some(href.into()), ..Self::new(label, value) }
    }
}

/// A row of a short list inside a card: a link, a line below, a pill and a time.
#[derive(Debug, Clone)]
pub struct LinkRow {
    pub title: String,
    pub href: String,
    pub sub: String,
    pub pill: Option<Pill>,
    pub when: Option<When>,
    /// The time is near: amber.
    pub soon: bool,
}
