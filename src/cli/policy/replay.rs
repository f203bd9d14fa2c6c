//! `paddock policy replay`: what CI asks before policies are merged.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{ArgGroup, Args};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::super::store::{Hold, Store};
use super::super::terminal::out;
use crate::app::{fitting_policies, requests_of_decisions};
use crate::base::cursor::Cursor;
use crate::base::id::{DecisionId, RequestId};
use crate::base::{Clock as _, SystemClock};
use crate::config::StoreArgs;
use crate::cost;
use crate::db::Connection;
use crate::policy::replay::{Flip, FlipKind, Replay};
use crate::policy::replay_sums::{ByKind, FlipSum, FlipSums};
use crate::policy::versions::{self, PolicyVersion};
use crate::policy::{Decision, PolicyEngine};

/// So many flips are listed as text; the rest are counted.
const MOST_LISTED: usize = 1000;
/// How long a part takes, and a connection is held.
const PART: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("by").required(true).args(["policies", "version"])))]
pub(super) struct ReplayArgs {
    /// How far back: 90d, 36h
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = since)]
    since: SignedDuration,
    /// A folder of policies
    #[arg(long, value_name = "FOLDER")]
    policies: Option<PathBuf>,
    /// A version that is stored
    #[arg(long, value_name = "NUMBER")]
    version: Option<i32>,
    /// A line of JSON for each decision that flips, and one for the sum
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArgs,
}

fn since(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("“{text}” is no time: 90d or 36h");
    let (number, hours) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(number), _) => (number, 24),
        (None, Some(number)) => (number, 1),
        (None, None) => return Err(wrong()),
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    (1..=100_000).contains(&number).then(|| SignedDuration::from_hours(number * hours)).ok_or_else(wrong)
}

/// Whether nothing flips.
pub(super) async fn run(args: ReplayArgs) -> anyhow::Result<bool> {
    let store = Store::open(&args.store.clone().check()?, Hold::Borrow).await?;
    let done = replay(&store, &args).await;
    store.close().await?;
    done
}

async fn engine_of(connection: &mut Connection, version: &PolicyVersion) -> anyhow::Result<PolicyEngine> {
    let text = versions::text_of(connection, version.id).await?;
    let number = version.number;
    fitting_policies(version, &text).map_err(|why| anyhow!("version {number} of the policies does not fit: {why}"))
}

/// What is in force, and what shall be.
async fn engines(store: &Store, args: &ReplayArgs) -> anyhow::Result<Replay> {
    let mut connection = store.db.acquire().await?;
    let after = match (&args.policies, args.version) {
        (Some(folder), _) => PolicyEngine::from_folder(folder)?,
        (None, Some(number)) => {
            let version = versions::find(&mut connection, number).await?;
            let version = version.with_context(|| format!("there is no version {number} of the policies"))?;
            engine_of(&mut connection, &version).await?
        }
        (None, None) => return Err(anyhow!("either --policies or --version is needed")),
    };
    let in_force = versions::published(&mut connection).await?;
    let in_force = in_force.context("no policies are in force yet: Paddock has not been started on this database")?;
    let before = engine_of(&mut connection, &in_force).await?;
    Ok(Replay::new(&before, &after))
}

#[derive(Default)]
struct Sum {
    seen: u64,
    lost: u64,
    sums: FlipSums,
    /// That of the price book.
    currency: String,
    /// The lines of each project, as long as they are few.
    lines: BTreeMap<String, Vec<String>>,
    listed: usize,
}

async fn replay(store: &Store, args: &ReplayArgs) -> anyhow::Result<bool> {
    let replay = engines(store, args).await?;
    let begin = SystemClock.now().checked_sub(args.since).context("that is too far back")?;
    let mut from = Some(Cursor { at: begin, id: uuid::Uuid::nil() });
    let currency = cost::currency(&mut *store.db.acquire().await?).await?;
    let mut sum = Sum { currency, ..Sum::default() };
    while let Some(after) = from {
        let mut connection = store.db.acquire().await?;
        let part = replay.part(&mut connection, after, PART).await?;
        let ids: Vec<DecisionId> = part.flips.iter().map(|flip| flip.id).collect();
        let requests = requests_of_decisions(&mut connection, &ids).await?;
        drop(connection);
        sum.seen += part.seen;
        sum.lost += part.lost;
        for flip in &part.flips {
            sum.sums.add(flip);
            let request = requests.get(&flip.id).copied();
            if args.json {
                out(as_json(flip, request));
            } else if sum.listed < MOST_LISTED {
                sum.listed += 1;
                let project = flip.question.resource.project.clone();
                let lines = sum.lines.entry(project.unwrap_or_else(|| "the platform".to_owned())).or_default();
                lines.push(as_text(flip, request));
            }
        }
        from = part.next;
    }
    tell(&sum, &replay, begin, args.json);
    Ok(sum.sums.projects.is_empty())
}

fn as_json(flip: &Flip, request: Option<RequestId>) -> serde_json::Value {
    let side = |decision: &Decision| json!({"outcome": decision.outcome, "sentence": decision.sentence, "rules": decision.rules});
    json!({
        "flip": flip.kind,
        "decision": flip.id.to_string(),
        "request": request.map(|id| id.to_string()),
        "at": flip.at,
        "project": flip.question.resource.project,
        "person": flip.question.principal.login,
        "action": flip.question.action,
        "asked": flip.question.asked(),
        "cost_per_month": flip.cost_per_month(),
        "before": side(&flip.before),
        "after": side(&flip.after),
    })
}

fn as_text(flip: &Flip, request: Option<RequestId>) -> String {
    let what = request.map_or_else(|| flip.id.to_string(), |request| request.to_string());
    let (kind, at, who) = (flip.kind.words(), flip.at, &flip.question.principal.login);
    format!("  {kind:<17} {what}  {at:.0}  {who}: {}", flip.after.sentence)
}

fn tell(sum: &Sum, replay: &Replay, begin: Timestamp, as_json: bool) {
    let kinds = sum.sums.total();
    let total: u64 = kinds.iter().map(|kind| kind.flips).sum();
    if as_json {
        let counts: BTreeMap<FlipKind, u64> = FlipKind::ALL.into_iter().zip(kinds.map(|kind| kind.flips)).collect();
        let (before, after) = replay.digests();
        return out(json!({
            "since": begin, "in_force_digest": before, "digest": after, "decisions": sum.seen,
            "not_replayable": sum.lost, "flips": total, "kinds": counts, "currency": sum.currency,
            "by_project": sums_as_json(&sum.sums.projects), "by_team": sums_as_json(&sum.sums.teams),
        }));
    }
    for (project, lines) in &sum.lines {
        out(project);
        lines.iter().for_each(out);
    }
    if total > MOST_LISTED as u64 {
        out(format!("Only the first {MOST_LISTED} are listed; --json lists all."));
    }
    if sum.lost > 0 {
        out(format!("{} cannot be made again: they do not fit this Paddock, or the rules in force.", sum.lost));
    }
    tell_costs("By project:", &sum.sums.projects, "the platform", &sum.currency);
    tell_costs("By the teams of whoever asked:", &sum.sums.teams, "in no team", &sum.currency);
    let kinds: Vec<String> =
        FlipKind::ALL.into_iter().zip(kinds).map(|(kind, sum)| format!("{} {}", sum.flips, kind.words())).collect();
    out(format!("{total} of {} decisions since {begin:.0} flip: {}.", sum.seen, kinds.join(", ")));
}

fn sums_as_json(sums: &BTreeMap<String, ByKind>) -> Vec<serde_json::Value> {
    let kinds = sums.iter().flat_map(|(slug, kinds)| kinds.iter().zip(FlipKind::ALL).map(move |one| (slug, one)));
    let some = kinds.filter(|(_, (sum, _))| sum.flips > 0);
    let view = |(slug, (sum, kind)): (&String, (&FlipSum, FlipKind))| {
        let slug = Some(slug).filter(|slug| !slug.is_empty());
        json!({"slug": slug, "flip": kind, "flips": sum.flips, "without_price": sum.without_price,
               "cost_per_month": sum.cost()})
    };
    some.map(view).collect()
}

/// What flips would cost in a month while it runs.
fn tell_costs(heading: &str, sums: &BTreeMap<String, ByKind>, without: &str, currency: &str) {
    if sums.is_empty() {
        return;
    }
    out(heading);
    for (slug, kinds) in sums {
        out(format!("  {}", if slug.is_empty() { without } else { slug }));
        for (sum, kind) in kinds.iter().zip(FlipKind::ALL).filter(|(sum, _)| sum.flips > 0) {
            let cost = match sum.without_price {
                0 => format!("{} {currency} a month", sum.cost()),
                none if none == sum.flips => "no price is known".to_owned(),
                some => format!("{} {currency} a month; of {}, {some} had no price", sum.cost(), sum.flips),
            };
            out(format!("    {:<17} {:>6}  {cost}", kind.words(), sum.flips));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_days_or_hours() {
        assert_eq!(since("90d"), Ok(SignedDuration::from_hours(2160)));
        assert_eq!(since("36h"), Ok(SignedDuration::from_hours(36)));
        for wrong in ["", "d", "90", "-1d", "0d", "1w"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
