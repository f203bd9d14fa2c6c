//! The use-cases' shared means, and reading requests.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;

use super::store::{estimates, exceptions, plans, requests, reviews, suggestions};
use super::{Error, Filter, Request, RequestDetail, Suggestion, SuggestionState};
use crate::base::Sealer;
use crate::base::cursor::{Cursor, Page};
use crate::base::id::{DecisionId, EnvironmentId, RequestId};
use crate::db::{self, Db};
use crate::orchestrator::Signals;
use crate::policy::{self, PolicyEngine, Rule};

/// Settings of requests.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How long a request waits for approval before it lapses.
    pub approval_time: Duration,
    /// How long a request waits for somebody before they are reminded of it.
    pub reminder_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { approval_time: Duration::from_secs(7 * 24 * 3600), reminder_after: Duration::from_secs(24 * 3600) }
    }
}

/// The use-cases of requests with what they need. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Requests {
    /// The database.
    pub db: Db,
    /// Who may do what.
    pub policy: PolicyEngine,
    /// Seals secret inputs.
    pub sealer: Sealer,
    /// Wakes workers.
    pub signals: Signals,
    /// Settings.
    pub settings: Settings,
}

impl Requests {
    /// Requests, newest first.
    pub async fn list(
        &self,
        connection: &mut PgConnection,
        filter: &Filter,
        after: Option<Cursor>,
        limit: i64,
    ) -> Result<Page<Request>, Error> {
        let rows = requests::list(connection, filter, after, limit).await?;
        Ok(Page::cut(rows, limit, |request| Cursor { at: request.created_at, id: request.id.0 }))
    }

    /// The newest that match, 101 at most: for the badge beside "Approvals" and for reminders.
    pub async fn newest(&self, connection: &mut PgConnection, filter: &Filter) -> Result<Vec<Request>, Error> {
        Ok(requests::list(connection, filter, None, crate::base::cursor::MAX_PAGE).await?)
    }

    /// Whether a request has waited so long for an approval that those who can give it are reminded.
    pub fn is_late(&self, request: &Request, now: Timestamp) -> bool {
        let longest = SignedDuration::try_from(self.settings.reminder_after).unwrap_or(SignedDuration::MAX);
        request.waiting_since.is_some_and(|since| now.duration_since(since) >= longest)
    }

    /// The request with this id.
    pub async fn find(&self, connection: &mut PgConnection, id: RequestId) -> Result<Option<Request>, Error> {
        Ok(requests::find(connection, id).await?)
    }

    /// The request with its decision, requirements and reviews.
    pub async fn detail(&self, connection: &mut PgConnection, request: Request) -> Result<RequestDetail, Error> {
        self.details(connection, vec![request]).await?.pop().ok_or(Error::NotFound)
    }

    /// Who suggests changes to these requests, where their requesters have not decided on it.
    pub async fn suggested(
        &self,
        connection: &mut PgConnection,
        requests: &[RequestId],
    ) -> Result<BTreeMap<RequestId, Vec<String>>, Error> {
        let mut found = suggestions::of(connection, requests).await?;
        for (id, all) in &mut found {
            all.retain(|one| one.request == *id && one.state == SuggestionState::Open);
        }
        found.retain(|_, all| !all.is_empty());
        Ok(found.into_iter().map(|(id, all)| (id, all.iter().map(Suggestion::who).collect())).collect())
    }

    /// The newest request that let the environment be as it is by an exception, and the rules that it is one from.
    pub async fn exception_of(
        &self,
        connection: &mut PgConnection,
        environment: EnvironmentId,
    ) -> Result<Option<(RequestId, Vec<Rule>)>, Error> {
        let Some((request, decision)) = exceptions::newest_of(connection, environment).await? else { return Ok(None) };
        let stored = policy::find_decision(connection, decision).await?.ok_or(db::Error::Corrupt("decision"))?;
        Ok(Some((request, stored.decision.excepted().cloned().collect())))
    }

    /// The same for a page of requests, in its order. Six queries.
    pub async fn details(
        &self,
        connection: &mut PgConnection,
        page: Vec<Request>,
    ) -> Result<Vec<RequestDetail>, Error> {
        let ids: Vec<RequestId> = page.iter().map(|request| request.id).collect();
        let decisions: Vec<DecisionId> = page.iter().map(|request| request.decision_id).collect();
        let mut decisions = policy::find_decisions(connection, &decisions).await?;
        let mut requirements = reviews::requirements_of(connection, &ids).await?;
        let mut reviews = reviews::list_of(connection, &ids).await?;
        let mut planned = plans::of(connection, &ids).await?;
        let mut estimates = estimates::of(connection, &ids).await?;
        let mut suggested = suggestions::of(connection, &ids).await?;
        page.into_iter()
            .map(|request| {
                let decision = decisions.remove(&request.decision_id).ok_or(db::Error::Corrupt("decision"))?;
                let requirements = requirements.remove(&request.id).unwrap_or_default();
                let reviews = reviews.remove(&request.id).unwrap_or_default();
                let plan = planned.remove(&request.id);
                let estimate = estimates.remove(&request.id);
                let suggestions = suggested.remove(&request.id).unwrap_or_default();
                Ok(RequestDetail { request, decision, requirements, reviews, plan, estimate, suggestions })
            })
            .collect()
    }
}
