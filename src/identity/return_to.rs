//! Where to go after sign-in: a path of this site, never another one.

use url::Url;

/// Longer paths are cut to the home page: a cookie or a redirect would not carry them.
const LONGEST: usize = 2000;

/// `text` if it is a path on this site, else `/`. Refuses what browsers read as another host:
/// `//host`, `/\host`, and control characters, which they drop before they parse.
pub fn local_path(text: &str) -> &str {
    let odd = |c: char| c.is_control() || c == '\\';
    if text.len() > LONGEST || !text.starts_with('/') || text.starts_with("//") || text.contains(odd) {
        return "/";
    }
    // The last word has the parser that browsers share (WHATWG URL).
    let Ok(base) = Url::parse("https://paddock.invalid/") else { return "/" };
    match base.join(text) {
        Ok(url) if url.origin() == base.origin() && !url.path().starts_with("//") => text,
        Ok(_) | Err(_) => "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site() {
        for good in ["/", "/environments?state=ready#top", "/a//b", "/%2e%2e//x"] {
            let expected = if good == "/%2e%2e//x" { "/" } else { good };
            assert_eq!(local_path(good), expected);
        }
        for bad in [
            "",
            "x",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            " /x",
            "/..//evil.example",
            "/x\\..\\..\\evil",
        ] {
            assert_eq!(local_path(bad), "/", "{bad:?}");
        }
        assert_eq!(local_path(&format!("/{}", "x".repeat(LONGEST))), "/");
    }
}
