//! A browser without a screen: sends requests to the pages of a [`TestApp`], keeps cookies.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use tower::ServiceExt as _;

use super::app::TestApp;

/// A browser with its cookies.
pub struct Browser {
    router: Router,
    /// Name and value.
    pub cookies: BTreeMap<String, String>,
    /// Where it sits.
    pub peer: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl TestApp {
    /// A browser where nobody is signed in.
    pub fn browser(&self) -> Browser {
        let router = paddock::web::router(self.app.clone());
        Browser { router, cookies: BTreeMap::new(), peer: "127.0.0.1:40000".parse().unwrap() }
    }

    /// A browser where this demo person is signed in.
    pub async fn browser_of(&self, login: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.post("/sign-in/demo", &[("person", login)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        browser
    }
}

impl Browser {
    /// Follows a link.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    /// Sends a form of our own page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends a form with these headers.
    pub async fn post_with(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends any request with the cookies, and keeps those that come back.
    pub async fn send(&mut self, mut request: Request<Body>) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        }
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let bytes = axum::body::to_bytes(body, 16 * 1024 * 1024).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }
}

impl Answer {
    /// Where it leads.
    pub fn location(&self) -> &str {
        self.headers.get(header::LOCATION).unwrap_or_else(|| panic!("no redirect: {}", self.text)).to_str().unwrap()
    }

    /// One header as text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Fails unless every part is in the page.
    #[track_caller]
    pub fn shows(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.text.contains(part), "{} without “{part}”:\n{}", self.status, self.text);
        }
    }

    /// Fails if a part is in the page.
    #[track_caller]
    pub fn hides(&self, parts: &[&str]) {
        for part in parts {
            assert!(!self.text.contains(part), "{} with “{part}”:\n{}", self.status, self.text);
        }
    }

    /// The value of a control, by its name.
    #[track_caller]
    pub fn value_of(&self, name: &str) -> String {
        let at = self.text.find(&format!("name=\"{name}\"")).unwrap_or_else(|| panic!("no {name}:\n{}", self.text));
        let rest = &self.text[at..];
        let end = rest.find('>').unwrap();
        let value = rest[..end].split("value=\"").nth(1).unwrap_or_else(|| panic!("no value of {name}"));
        value.split('"').next().unwrap().to_owned()
    }
}
