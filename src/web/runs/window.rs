//! The part of a log that a page shows. A log may be longer than any page: nothing here, neither
//! the query nor the page, grows with its length.
//!
//! `?line=7` is a permanent link: the window lies around that line. `?from=7` begins there, and
//! without either the window is the end of the log, which goes on live.

use crate::base::id::RunId;
use crate::web::answer::Query;
use crate::web::urls;

/// How many lines a page shows.
pub(super) const LINES: i64 = 500;

/// A part of a log; lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The number of its first line.
    pub(super) first: i64,
    /// The number of the log's last line.
    pub(super) length: i64,
}

impl Window {
    /// The part that the address asks for.
    pub(super) fn of(query: &Query, length: i64) -> Self {
        let asked = |name: &str| query.get(name).parse::<i64>().ok();
        let end = length - LINES + 1;
        let first = match (asked("line"), asked("from")) {
            (Some(line), _) => line.min(length).saturating_sub(LINES / 2).min(end),
            (None, Some(from)) => from.min(length.max(1)),
            (None, None) => end,
        };
        Self { first: first.max(1), length }
    }

    /// The number of its last line.
    pub(super) fn last(self) -> i64 {
        self.first.saturating_add(LINES - 1).min(self.length)
    }

    /// Whether the log's next line belongs to it.
    pub(super) fn is_end(self) -> bool {
        self.last() == self.length
    }

    /// The lines before, at the place where they end.
    pub(super) fn earlier(self, run: RunId) -> Option<String> {
        let before = self.first - 1;
        (before > 0).then(|| format!("{}?from={}#L{before}", urls::run(run), (self.first - LINES).max(1)))
    }

    /// The lines after, at the place where they begin.
    pub(super) fn later(self, run: RunId) -> Option<String> {
        let after = self.last() + 1;
        (!self.is_end()).then(|| format!("{}?from={after}#L{after}", urls::run(run)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::answer::{Form, pairs};

    fn window(query: &str, length: i64) -> (i64, i64, bool) {
        let window = Window::of(&Query(Form(pairs(query.as_bytes()))), length);
        (window.first, window.last(), window.is_end())
    }

    #[test]
    fn a_window_never_grows() {
        assert_eq!(window("", 0), (1, 0, true));
        assert_eq!(window("", 20), (1, 20, true));
        assert_eq!(window("", 1_000_000), (999_501, 1_000_000, true));
        assert_eq!(window("line=500000", 1_000_000), (499_750, 500_249, false));
        assert_eq!(window("line=3", 1_000_000), (1, 500, false));
        assert_eq!(window("line=999999", 1_000_000), (999_501, 1_000_000, true));
        assert_eq!(window("from=1", 1_000_000), (1, 500, false));
        for odd in ["from=-5", "from=0", "line=-9223372036854775808", "from=x"] {
            let (first, last, _) = window(odd, 1_000);
            assert!(first >= 1 && last - first < LINES, "{odd}");
        }
        assert_eq!(window("from=9223372036854775807", 1_000), (1_000, 1_000, true));
    }
}
