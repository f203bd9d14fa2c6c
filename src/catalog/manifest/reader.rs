//! Reads typed values out of a located tree and collects what is wrong with them.

use serde_json::Value;

use super::TemplatePath;
use super::node::{Node, Place, Yaml};
use crate::catalog::model::{Problem, Severity};

/// Collects problems of one manifest.
pub(super) struct Reader<'a> {
    path: &'a str,
    pub(super) source: &'a str,
    problems: Vec<Problem>,
    /// Keys that an unknown key was probably meant to be: that they are missing is said already.
    meant: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a str, source: &'a str) -> Self {
        Self { path, source, problems: Vec::new(), meant: Vec::new() }
    }

    /// The problems, in the order of the file.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| (problem.line, problem.col));
        self.problems
    }

    /// How many errors there are so far.
    pub(super) fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| problem.is_error()).count()
    }

    pub(super) fn problem(&mut self, severity: Severity, at: Place, key: &str, message: impl Into<String>) {
        self.problems.push(Problem {
            path: self.path.to_owned(),
            line: Some(at.line.max(1)),
            col: Some(at.col.max(1)),
            key: Some(key.to_owned()).filter(|key| !key.is_empty()),
            message: message.into(),
            severity,
        });
    }

    pub(super) fn error(&mut self, at: Place, key: &str, message: impl Into<String>) {
        self.problem(Severity::Error, at, key, message);
    }

    pub(super) fn warn(&mut self, at: Place, key: &str, message: impl Into<String>) {
        self.problem(Severity::Warning, at, key, message);
    }

    /// Reports keys that are not in `known`; `hints` tells what to write instead of some.
    pub(super) fn known_keys(
        &mut self,
        node: &Node,
        prefix: &str,
        known: &[&str],
        hints: &[(&str, &str)],
        severity: Severity,
    ) {
        let Yaml::Map(entries) = &node.value else { return };
        for (key, _) in entries {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            let name = format!("{prefix}{}", key.text);
            let advice = if let Some((_, hint)) = hints.iter().find(|(word, _)| *word == key.text) {
                (*hint).to_owned()
            } else if let Some(meant) = closest(&key.text, known.iter().copied()) {
                if severity == Severity::Error {
                    self.meant.push(format!("{prefix}{meant}"));
                }
                format!("Did you mean “{meant}”?")
            } else if severity == Severity::Warning {
                "It is ignored. Keys of our own stand under “x-paddock”.".to_owned()
            } else {
                format!("The keys here are {}.", list_words(known.iter().copied(), "and"))
            };
            self.problem(severity, key.at, &name, format!("There is no key “{}” here. {advice}", key.text));
        }
    }

    /// The text of a key; numbers and booleans are taken as written.
    pub(super) fn text(&mut self, node: &Node, key: &str, prefix: &str) -> Option<String> {
        let value = node.get(key)?;
        if value.value == Yaml::Null {
            return None;
        }
        let text = value.scalar(self.source).map(|text| text.trim().to_owned());
        if text.is_none() {
            self.error(value.at, &format!("{prefix}{key}"), format!("“{key}” is text, not {}.", value.kind()));
        }
        text
    }

    /// A text that must be there and not be empty.
    pub(super) fn required_text(&mut self, node: &Node, key: &str, prefix: &str, advice: &str) -> Option<String> {
        let text = self.text(node, key, prefix);
        match (node.get(key), &text) {
            (None, _) if self.meant.contains(&format!("{prefix}{key}")) => {}
            (None, _) => self.error(node.at, &format!("{prefix}{key}"), format!("“{key}” is missing. {advice}")),
            (Some(value), Some(text)) if text.is_empty() => {
                self.error(value.at, &format!("{prefix}{key}"), format!("“{key}” is empty. {advice}"));
            }
            (Some(value), None) if value.value == Yaml::Null => {
                self.error(value.at, &format!("{prefix}{key}"), format!("“{key}” is empty. {advice}"));
            }
            _ => {}
        }
        text.filter(|text| !text.is_empty())
    }

    /// A yes or no.
    pub(super) fn boolean(&mut self, node: &Node, key: &str, prefix: &str) -> bool {
        let Some(value) = node.get(key) else { return false };
        match &value.value {
            Yaml::Bool(value) => *value,
            Yaml::Null => false,
            _ => {
                let message = format!("“{key}” is true or false, not {}.", value.kind());
                self.error(value.at, &format!("{prefix}{key}"), message);
                false
            }
        }
    }

    /// The items of a list; a missing key is an empty one.
    pub(super) fn list<'n>(&mut self, node: &'n Node, key: &str, prefix: &str) -> &'n [Node] {
        match node.get(key).map(|value| (&value.value, value)) {
            None | Some((Yaml::Null, _)) => &[],
            Some((Yaml::List(items), _)) => items,
            Some((_, value)) => {
                let message = format!("“{key}” is a list, one item per line with “- ”; this is {}.", value.kind());
                self.error(value.at, &format!("{prefix}{key}"), message);
                &[]
            }
        }
    }

    /// A mapping as JSON; a missing key is an empty one.
    pub(super) fn object(&mut self, node: &Node, key: &str, prefix: &str) -> Value {
        match node.get(key).map(|value| (&value.value, value)) {
            None | Some((Yaml::Null, _)) => Value::Object(serde_json::Map::new()),
            Some((Yaml::Map(_), value)) => value.to_json(),
            Some((_, value)) => {
                let message = format!("“{key}” is a mapping of keys and values, not {}.", value.kind());
                self.error(value.at, &format!("{prefix}{key}"), message);
                Value::Object(serde_json::Map::new())
            }
        }
    }

    /// A relative path inside the manifest's folder.
    pub(super) fn template_path(&mut self, value: &Node, key: &str) -> Option<TemplatePath> {
        let Some(text) = value.scalar(self.source) else {
            let message = format!("“{key}” is the path of a file, not {}.", value.kind());
            self.error(value.at, key, message);
            return None;
        };
        match inner_path(&text) {
            Ok(path) => {
                if text.contains('\\') {
                    self.warn(value.at, key, format!("Paths are written with “/”; “{text}” is read as “{path}”."));
                }
                Some(TemplatePath { path, line: value.at.line, col: value.at.col })
            }
            Err(reason) => {
                self.error(
                    value.at,
                    key,
                    format!("“{text}” {reason}. Name a file inside the template's own folder, such as “main.bicep”."),
                );
                None
            }
        }
    }
}

/// A clean relative path that stays inside its folder, or why the text is not one.
pub(in crate::catalog) fn inner_path(text: &str) -> Result<String, &'static str> {
    let text = text.trim().replace('\\', "/");
    if text.is_empty() {
        return Err("is empty");
    }
    if text.contains('\0') || text.chars().any(char::is_control) {
        return Err("contains a control character");
    }
    if text.contains("://") {
        return Err("is an address, not a file");
    }
    let drive = text.as_bytes().get(1) == Some(&b':') && text.starts_with(|c: char| c.is_ascii_alphabetic());
    if text.starts_with('/') || text.starts_with('~') || drive {
        return Err("is an absolute path");
    }
    let mut parts = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("leaves the template's folder (“..”)"),
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err("names a folder, not a file") } else { Ok(parts.join("/")) }
}

/// The word of `known` that was probably meant.
pub(in crate::catalog) fn closest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let word = plain(word);
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    known
        .map(|candidate| (distance(&word, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance with swaps of neighbours (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// `“a”, “b” and “c”`.
pub(in crate::catalog) fn list_words<'k>(words: impl Iterator<Item = &'k str>, and: &str) -> String {
    let words: Vec<String> = words.map(|word| format!("“{word}”")).collect();
    match words.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {and} {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_was_meant() {
        let known = ["name", "templatePath", "parameters", "summary"];
        assert_eq!(closest("templatepath", known.into_iter()), Some("templatePath"));
        assert_eq!(closest("template_path", known.into_iter()), Some("templatePath"));
        assert_eq!(closest("sumary", known.into_iter()), Some("summary"));
        assert_eq!(closest("nmae", known.into_iter()), Some("name"));
        assert_eq!(closest("engine", known.into_iter()), None);
    }

    #[test]
    fn paths_stay_inside() {
        assert_eq!(inner_path("./infra//main.tf"), Ok("infra/main.tf".into()));
        assert_eq!(inner_path("infra\\main.bicep"), Ok("infra/main.bicep".into()));
        for bad in
            ["../x", "a/../../x", "/etc/passwd", "C:\\x", "~/x", "", ".", "https://x/y", "a\0b", "..\\x", "\\\\host\\x"]
        {
            assert!(inner_path(bad).is_err(), "{bad:?}");
        }
    }
}
