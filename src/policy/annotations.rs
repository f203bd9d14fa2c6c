//! What the annotations of a rule say. A wrong one is refused: a mistyped `@approval` must not
//! turn into a permit that needs no approval.

use cedar_policy::{Effect as CedarEffect, Policy};

use super::decision::{DEFAULT_DENY, ENGINE_ERROR, Effect, Rule};
use super::engine::{Approval, Exception, RuleText};
use super::group::{Escalation, Group};
use super::question::Action;
use crate::base::Lifetime;

/// Something that is wrong with the annotations, and what would be right.
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

const KNOWN: [&str; 15] = [
    "id",
    "reason",
    "approval",
    "approval_count",
    "approval_who",
    "approval_escalation",
    "approval_step",
    "exception",
    "exception_count",
    "exception_who",
    "exception_escalation",
    "exception_step",
    "exception_lifetime",
    "owner",
    "mode",
];

/// More people than this never agree: a larger number is a mistake.
pub(super) const MAX_APPROVERS: u32 = 20;
/// A longer ladder is a mistake.
const MOST_RUNGS: usize = 5;
/// More steps than these one after the other are a mistake.
const MAX_STEPS: u32 = 9;

/// Reads the annotations of a policy whose scope matches `actions`.
pub(super) fn read(policy: &Policy, actions: &[Action]) -> Result<RuleText, Vec<Wrong>> {
    let mut wrongs = unknown(policy);
    let id = or_note(&mut wrongs, id(policy));
    let reason = or_note(&mut wrongs, reason(policy));
    let approval = or_note(&mut wrongs, approval(policy, actions));
    let exception = or_note(&mut wrongs, exception(policy, actions));
    let observed = or_note(&mut wrongs, observed(policy));
    let owner = policy.annotation("owner").map(str::trim).filter(|owner| !owner.is_empty()).map(str::to_owned);
    let effect = match policy.effect() {
        CedarEffect::Permit => Effect::Permit,
        CedarEffect::Forbid => Effect::Forbid,
    };
    match (id, reason, approval, exception, observed) {
        (Some(id), Some(reason), Some(approval), Some(exception), Some(observed)) if wrongs.is_empty() => {
            Ok(RuleText { rule: Rule { id, effect, reason }, approval, exception, owner, observed })
        }
        _ => Err(wrongs),
    }
}

fn or_note<T>(wrongs: &mut Vec<Wrong>, result: Result<T, Wrong>) -> Option<T> {
    result.map_err(|wrong| wrongs.push(wrong)).ok()
}

fn wrong(message: impl Into<String>, hint: &str) -> Wrong {
    Wrong { message: message.into(), hint: Some(hint.to_owned()) }
}

fn unknown(policy: &Policy) -> Vec<Wrong> {
    let mut names: Vec<&str> =
        policy.annotations().map(|(name, _)| name).filter(|name| !KNOWN.contains(name)).collect();
    names.sort_unstable();
    let hint = "known are @id, @reason, @owner, @mode, @approval, @exception, and with _count, _who, _step or _escalation behind one \
                of these two, and @exception_lifetime";
    names.into_iter().map(|name| wrong(format!("the annotation @{name} is not known"), hint)).collect()
}

fn id(policy: &Policy) -> Result<String, Wrong> {
    let hint = "an id is 1 to 80 lower-case letters, digits and dashes: @id(\"no-large-databases\")";
    let id = policy.annotation("id").unwrap_or_default();
    if id.is_empty() {
        return Err(wrong("the rule has no @id", hint));
    }
    if OWN.contains(&id) {
        return Err(wrong(format!("the @id “{id}” is Paddock's own"), "choose another"));
    }
    if !is_id(id) {
        return Err(wrong(format!("“{id}” is not an @id"), hint));
    }
    Ok(id.to_owned())
}

/// What decisions say where no rule does.
const OWN: [&str; 2] = [DEFAULT_DENY, ENGINE_ERROR];

/// Whether a rule can have this `@id`.
pub(super) fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=80).contains(&id.len()) && id.bytes().all(plain) && !OWN.contains(&id)
}

fn reason(policy: &Policy) -> Result<String, Wrong> {
    let reason = policy.annotation("reason").unwrap_or_default().trim();
    if reason.is_empty() {
        let hint = "say why, in a sentence for the people who meet the rule: @reason(\"…\")";
        return Err(wrong("the rule has no @reason", hint));
    }
    Ok(reason.to_owned())
}

/// Whether the rule is only watched.
fn observed(policy: &Policy) -> Result<bool, Wrong> {
    match policy.annotation("mode") {
        None | Some("enforce") => Ok(false),
        Some("observe") => Ok(true),
        Some(other) => Err(wrong(
            format!("“{other}” is not a mode"),
            "@mode takes enforce, which is what a rule does without it, or observe",
        )),
    }
}

/// What a rule asks somebody for, and the annotations that say it.
struct Asking {
    name: &'static str,
    count: &'static str,
    who: &'static str,
    step: &'static str,
    escalation: &'static str,
    more: &'static [&'static str],
}

const APPROVAL: Asking = Asking {
    name: "approval",
    count: "approval_count",
    who: "approval_who",
    step: "approval_step",
    escalation: "approval_escalation",
    more: &[],
};
const EXCEPTION: Asking = Asking {
    name: "exception",
    count: "exception_count",
    who: "exception_who",
    step: "exception_step",
    escalation: "exception_escalation",
    more: &["exception_lifetime"],
};

fn approval(policy: &Policy, actions: &[Action]) -> Result<Option<Approval>, Wrong> {
    let Some(approval) = asked(policy, actions, &APPROVAL)? else { return Ok(None) };
    if policy.effect() == CedarEffect::Forbid {
        let hint = "annotate a permit, or say who grants an exception from this one: @exception(\"lead\")";
        return Err(wrong("a forbid with @approval: what is forbidden cannot be approved", hint));
    }
    Ok(Some(approval))
}

fn exception(policy: &Policy, actions: &[Action]) -> Result<Option<Exception>, Wrong> {
    let Some(approval) = asked(policy, actions, &EXCEPTION)? else { return Ok(None) };
    if policy.effect() == CedarEffect::Permit {
        return Err(wrong("a permit with @exception", "there are exceptions from a forbid only: annotate that"));
    }
    let longest = match policy.annotation("exception_lifetime") {
        None => None,
        Some(text) => match text.parse::<Lifetime>() {
            Ok(Lifetime(longest)) if longest.is_positive() => Some(longest),
            Ok(_) | Err(_) => {
                return Err(wrong(
                    format!("“{text}” is not a length of time"),
                    "@exception_lifetime takes one such as 7d or 12h",
                ));
            }
        },
    };
    Ok(Some(Exception { approval, longest }))
}

fn asked(policy: &Policy, actions: &[Action], asking: &Asking) -> Result<Option<Approval>, Wrong> {
    let Asking { name, count, who, step, escalation, more } = *asking;
    let Some(by) = policy.annotation(name) else {
        let mut rest = [count, who, step, escalation].into_iter().chain(more.iter().copied());
        let rest = rest.find(|name| policy.annotation(name).is_some());
        return match rest {
            Some(other) => Err(wrong(format!("@{other} without @{name}"), &format!("say whose: @{name}(\"lead\")"))),
            None => Ok(None),
        };
    };
    if let Some(action) = actions.iter().find(|action| !Action::REQUESTS.contains(action)) {
        let message = format!("an {name} for {}, which does not wait for anybody", action.cedar_name());
        return Err(wrong(message, "only actions of the group Request become requests"));
    }
    let by = by.parse::<Group>().map_err(|_| {
        let hint = format!("@{name} takes developer, lead, admin or auditor, or a team: team:sre");
        wrong(format!("“{by}” is neither a role nor a team"), &hint)
    })?;
    let count = number(policy, count, "a number of approvers", MAX_APPROVERS)?;
    let step = number(policy, step, "a step", MAX_STEPS)?;
    let who = policy.annotation(who).map(str::trim).filter(|who| !who.is_empty()).map(str::to_owned);
    let escalation = ladder(policy, escalation)?;
    Ok(Some(Approval { by, count, step, who, escalation }))
}

/// “24h admin, 2d team:directors”: who may agree as well, and after how long.
fn ladder(policy: &Policy, name: &str) -> Result<Vec<Escalation>, Wrong> {
    let Some(text) = policy.annotation(name) else { return Ok(Vec::new()) };
    let hint = format!(
        "@{name} takes 1 to {MOST_RUNGS} times, each later than the one before, and who may agree as well from then on: \
         24h admin, 2d team:directors"
    );
    let rung = |text: &str| {
        let (after, to) = text.trim().rsplit_once(' ')?;
        let Lifetime(after) = after.parse().ok()?;
        Some(Escalation { after_seconds: after.as_secs(), to: to.parse().ok()? })
    };
    let rungs: Option<Vec<Escalation>> = text.split(',').map(rung).collect();
    let rises = |rungs: &Vec<Escalation>| {
        let times = || rungs.iter().map(|rung| rung.after_seconds);
        rungs.len() <= MOST_RUNGS && [0].into_iter().chain(times()).zip(times()).all(|(before, after)| before < after)
    };
    rungs.filter(rises).ok_or_else(|| wrong(format!("“{text}” is not an escalation"), &hint))
}

/// The number that an annotation says, from 1; 1 where it is not there.
fn number(policy: &Policy, name: &str, what: &str, largest: u32) -> Result<u32, Wrong> {
    let Some(text) = policy.annotation(name) else { return Ok(1) };
    let number = text.parse().ok().filter(|number| (1..=largest).contains(number));
    number.ok_or_else(|| wrong(format!("“{text}” is not {what}"), &format!("@{name} takes 1 to {largest}")))
}
