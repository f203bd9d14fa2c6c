//! A moment as a page shows it: words for people, the exact time on hover, RFC 3339 for machines.

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// RFC 3339 in UTC, for `datetime`.
    pub iso: String,
    /// What stands on the page: "in 5 h", "17 Feb, 18:00".
    pub shown: String,
    /// The exact time with the zone's offset, on hover: "17 Feb 2027, 18:00 UTC+1".
    pub exact: String,
}
