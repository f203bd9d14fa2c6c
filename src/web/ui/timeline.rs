//! One line of what happened: icon, sentence, reason, time.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use super::{Look, When};

#[derive(Debug, Clone)]
pub struct TimelineItem {
    pub look: Look,
    pub icon: &'static str,
    /// "Lena Lead approved the request".
    pub sentence: String,
    /// Where it leads: the run, the request, the audit record.
    pub href: Option<String>,
    /// A reason that a person gave, or one more line.
    pub note: Option<String>,
    pub when: When,
}
