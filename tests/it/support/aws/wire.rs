//! The Query protocol: flat parameters in, XML out.

use std::collections::BTreeMap;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

/// The inside of a result, or a code with a sentence.
pub type Answer = Result<String, (String, String)>;

/// The parameters of a call.
pub struct Params(BTreeMap<String, String>);

impl Params {
    pub fn parse(body: &str) -> Self {
        Self(url::form_urlencoded::parse(body.as_bytes()).into_owned().collect())
    }

    /// A parameter, empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Of each `Name.member.N` the members `key` and `value`.
    pub fn pairs(&self, name: &str, key: &str, value: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        while let Some(one) = self.0.get(&format!("{name}.member.{}.{key}", found.len() + 1)) {
            found.push((one.clone(), self.get(&format!("{name}.member.{}.{value}", found.len() + 1)).to_owned()));
        }
        found
    }

    pub fn list(&self, name: &str) -> Vec<String> {
        (1..).map_while(|n| self.0.get(&format!("{name}.member.{n}")).cloned()).collect()
    }
}

pub fn refused<T>(code: &str, message: impl Into<String>) -> Result<T, (String, String)> {
    Err((code.to_owned(), message.into()))
}

/// `<name>text</name>`, and nothing for an empty text.
pub fn tag(name: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!("<{name}>{text}</{name}>")
}

/// `<name><member>…</member>…</name>`.
pub fn members(name: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    if items.is_empty() {
        return format!("<{name}></{name}>");
    }
    format!("<{name}><member>{}</member></{name}>", items.join("</member><member>"))
}

/// A page of a list, and the token of the next one.
pub fn page<T: Clone>(all: &[T], token: &str, size: usize) -> (Vec<T>, String) {
    let from: usize = token.parse().unwrap_or(0);
    let items: Vec<T> = all.iter().skip(from).take(size).cloned().collect();
    let next = from + items.len();
    (items, if next < all.len() { tag("NextToken", &next.to_string()) } else { String::new() })
}

pub fn answer(action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>0-1-2-3</RequestId></ResponseMetadata></{action}Response>"
    );
    ([(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

pub fn error(status: u16, code: &str, message: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><Error><Type>Sender</Type>{}{}</Error>\
         <RequestId>0-1-2-3</RequestId></ErrorResponse>",
        tag("Code", code),
        tag("Message", message)
    );
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}
