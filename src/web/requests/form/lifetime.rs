//! Lifetimes as the form offers them: `12h`, `7d`.

use std::cmp::Ordering;

use jiff::SignedDuration;

use crate::base::Lifetime;
use crate::catalog::form::Choice;
use crate::web::words;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// What people ask for; those above the maximum are left out.
const OFFERED: [i64; 12] =
    [4 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 60 * DAY, 90 * DAY, 180 * DAY, 365 * DAY];

/// What is said of the usual length of a place.
pub(super) const USUAL: &str = "usual here";

/// Reads every spelling of a lifetime; nothing lives for no time.
pub(in crate::web) fn read(text: &str) -> Option<SignedDuration> {
    let Lifetime(length) = text.parse().ok()?;
    Some(length).filter(SignedDuration::is_positive)
}

/// The text that [`read`] reads.
pub(super) fn text(lifetime: SignedDuration) -> String {
    let seconds = lifetime.as_secs();
    if seconds % DAY == 0 {
        format!("{}d", seconds / DAY)
    } else if seconds % HOUR == 0 {
        format!("{}h", seconds / HOUR)
    } else {
        format!("{}m", seconds / 60)
    }
}

/// What can be chosen. The usual length (`words` say what is usual about it) posts no value, so that it stays the
/// usual one when the place changes. What was typed is among the choices, also when it is too long: policy says so then.
pub(in crate::web) fn choices(typed: &str, usual: SignedDuration, maximum: SignedDuration, words: &str) -> Vec<Choice> {
    let mut offered: Vec<SignedDuration> = OFFERED.into_iter().map(SignedDuration::from_secs).collect();
    offered.extend([usual, maximum]);
    offered.retain(|length| *length <= maximum || *length == usual);
    let chosen = if typed.is_empty() { Some(usual) } else { read(typed) };
    offered.extend(chosen);
    offered.sort_unstable();
    offered.dedup();
    let mut choices: Vec<Choice> =
        offered.into_iter().map(|length| choice(length, chosen, (usual, words), maximum)).collect();
    if chosen.is_none() {
        let label = format!("{typed} (not a choice)");
        choices.insert(0, Choice { value: typed.to_owned(), label, help: None, selected: true });
    }
    choices
}

fn choice(
    length: SignedDuration,
    chosen: Option<SignedDuration>,
    (usual, usual_words): (SignedDuration, &str),
    maximum: SignedDuration,
) -> Choice {
    let words = words::length(length);
    Choice {
        value: if length == usual { String::new() } else { text(length) },
        label: match (length == usual, length.cmp(&maximum)) {
            (true, _) => format!("{words} ({usual_words})"),
            (false, Ordering::Equal) => format!("{words} (the most)"),
            (false, Ordering::Greater) => format!("{words} (more than allowed)"),
            (false, Ordering::Less) => words,
        },
        help: None,
        selected: Some(length) == chosen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_and_written() {
        for (typed, seconds) in [("12h", 43_200), ("7d", 604_800), ("90m", 5_400)] {
            assert_eq!(read(typed), Some(SignedDuration::from_secs(seconds)));
            assert_eq!(text(SignedDuration::from_secs(seconds)), typed);
        }
        for bad in ["", "d", "-1d", "0d", "soon", "99999999999999d", "é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_choice_is_never_lost() {
        let (default, maximum) = (SignedDuration::from_hours(72), SignedDuration::from_hours(14 * 24));
        let selected = |typed: &str| {
            let choices = choices(typed, default, maximum, USUAL);
            choices.iter().filter(|one| one.selected).map(|one| one.value.clone()).collect::<Vec<_>>()
        };
        assert_eq!(selected(""), [""]);
        assert_eq!(selected("3d"), [""]);
        assert_eq!(selected("100d"), ["100d"]);
        assert_eq!(selected("soon"), ["soon"]);
    }
}
