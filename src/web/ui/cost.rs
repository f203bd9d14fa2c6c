//! What something costs, in words.

/// What something costs: a headline, what it means, and its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostView {
    /// "12.30 EUR a month", "at least 12.30 EUR a month", "not known".
    pub headline: String,
    /// While it is stopped, until its end, what is not priced.
    pub note: String,
    /// What it takes; empty where nothing is known.
    pub lines: Vec<CostLine>,
}

/// One item that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// "Small machine"
    pub title: String,
    /// "2 × 0.0416 EUR an hour, while it runs"
    pub terms: String,
    /// "60.74 EUR"; none: it is not priced.
    pub month: Option<String>,
}
