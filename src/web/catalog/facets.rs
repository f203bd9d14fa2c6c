//! Narrowing the catalog: values of one question add up, questions narrow one another, and each
//! counts what would be left with the others applied.

use std::collections::BTreeMap;

use super::provider_words;
use crate::catalog::{Kind, TemplateSummary};
use crate::web::answer::Form;
use crate::web::ui::{Chip, Facet, FacetChoice};
use crate::web::urls;

/// The questions: name of the query parameter, heading.
const QUESTIONS: [(&str, &str); 3] = [("provider", "Made by"), ("kind", "Kind"), ("tag", "Tag")];
/// Longer lists help nobody to choose.
const MOST_CHOICES: usize = 12;

/// What is chosen, from the address.
pub(super) struct Chosen<'a> {
    query: &'a Form,
}

/// The answers of a template to a question.
fn values(template: &TemplateSummary, question: &str) -> Vec<String> {
    match question {
        "provider" => vec![template.template.provider.clone()],
        "kind" => vec![kind_word(template.template.kind).to_owned()],
        _ => template.template.tags.clone(),
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Environment => "environment",
        Kind::Workspace => "workspace",
    }
}

fn label(question: &str, value: &str) -> String {
    match (question, value) {
        ("provider", value) => provider_words(value).to_owned(),
        ("kind", "environment") => "Environment".to_owned(),
        ("kind", "workspace") => "Workspace".to_owned(),
        (_, value) => value.to_owned(),
    }
}

impl<'a> Chosen<'a> {
    pub(super) fn of(query: &'a Form) -> Self {
        Self { query }
    }

    fn answers(&self, question: &str) -> Vec<&'a str> {
        let named = self.query.0.iter().filter(|(name, value)| name == question && !value.is_empty());
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn fits(&self, template: &TemplateSummary, question: &str) -> bool {
        let wanted = self.answers(question);
        wanted.is_empty() || values(template, question).iter().any(|value| wanted.contains(&value.as_str()))
    }

    /// Whether nothing is chosen.
    pub(super) fn is_empty(&self) -> bool {
        QUESTIONS.iter().all(|(question, _)| self.answers(question).is_empty())
    }

    /// Whether a template is among those asked for.
    pub(super) fn shows(&self, template: &TemplateSummary) -> bool {
        QUESTIONS.iter().all(|(question, _)| self.fits(template, question))
    }

    /// The questions with their counts.
    pub(super) fn facets(&self, all: &[TemplateSummary]) -> Vec<Facet> {
        let facets = QUESTIONS.iter().map(|(question, title)| {
            let others = |template: &&TemplateSummary| {
                QUESTIONS.iter().filter(|(other, _)| other != question).all(|(other, _)| self.fits(template, other))
            };
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for value in all.iter().filter(others).flat_map(|template| values(template, question)) {
                *counts.entry(value).or_default() += 1;
            }
            let wanted = self.answers(question);
            for value in &wanted {
                counts.entry((*value).to_owned()).or_default();
            }
            let mut choices: Vec<FacetChoice> = counts
                .into_iter()
                .map(|(value, count)| FacetChoice {
                    label: label(question, &value),
                    checked: wanted.contains(&value.as_str()),
                    value,
                    count,
                })
                .collect();
            choices.sort_by(|a, b| b.checked.cmp(&a.checked).then(b.count.cmp(&a.count)).then(a.label.cmp(&b.label)));
            choices.truncate(MOST_CHOICES);
            Facet { title: (*title).to_owned(), name: (*question).to_owned(), choices }
        });
        facets.filter(|facet| facet.choices.len() > 1 || facet.choices.iter().any(|choice| choice.checked)).collect()
    }

    /// What is chosen, each with the address without it.
    pub(super) fn chips(&self) -> Vec<Chip> {
        let chosen = QUESTIONS.iter().flat_map(|(question, title)| {
            self.answers(question).into_iter().map(move |value| (*question, *title, value))
        });
        chosen
            .map(|(question, title, value)| Chip {
                field: title.to_owned(),
                value: label(question, value),
                remove_href: self.without(question, value),
            })
            .collect()
    }

    fn without(&self, question: &str, value: &str) -> String {
        let rest =
            self.query.0.iter().filter(|(name, found)| !(found.is_empty() || name == question && found == value));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(rest);
        let query = query.finish();
        if query.is_empty() { urls::CATALOG.to_owned() } else { format!("{}?{query}", urls::CATALOG) }
    }
}
