//! The difference of two texts line by line.

use super::view::DiffLine;
use crate::web::words::count;

/// Lines that are the same beside one that is not.
const AROUND: usize = 3;
/// More pairs of lines than this are not compared one by one.
const MOST: usize = 4_000_000;

/// What was removed and added, with some lines around; nothing when the texts are the same.
pub(super) fn difference(before: &str, after: &str) -> Vec<DiffLine> {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.iter().skip(head).rev().zip(new.iter().skip(head).rev());
    let tail = rest.take_while(|(a, b)| a == b).count();
    let middle = |lines: &[&str]| -> Vec<String> {
        lines.get(head..lines.len() - tail).unwrap_or_default().iter().map(|line| (*line).to_owned()).collect()
    };
    let same = |lines: &[&str]| lines.iter().map(|line| DiffLine::Same((*line).to_owned())).collect::<Vec<_>>();
    let mut all = same(old.get(..head).unwrap_or_default());
    all.extend(compared(&middle(&old), &middle(&new)));
    all.extend(same(old.get(old.len() - tail..).unwrap_or_default()));
    shortened(all)
}

/// By the longest common subsequence.
fn compared(old: &[String], new: &[String]) -> Vec<DiffLine> {
    let removed = |line: &String| DiffLine::Removed(line.clone());
    let added = |line: &String| DiffLine::Added(line.clone());
    if old.len().saturating_mul(new.len()) > MOST {
        return old.iter().map(removed).chain(new.iter().map(added)).collect();
    }
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or_default();
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let length = if a == b {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(place) = lengths.get_mut(i * width + j) {
                *place = length;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) if a == b => {
                lines.push(DiffLine::Same(a.clone()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(a), other) if other.is_none() || at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) => {
                lines.push(removed(a));
                i += 1;
            }
            (_, Some(b)) => {
                lines.push(added(b));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

/// Long stretches of the same become one line that says so.
fn shortened(all: Vec<DiffLine>) -> Vec<DiffLine> {
    let differs: Vec<usize> =
        all.iter().enumerate().filter(|(_, line)| !matches!(line, DiffLine::Same(_))).map(|(at, _)| at).collect();
    let near = |at: usize| {
        let next = differs.partition_point(|&differing| differing < at);
        [next.checked_sub(1), Some(next)]
            .into_iter()
            .flatten()
            .filter_map(|place| differs.get(place))
            .any(|&differing| differing.abs_diff(at) <= AROUND)
    };
    let (mut short, mut skipped) = (Vec::new(), 0_i64);
    for (at, line) in all.into_iter().enumerate() {
        if near(at) {
            push_gap(&mut short, &mut skipped);
            short.push(line);
        } else {
            skipped += 1;
        }
    }
    if !short.is_empty() {
        push_gap(&mut short, &mut skipped);
    }
    short
}

fn push_gap(short: &mut Vec<DiffLine>, skipped: &mut i64) {
    if *skipped > 0 {
        short.push(DiffLine::Gap(format!("{} the same", count(*skipped, "line is", "lines are"))));
        *skipped = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(before: &str, after: &str) -> String {
        let line = |line: DiffLine| match line {
            DiffLine::Same(text) => format!(" {text}"),
            DiffLine::Added(text) => format!("+{text}"),
            DiffLine::Removed(text) => format!("-{text}"),
            DiffLine::Gap(text) => format!("… {text}"),
        };
        difference(before, after).into_iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn only_what_differs_is_shown_with_lines_around_it() {
        assert_eq!(shown("a\nb", "a\nb"), "");
        assert_eq!(shown("a\nb\nc", "a\nx\nc"), " a\n-b\n+x\n c");
        assert_eq!(shown("", "a"), "+a");
        assert_eq!(
            shown("1\n2\n3\n4\n5\n6\n7\nb\nc\nd", "1\n2\n3\n4\n5\n6\n7\nb\nd\ne"),
            "… 5 lines are the same\n 6\n 7\n b\n-c\n d\n+e"
        );
    }
}
