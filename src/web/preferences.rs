//! Theme, density and rail: remembered in cookies, so that the first byte of a page is already right.
//!
//! `POST /preferences` with one of the fields sets or removes its cookie and goes back. It knows no
//! viewer and changes nothing but the look, so it needs no session and no audit record.

use axum::{
    Form,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;

use super::{
    shell::{DENSITY_COOKIE, Preferences, RAIL_COOKIE, THEME_COOKIE},
    urls,
};

/// Fields of the form; a page sends one of the first three.
#[derive(Debug, Deserialize)]
pub struct PreferencesForm {
    theme: Option<String>,
    density: Option<String>,
    rail: Option<String>,
    back: Option<String>,
}

/// The preferences of a request, from its cookies.
pub fn of(headers: &HeaderMap) -> Preferences {
    let jar = CookieJar::from_headers(headers);
    Preferences::read(|name| jar.get(name).map(Cookie::value_trimmed))
}

/// `POST /preferences`: 303 back to the page.
pub async fn change(Form(form): Form<PreferencesForm>) -> Response {
    let mut answer = Redirect::to(back_to(form.back.as_deref())).into_response();
    let fields = [
        (THEME_COOKIE, form.theme, &["light", "dark"][..]),
        (DENSITY_COOKIE, form.density, &["roomy"][..]),
        (RAIL_COOKIE, form.rail, &["narrow"][..]),
    ];
    for (name, value, allowed) in fields {
        let Some(value) = value else { continue };
        let cookie = Cookie::build((name, value.clone())).path("/").http_only(true).same_site(SameSite::Lax);
        // Anything but a known value means "as the system does": the cookie goes away.
        let cookie = if allowed.contains(&value.as_str()) {
            cookie.permanent().build()
        } else {
            let mut gone = cookie.build();
            gone.make_removal();
            gone
        };
        if let Ok(text) = HeaderValue::from_str(&cookie.to_string()) {
            answer.headers_mut().append(header::SET_COOKIE, text);
        }
    }
    answer
}

/// Only a path of ours; `//host` and `/\host` lead elsewhere.
fn back_to(back: Option<&str>) -> &str {
    back.filter(|path| path.starts_with('/') && !path.starts_with("//") && !path.starts_with("/\\"))
        .filter(|path| path.chars().all(|c| c.is_ascii_graphic()))
        .unwrap_or(urls::HOME)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn cookies(theme: &str) -> (String, String) {
        let form = PreferencesForm {
            theme: Some(theme.to_owned()),
            density: None,
            rail: None,
            back: Some("/catalog?q=db".to_owned()),
        };
        let answer = change(Form(form)).await;
        let text =
            |name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        (text(header::SET_COOKIE), text(header::LOCATION))
    }

    #[tokio::test]
    async fn a_known_value_is_kept_and_any_other_removed() {
        let (cookie, location) = cookies("dark").await;
        assert!(cookie.starts_with("paddock_theme=dark; HttpOnly; SameSite=Lax; Path=/"), "{cookie}");
        assert_eq!(location, "/catalog?q=db");
        let (cookie, _) = cookies("default").await;
        assert!(cookie.starts_with("paddock_theme=;") && cookie.contains("Max-Age=0"), "{cookie}");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("paddock_theme=dark; paddock_rail=wide"));
        assert_eq!(of(&headers), Preferences { theme: Some("dark"), density: None, rail: None });
    }

    #[test]
    fn the_way_back_stays_here() {
        for elsewhere in ["//example.org", "/\\example.org", "https://example.org", "", "/a b"] {
            assert_eq!(back_to(Some(elsewhere)), "/", "{elsewhere}");
        }
        assert_eq!(back_to(Some("/runs/run_1?from=1")), "/runs/run_1?from=1");
    }
}
