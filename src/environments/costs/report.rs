//! Sums: of a month by environment, and of one environment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;

use super::lines::{Lines, Takings, Wanted, lines_of_month, rest, used};
use super::model::{Accrued, EnvironmentCost, Interval, MonthCosts, Phase};
use crate::base::id::{EnvironmentId, ProjectId};
use crate::cost::{self, Money, Month, PriceBook};
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
                since = Some(interval.span.from);
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
    one.accrued.expected(&rest(&lines.book, &interval.span, &taken, lines.until, lines.month));
    Ok(())
}

/// What a project costs in the present month, and by what that was found.
#[derive(Debug)]
pub struct ProjectTotal {
    /// The prices.
    pub book: PriceBook,
    /// Now, in whole seconds.
    pub until: Timestamp,
    /// Until now.
    pub so_far: Money,
    /// In the whole month, if everything stays as it is until its end of life.
    pub forecast: Money,
}

/// The total of [`month`] for one project and the present month, read with as little as it needs: requests are held
/// against it while people type.
pub async fn project_total(
    connection: &mut PgConnection,
    project: ProjectId,
    month: Month,
) -> Result<ProjectTotal, Error> {
    let now = intervals::now(connection).await?;
    let until = now.min(month.end());
    let book = cost::price_book(connection).await?;
    let mut takings = Takings::default();
    let mut sum = Accrued::default();
    if until >= month.start() {
        for alike in intervals::alike(connection, project, (month.start(), month.end()), until).await? {
            let Some(taken) = takings.taken(connection, alike.version, &alike.inputs).await? else { continue };
            for span in &alike.spans {
                let used = used(&book, span, &taken, until, month);
                sum.spent(&used);
                sum.expected(&used);
                sum.expected(&rest(&book, span, &taken, until, month));
            }
        }
    }
    Ok(ProjectTotal { book, until, so_far: sum.so_far, forecast: sum.forecast })
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
            whole.since = Some(interval.span.from);
        }
        let Some(taken) = takings.of(connection, &interval).await? else {
            whole.life.not_told.insert(interval.subject.template_name.clone());
            continue;
        };
        let span = &interval.span;
        let (running, to) = (span.phase == Phase::Running, span.to.unwrap_or(now));
        whole.life.spent(&book.used(&taken, running, span.from, to));
        let used = book.used(&taken, running, span.from.max(month.start()), to);
        whole.this_month.spent(&used);
        whole.this_month.expected(&used);
        whole.this_month.expected(&rest(&book, span, &taken, now, month));
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
