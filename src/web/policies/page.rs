//! `GET /admin/policies/{number}`: what a version says, what it changes, and what becomes of it.

use axum::extract::Path;
use axum::response::Response;

use super::edit::checked;
use super::lines;
use super::list::warnings;
use super::view::{PolicyPage, RuleRow, VersionActions};
use super::{effect, found, look, may_write, pill};
use crate::app::policy_version_resource;
use crate::db::Connection;
use crate::policy::versions::{self, PolicyVersion, VersionOrigin, VersionState, VersionText};
use crate::policy::{Action, PolicyEngine, Resource};
use crate::web::answer;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count, listed};
use crate::web::{frame, urls};

/// The page.
pub async fn show(visitor: Visitor, Path(number): Path<i32>) -> Result<Response, PageError> {
    look(&visitor)?;
    let version = found(&visitor, number).await?;
    let mut connection = visitor.app.db.acquire().await?;
    let text = versions::text_of(&mut connection, version.id).await?;
    let in_force = versions::published(&mut connection).await?;
    let open = matches!(version.state, VersionState::Draft | VersionState::Proposed);
    let engine = engine(&visitor, &version, &text);
    let rules = match &engine {
        Some(engine) => rules(&mut connection, &version, engine).await?,
        None => Vec::new(),
    };
    drop(connection);
    let valid = engine.is_some();
    let now = visitor.app.policy.source();
    let mut warnings = warnings(&visitor);
    warnings.extend(engine.as_ref().filter(|_| version.state == VersionState::Published).and_then(never_permitted));
    let title = format!("Policies, version {number}");
    answer::page(&PolicyPage {
        shell: frame::shell(&visitor, Section::Admin, &title).await?,
        crumbs: vec![Crumb::to("Policies", urls::ADMIN_POLICIES)],
        title,
        lede: version.note.clone(),
        pill: pill(version.state),
        number,
        facts: facts(&version, &visitor.times()),
        warnings,
        checked: open.then(|| checked(&visitor, &text)),
        diff: if open { lines::difference(&now, &text.source) } else { Vec::new() },
        rules,
        actions: actions(&visitor, &version, in_force.map(|version| version.number)),
        try_href: (valid && may_replay(&visitor)).then(|| urls::admin_policy_verb(number, "try")),
        proofs_href: valid.then(|| urls::admin_policy_verb(number, "proofs")),
        replay_href: (valid && may_replay(&visitor)).then(|| urls::admin_policy_verb(number, "replay")),
        source: text.source,
    })
}

/// Whether the viewer may see the decisions of everybody.
fn may_replay(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy.allows(&app.platform_question(op, access, Action::ReadAudit, Resource::audit_log(None)))
}

/// The set of a version, where it can be read. That in force is compiled already.
fn engine(visitor: &Visitor, version: &PolicyVersion, text: &VersionText) -> Option<PolicyEngine> {
    let now = visitor.app.policy.now();
    if now.digest() == version.digest {
        return Some(now);
    }
    text.engine().ok()
}

/// What a release can do and these rules let nobody do.
fn never_permitted(engine: &PolicyEngine) -> Option<String> {
    let gaps: Vec<String> = engine.without_permit().iter().map(|action| action.words().to_owned()).collect();
    let what = (!gaps.is_empty()).then(|| listed(&gaps, "or"))?;
    Some(format!("No rule lets anybody {what}. A newer Paddock may be able to do more than its rules know."))
}

async fn rules(
    connection: &mut Connection,
    version: &PolicyVersion,
    engine: &PolicyEngine,
) -> Result<Vec<RuleRow>, PageError> {
    let in_force = version.state == VersionState::Published;
    let counts = if in_force { versions::counted(connection, engine.digest()).await? } else { Vec::new() };
    let observed = |id: &str| {
        let found = counts.iter().find(|(counted, _)| counted == id).map_or(0, |(_, count)| *count);
        if !in_force {
            return "only watched".to_owned();
        }
        let decisions = count(found, "decision", "decisions");
        format!("only watched: it would have counted in {decisions} of the last 30 days")
    };
    let row = |rule: crate::policy::RuleInSet| RuleRow {
        observed: rule.observed.then(|| observed(&rule.id)),
        effect: effect(rule.effect),
        id: rule.id,
        reason: rule.reason,
        owner: rule.owner,
        approval: rule.approval,
        exception: rule.exception,
    };
    Ok(engine.rules().into_iter().map(row).collect())
}

fn facts(version: &PolicyVersion, times: &Times) -> Vec<Fact> {
    let editors: Vec<String> = version.editors.iter().map(|(_, label)| label.clone()).collect();
    let from = match version.origin {
        VersionOrigin::BuiltIn => "Paddock itself; each process uses the set of its own binary".to_owned(),
        VersionOrigin::Folder => "A folder".to_owned(),
        VersionOrigin::Person => listed(&editors, "and"),
    };
    let mut facts = vec![Fact::new("Written by", from), Fact::time("Changed", times.near(version.updated_at))];
    if let Some(base) = version.based_on {
        facts.push(Fact::link("Made from", format!("version {base}"), urls::admin_policy(base)));
    }
    if let Some((at, by)) = &version.proposed {
        facts.push(Fact { value: format!("by {by}"), ..Fact::time("Proposed", times.near(*at)) });
    }
    if let Some((at, by)) = &version.published {
        let value = by.as_ref().map(|by| format!("by {by}")).unwrap_or_default();
        facts.push(Fact { value, ..Fact::time("Published", times.near(*at)) });
    }
    facts.push(Fact::id("Digest", version.digest.short()));
    facts.push(Fact::link("Audit", "what was done with it", urls::audit_of(version.id.0)));
    facts
}

fn actions(visitor: &Visitor, version: &PolicyVersion, in_force: Option<i32>) -> VersionActions {
    if !may_write(visitor) {
        return VersionActions::default();
    }
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let verb = |verb: &str| Some(urls::admin_policy_verb(version.number, verb));
    let mut actions = VersionActions {
        generation: version.generation.to_string(),
        in_force: in_force.map(|number| number.to_string()).unwrap_or_default(),
        draft: Some(urls::ADMIN_POLICY_NEW.to_owned()),
        ..VersionActions::default()
    };
    match version.state {
        VersionState::Draft => {
            actions.edit_href = verb("edit");
            actions.rule_href = verb("rule");
            actions.propose = verb("propose");
            actions.discard = verb("discard");
        }
        VersionState::Proposed => {
            let question = app.platform_question(op, access, Action::PublishPolicies, policy_version_resource(version));
            let decision = app.policy.decide(&question);
            actions.take_back = verb("take-back");
            actions.discard = verb("discard");
            if decision.is_allowed() {
                actions.publish = verb("publish");
            } else if version.editors.iter().any(|(id, _)| *id == access.person.id) {
                actions.note = Some("You wrote in it or proposed it, so another admin must publish it.".to_owned());
            } else {
                actions.note = Some(decision.sentence);
            }
        }
        VersionState::Published | VersionState::Superseded | VersionState::Discarded => {}
    }
    actions
}
