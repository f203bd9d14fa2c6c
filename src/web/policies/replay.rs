//! `/admin/policies/{number}/replay`: which decisions of the past a version would make otherwise.
//!
//! An answer takes a bounded time. What is not done by then goes on with the next post, which brings along
//! what was found so far: scripts send it by themselves, and without them there is a button. Nothing is kept
//! on the server.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Path;
use axum::response::Response;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::view::{FlipRow, FlipTable, Flipped, FlippedProject, ReplayFragment, ReplayPage, Replayed, Side};
use super::{failed, look};
use crate::app::requests_of_decisions;
use crate::base::cursor::Cursor;
use crate::base::id::DecisionId;
use crate::cost;
use crate::policy::replay::{Flip, FlipKind, Replay};
use crate::policy::replay_sums::{ByKind, FlipSum, FlipSums};
use crate::policy::versions::{PolicyVersion, VersionError};
use crate::policy::{self, Action, Decision, Effect, Permit, Resource, ability};
use crate::web::answer::{self, Form, Query};
use crate::web::cost::money;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Look, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, urls};

/// How long one answer looks.
const BUDGET: Duration = Duration::from_millis(1500);
/// So many flips are listed; all are counted.
const MOST_LISTED: usize = 100;
/// The times to choose from, in days.
const DAYS: [i64; 3] = [7, 30, 90];

/// What a replay has found so far. It travels with the page.
#[derive(Debug, Serialize, Deserialize)]
struct SoFar {
    /// Of what is compared.
    digests: (String, String),
    since: Timestamp,
    /// Where to go on; none: it is done.
    next: Option<String>,
    seen: u64,
    lost: u64,
    sums: FlipSums,
    /// The flips that are listed.
    listed: Vec<DecisionId>,
}

impl SoFar {
    fn begin(replay: &Replay, since: Timestamp) -> Self {
        let first = Cursor { at: since, id: uuid::Uuid::nil() };
        Self {
            digests: digests(replay),
            since,
            next: Some(first.encode()),
            seen: 0,
            lost: 0,
            sums: FlipSums::default(),
            listed: Vec::new(),
        }
    }

    /// Goes on for one answer.
    async fn go_on(&mut self, visitor: &Visitor, replay: &Replay) -> Result<(), PageError> {
        let Some(from) = self.next.as_deref().and_then(|next| Cursor::decode(next).ok()) else { return Ok(()) };
        let part = replay.part(&mut *visitor.app.db.acquire().await?, from, BUDGET).await?;
        self.next = part.next.map(|next| next.encode());
        self.seen = self.seen.saturating_add(part.seen);
        self.lost = self.lost.saturating_add(part.lost);
        for flip in part.flips {
            self.sums.add(&flip);
            if self.listed.len() < MOST_LISTED {
                self.listed.push(flip.id);
            }
        }
        Ok(())
    }
}

fn digests(replay: &Replay) -> (String, String) {
    let (before, after) = replay.digests();
    (before.to_string(), after.to_string())
}

/// `GET`: asks for the time, or begins where one is given.
pub async fn show(visitor: Visitor, Path(number): Path<i32>, Query(query): Query) -> Result<Response, PageError> {
    let (version, replay) = match begin(&visitor, number).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(answer),
    };
    let times = visitor.times();
    let from = query.get("from").trim().to_owned();
    let days = query.get("days").parse().ok().filter(|days| DAYS.contains(days));
    let since = match (&*from, days) {
        ("", None) => None,
        ("", Some(days)) => times.now().checked_sub(jiff::SignedDuration::from_hours(days * 24)).ok(),
        (from, _) => times.start_of(from, 0),
    };
    let mut page = page(&visitor, &version, (days, from)).await?;
    if let Some(since) = since {
        let mut so_far = SoFar::begin(&replay, since);
        so_far.go_on(&visitor, &replay).await?;
        page.replayed = Some(shown(&visitor, &version, &replay, so_far).await?);
    } else if !page.from.is_empty() {
        page.error = Some("The date is not a date: write it as 2026-11-21.");
    }
    answer::page(&page)
}

/// `POST`: goes on.
pub async fn go_on(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let (version, replay) = match begin(&visitor, number).await? {
        Ok(begun) => begun,
        Err(answer) => return Ok(answer),
    };
    let again = || {
        let words = "The version, or what is in force, changed meanwhile: replay it again.";
        answer::see_other_warning(&urls::admin_policy_verb(number, "replay"), words)
    };
    let Ok(mut so_far) = serde_json::from_str::<SoFar>(form.get("so_far")) else { return Ok(again()) };
    if so_far.digests != digests(&replay) {
        return Ok(again());
    }
    so_far.listed.truncate(MOST_LISTED);
    so_far.go_on(&visitor, &replay).await?;
    let replayed = shown(&visitor, &version, &replay, so_far).await?;
    if visitor.partial {
        return answer::page(&ReplayFragment { replayed });
    }
    let mut page = page(&visitor, &version, (None, String::new())).await?;
    page.replayed = Some(replayed);
    answer::page(&page)
}

/// Whether the viewer may look, and whether the version can be asked at all.
pub(super) async fn begin(
    visitor: &Visitor,
    number: i32,
) -> Result<Result<(PolicyVersion, Replay), Response>, PageError> {
    look(visitor)?;
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let question = app.platform_question(op, access, Action::ReadAudit, Resource::audit_log(None));
    let permit: Permit<ability::ReadAudit> = app.policy.permit(&question)?;
    match app.replay_of(&permit, number).await {
        Ok(begun) => Ok(Ok(begun)),
        Err(VersionError::Invalid(_)) => {
            let words = "The rules are not valid, so they decide nothing: see what is wrong.";
            Ok(Err(answer::see_other_warning(&urls::admin_policy(number), words)))
        }
        Err(error) => Err(failed(error, urls::ADMIN_POLICIES)),
    }
}

async fn page(
    visitor: &Visitor,
    version: &PolicyVersion,
    (days, from): (Option<i64>, String),
) -> Result<ReplayPage, PageError> {
    let number = version.number;
    let title = format!("Replay version {number}");
    let choice = |each: i64| (each.to_string(), format!("the last {each} days"), days.unwrap_or(30) == each);
    Ok(ReplayPage {
        shell: frame::shell(visitor, Section::Admin, &title).await?,
        crumbs: vec![
            Crumb::to("Policies", urls::ADMIN_POLICIES),
            Crumb::to(format!("Version {number}"), urls::admin_policy(number)),
        ],
        title,
        lede: "The stored decisions are made again from what they were made from, by this version and by what is in \
               force. Nothing changes for anybody. Quotas are no part of it."
            .to_owned(),
        action: urls::admin_policy_verb(number, "replay"),
        days: DAYS.into_iter().map(choice).collect(),
        from,
        error: None,
        replayed: None,
    })
}

/// What was found, for people.
async fn shown(
    visitor: &Visitor,
    version: &PolicyVersion,
    replay: &Replay,
    so_far: SoFar,
) -> Result<Replayed, PageError> {
    let times = visitor.times();
    let currency = cost::currency(&mut *visitor.app.db.acquire().await?).await?;
    let mut rows = rows(visitor, replay, &so_far, &currency, &times).await?;
    let project = |(slug, sums): (&String, &ByKind)| {
        let rows = rows.remove(slug).unwrap_or_default();
        let unlisted = flips(sums).saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
        FlippedProject {
            name: named(slug, "The platform"),
            more: (unlisted > 0).then(|| format!("{} more", count(unlisted, "decision", "decisions"))),
            rows,
        }
    };
    let projects: Vec<FlippedProject> = so_far.sums.projects.iter().map(project).collect();
    let reached = so_far.next.as_deref().and_then(|next| Cursor::decode(next).ok());
    let against = match visitor.app.policies_in_force().number {
        Some(number) if number == version.number => {
            "This version is in force, so it is compared with itself".to_owned()
        }
        Some(number) => format!("Against version {number}, which is in force"),
        None => "Against what is in force".to_owned(),
    };
    let look = match (reached, projects.is_empty()) {
        (Some(_), _) => Look::Busy,
        (None, true) => Look::Go,
        (None, false) => Look::Wait,
    };
    Ok(Replayed {
        look,
        headline: headline(&so_far),
        since: times.at(so_far.since),
        reached: reached.map(|reached| times.at(reached.at)),
        against,
        lost: lost(so_far.lost),
        tables: tables(&so_far.sums, &currency),
        projects,
        action: urls::admin_policy_verb(version.number, "replay"),
        so_far: serde_json::to_string(&so_far).map_err(|error| PageError::internal(error.to_string()))?,
    })
}

/// The flips that are listed, by project.
async fn rows(
    visitor: &Visitor,
    replay: &Replay,
    so_far: &SoFar,
    currency: &str,
    times: &Times,
) -> Result<BTreeMap<String, Vec<FlipRow>>, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let mut stored = policy::find_decisions(&mut connection, &so_far.listed).await?;
    let requests = requests_of_decisions(&mut connection, &so_far.listed).await?;
    let mut rows: BTreeMap<String, Vec<FlipRow>> = BTreeMap::new();
    for flip in so_far.listed.iter().filter_map(|id| stored.remove(id)).filter_map(|stored| replay.flip(stored)) {
        let project = flip.question.resource.project.clone().unwrap_or_default();
        let href = requests.get(&flip.id).map(|request| urls::request(*request));
        rows.entry(project).or_default().push(row(&flip, href, currency, times));
    }
    Ok(rows)
}

fn headline(so_far: &SoFar) -> String {
    let flips = flips(&so_far.sums.total());
    let of = count(so_far.seen, "decision", "decisions");
    match (flips, so_far.next.is_none()) {
        (0, true) => format!("Nothing flips: {of} would come out as they do now"),
        (0, false) => format!("Nothing flips so far, of {of}"),
        (1, true) => format!("1 of {of} flips"),
        (_, true) => format!("{flips} of {of} flip"),
        (_, false) => format!("{flips} of {of} flip so far"),
    }
}

fn lost(lost: u64) -> Option<String> {
    let whether = if lost == 1 { "it flips" } else { "they flip" };
    (lost > 0).then(|| {
        format!(
            "{} cannot be made again: what was asked, or the rules in force, do not fit this Paddock. Whether {whether} is \
             not known.",
            count(lost, "decision", "decisions")
        )
    })
}

fn flips(sums: &ByKind) -> u64 {
    sums.iter().fold(0, |flips, sum| flips.saturating_add(sum.flips))
}

fn named(slug: &str, without: &str) -> String {
    if slug.is_empty() { without.to_owned() } else { slug.to_owned() }
}

/// How many flip and what they cost: by project, and by the teams of whoever asked.
fn tables(sums: &FlipSums, currency: &str) -> Vec<FlipTable> {
    let flipped = |sums: &ByKind| sums.map(|sum| Flipped { count: sum.flips.to_string(), cost: told(&sum, currency) });
    let table = |heading, note, all: &BTreeMap<String, ByKind>, without| {
        let rows = all.iter().map(|(slug, sums)| (named(slug, without), flipped(sums))).collect();
        FlipTable { heading, note, rows }
    };
    if sums.projects.is_empty() {
        return Vec::new();
    }
    let mut projects = table("Project", None, &sums.projects, "The platform");
    if projects.rows.len() > 1 {
        projects.rows.push(("All".to_owned(), flipped(&sums.total())));
    }
    let note = "By the teams of whoever asked: somebody of two teams counts in both.";
    vec![projects, table("Team", Some(note), &sums.teams, "In no team")]
}

/// What they cost, and for how many that is not known; none: nothing flips.
fn told(sum: &FlipSum, currency: &str) -> Option<String> {
    let amount = || format!("{} a month", money(sum.cost(), currency));
    match (sum.flips, sum.without_price) {
        (0, _) => None,
        (_, 0) => Some(amount()),
        (all, without) if all == without => Some("no price is known".to_owned()),
        (all, without) => Some(format!("{}; of {all}, {without} had no price", amount())),
    }
}

fn row(flip: &Flip, href: Option<String>, currency: &str, times: &Times) -> FlipRow {
    FlipRow {
        pill: pill(flip.kind),
        asked: format!("{}: {}", flip.question.principal.login, flip.question.asked()),
        href,
        cost: flip.cost_per_month().map(|cost| format!("{} a month", money(cost, currency))),
        when: times.near(flip.at),
        before: side(&flip.before),
        after: side(&flip.after),
    }
}

/// What a set says, for people.
pub(super) fn side(decision: &Decision) -> Side {
    let rules = decision.rules.iter().filter(|rule| rule.effect != Effect::Default);
    Side {
        pill: Pill::of(decision.outcome.as_str()),
        sentence: decision.sentence.clone(),
        rules: rules.map(|rule| rule.id.clone()).collect(),
    }
}

pub(super) fn pill(kind: FlipKind) -> Pill {
    let (look, icon, word) = match kind {
        FlipKind::NewlyDenied => (Look::Bad, "ban", "Newly denied"),
        FlipKind::NewlyAllowed => (Look::Go, "circle-check", "Newly allowed"),
        FlipKind::ApprovalAdded => (Look::Wait, "user-round-check", "Approval added"),
        FlipKind::ApprovalDropped => (Look::Wait, "arrow-right", "Approval dropped"),
    };
    Pill { look, icon, ..Pill::of("draft").saying(word) }
}
