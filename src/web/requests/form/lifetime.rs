//! Lifetimes as the form offers them: `12h`, `7d`.

use jiff::SignedDuration;

use crate::catalog::form::Choice;
use crate::web::words;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// What people ask for; those above the maximum are left out.
const OFFERED: [i64; 12] =
    [4 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 60 * DAY, 90 * DAY, 180 * DAY, 365 * DAY];

/// Reads `90m`, `12h` or `7d`.
pub(super) fn read(text: &str) -> Option<SignedDuration> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "m" => 60,
        "h" => HOUR,
        "d" => DAY,
        _ => return None,
    };
    let number: i64 = number.parse().ok().filter(|number| (1..=100_000).contains(number))?;
    Some(SignedDuration::from_secs(number * unit))
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

/// What can be chosen. What was typed is among it, also when it is too long: policy says so then.
pub(super) fn choices(typed: &str, default: Option<SignedDuration>, maximum: SignedDuration) -> Vec<Choice> {
    let mut offered: Vec<SignedDuration> = OFFERED.into_iter().map(SignedDuration::from_secs).collect();
    offered.extend(default);
    offered.push(maximum);
    offered.retain(|length| *length <= maximum);
    let chosen = read(typed).or(default.filter(|_| typed.is_empty()));
    offered.extend(chosen);
    offered.sort_unstable();
    offered.dedup();
    let mut choices: Vec<Choice> = offered
        .into_iter()
        .map(|length| Choice {
            value: text(length),
            label: match (Some(length) == default, length == maximum) {
                (true, _) => format!("{} (usual here)", words::length(length)),
                (false, true) => format!("{} (the most)", words::length(length)),
                (false, false) => words::length(length),
            },
            help: None,
            selected: Some(length) == chosen,
        })
        .collect();
    if chosen.is_none() {
        let label = if typed.is_empty() { "Choose…".to_owned() } else { format!("{typed} (not a choice)") };
        choices.insert(0, Choice { value: typed.to_owned(), label, help: None, selected: true });
    }
    choices
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
        for bad in ["", "d", "-1d", "0d", "7", "7w", "99999999999d", "é"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_choice_is_never_lost() {
        let (default, maximum) = (SignedDuration::from_hours(72), SignedDuration::from_hours(14 * 24));
        let selected = |typed: &str| {
            let choices = choices(typed, Some(default), maximum);
            choices.iter().filter(|one| one.selected).map(|one| one.value.clone()).collect::<Vec<_>>()
        };
        assert_eq!(selected(""), ["3d"]);
        assert_eq!(selected("100d"), ["100d"]);
        assert_eq!(selected("soon"), ["soon"]);
    }
}
