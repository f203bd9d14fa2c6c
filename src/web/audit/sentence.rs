//! An audit record as a sentence: "Dana Reyes requested orders-db in prod".
//!
//! The record has the login of that time; people are shown by the name that they have now, with
//! the login in the record's own page.

use std::collections::BTreeMap;

use crate::audit::{self, AuditRecord, Outcome};
use crate::base::id::PersonId;
use crate::db::Connection;
use crate::identity;
use crate::web::error::PageError;
use crate::web::ui::Look;
use crate::web::words::listed;

/// The names of the people in some records.
#[derive(Default)]
pub struct Names(BTreeMap<PersonId, String>);

/// A record in words.
pub struct Sentence {
    /// Its colour family.
    pub look: Look,
    /// Its icon.
    pub icon: &'static str,
    /// The words, without a full stop.
    pub text: String,
    /// A reason that a person gave, or the error.
    pub note: Option<String>,
}

impl Names {
    /// Those of these records. One query.
    pub async fn of(connection: &mut Connection, records: &[AuditRecord]) -> Result<Self, PageError> {
        let actors = records.iter().filter_map(|record| record.actor_id);
        let ids: Vec<PersonId> = actors.chain(records.iter().filter_map(holder)).collect();
        Ok(Self(identity::names(connection, &ids).await?))
    }

    /// Who did it: "Dana Reyes", "Paddock", "Somebody who was not signed in".
    pub fn actor(&self, record: &AuditRecord) -> String {
        let name = record.actor_id.and_then(|id| self.0.get(&id)).cloned();
        match record.actor_kind.as_str() {
            "person" => name.unwrap_or_else(|| record.actor.clone()),
            "operator" => "The operator".to_owned(),
            "anonymous" => "Somebody who was not signed in".to_owned(),
            _ => "Paddock".to_owned(),
        }
    }

    /// The record in words.
    pub fn sentence(&self, record: &AuditRecord) -> Sentence {
        let (icon, words) = words(self, record);
        let actor = self.actor(record);
        let mut text = aftermath(record).unwrap_or_else(|| format!("{actor} {words}"));
        if record.outcome == Outcome::Failed
            && !matches!(audit::kind_of(&record.action), "state" | "drift")
            && !matches!(record.action.as_str(), "environment.failed" | "request.failed" | "request.planned")
        {
            text.push_str(", without success");
        }
        Sentence { look: look(record), icon, text, note: note(record) }
    }
}

/// What follows of itself from what somebody else did: the last approval carries a request out in
/// its own transaction, so its records name the approver, who neither asked nor finished.
fn aftermath(record: &AuditRecord) -> Option<String> {
    let (name, label) = (&record.object_label, record.object_label.split_once(' '));
    let (operation, target) = label.map_or((String::new(), name.as_str()), |(verb, rest)| (verb.to_lowercase(), rest));
    if record.actor_kind != "person" || record.outcome != Outcome::Succeeded {
        return None;
    }
    match record.action.as_str() {
        "request.approved" => Some(format!("Everybody who had to agree to {operation} {target} has agreed")),
        "request.succeeded" => Some(format!("The request to {operation} {target} is done")),
        "environment.extended" => Some(format!("{name} has a new end")),
        _ => None,
    }
}

fn look(record: &AuditRecord) -> Look {
    match (record.outcome, record.action.as_str()) {
        (Outcome::Denied | Outcome::Failed, _) => Look::Bad,
        (_, "output.revealed" | "environment.expiry_warned" | "environment.stop_warned" | "drift.found") => Look::Wait,
        (_, "request.reviewed") if detail(record, "verdict") == "rejected" => Look::Bad,
        (_, "environment.ready" | "environment.updated" | "request.reviewed" | "request.approved") => Look::Go,
        _ => Look::Off,
    }
}

fn detail<'a>(record: &'a AuditRecord, name: &str) -> &'a str {
    record.detail.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}

fn note(record: &AuditRecord) -> Option<String> {
    let text = match record.action.as_str() {
        "request.reviewed" | "environment.handed_over" | "drift.accepted" | "orphan.adopted" | "orphan.destroying" => {
            detail(record, "reason").to_owned()
        }
        "suggestion.made" => detail(record, "reason").to_owned(),
        "elevation.asked" | "elevation.taken" => detail(record, "reason").to_owned(),
        "elevation.granted" | "elevation.declined" => detail(record, "answer").to_owned(),
        "elevation.reviewed" => detail(record, "review").to_owned(),
        "drift.found" => listed(&texts(record, "differences"), "and"),
        _ => detail(record, "error").to_owned(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Icon and predicate.
fn words(names: &Names, record: &AuditRecord) -> (&'static str, String) {
    let object = &record.object_label;
    let (kind, verb) = record.action.split_once('.').unwrap_or((&record.action, ""));
    match kind {
        "request" => request(record, verb),
        "suggestion" => suggestion(record, verb),
        "environment" if verb == "handed_over" => {
            ("user-round", format!("handed {object} over from {} to {}", detail(record, "from"), detail(record, "to")))
        }
        "environment" => environment(verb, object),
        "drift" => drift(record, verb),
        "orphan" => orphan(record, verb),
        "run" => run(record, verb),
        "callback" => ("server", callback(record, verb)),
        "output" if record.outcome == Outcome::Denied => {
            ("eye", format!("wanted to see {} of {object} and may not", outputs(record)))
        }
        "output" => ("eye", format!("showed {} of {object}", outputs(record))),
        "session" => match verb {
            "signed_in" => ("log-in", "signed in".to_owned()),
            "ended" => ("log-out", "signed out".to_owned()),
            _ => ("lock", format!("was refused to sign in as {object}")),
        },
        "catalog_source" | "catalog" => ("folder-git-2", format!("{} the catalog source {object}", past(verb))),
        "template_version" => ("package", format!("{} the template version {object}", past(verb))),
        "role" => ("key-round", role(names, record, verb)),
        "elevation" => ("key-round", elevation(record, verb)),
        "delegation" => ("user-round-check", delegation(record, verb)),
        "token" if verb == "minted" => ("key-round", format!("made the API token {object}")),
        "token" => ("key-round", format!("{} the API token {object}", past(verb))),
        "person" => ("user-round", format!("{} {object}", past(verb))),
        "team" => ("users-round", team(record, verb)),
        "password" => ("key-round", format!("{} the password of {object}", past(verb))),
        "freeze" if verb == "set" => ("circle-pause", format!("held runs of {object}")),
        "circuit" => ("rotate-cw", format!("let the runs of {object} go on")),
        "freeze" => ("circle-pause", format!("lifted the freeze of {object}")),
        "worker" if verb == "drained" => ("server", format!("told the worker {object} to take no more runs")),
        "worker" => ("server", format!("told the worker {object} to take runs again")),
        "state" if verb == "write_refused" => ("lock", format!("refused to write the state of {object}")),
        "state" => ("lock", format!("refused a program of {object} its state")),
        "target" => ("server", target(record, verb)),
        "quota" if record.outcome == Outcome::Denied => {
            ("sliders-horizontal", format!("wanted to change the quota {object} and may not"))
        }
        "budget" if record.outcome == Outcome::Denied => {
            ("coins", format!("wanted to change the budget of {object} and may not"))
        }
        "budget" => ("coins", format!("{} the budget of {object}", past(verb))),
        "price" | "price_book" if record.outcome == Outcome::Denied => {
            ("coins", format!("wanted to change the price book ({object}) and may not"))
        }
        "price" if verb == "added" => ("coins", format!("set a price of {object}")),
        "price" => ("coins", format!("imported {object} into the price book")),
        "price_book" => ("coins", format!("set the currency of the price book to {object}")),
        "quota" => ("sliders-horizontal", format!("{} the quota of {object}", past(verb))),
        "policy_version" => ("shield-check", policy_version(record, verb)),
        "keys" => ("key-round", "put stored secrets under the newest encryption key".to_owned()),
        "setup" => ("house", format!("{} the set-up", past(verb))),
        _ => ("scroll-text", format!("{} {object}", record.action.replace(['.', '_'], " "))),
    }
}

/// Who was given a role, or lost it: the record has the id for a name.
fn holder(record: &AuditRecord) -> Option<PersonId> {
    record.object.as_ref().filter(|_| audit::kind_of(&record.action) == "role")?.parse().ok()
}

fn role(names: &Names, record: &AuditRecord, verb: &str) -> String {
    let name = holder(record).and_then(|id| names.0.get(&id)).unwrap_or(&record.object_label);
    let role = match (detail(record, "role"), detail(record, "environment_type")) {
        (role, "") => role.to_owned(),
        (role, kind) => format!("{role} in {kind}"),
    };
    match (verb, record.object.is_some()) {
        // Refused before anybody was looked up.
        (_, false) => format!("wanted to {} a role", if verb == "granted" { "give" } else { "take or change" }),
        ("granted", _) => format!("gave {name} the role {role}"),
        ("changed", _) => format!("changed when {name} stops to hold the role {role}"),
        ("ended", _) => format!("ended the role {role} of {name}: its time was over"),
        (_, _) => format!("took the role {role} from {name}"),
    }
}

fn suggestion(record: &AuditRecord, verb: &str) -> (&'static str, String) {
    let (what, reviewer) = (&record.object_label, detail(record, "reviewer"));
    match verb {
        "made" => ("pencil", format!("would agree to the request “{what}” with changes")),
        "accepted" => ("check", format!("accepted the changes of {reviewer} to the request “{what}”")),
        _ => ("x", format!("declined the changes of {reviewer} to the request “{what}”")),
    }
}

fn delegation(record: &AuditRecord, verb: &str) -> String {
    let deputy = &record.object_label;
    match (record.outcome, verb) {
        (Outcome::Denied, "given") => "wanted to decide for themselves while they are away, and may not".to_owned(),
        (Outcome::Denied, _) => "wanted to take back a delegation that is not theirs, and may not".to_owned(),
        (_, "given") => format!("let {deputy} decide for them for a time"),
        (_, _) => format!("took it back that {deputy} decides for them"),
    }
}

fn team(record: &AuditRecord, verb: &str) -> String {
    let (team, login) = (&record.object_label, detail(record, "login"));
    match verb {
        "joined" => format!("added {login} to the team {team}"),
        "left" => format!("took {login} out of the team {team}"),
        other => format!("{} the team {team}", past(other)),
    }
}

fn target(record: &AuditRecord, verb: &str) -> String {
    let label = &record.object_label;
    if record.outcome == Outcome::Denied {
        return format!("wanted to change the target {label} and may not");
    }
    match verb {
        "checked" => format!("checked the target {label}"),
        "rotated" => format!("brought a new credential for the target {label}"),
        "bound" => format!("bound {} to the target {label}", detail(record, "place")),
        "unbound" => format!("took {} off the target {label}", detail(record, "place")),
        "limited" => format!("changed what holds runs of the target {label}"),
        other => format!("{} the target {label}", past(other)),
    }
}

fn policy_version(record: &AuditRecord, verb: &str) -> String {
    let label = &record.object_label;
    if record.outcome == Outcome::Denied {
        return format!("wanted to change the policies ({label}) and may not");
    }
    match verb {
        "loaded" => format!("loaded {label} of the policies"),
        "drafted" => format!("began {label} of the policies"),
        "written" => format!("wrote in {label} of the policies"),
        "taken_back" => format!("took {label} of the policies back into a draft"),
        "published" => format!("put {label} of the policies in force"),
        other => format!("{} {label} of the policies", past(other)),
    }
}

fn past(verb: &str) -> String {
    verb.replace('_', " ")
}

fn texts<'a>(record: &'a AuditRecord, name: &str) -> Vec<&'a str> {
    let values = record.detail.get(name).and_then(|value| value.as_array());
    values.into_iter().flatten().filter_map(|value| value.as_str()).collect()
}

fn outputs(record: &AuditRecord) -> String {
    let names = texts(record, "outputs");
    match names.len() {
        0 => "secret outputs".to_owned(),
        1 => format!("the secret output {}", listed(&names, "and")),
        _ => format!("the secret outputs {}", listed(&names, "and")),
    }
}

/// The object of a request's record is "Create orders-db".
fn request(record: &AuditRecord, verb: &str) -> (&'static str, String) {
    let label = &record.object_label;
    let (operation, name) = label.split_once(' ').unwrap_or(("", label));
    let operation = operation.to_lowercase();
    match verb {
        "submitted" => {
            let place = match detail(record, "environment_type") {
                "" => String::new(),
                kind => format!(" in {kind}"),
            };
            let words = match (record.outcome, operation.as_str()) {
                (Outcome::Denied, _) => format!("was denied to {operation} {name}{place}"),
                (_, "create") => format!("requested {name}{place}"),
                _ => format!("asked to {operation} {name}{place}"),
            };
            ("send", words)
        }
        "planned" if record.outcome == Outcome::Failed => ("circle-x", format!("could not plan to {operation} {name}")),
        "planned" => ("scroll-text", format!("planned what it takes to {operation} {name}")),
        "lined_up" => {
            let quotas = listed(&texts(record, "quotas"), "and");
            ("clock", format!("waits in line to {operation} {name}: the quota of {quotas} is used up"))
        }
        "admitted" => ("circle-check", format!("had room to {operation} {name}, and let it in from the line")),
        "denied" => ("circle-x", format!("denied to {operation} {name} when its turn in the line came")),
        "awaiting_approval" => ("user-round-check", format!("asks again to {operation} {name}")),
        "reviewed" => {
            let place = match detail(record, "for") {
                "" => String::new(),
                absent => format!(" for {absent}"),
            };
            ("user-round-check", format!("{} the request to {operation} {name}{place}", detail(record, "verdict")))
        }
        "approved" => ("shield-check", format!("carries out the request to {operation} {name}: everybody agreed")),
        "rejected" => ("circle-x", format!("closed the rejected request to {operation} {name}")),
        "withdrawn" => ("ban", format!("took the request to {operation} {name} back")),
        "lapsed" => ("timer-off", format!("let the request to {operation} {name} lapse: its time to wait was over")),
        "escalated" => {
            let asked = listed(&texts(record, "asked"), "and");
            ("user-round-check", format!("asked {asked} as well to agree to {operation} {name}"))
        }
        "reminded" => ("clock", format!("asked for an answer to the request to {operation} {name}")),
        "retried" => ("rotate-cw", format!("retried to {operation} {name}")),
        "succeeded" => ("circle-check", format!("finished the request to {operation} {name}")),
        "failed" => ("circle-x", format!("could not {operation} {name}")),
        other => ("inbox", format!("marked the request to {operation} {name} as {}", past(other))),
    }
}

fn callback(record: &AuditRecord, verb: &str) -> String {
    let object = &record.object_label;
    match verb {
        "taken" => format!("said how {object} ended: {}", detail(record, "state")),
        _ => format!("wanted to say how {object} goes and was refused: {}", detail(record, "reason")),
    }
}

fn elevation(record: &AuditRecord, verb: &str) -> String {
    let role = &record.object_label;
    let whose = detail(record, "name");
    match verb {
        "asked" if record.outcome == Outcome::Denied => format!("wanted to ask for the role {role} and may not"),
        "taken" if record.outcome == Outcome::Denied => format!("wanted to take the role {role} at once and may not"),
        "granted" | "declined" if record.outcome == Outcome::Denied => {
            format!("wanted to decide on {role} and may not")
        }
        "reviewed" if record.outcome == Outcome::Denied => format!("wanted to review {role} and may not"),
        "asked" => format!("asked for the role {role}"),
        "granted" => format!("let {whose} be {role} for a time"),
        "declined" => format!("did not let {whose} be {role}"),
        "withdrawn" => format!("does not ask for the role {role} any more"),
        "taken" => format!("took the role {role} in an emergency"),
        "ended" => format!("gave the role {role} back"),
        "reviewed" if record.detail.get("justified") == Some(&serde_json::Value::Bool(true)) => {
            format!("reviewed that {whose} took {role}: it was an emergency")
        }
        "reviewed" => format!("reviewed that {whose} took {role}: it was no emergency"),
        other => format!("recorded “{}” for the role {role}", past(other)),
    }
}

fn environment(verb: &str, name: &str) -> (&'static str, String) {
    match verb {
        "requested" => ("box", format!("reserved a place for {name}")),
        "provisioning" => ("box", format!("began to make {name}")),
        "updating" => ("pencil", format!("began to update {name}")),
        "deleting" => ("trash-2", format!("began to delete {name}")),
        "ready" => ("circle-check", format!("made {name}: it is ready")),
        "updated" => ("circle-check", format!("updated {name}")),
        "extended" => ("calendar-plus", format!("gave {name} a new end")),
        "deleted" => ("trash-2", format!("deleted {name}")),
        "discarded" => ("ban", format!("gave the place of {name} free: it was not made")),
        "plan_discarded" => ("trash-2", format!("removed what the plan of {name} had left")),
        "starting" => ("play", format!("began to start {name}")),
        "started" => ("play", format!("started {name}")),
        "stopping" => ("square", format!("began to stop {name}")),
        "stopped" => ("square", format!("stopped {name}")),
        "restarting" => ("rotate-cw", format!("began to restart {name}")),
        "restarted" => ("rotate-cw", format!("restarted {name}")),
        "acting" => ("zap", format!("began an action on {name}")),
        "acted" => ("zap", format!("finished an action on {name}")),
        "action_failed" => ("circle-x", format!("could not do that with {name}, which is as it was")),
        "scheduled" => ("calendar-clock", format!("set the schedule of {name}")),
        "unscheduled" => ("calendar-clock", format!("took the schedule of {name} away")),
        "stop_skipped" => ("calendar-clock", format!("let the next stop of {name} pass")),
        "stop_delayed" => ("calendar-clock", format!("put the next stop of {name} off")),
        "stop_warned" => ("calendar-clock", format!("warned that {name} stops soon")),
        "failed" => ("circle-x", format!("could not finish the run for {name}")),
        "faulted" => ("triangle-alert", format!("could not clean up {name}")),
        "expiry_warned" => ("calendar-clock", format!("warned that {name} ends soon")),
        other => ("box", format!("recorded “{}” for {name}", past(other))),
    }
}

fn drift(record: &AuditRecord, verb: &str) -> (&'static str, String) {
    let name = &record.object_label;
    let words = match verb {
        "asked" => format!("asked whether {name} is as its last run left it"),
        "found" => format!("found that {name} is not as its last run left it"),
        "ended" => format!("found {name} as its last run left it again"),
        "failed" => format!("could not check {name} for drift"),
        "accepted" => format!("accepted what differs of {name}"),
        other => format!("recorded “{}” for {name}", past(other)),
    };
    ("git-compare-arrows", words)
}

fn orphan(record: &AuditRecord, verb: &str) -> (&'static str, String) {
    let label = &record.object_label;
    let target = detail(record, "target");
    match verb {
        "found" => ("search", format!("found {label} on {target}, which nobody owns")),
        "gone" => ("circle-check", format!("does not find {label} on {target} any more, or it has an owner")),
        "adopted" => ("link", format!("gave {label} back to its environment")),
        "destroying" => ("trash-2", format!("began to destroy {label} on {target}, which nobody owns")),
        "destroyed" if record.outcome == Outcome::Failed => ("circle-x", format!("tried to destroy {label}")),
        "destroyed" => ("trash-2", format!("destroyed {label}, which nobody owned")),
        other => ("search", format!("recorded “{}” for {label}", past(other))),
    }
}

fn run(record: &AuditRecord, verb: &str) -> (&'static str, String) {
    let label = &record.object_label;
    match verb {
        "started" => ("terminal", format!("started the run “{label}”")),
        "requeued" => ("refresh-cw", format!("put the run “{label}” back into the queue")),
        "cancel_requested" => ("square", format!("asked to cancel the run “{label}”")),
        other => ("terminal", format!("recorded “{}” for the run “{label}”", past(other))),
    }
}
