//! Markdown of a template's author as HTML that can stand in our page.
//!
//! Authors are people with write access to a Git repository, not to this server: raw HTML is
//! dropped, addresses that run script too, images become links (the content security policy would
//! not load them), links tell search engines and the target nothing, and headings go below the
//! page's own.

use comrak::nodes::{NodeLink, NodeValue};
use comrak::{Arena, Options, format_html, parse_document};

/// How far headings move down: `h1` is the page's, `h2` the card's.
const HEADINGS_BELOW: u8 = 2;

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
    for node in root.descendants() {
        let value = &mut node.data.borrow_mut().value;
        match value {
            NodeValue::Heading(heading) => heading.level = (heading.level + HEADINGS_BELOW).min(6),
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
    // Text is escaped and raw HTML is gone: every `<a ` is one of comrak's own.
    Some(html.replace("<a href=", "<a rel=\"nofollow noopener noreferrer\" href="))
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
            html.contains("<h4>Use</h4>") && !html.contains("Postgres database") && html.contains("<table>"),
            "{html}"
        );
        assert_eq!(render("# Same\n", "same"), None);
    }
}
