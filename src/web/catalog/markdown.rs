//! Markdown of a template's author as HTML that can stand in our page.
//!
//! Authors are people with write access to a Git repository, not to this server: raw HTML is
//! dropped, addresses that run script too, images become links (the content security policy would
//! not load them), links tell search engines and the target nothing, and headings go below the
//! page's own.

use comrak::nodes::{NodeLink, NodeValue};
use comrak::{Arena, Options, format_html, parse_document};

/// The first level that is free for headings: `h1` is the page's, `h2` the card's.
const FIRST_LEVEL: u8 = 3;

/// The HTML of `text`; `None` when there is nothing to show. A first heading that only repeats
/// `title` is left out.
pub(super) fn render(text: &str, title: &str) -> Option<String> {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.autolink = true;
    options.extension.tasklist = true;
    let text = without_title(text, title);
    if text.trim().is_empty() {
        return None;
    }
    let arena = Arena::new();
    let root = parse_document(&arena, text, &options);
    let mut levels = Levels::default();
    for node in root.descendants() {
        let value = &mut node.data.borrow_mut().value;
        match value {
            NodeValue::Heading(heading) => heading.level = levels.below_ours(heading.level),
            NodeValue::Image(image) => {
                let link = NodeLink { url: image.url.clone(), title: image.title.clone() };
                *value = NodeValue::Link(Box::new(link));
            }
            NodeValue::HtmlBlock(block) => block.literal.clear(),
            NodeValue::HtmlInline(inline) => inline.clear(),
            _ => {}
        }
    }
    let mut html = String::new();
    format_html(root, &options, &mut html).ok()?;
    // Text is escaped and raw HTML is gone: every tag is one of comrak's own. Code that is wider than
    // a phone scrolls, so keys must come to it.
    let html = html.replace("<pre>", "<pre tabindex=\"0\">");
    Some(html.replace("<a href=", "<a rel=\"nofollow noopener noreferrer\" href="))
}

/// Moves headings below the page's own and closes gaps: readers of a page expect that levels go
/// down one by one.
#[derive(Default)]
struct Levels {
    /// The levels that the author has opened, outermost first.
    open: Vec<u8>,
}

impl Levels {
    fn below_ours(&mut self, level: u8) -> u8 {
        while self.open.last().is_some_and(|outer| *outer >= level) {
            self.open.pop();
        }
        let depth = u8::try_from(self.open.len()).unwrap_or(u8::MAX);
        self.open.push(level);
        FIRST_LEVEL.saturating_add(depth).min(6)
    }
}

fn without_title<'a>(text: &'a str, title: &str) -> &'a str {
    let trimmed = text.trim_start();
    let (first, rest) = trimmed.split_once('\n').unwrap_or((trimmed, ""));
    let heading = first.strip_prefix("# ").map(str::trim);
    if heading.is_some_and(|heading| heading.eq_ignore_ascii_case(title)) { rest } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_an_author_runs() {
        let bad = "<script>alert(1)</script>\n\n<img src=x onerror=alert(1)> hi <b onclick=x>there</b>\n\n\
                   [a](javascript:alert(1)) ![b](https://evil.example/x.png) [c](data:text/html,x)";
        let html = render(bad, "").unwrap();
        for part in ["<script", "onerror", "onclick", "javascript:", "<img", "data:text"] {
            assert!(!html.contains(part), "{part} in {html}");
        }
        assert!(html.contains("rel=\"nofollow noopener noreferrer\" href=\"https://evil.example/x.png\""), "{html}");
    }

    #[test]
    fn headings_go_below_the_pages_own() {
        let html =
            render("# Postgres database\n\n## Use\n\n| a | b |\n|---|---|\n| 1 | 2 |", "Postgres database").unwrap();
        assert!(
            html.contains("<h3>Use</h3>") && !html.contains("Postgres database") && html.contains("<table>"),
            "{html}"
        );
        let html = render("## A\n\n#### B\n\n##### C\n\n## D\n\n# E", "").unwrap();
        for part in ["<h3>A</h3>", "<h4>B</h4>", "<h5>C</h5>", "<h3>D</h3>", "<h3>E</h3>"] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(render("# Same\n", "same"), None);
    }
}
