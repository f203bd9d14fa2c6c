//! Times, durations and lists in words.

use std::fmt::Display;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ui::When;

/// What is now, and in which zone the viewer reads times.
#[derive(Debug, Clone)]
pub struct Times {
    now: Timestamp,
    zone: TimeZone,
}

impl Times {
    /// Times in a zone.
    pub fn new(now: Timestamp, zone: TimeZone) -> Self {
        Self { now, zone }
    }

    /// What is now.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How long ago, or how long until: "3 min ago", "in 5 h", and the date when that is far.
    pub fn near(&self, at: Timestamp) -> When {
        let away = at.duration_since(self.now);
        let shown = match away.abs().as_secs() {
            0..45 => "now".to_owned(),
            seconds if seconds < 7 * 86_400 => {
                let long = rough(away.abs());
                if away.is_negative() { format!("{long} ago") } else { format!("in {long}") }
            }
            _ => self.day(at),
        };
        self.when(at, shown)
    }

    /// Date and time: "21 Nov 2026, 18:00 UTC".
    pub fn at(&self, at: Timestamp) -> When {
        self.when(at, self.exact(at, "%-d %b %Y, %H:%M"))
    }

    /// The time of day: "18:00:07".
    pub fn clock(&self, at: Timestamp) -> When {
        let zoned = at.to_zoned(self.zone.clone());
        self.when(at, zoned.strftime("%H:%M:%S").to_string())
    }

    /// The date: "21 Nov", with the year when it is another one.
    pub fn day(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(self.zone.clone());
        let same_year = zoned.year() == self.now.to_zoned(self.zone.clone()).year();
        zoned.strftime(if same_year { "%-d %b" } else { "%-d %b %Y" }).to_string()
    }

    /// The heading of a day: "Today, 21 November", "Friday, 20 November".
    pub fn heading(&self, at: Timestamp) -> String {
        let (zoned, now) = (at.to_zoned(self.zone.clone()), self.now.to_zoned(self.zone.clone()));
        let weekday = if zoned.date() == now.date() { "Today".to_owned() } else { zoned.strftime("%A").to_string() };
        let date = zoned.strftime(if zoned.year() == now.year() { "%-d %B" } else { "%-d %B %Y" });
        format!("{weekday}, {date}")
    }

    /// The first moment of a date as it is typed, `2026-11-01`, `days` later.
    pub fn start_of(&self, date: &str, days: i64) -> Option<Timestamp> {
        let date: jiff::civil::Date = date.parse().ok()?;
        let date = date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
        Some(date.to_zoned(self.zone.clone()).ok()?.timestamp())
    }

    fn when(&self, at: Timestamp, shown: String) -> When {
        When { iso: at.to_string(), shown, exact: self.exact(at, "%-d %b %Y, %H:%M:%S") }
    }

    fn exact(&self, at: Timestamp, format: &str) -> String {
        let zoned = at.to_zoned(self.zone.clone());
        let seconds = zoned.offset().seconds();
        let offset = match (seconds, seconds.abs() % 3600) {
            (0, _) => "UTC".to_owned(),
            (_, 0) => format!("UTC{:+}", seconds / 3600),
            _ => format!("UTC{:+}:{:02}", seconds / 3600, (seconds.abs() % 3600) / 60),
        };
        format!("{} {offset}", zoned.strftime(format))
    }
}

/// One unit: "5 h", "3 days".
fn rough(long: SignedDuration) -> String {
    let seconds = long.as_secs();
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5_400 => format!("{} min", (seconds + 30) / 60),
        5_400..129_600 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => count((seconds + 43_200) / 86_400, "day", "days"),
    }
}

/// A length in at most two units: "3 min 20 s", "7 days", "1 day 12 h".
pub fn length(long: SignedDuration) -> String {
    let seconds = long.as_secs().max(0);
    if seconds < 60 {
        return if seconds == 0 { format!("{} ms", long.as_millis().max(0)) } else { format!("{seconds} s") };
    }
    let parts =
        [(seconds / 86_400, "days"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let words: Vec<String> = parts
        .iter()
        .skip_while(|(n, _)| *n == 0)
        .take(2)
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| if *unit == "days" { count(*n, "day", "days") } else { format!("{n} {unit}") })
        .collect();
    words.join(" ")
}

/// "1 day", "2 days".
pub fn count(n: impl TryInto<i64>, one: &str, many: &str) -> String {
    let n = n.try_into().unwrap_or(i64::MAX);
    format!("{n} {}", if n == 1 { one } else { many })
}

/// "a", "a and b", "a, b and c".
pub fn listed(items: &[impl Display], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [first @ .., end] => {
            let first: Vec<String> = first.iter().map(ToString::to_string).collect();
            format!("{} {last} {end}", first.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_words() {
        let now: Timestamp = "2026-11-21T17:00:00Z".parse().unwrap();
        let times = Times::new(now, TimeZone::UTC);
        let near = |text: &str| times.near(text.parse().unwrap()).shown;
        assert_eq!(near("2026-11-21T16:57:00Z"), "3 min ago");
        assert_eq!(near("2026-11-21T22:00:00Z"), "in 5 h");
        assert_eq!(near("2026-11-24T17:00:00Z"), "in 3 days");
        assert_eq!(near("2026-12-31T17:00:00Z"), "31 Dec");
        assert_eq!(near("2027-01-31T17:00:00Z"), "31 Jan 2027");
        assert_eq!(near("2026-11-21T17:00:10Z"), "now");
        assert_eq!(times.at(now).shown, "21 Nov 2026, 17:00 UTC");
        assert_eq!(times.at(now).iso, "2026-11-21T17:00:00Z");
    }

    #[test]
    fn times_in_the_zone_of_the_viewer() {
        let now: Timestamp = "2026-11-21T20:00:00Z".parse().unwrap();
        let in_zone = |name: &str| Times::new(now, TimeZone::get(name).unwrap());
        assert_eq!(in_zone("Asia/Kolkata").at(now).shown, "22 Nov 2026, 01:30 UTC+5:30");
        assert_eq!(in_zone("America/St_Johns").at(now).exact, "21 Nov 2026, 16:30:00 UTC-3:30");
        let oslo = in_zone("Europe/Oslo");
        // Summer and winter have other offsets.
        assert_eq!(oslo.at("2027-07-01T10:00:00Z".parse().unwrap()).shown, "1 Jul 2027, 12:00 UTC+2");
        assert_eq!(in_zone("Asia/Tokyo").heading(now), "Today, 22 November");
        // The machine's form says the same moment, whatever the zone.
        assert_eq!(oslo.at(now).iso, "2026-11-21T20:00:00Z");
        let day = in_zone("Asia/Tokyo").start_of("2026-11-22", 0).unwrap();
        assert_eq!(day.to_string(), "2026-11-21T15:00:00Z");
    }

    #[test]
    fn lengths_and_lists_in_words() {
        let words = |seconds| length(SignedDuration::from_secs(seconds));
        assert_eq!(
            [words(12), words(200), words(7 * 86_400), words(129_600), words(3_600)],
            ["12 s", "3 min 20 s", "7 days", "1 day 12 h", "1 h"]
        );
        assert_eq!(listed(&["a", "b", "c"], "and"), "a, b and c");
        assert_eq!(count(1_usize, "request", "requests"), "1 request");
    }
}
