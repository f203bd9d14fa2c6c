//! Every page with sample data: renders, keeps the content security policy, leads nowhere that is not.
//!
//! The pages are also written to `target/tmp/pages/`, for a person who wants to look at them.

mod costs;
mod delegations;
mod policies;
mod prices;
mod roles;
mod samples;

use std::{collections::HashSet, fs, path::Path};

use paddock::web::urls;
use samples::Sample;

/// Values of an attribute, in the order of the page.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let open = format!(" {attribute}=\"");
    html.split(&open).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn each(check: impl Fn(&Sample)) {
    let pages = samples::all();
    assert!(pages.len() > 20, "a page lost its sample");
    pages.iter().for_each(check);
}

/// The patterns of the router, with every `{…}` standing for one segment.
fn patterns() -> Vec<Vec<String>> {
    let source = fs::read_to_string("src/web/urls.rs").unwrap();
    source
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1))
        .map(|pattern| pattern.split('/').map(str::to_owned).collect())
        .collect()
}

fn known(link: &str, patterns: &[Vec<String>]) -> bool {
    let path = link.split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    path.is_empty()
        || patterns.iter().any(|pattern| {
            pattern.len() == parts.len()
                && pattern.iter().zip(&parts).all(|(known, part)| known.starts_with('{') || known == part)
        })
}

#[test]
fn pages_are_written_for_people_to_look_at() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&folder).unwrap();
    each(|page| fs::write(folder.join(format!("{}.html", page.name)), &page.html).unwrap());
}

#[test]
fn nothing_inline_and_no_other_host() {
    each(|page| {
        let html = &page.html;
        assert!(!html.contains("<style") && values(html, "style").is_empty(), "{}: inline style", page.name);
        assert!(!html.contains(" on") || !html.contains("=\"javascript:"), "{}: inline script", page.name);
        for event in ["onclick", "onchange", "onsubmit", "onload", "oninput"] {
            assert!(values(html, event).is_empty(), "{}: inline handler {event}", page.name);
        }
        for tag in html.split("<script").skip(1) {
            assert!(tag.starts_with(" src=\"/static/"), "{}: script without a file", page.name);
        }
        for address in values(html, "href").into_iter().chain(values(html, "src")).chain(values(html, "action")) {
            assert!(address.starts_with(['/', '#', '?']), "{}: {address} leaves this host", page.name);
        }
    });
}

#[test]
fn every_link_fits_a_pattern_of_the_router() {
    let patterns = patterns();
    each(|page| {
        for attribute in ["href", "action", "hx-get", "hx-post", "hx-sse:connect"] {
            for link in values(&page.html, attribute) {
                assert!(known(link, &patterns), "{}: {attribute} {link} leads nowhere", page.name);
            }
        }
    });
    assert!(known(urls::HOME, &patterns) && !known("/graph", &patterns));
}

#[test]
fn every_asset_and_icon_exists() {
    let sprite = fs::read_to_string("static/icons.svg").unwrap();
    each(|page| {
        assert!(!page.html.contains("/static/missing"), "{}: names an asset that is not in static/", page.name);
        for link in values(&page.html, "href").into_iter().filter(|link| link.contains("/icons.")) {
            let icon = link.split('#').nth(1).unwrap();
            assert!(sprite.contains(&format!("id=\"{icon}\"")), "{}: no icon {icon} in assets/icons.txt", page.name);
        }
    });
}

#[test]
fn names_of_parts_are_unique_and_meet() {
    each(|page| {
        let ids = values(&page.html, "id");
        let unique: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{}: an id twice in {ids:?}", page.name);
        for attribute in ["for", "aria-labelledby", "aria-describedby", "popovertarget", "data-unlocks"] {
            for reference in values(&page.html, attribute).iter().flat_map(|all| all.split(' ')) {
                assert!(unique.contains(reference), "{}: {attribute} {reference} is not there", page.name);
            }
        }
        assert_eq!(page.html.matches("<h1").count(), 1, "{}: one title", page.name);
        assert!(page.html.contains(" · Paddock</title>"), "{}", page.name);
    });
}

#[test]
fn what_people_typed_is_escaped() {
    each(|page| assert!(!page.html.contains("<script>alert"), "{}", page.name));
    let page = samples::all().into_iter().find(|page| page.name == "request").unwrap();
    assert!(page.html.contains("&#60;script&#62;alert"), "the request form shows what was typed");
}

#[test]
fn the_first_page_fits_the_budget() {
    let size = |name: &str| fs::metadata(format!("static/{name}")).unwrap().len();
    let font = size("inter.woff2");
    // The font does not compress; text compresses to less than a third (measured: 0.19 to 0.36 with gzip -9).
    let scripts = (size("htmx.js") + size("app.js") + size("htmx-sse.js")) * 36 / 100;
    let text = size("app.css") * 20 / 100 + size("icons.svg") * 18 / 100;
    assert!(scripts <= 30_000, "{scripts} bytes of script");
    assert!(font + scripts + text + 10_000 <= 100_000, "{} bytes", font + scripts + text + 10_000);
}
