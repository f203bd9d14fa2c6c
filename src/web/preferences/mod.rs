//! Theme, density, rail, zone and project: remembered in cookies, so that the first byte of a page is
//! already right.
//!
//! `POST /preferences` with one of the fields sets or removes its cookie and goes back. It knows no
//! viewer and changes nothing but what is shown, so it needs no session and no audit record.
//! `GET /preferences` shows all of them at once. Beside it stand the viewer's API tokens, and who
//! decides for them while they are away.

pub mod delegations;
mod page;
mod token_form;
pub mod tokens;
pub mod view;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};

use super::answer::{self, Form};
use super::error::PageError;
use super::shell::{DENSITY_COOKIE, Preferences, RAIL_COOKIE, THEME_COOKIE};
use super::visitor::Visitor;
use super::zone::{self, ZONE_COOKIE, Zone};
use super::{listing, urls};

pub use page::page;

/// Cookie of the project that the viewer keeps to.
pub const SCOPE_COOKIE: &str = "paddock_project";
/// A slug is shorter.
const LONGEST_SLUG: usize = 64;

/// The preferences of a request, from its cookies.
pub fn of(headers: &HeaderMap) -> Preferences {
    let jar = CookieJar::from_headers(headers);
    Preferences::read(|name| jar.get(name).map(Cookie::value_trimmed))
}

/// The zone of a request, from its cookies.
pub fn zone_of(headers: &HeaderMap) -> Zone {
    let jar = CookieJar::from_headers(headers);
    Zone::read(|name| jar.get(name).map(Cookie::value_trimmed))
}

/// The slug of the project that the viewer keeps to. Whether they see it is asked where it is used.
pub fn scope_of(headers: &HeaderMap) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    slug(jar.get(SCOPE_COOKIE)?.value_trimmed())
}

fn slug(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = !text.is_empty() && text.len() <= LONGEST_SLUG && text.chars().all(plain);
    fits.then(|| text.to_owned())
}

/// `POST /preferences`: 303 back to the page; 422 with the page of preferences when there is no such zone.
pub async fn change(visitor: super::visitor::MaybeVisitor, form: Form) -> Result<Response, PageError> {
    let typed = form.get("zone").trim();
    let unknown = !typed.is_empty() && typed != "browser" && zone::known(typed).is_none();
    if let (true, Some(found)) = (unknown, visitor.found) {
        let visitor = Visitor::new(visitor.visit, found);
        let page =
            page::filled(&visitor, typed, Some("There is no zone of this name. Choose one of the list.")).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response());
    }
    Ok(changed(&form))
}

fn changed(form: &Form) -> Response {
    let mut answer = answer::see_other(&way_back(form));
    let one_of =
        |name: &str, allowed: &[&str]| Some(form.get(name)).filter(|value| allowed.contains(value)).map(str::to_owned);
    let zone = zone::known(form.get("zone")).and_then(|zone| zone.iana_name().map(str::to_owned));
    // Anything but a known value means "as the system does": the cookie goes away.
    let fields = [
        ("theme", THEME_COOKIE, one_of("theme", &["light", "dark"])),
        ("density", DENSITY_COOKIE, one_of("density", &["roomy"])),
        ("rail", RAIL_COOKIE, one_of("rail", &["narrow"])),
        ("zone", ZONE_COOKIE, zone),
        ("project", SCOPE_COOKIE, slug(form.get("project"))),
    ];
    for (_, name, value) in fields.into_iter().filter(|(field, ..)| form.has(field)) {
        let gone = value.is_none();
        let cookie =
            Cookie::build((name, value.unwrap_or_default())).path("/").http_only(true).same_site(SameSite::Lax);
        let mut cookie = cookie.permanent().build();
        if gone {
            cookie.make_removal();
        }
        if let Ok(text) = HeaderValue::from_str(&cookie.to_string()) {
            answer.headers_mut().append(header::SET_COOKIE, text);
        }
    }
    answer
}

/// Back where it was changed. Another project is another list: it begins at its first page.
fn way_back(form: &Form) -> String {
    let back = back_to(form.get("back"));
    if !form.has("project") {
        return back.to_owned();
    }
    let (path, query) = back.split_once('?').unwrap_or((back, ""));
    let query = Form(answer::pairs(query.as_bytes()));
    let lists = [urls::ENVIRONMENTS, urls::REQUESTS, urls::APPROVALS, urls::AUDIT];
    let project = Some(form.get("project")).filter(|_| lists.contains(&path)).unwrap_or_default();
    let rest = listing::without(&query, &["project", "after"]);
    if lists.contains(&path) { listing::href(path, rest.chain([("project", project)])) } else { back.to_owned() }
}

/// Only a path of ours; `//host` and `/\\host` lead elsewhere.
fn back_to(back: &str) -> &str {
    let ours = back.starts_with('/') && !back.starts_with("//") && !back.starts_with("/\\");
    if ours && back.chars().all(|c| c.is_ascii_graphic()) { back } else { urls::HOME }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(field: &str, value: &str) -> (String, String) {
        let pairs = [(field, value), ("back", "/environments?q=db&after=x")];
        let answer = changed(&Form(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()));
        let text =
            |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        (text(header::SET_COOKIE), text(header::LOCATION))
    }

    #[test]
    fn a_known_value_is_kept_and_any_other_removed() {
        let (cookie, location) = cookies("theme", "dark");
        assert!(cookie.starts_with("paddock_theme=dark; HttpOnly; SameSite=Lax; Path=/"), "{cookie}");
        assert_eq!(location, "/environments?q=db&after=x");
        for (field, value) in [("theme", "default"), ("zone", "browser"), ("zone", "Europe/Atlantis"), ("project", "")]
        {
            let (cookie, _) = cookies(field, value);
            assert!(cookie.contains("=;") && cookie.contains("Max-Age=0"), "{cookie}");
        }
        assert!(cookies("zone", "europe/oslo").0.starts_with("paddock_zone=Europe/Oslo;"));
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("paddock_theme=dark; paddock_rail=wide"));
        assert_eq!(of(&headers), Preferences { theme: Some("dark"), density: None, rail: None });
    }

    #[test]
    fn another_project_is_another_list() {
        assert_eq!(cookies("project", "payments").1, "/environments?q=db&project=payments");
        assert_eq!(cookies("project", "").1, "/environments?q=db");
    }

    #[test]
    fn the_way_back_stays_here() {
        for elsewhere in ["//example.org", "/\\example.org", "https://example.org", "", "/a b"] {
            assert_eq!(back_to(elsewhere), "/", "{elsewhere}");
        }
        assert_eq!(back_to("/runs/run_1?from=1"), "/runs/run_1?from=1");
    }
}
