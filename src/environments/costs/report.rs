//! Sums: of a month by environment, and of one environment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;

use super::lines::{Lines, Takings, Wanted, lines_of_month};
use super::model::{Accrued, EnvironmentCost, Interval, MonthCosts, Phase};
use crate::base::Charge;
use crate::base::id::EnvironmentId;
use crate::cost::{self, Month, PriceBook, Used};
use crate::environments::Error;
use crate::environments::store::intervals;

/// What environments cost in a month.
pub async fn month(connection: &mut PgConnection, month: Month, wanted: &Wanted) -> Result<MonthCosts, Error> {
    let mut lines = lines_of_month(connection, month, wanted).await?;
    let mut found: BTreeMap<(EnvironmentId, String), EnvironmentCost> = BTreeMap::new();
    let mut since = None;
    while let Some(batch) = lines.intervals(connection).await? {
        for interval in batch {
            if interval.from_before {
                since = Some(interval.from);
            }
            count(connection, &mut lines, &mut found, &interval).await?;
        }
    }
    if (month.start()..month.end()).contains(&lines.until) {
        for interval in intervals::being_made(connection, lines.until, lines.wanted()).await? {
            count(connection, &mut lines, &mut found, &interval).await?;
        }
    }
    Ok(MonthCosts {
        month,
        currency: lines.book.currency,
        until: lines.until,
        environments: found.into_values().collect(),
        since: since.filter(|at| *at > month.start()),
    })
}

async fn count(
    connection: &mut PgConnection,
    lines: &mut Lines,
    found: &mut BTreeMap<(EnvironmentId, String), EnvironmentCost>,
    interval: &Interval,
) -> Result<(), Error> {
    let taken = lines.taken(connection, interval).await?;
    let subject = &interval.subject;
    let one = found
        .entry((subject.id, subject.template_slug.clone()))
        .or_insert_with(|| EnvironmentCost { subject: subject.clone(), accrued: Accrued::default() });
    let Some(taken) = taken else {
        one.accrued.not_told.insert(subject.template_name.clone());
        return Ok(());
    };
    let used = lines.used(interval, &taken);
    one.accrued.spent(&used);
    one.accrued.expected(&used);
    one.accrued.expected(&rest(&lines.book, interval, &taken, lines.until, lines.month));
    Ok(())
}

/// What an interval that goes on will use until the month ends, or the environment's life.
fn rest(book: &PriceBook, interval: &Interval, taken: &[Charge], now: Timestamp, month: Month) -> Vec<Used> {
    if interval.to.is_some() || now >= month.end() {
        return Vec::new();
    }
    let end = interval.expires_at.map_or(month.end(), |end| end.min(month.end()));
    book.used(taken, interval.phase == Phase::Running, now.max(interval.from), end)
}

/// What one environment has cost: in all its life so far, and in the present month.
pub async fn accrued(connection: &mut PgConnection, id: EnvironmentId) -> Result<EnvironmentAccrued, Error> {
    let now = intervals::now(connection).await?;
    let book = cost::price_book(connection).await?;
    let month = Month::of(now);
    let mut takings = Takings::default();
    let mut whole = EnvironmentAccrued {
        currency: book.currency.clone(),
        month,
        life: Accrued::default(),
        this_month: Accrued::default(),
        since: None,
        begun: false,
    };
    for interval in intervals::of(connection, id).await? {
        whole.begun = true;
        if interval.from_before {
            whole.since = Some(interval.from);
        }
        let Some(taken) = takings.of(connection, &interval).await? else {
            whole.life.not_told.insert(interval.subject.template_name.clone());
            continue;
        };
        let running = interval.phase == Phase::Running;
        let to = interval.to.unwrap_or(now);
        whole.life.spent(&book.used(&taken, running, interval.from, to));
        let used = book.used(&taken, running, interval.from.max(month.start()), to);
        whole.this_month.spent(&used);
        whole.this_month.expected(&used);
        whole.this_month.expected(&rest(&book, &interval, &taken, now, month));
    }
    Ok(whole)
}

/// What one environment has cost.
#[derive(Debug, Clone)]
pub struct EnvironmentAccrued {
    /// ISO 4217.
    pub currency: String,
    /// The present month.
    pub month: Month,
    /// In all its life so far.
    pub life: Accrued,
    /// In the present month.
    pub this_month: Accrued,
    /// Since when its cost is known, where it was there before.
    pub since: Option<Timestamp>,
    /// Whether there was ever anything that could cost.
    pub begun: bool,
}
