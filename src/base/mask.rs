//! Hides secrets in texts of programs and servers that people will read (I20).

use secrecy::{ExposeSecret as _, SecretString};

const MASK: &str = "••••••";
/// What stands where something was cut off, here and by providers.
const CUT: char = '…';
/// Shorter parts of a secret than this, in bytes, are left alone: to hide them would make texts
/// unreadable and say where they are.
const TELLING: usize = 4;

/// Values to hide.
#[derive(Debug, Default)]
pub struct Masks(Vec<SecretString>);

impl Masks {
    /// Hides these.
    pub fn of(secrets: impl IntoIterator<Item = SecretString>) -> Self {
        let mut masks = Self::default();
        masks.add(secrets);
        masks
    }

    /// Adds values, and each of their lines: programs print line by line.
    pub fn add(&mut self, secrets: impl IntoIterator<Item = SecretString>) {
        for secret in secrets {
            let whole = secret.expose_secret();
            let parts = whole.lines().chain([whole]).map(str::trim).filter(|part| part.len() >= TELLING);
            self.0.extend(parts.map(SecretString::from));
        }
        // One may be a part of another.
        self.0.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        self.0.dedup_by(|one, other| one.expose_secret() == other.expose_secret());
    }

    /// The text with every value hidden, cut after `longest` characters; nothing of a value is left
    /// before a cut, here or where the text was cut before.
    pub fn hide(&self, mut text: String, longest: usize) -> String {
        for secret in &self.0 {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), MASK);
            }
        }
        if let Some((end, _)) = text.char_indices().nth(longest) {
            text.truncate(end);
            text.push(CUT);
        }
        if text.contains(CUT) {
            for secret in &self.0 {
                text = without_beginnings(&text, secret.expose_secret());
            }
        }
        text
    }
}

/// The text without the beginnings of the secret that a cut has left before it.
fn without_beginnings(text: &str, secret: &str) -> String {
    let hidden = |part: &str| {
        let mut beginnings = (TELLING..secret.len()).rev().filter_map(|end| secret.get(..end));
        beginnings.find_map(|beginning| part.strip_suffix(beginning)).map(|rest| format!("{rest}{MASK}"))
    };
    let mut parts: Vec<String> = text.split(CUT).map(str::to_owned).collect();
    let last = parts.pop();
    let parts = parts.into_iter().map(|part| hidden(&part).unwrap_or(part));
    parts.chain(last).collect::<Vec<_>>().join(&CUT.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cut_leaves_of_a_secret_is_hidden() {
        for (text, hidden) in [
            ("long hunter2-t…", "long ••••••…"),
            ("one hunt…, two hunter…", "one ••••••…, two ••••••…"),
            // Too little to tell anything; and not cut.
            ("hun…", "hun…"),
            ("a hunter", "a hunter"),
            ("käse… hunter", "käse… hunter"),
        ] {
            assert_eq!(without_beginnings(text, "hunter2-tökén"), hidden);
        }
    }
}
