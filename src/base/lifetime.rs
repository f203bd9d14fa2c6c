//! Lifetimes as people and programs write them: seconds, `7d`, `12h 30m`, `P7D`.

use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// How long something is to live. Never negative; a day has 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(pub SignedDuration);

/// The text is not a lifetime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a length of time such as “7d”, “12h”, “P7D” or a number of seconds, not “{0}”")]
pub struct InvalidLifetime(String);

impl InvalidLifetime {
    fn new(text: &str) -> Self {
        Self(text.chars().take(64).collect())
    }
}

impl FromStr for Lifetime {
    type Err = InvalidLifetime;

    /// Months and years are refused: their length depends on when they begin.
    fn from_str(text: &str) -> Result<Self, InvalidLifetime> {
        let text = text.trim();
        let invalid = || InvalidLifetime::new(text);
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(|seconds| Self(SignedDuration::from_secs(seconds))).map_err(|_| invalid());
        }
        let span: Span = text.parse().map_err(|_| invalid())?;
        let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| invalid())?;
        if length.is_negative() { Err(invalid()) } else { Ok(Self(length)) }
    }
}

impl<'de> Deserialize<'de> for Lifetime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Lifetime;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of seconds or a text such as “7d”")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Lifetime, E> {
                let seconds = i64::try_from(seconds).map_err(|_| E::custom(InvalidLifetime::new("so many")))?;
                Ok(Lifetime(SignedDuration::from_secs(seconds)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Lifetime, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_length_in_many_spellings() {
        let week = Lifetime(SignedDuration::from_hours(168));
        for text in ["7d", "P7D", "1w", "168h", "PT168H", "604800", " 7 days ", "6d 24h", "604800s"] {
            assert_eq!(text.parse(), Ok(week), "{text}");
        }
        for json in ["604800", "\"7d\"", "\"604800\""] {
            assert_eq!(serde_json::from_str::<Lifetime>(json).unwrap(), week, "{json}");
        }
        assert_eq!("12h 30m".parse(), Ok(Lifetime(SignedDuration::from_mins(750))));
    }

    #[test]
    fn what_is_no_length_is_refused_in_words() {
        for text in ["", "x", "-7d", "-5", "1mo", "P1M", "1y", "7d ago", "99999999999999999999", "1e9"] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
        for json in ["-1", "1.5", "true", "null", "[]", "18446744073709551615"] {
            assert!(serde_json::from_str::<Lifetime>(json).is_err(), "{json}");
        }
        let words = "soon".parse::<Lifetime>().unwrap_err().to_string();
        assert_eq!(words, "must be a length of time such as “7d”, “12h”, “P7D” or a number of seconds, not “soon”");
    }
}
