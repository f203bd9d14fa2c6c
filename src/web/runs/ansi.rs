//! Terminal colours of log lines as classes of the stylesheet; every other control sequence is dropped.

/// A piece of a line with one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `ansi-32`, `ansi-1`, both, or empty.
    pub class: String,
    /// The text, without control characters.
    pub text: String,
}

/// Splits a line at its colour changes.
pub fn spans(line: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let (mut bold, mut colour) = (false, None::<u8>);
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            if !c.is_control() || c == '\t' {
                text.push(c);
            }
            continue;
        }
        let (parameters, end) = sequence(&mut rest);
        if end != Some('m') {
            continue;
        }
        push(&mut found, &mut text, bold, colour);
        for code in parameters.split(';') {
            match code.parse::<u8>().unwrap_or(0) {
                0 => (bold, colour) = (false, None),
                1 => bold = true,
                22 => bold = false,
                39 => colour = None,
                code @ (31..=36 | 91..=96) => colour = Some(code),
                _ => {}
            }
        }
    }
    push(&mut found, &mut text, bold, colour);
    found
}

/// Reads a control sequence behind its escape: parameters and the letter that ends it.
fn sequence(rest: &mut std::str::Chars<'_>) -> (String, Option<char>) {
    let mut parameters = String::new();
    if rest.next() != Some('[') {
        return (parameters, None);
    }
    for c in rest.by_ref() {
        if ('\u{40}'..='\u{7e}').contains(&c) {
            return (parameters, Some(c));
        }
        parameters.push(c);
    }
    (parameters, None)
}

fn push(found: &mut Vec<Span>, text: &mut String, bold: bool, colour: Option<u8>) {
    if text.is_empty() {
        return;
    }
    let class = match (bold, colour) {
        (false, None) => String::new(),
        (true, None) => "ansi-1".to_owned(),
        (false, Some(code)) => format!("ansi-{code}"),
        (true, Some(code)) => format!("ansi-1 ansi-{code}"),
    };
    found.push(Span { class, text: std::mem::take(text) });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(line: &str) -> Vec<(String, String)> {
        spans(line).into_iter().map(|span| (span.class, span.text)).collect()
    }

    fn pair(class: &str, text: &str) -> (String, String) {
        (class.to_owned(), text.to_owned())
    }

    #[test]
    fn colours_become_classes() {
        let line = "db: \u{1b}[1m\u{1b}[32mCreation complete\u{1b}[0m after 4s";
        assert_eq!(pairs(line), [pair("", "db: "), pair("ansi-1 ansi-32", "Creation complete"), pair("", " after 4s")]);
    }

    #[test]
    fn other_control_sequences_vanish() {
        assert_eq!(pairs("\u{1b}[2K\u{1b}[1Gdone\u{7}\u{1b}]0"), [pair("", "done0")]);
        assert_eq!(pairs("cut \u{1b}[3"), [pair("", "cut ")]);
        assert_eq!(pairs(""), []);
    }
}
