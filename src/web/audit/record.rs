//! `GET /audit/{record}`: one record in full, with the decision that allowed or refused it.

use axum::extract::Path;
use axum::response::Response;
use serde_json::Value;

use super::scope;
use super::sentence::Names;
use super::view::AuditRecordPage;
use crate::audit::{self, AuditRecord, Outcome};
use crate::base::id::AuditRecordId;
use crate::policy::{self, StoredDecision};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::requests::decision::{observed_rules, would_have};
use crate::web::requests::values;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, DecisionView, Fact, Pill, Requirement, Rule};
use crate::web::visitor::Visitor;
use crate::web::words::Times;
use crate::web::{frame, listing, urls};

/// The page.
pub async fn page(visitor: Visitor, Path(id): Path<String>) -> Result<Response, PageError> {
    let id: AuditRecordId = id.parse().map_err(|_| PageError::not_found("audit record"))?;
    let mut connection = visitor.app.db.acquire().await?;
    let projects = scope(&visitor, &mut connection).await?;
    let record = audit::get(&mut connection, id).await?;
    let readable = |record: &AuditRecord| {
        projects.as_ref().is_none_or(|ids| record.project_id.is_some_and(|project| ids.contains(&project)))
    };
    let record = record.filter(readable).ok_or_else(|| PageError::not_found("audit record"))?;
    let names = Names::of(&mut connection, std::slice::from_ref(&record)).await?;
    let decision = match record.decision_id {
        Some(id) => policy::find_decision(&mut connection, id).await?,
        None => None,
    };
    drop(connection);
    let times = visitor.times();
    let page = AuditRecordPage {
        shell: frame::shell(&visitor, Section::Audit, "Audit record").await?,
        crumbs: vec![Crumb::to("Audit", urls::AUDIT)],
        title: names.sentence(&record).text,
        pill: Pill::of(outcome(record.outcome)),
        when: times.at(record.at),
        facts: facts(&record, &names.actor(&record)),
        decision: decision.map(|stored| view(&stored, &times)),
        changes: changes(&record.detail),
        details: details(&record.detail),
    };
    answer::page(&page)
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Denied => "denied",
        Outcome::Failed => "failed",
    }
}

fn facts(record: &AuditRecord, actor: &str) -> Vec<Fact> {
    let by = |name, value: String| listing::href(urls::AUDIT, [(name, value.as_str())]);
    let who = named(actor, &record.actor);
    let mut facts = vec![
        Fact::link("Who", who, by("actor", record.actor.clone())),
        Fact::link("Did what", &record.action, by("action", record.action.clone())),
        to_what(record),
    ];
    let ids = [
        record.environment_id.map(|id| id.to_string()),
        record.request_id.map(|id| id.to_string()),
        record.run_id.map(|id| id.to_string()),
    ];
    // Said once: below it stands with what it is.
    if let Some(object) = record.object.as_ref().filter(|object| !ids.contains(&Some((*object).clone()))) {
        facts.push(Fact::id("Its id", object));
    }
    if let Some(id) = record.environment_id {
        facts.push(Fact { mono: true, ..Fact::link("Environment", id.to_string(), urls::environment(id)) });
    }
    if let Some(id) = record.request_id {
        facts.push(Fact { mono: true, ..Fact::link("Request", id.to_string(), urls::request(id)) });
    }
    if let Some(id) = record.run_id {
        facts.push(Fact { mono: true, ..Fact::link("Run", id.to_string(), urls::run(id)) });
    }
    let from = record.address.as_ref().map_or_else(String::new, |address| format!(", {address}"));
    facts.push(Fact::new("From", format!("{}{from}", record.channel)));
    if let Some(token) = record.token_id {
        facts.push(Fact::id("API token", token.to_string()));
    }
    let operation = record.operation_id.to_string();
    facts.push(Fact { mono: true, ..Fact::link("Operation", &operation, by("operation", operation.clone())) });
    facts.push(Fact::id("Record", record.id.to_string()));
    facts
}

/// What it was about, with the way to all records about it.
fn to_what(record: &AuditRecord) -> Fact {
    let words = format!("{} {}", record.object_kind.replace('_', " "), record.object_label);
    match &record.object {
        Some(object) => Fact::link("To what", words, urls::audit_of(object)),
        None => Fact::new("To what", words),
    }
}

/// The name with the login behind it, unless the name says it already.
fn named(name: &str, login: &str) -> String {
    let says = name == login || name.ends_with(&format!("({login})"));
    if says { name.to_owned() } else { format!("{name} ({login})") }
}

/// The stored decision; who agreed later is on the request's page.
fn view(stored: &StoredDecision, times: &Times) -> DecisionView {
    let decision = &stored.decision;
    let requirements = decision.requirements.iter().map(|one| Requirement {
        who: crate::web::error::sentence(&one.who).trim_end_matches('.').to_owned(),
        progress: format!("{} needed, rule {}", one.count, one.rule_id),
        satisfied: false,
        people: Vec::new(),
        also: Vec::new(),
    });
    let instead = &decision.would_be_allowed;
    DecisionView {
        pill: Pill::of(decision.outcome.as_str()),
        rules: decision.rules.iter().map(Rule::from).collect(),
        advice: (!instead.is_empty())
            .then(|| format!("Allowed instead: {}.", instead.join("; ").trim_end_matches('.'))),
        requirements: requirements.collect(),
        reviews: Vec::new(),
        observed: decision.observed.as_ref().map(would_have),
        observed_rules: observed_rules(decision),
        policy_digest: decision.policy_digest.short(),
        when: times.at(stored.at),
    }
}

/// What was one thing before and another after, and the plain values beside it.
fn changes(detail: &Value) -> Vec<Fact> {
    let Some(members) = detail.as_object() else { return Vec::new() };
    let pair = |before: &str, after: &str| Some((members.get(before)?, members.get(after)?));
    let changed =
        [("from", "to", "State"), ("before", "after", "End")].into_iter().filter_map(|(before, after, label)| {
            let (before, after) = pair(before, after)?;
            Some(Fact { before: Some(values::text(before)), ..Fact::new(label, values::text(after)) })
        });
    changed.collect()
}

fn details(detail: &Value) -> Option<String> {
    let empty = detail.as_object().is_some_and(serde_json::Map::is_empty);
    if empty { None } else { serde_json::to_string_pretty(detail).ok() }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_login_is_said_once() {
        assert_eq!(named("Dana Reyes (developer)", "developer"), "Dana Reyes (developer)");
        assert_eq!(named("Dana Reyes", "dana"), "Dana Reyes (dana)");
        assert_eq!(named("paddock", "paddock"), "paddock");
    }
}
