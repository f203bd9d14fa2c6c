//! Lists: their state is the address, so filters, paging and "back" are plain links.

use super::answer::Form;
use super::error::PageError;
use super::ui::{Chip, Pager};
use crate::base::cursor::Cursor;

/// How many rows a list shows.
pub const PAGE_SIZE: i64 = 50;
/// The query parameter of the place in the list.
const AFTER: &str = "after";

/// The address of a list with these filters; empty ones are left out.
pub fn href<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The filters of an address without `names`.
pub fn without<'a>(query: &'a Form, names: &'a [&str]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let kept = query.0.iter().filter(move |(name, _)| !names.contains(&name.as_str()));
    kept.map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Where the page starts.
pub fn cursor(query: &Form) -> Result<Option<Cursor>, PageError> {
    match query.get(AFTER) {
        "" => Ok(None),
        text => Cursor::decode(text)
            .map(Some)
            .map_err(|error| PageError::invalid(super::error::sentence(&error.to_string()))),
    }
}

/// The foot of the list.
pub fn pager(path: &str, query: &Form, summary: String, next: Option<&str>) -> Pager {
    let rest: Vec<_> = without(query, &[AFTER]).collect();
    Pager {
        summary,
        first_href: query.has(AFTER).then(|| href(path, rest.clone())),
        next_href: next.map(|cursor| href(path, rest.into_iter().chain([(AFTER, cursor)]))),
    }
}

/// The filters that are on: name of the parameter, what people call it, words for its value.
pub fn chips(path: &str, query: &Form, filters: &[(&str, &str, String)]) -> Vec<Chip> {
    let on = filters.iter().filter(|(name, ..)| !query.get(name).is_empty());
    on.map(|(name, field, words)| Chip {
        field: (*field).to_owned(),
        value: words.clone(),
        remove_href: href(path, without(query, &[name, AFTER])),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::answer::pairs;

    #[test]
    fn the_address_keeps_the_filters_and_loses_the_place() {
        let query = Form(pairs(b"view=all&q=a+b&after=xyz"));
        let pager = pager("/requests", &query, String::new(), Some("next"));
        assert_eq!(pager.first_href.as_deref(), Some("/requests?view=all&q=a+b"));
        assert_eq!(pager.next_href.as_deref(), Some("/requests?view=all&q=a+b&after=next"));
        let chips = chips("/requests", &query, &[("q", "Name", "a b".to_owned()), ("status", "State", String::new())]);
        assert_eq!((chips.len(), chips[0].remove_href.as_str()), (1, "/requests?view=all"));
        assert!(cursor(&query).is_err());
    }
}
