//! The assets of `static/`, inside the binary: names that carry their content's hash, cached for ever.
//!
//! `scripts/assets` builds `static/`; nobody needs Node to build Paddock. A page names an asset by
//! [`asset`]; [`serve`] answers for the hashed name, and for no other, so a cached page of an older
//! version never gets the wrong file silently: it gets a 404 and the next reload fixes it.

use std::{collections::HashMap, sync::LazyLock};

use axum::{
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

/// Hex digits of the hash in a name. `scripts/assets` uses the same for the font inside `app.css`.
const HASH_DIGITS: usize = 12;

#[derive(Embed)]
#[folder = "static/"]
struct Files;

struct Asset {
    etag: HeaderValue,
    kind: HeaderValue,
    file: EmbeddedFile,
}

/// By plain name (`app.css`) and by hashed name (`app.1a2b3c4d5e6f.css`).
struct Index {
    urls: HashMap<String, String>,
    served: HashMap<String, Asset>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { urls: HashMap::new(), served: HashMap::new() };
    for name in Files::iter().filter(|name| *name != "LICENSES.md") {
        let Some(file) = Files::get(&name) else { continue };
        let digest = hex::encode(file.metadata.sha256_hash());
        let hash = digest.get(..HASH_DIGITS).unwrap_or_default();
        let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, "bin"));
        let hashed = format!("{stem}.{hash}.{extension}");
        let (Ok(etag), Ok(kind)) = (
            HeaderValue::from_str(&format!("\"{hash}\"")),
            HeaderValue::from_str(&content_type(extension, file.metadata.mimetype())),
        ) else {
            continue;
        };
        index.urls.insert(name.to_string(), format!("/static/{hashed}"));
        index.served.insert(hashed, Asset { etag, kind, file });
    }
    index
});

/// Text files say their encoding; `rust-embed` does not.
fn content_type(extension: &str, guessed: &str) -> String {
    match extension {
        "css" => "text/css; charset=utf-8".to_owned(),
        "js" => "text/javascript; charset=utf-8".to_owned(),
        "svg" => "image/svg+xml".to_owned(),
        "woff2" => "font/woff2".to_owned(),
        _ => guessed.to_owned(),
    }
}

/// The address of an asset: `asset("app.css")` is `/static/app.<hash>.css`.
/// A name that is not in `static/` gives an address that answers 404; a test checks every name in the templates.
pub fn asset(name: &str) -> &'static str {
    INDEX.urls.get(name).map_or("/static/missing", String::as_str)
}

/// `GET /static/{file}`: immutable, with an `ETag`.
pub async fn serve(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(found) = INDEX.served.get(&file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let cache = [
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (header::ETAG, found.etag.clone()),
    ];
    if headers.get(header::IF_NONE_MATCH) == Some(&found.etag) {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, [(header::CONTENT_TYPE, found.kind.clone())], Body::from(found.file.data.clone())).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_hash_and_the_stylesheet_names_the_served_font() {
        let css = asset("app.css");
        assert!(css.starts_with("/static/app.") && css.rsplit('.').next() == Some("css"), "{css}");
        let served = INDEX.served.get(css.trim_start_matches("/static/")).unwrap();
        let text = String::from_utf8(served.file.data.to_vec()).unwrap();
        let font = asset("inter.woff2").rsplit('/').next().unwrap();
        assert!(text.contains(font), "app.css does not name {font}: run scripts/assets");
    }

    #[test]
    fn licences_are_not_served_as_assets() {
        assert_eq!(asset("LICENSES.md"), "/static/missing");
    }
}
