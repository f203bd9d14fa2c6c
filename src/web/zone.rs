//! The zone in which the viewer reads times.
//!
//! The browser tells its own by a cookie that our script sets; a person may choose another one, or
//! UTC, on the page of preferences. Whatever a cookie says counts only when it names a zone of the
//! IANA database of this machine; else times are in UTC, and say so.

use jiff::tz::TimeZone;

/// Cookie of the zone that was chosen.
pub const ZONE_COOKIE: &str = "paddock_zone";
/// Cookie of the browser's own zone. Our script writes it, so it is not `HttpOnly`.
pub const BROWSER_ZONE_COOKIE: &str = "paddock_browser_zone";
/// The longest name in the database has 32 characters.
const LONGEST: usize = 64;

/// The zone of a viewer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Zone {
    /// Chosen by the person.
    pub chosen: Option<String>,
    /// Told by the browser.
    pub browser: Option<String>,
}

impl Zone {
    /// Reads the two cookies; a name that the database does not have counts as absent.
    pub fn read<'a>(cookie: impl Fn(&str) -> Option<&'a str>) -> Self {
        let valid = |name: &str| cookie(name).and_then(known).and_then(|zone| zone.iana_name().map(str::to_owned));
        Self { chosen: valid(ZONE_COOKIE), browser: valid(BROWSER_ZONE_COOKIE) }
    }

    /// Its name: `Europe/Oslo`.
    pub fn name(&self) -> &str {
        self.chosen.as_deref().or(self.browser.as_deref()).unwrap_or("UTC")
    }

    /// The zone itself.
    pub fn time_zone(&self) -> TimeZone {
        known(self.name()).unwrap_or(TimeZone::UTC)
    }
}

/// The zone of this name.
pub fn known(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    if name.is_empty() || name.len() > LONGEST || !name.chars().all(plain) {
        return None;
    }
    if name.eq_ignore_ascii_case("utc") {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok()
}

/// Every zone that people choose from: those named for a place, and UTC.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .filter(|name| name.contains('/') && !name.starts_with("Etc/") && !name.starts_with("SystemV/"))
        .collect();
    names.push("UTC".to_owned());
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(chosen: &'static str, browser: &'static str) -> Zone {
        Zone::read(|name| Some(if name == ZONE_COOKIE { chosen } else { browser }))
    }

    #[test]
    fn only_zones_of_the_database_count() {
        assert_eq!(zone("", "Europe/Oslo").name(), "Europe/Oslo");
        assert_eq!(zone("UTC", "Europe/Oslo").name(), "UTC");
        assert_eq!(zone("asia/kolkata", "Europe/Oslo").name(), "Asia/Kolkata");
        for bad in ["Europe/Atlantis", "../../etc/passwd", "Europe/Oslo;x", "", "/etc/localtime"] {
            assert_eq!(zone(bad, bad), Zone::default(), "{bad}");
            assert_eq!(zone(bad, bad).name(), "UTC");
        }
        assert!(names().iter().any(|name| name == "Asia/Kolkata") && names().iter().any(|name| name == "UTC"));
    }
}
