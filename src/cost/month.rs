//! Calendar months (UTC), as what was used is told and exported by.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// The month in which this moment lies.
    pub fn of(at: Timestamp) -> Self {
        Self(at.to_zoned(TimeZone::UTC).date().first_of_month())
    }

    /// Reads `2026-11`; years have four digits.
    pub fn parse(text: &str) -> Option<Self> {
        let shaped = text.len() == 7 && text.bytes().enumerate().all(|(i, b)| (i == 4) == (b == b'-'));
        let date: Date = format!("{text}-01").parse().ok().filter(|_| shaped)?;
        (2000..9000).contains(&date.year()).then_some(Self(date))
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        self.0.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }

    /// The first moment after it.
    pub fn end(self) -> Timestamp {
        self.moved(1).start()
    }

    /// The month before.
    #[must_use]
    pub fn before(self) -> Self {
        self.moved(-1)
    }

    /// The month after.
    #[must_use]
    pub fn after(self) -> Self {
        self.moved(1)
    }

    fn moved(self, months: i64) -> Self {
        Self(self.0.saturating_add(Span::new().months(months)))
    }

    /// "November 2026".
    pub fn words(self) -> String {
        self.0.strftime("%B %Y").to_string()
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.strftime("%Y-%m").fmt(to)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::Month;

    #[test]
    fn months_are_read_written_and_bounded() {
        let month = Month::parse("2026-12").unwrap();
        assert_eq!((month.to_string(), month.words()), ("2026-12".to_owned(), "December 2026".to_owned()));
        assert_eq!(month.start().to_string(), "2026-12-01T00:00:00Z");
        assert_eq!(month.end().to_string(), "2027-01-01T00:00:00Z");
        assert_eq!((month.before().to_string(), month.after().to_string()), ("2026-11".into(), "2027-01".into()));
        assert_eq!(Month::of("2026-12-31T23:59:59Z".parse().unwrap()), month);
        for wrong in ["", "2026", "2026-13", "2026-1", "26-11", "2026-11-01", "1999-11", "9999-12", "2026/11", "+026-1"]
        {
            assert_eq!(Month::parse(wrong), None, "{wrong}");
        }
    }
}
