//! What was used, line by line: by interval, item and price. Sums and exports are both made of these.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Interval, Phase, Span, Subject};
use crate::base::Charge;
use crate::base::id::{ProjectEnvironmentTypeId, ProjectId, TemplateVersionId};
use crate::catalog::{self, CatalogError, TemplateVersion};
use crate::cost::{self, Month, PriceBook, Used};
use crate::db;
use crate::environments::Error;
use crate::environments::store::intervals;

/// What an interval took; `None`: the template does not say.
pub(super) type Taken = Option<Arc<Vec<Charge>>>;

/// What intervals took: each template version is read once, and each of its expressions evaluated once for the same
/// inputs.
#[derive(Debug, Default)]
pub(super) struct Takings {
    versions: HashMap<TemplateVersionId, Arc<TemplateVersion>>,
    known: HashMap<(TemplateVersionId, String), Taken>,
}

impl Takings {
    pub async fn of(&mut self, connection: &mut PgConnection, interval: &Interval) -> Result<Taken, Error> {
        self.taken(connection, interval.version, &interval.inputs).await
    }

    /// What this version takes with these inputs.
    pub async fn taken(
        &mut self,
        connection: &mut PgConnection,
        version_id: TemplateVersionId,
        inputs: &str,
    ) -> Result<Taken, Error> {
        let key = (version_id, inputs.to_owned());
        if let Some(known) = self.known.get(&key) {
            return Ok(known.clone());
        }
        let version = match self.versions.get(&version_id) {
            Some(version) => Arc::clone(version),
            None => {
                let version = catalog::get_version(connection, version_id).await.map_err(unreadable)?;
                Arc::clone(self.versions.entry(version_id).or_insert_with(|| Arc::new(version)))
            }
        };
        let inputs: Map<String, Value> = serde_json::from_str(inputs).map_err(|_| db::Error::Corrupt("interval"))?;
        let taken = catalog::charges_of(&version, &inputs).ok().flatten().map(Arc::new);
        self.known.insert(key, taken.clone());
        Ok(taken)
    }
}

fn unreadable(error: CatalogError) -> db::Error {
    match error {
        CatalogError::Store(error) => error,
        _ => db::Error::Corrupt("template version"),
    }
}

/// A line of what was used.
#[derive(Debug, Clone)]
pub struct UsedLine {
    /// By what.
    pub subject: Subject,
    /// Whether it ran.
    pub phase: Phase,
    /// What, and what it cost.
    pub used: Used,
}

/// Of what the costs are told. `Default` is everything.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Only of these projects; `None`: of all.
    pub projects: Option<Vec<ProjectId>>,
    /// Of the projects that stand here, only of these environment types.
    pub parts: Vec<(ProjectId, ProjectEnvironmentTypeId)>,
}

impl Wanted {
    fn ids(&self) -> intervals::Wanted {
        let (partly, places): (Vec<Uuid>, Vec<Uuid>) = self.parts.iter().map(|(one, part)| (one.0, part.0)).unzip();
        let projects = self.projects.as_ref().map(|ids| ids.iter().map(|id| id.0).collect());
        intervals::Wanted { projects, partly, places }
    }
}

/// The lines of a month, batch by batch: as many as there are, and few at a time.
#[derive(Debug)]
pub struct Lines {
    /// The month.
    pub month: Month,
    /// The prices.
    pub book: PriceBook,
    /// Nothing after this is told.
    pub until: Timestamp,
    wanted: intervals::Wanted,
    after: Option<(Uuid, i64)>,
    takings: Takings,
}

/// Begins to read what was used in a month, until now.
pub async fn lines_of_month(connection: &mut PgConnection, month: Month, wanted: &Wanted) -> Result<Lines, Error> {
    let now = intervals::now(connection).await?;
    Ok(Lines {
        month,
        book: cost::price_book(connection).await?,
        until: now.min(month.end()),
        wanted: wanted.ids(),
        after: Some((Uuid::nil(), 0)),
        takings: Takings::default(),
    })
}

impl Lines {
    /// The next lines; `None`: that was all. They may be none, where templates do not say what they take.
    pub async fn next(&mut self, connection: &mut PgConnection) -> Result<Option<Vec<UsedLine>>, Error> {
        let mut lines = Vec::new();
        let Some(batch) = self.intervals(connection).await? else { return Ok(None) };
        for interval in batch {
            let Some(taken) = self.takings.of(connection, &interval).await? else { continue };
            let used = self.used(&interval, &taken);
            lines.extend(used.into_iter().map(|used| UsedLine {
                subject: interval.subject.clone(),
                phase: interval.span.phase,
                used,
            }));
        }
        Ok(Some(lines))
    }

    pub(super) async fn intervals(&mut self, connection: &mut PgConnection) -> Result<Option<Vec<Interval>>, Error> {
        let Some(after) = self.after else { return Ok(None) };
        if self.until < self.month.start() {
            self.after = None;
            return Ok(Some(Vec::new()));
        }
        // What began in this very second is part of the forecast; nothing after it is summed.
        let time = (self.month.start(), self.month.end());
        let batch = intervals::between(connection, time, &self.wanted, after).await?;
        let more = i64::try_from(batch.len()).is_ok_and(|read| read >= intervals::BATCH);
        self.after = batch.last().filter(|_| more).map(|last| (last.subject.id.0, last.number));
        Ok(Some(batch))
    }

    pub(super) async fn taken(&mut self, connection: &mut PgConnection, interval: &Interval) -> Result<Taken, Error> {
        self.takings.of(connection, interval).await
    }

    /// What an interval used within the month, until now.
    pub(super) fn used(&self, interval: &Interval, taken: &[Charge]) -> Vec<Used> {
        used(&self.book, &interval.span, taken, self.until, self.month)
    }

    pub(super) fn wanted(&self) -> &intervals::Wanted {
        &self.wanted
    }
}

/// What was used in a span within the month, until `until`.
pub(super) fn used(book: &PriceBook, span: &Span, taken: &[Charge], until: Timestamp, month: Month) -> Vec<Used> {
    let to = span.to.unwrap_or(until).min(until);
    book.used(taken, span.phase == Phase::Running, span.from.max(month.start()), to)
}

/// What a span that goes on will use until the month ends, or the environment's life.
pub(super) fn rest(book: &PriceBook, span: &Span, taken: &[Charge], now: Timestamp, month: Month) -> Vec<Used> {
    if span.to.is_some() || now >= month.end() {
        return Vec::new();
    }
    let end = span.expires_at.map_or(month.end(), |end| end.min(month.end()));
    book.used(taken, span.phase == Phase::Running, now.max(span.from), end)
}
