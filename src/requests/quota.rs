//! What requests take of quotas: reserved at submit, settled by what the run came to, given back when it is
//! not carried out; and in words, when there is no room.

use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::resolve::Resolved;
use super::{Caller, Error, Request, RequestStatus, Requests};
use crate::base::id::{EnvironmentId, RequestId};
use crate::base::{FieldError, Op};
use crate::catalog::{self, TemplateVersion};
use crate::db::{Connection, Tx};
use crate::environments::{self, Operation, State};
use crate::orchestrator::{self, Ending};
use crate::policy::{Action, Context, Question, Resource, ResourceKind};
use crate::projects::{self, At, Cause, Demand, ENVIRONMENTS, Full, Holder, QuotaScope, QuotaUse};

/// The steps of a run that change nothing at the target.
const BEFORE: [&str; 3] = ["prepare", "plan", "guard"];
/// How many environments are named that would make room.
const NAMED: usize = 4;

/// A quota before and after.
#[derive(Debug, Clone)]
pub struct QuotaChange {
    /// What it is for.
    pub scope: QuotaScope,
    /// Where it holds, in words.
    pub place: String,
    /// What is counted.
    pub dimension: String,
    /// Taken now.
    pub before: i64,
    /// Taken afterwards.
    pub after: i64,
    /// The limit.
    pub limit: i64,
}

impl QuotaChange {
    fn new(quota: &QuotaUse, before: i64, after: i64) -> Self {
        let (scope, place, dimension) = (quota.scope, quota.place(), quota.dimension.clone());
        Self { scope, place, dimension, before, after, limit: quota.maximum }
    }

    /// Whether it is within the limit.
    pub fn fits(&self) -> bool {
        self.after <= self.limit || self.after <= self.before
    }
}

/// Why there is no room, and what would make some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The quota and who has taken it.
    pub sentence: String,
    /// What would make room.
    pub advice: String,
    /// After what there is room: “2 of it is given back, by …”.
    pub after: String,
}

impl Shortage {
    fn new(sentence: String, after: String) -> Self {
        Self { sentence, advice: format!("The same after {after}"), after }
    }
}

/// There is room, and others came before.
fn behind_others(quota: &QuotaUse) -> Shortage {
    let others = match quota.waiting {
        1 => "1 other request waits".to_owned(),
        more => format!("{more} other requests wait"),
    };
    let (maximum, dimension, place) = (quota.maximum, &quota.dimension, quota.place());
    let sentence = format!("{others} in line for the quota of {maximum} {dimension} in {place}.");
    Shortage::new(sentence, format!("those who wait for {dimension} in {place} have had their turn"))
}

/// What an environment of this version takes with these inputs.
pub fn demand(version: &TemplateVersion, inputs: &Map<String, Value>) -> Result<Demand, Vec<FieldError>> {
    let mut demand = catalog::demand_of(version, inputs)?;
    demand.insert(ENVIRONMENTS.to_owned(), 1);
    Ok(demand)
}

/// Reserves what the request takes beyond what its environment holds.
pub async fn take(tx: &mut Tx, resolved: &Resolved, environment: EnvironmentId, id: RequestId) -> Result<(), Error> {
    match resolved.operation {
        Operation::Create | Operation::Update => {
            let demand = demand(&resolved.version, &resolved.inputs).map_err(Error::Invalid)?;
            if resolved.operation == Operation::Create {
                projects::enter(tx, environment).await?;
            }
            projects::reserve(tx, environment, &demand, Cause::request(id)).await?;
        }
        Operation::Start => projects::start(tx, environment, Cause::request(id)).await?,
        Operation::Extend
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Act
        | Operation::Delete => {}
    }
    Ok(())
}

/// Waits in line for what the request takes beyond what its environment holds.
pub async fn line_up(tx: &mut Tx, resolved: &Resolved, environment: EnvironmentId, id: RequestId) -> Result<(), Error> {
    match resolved.operation {
        Operation::Create | Operation::Update => {
            let demand = demand(&resolved.version, &resolved.inputs).map_err(Error::Invalid)?;
            if resolved.operation == Operation::Create {
                projects::enter(tx, environment).await?;
            }
            projects::line_up(tx, environment, id, &demand).await?;
        }
        Operation::Start => projects::line_up_start(tx, environment, id).await?,
        Operation::Extend
        | Operation::Stop
        | Operation::Hibernate
        | Operation::Restart
        | Operation::Act
        | Operation::Delete => {}
    }
    Ok(())
}

/// An operation that is tried again takes what was given back when it failed.
pub async fn take_again(tx: &mut Tx, request: &Request, environment: EnvironmentId) -> Result<(), Error> {
    if request.operation != Operation::Create {
        return Ok(());
    }
    let version = catalog::get_version(tx, request.version_id).await?;
    let demand = demand(&version, &request.inputs).map_err(Error::Invalid)?;
    Ok(projects::reserve(tx, environment, &demand, Cause::request(request.id)).await?)
}

/// After a run: the ledger follows what the environment has become.
pub async fn follow(tx: &mut Tx, request: &Request, run: crate::base::id::RunId, ending: &Ending) -> Result<(), Error> {
    let Some(id) = request.environment else { return Ok(()) };
    let environment = environments::find(tx, id).await?.ok_or(Error::NotFound)?;
    let cause = Cause { request: Some(request.id), run: Some(run) };
    match environment.state {
        State::Ready => {
            let version = catalog::get_version(tx, environment.template.version_id).await?;
            // What could be evaluated at the submit can be now; else what is held stays as it is.
            if let Ok(demand) = demand(&version, &environment.inputs) {
                projects::settle(tx, id, &demand, cause).await?;
            }
        }
        State::Stopped => projects::stop(tx, id, cause).await?,
        State::Failed if request.operation == Operation::Create && left_nothing(tx, id, ending).await? => {
            projects::release(tx, id, cause).await?;
        }
        State::Requested
        | State::Provisioning
        | State::Updating
        | State::Stopping
        | State::Starting
        | State::Deleting
        | State::Deleted
        | State::Failed
        | State::Faulted => {}
    }
    Ok(())
}

/// Whether the create failed before it, or one before it, changed anything at the target.
async fn left_nothing(tx: &mut Tx, id: EnvironmentId, ending: &Ending) -> Result<bool, Error> {
    let early = matches!(ending, Ending::Failed { step, .. } if BEFORE.contains(&step.as_str()));
    Ok(early && !orchestrator::went_beyond(tx, id.0, &BEFORE).await?)
}

impl Requests {
    /// Every quota that a draft counts in, before and after.
    pub(super) async fn quota_changes(
        &self,
        connection: &mut PgConnection,
        caller: Caller<'_>,
        resolved: &Resolved,
    ) -> Result<Vec<projects::QuotaChange>, Error> {
        let Ok(demand) = demand(&resolved.version, &resolved.inputs) else { return Ok(Vec::new()) };
        Ok(match (&resolved.environment, resolved.operation) {
            (None, _) => {
                let place = &resolved.place;
                let (project, environment_type) = (place.project, place.environment_type);
                let at = At { project, environment_type, place: place.id, owner: caller.person() };
                projects::preview_new(connection, at, &demand).await?
            }
            (Some(environment), Operation::Update) => {
                projects::preview_change(connection, environment.id, &demand).await?
            }
            (Some(environment), Operation::Start) => projects::preview_start(connection, environment.id).await?,
            (Some(environment), _) => projects::preview_change(connection, environment.id, &Demand::new()).await?,
        })
    }

    /// The quotas of a request that waits, without and with what it has reserved.
    pub async fn reserved_quotas(
        &self,
        connection: &mut Connection,
        request: &Request,
    ) -> Result<Vec<QuotaChange>, Error> {
        let Some(environment) = request.environment else { return Ok(Vec::new()) };
        let found = projects::reserved_by(connection, environment, request.id).await?;
        let change = |one: projects::QuotaChange| {
            let taken = one.quota.taken();
            QuotaChange::new(&one.quota, taken.saturating_sub(one.adds), taken)
        };
        Ok(found.into_iter().map(change).collect())
    }

    /// Why a request that waits in line has no room, as far as the caller may see it.
    pub async fn shortages_of(
        &self,
        connection: &mut Connection,
        op: &Op,
        caller: Caller<'_>,
        request: &Request,
    ) -> Result<Vec<Shortage>, Error> {
        let waits = request.status == RequestStatus::AwaitingQuota;
        let Some(environment) = request.environment.filter(|_| waits) else { return Ok(Vec::new()) };
        let changes = projects::preview_waiting(connection, environment, request.id).await?;
        let full: Vec<Full> = changes.iter().filter_map(projects::QuotaChange::full).collect();
        self.shortages(connection, op, caller, &full).await
    }

    /// The same for each of these.
    pub(super) async fn shortages(
        &self,
        connection: &mut PgConnection,
        op: &Op,
        caller: Caller<'_>,
        full: &[Full],
    ) -> Result<Vec<Shortage>, Error> {
        let mut shortages = Vec::new();
        for one in full {
            shortages.push(self.shortage(connection, op, caller, one).await?);
        }
        Ok(shortages)
    }

    /// Why there is no room in a quota, and what would make some, as far as the caller may see it.
    async fn shortage(
        &self,
        connection: &mut PgConnection,
        op: &Op,
        caller: Caller<'_>,
        full: &Full,
    ) -> Result<Shortage, Error> {
        let quota = &full.quota;
        if quota.fits(full.wanted) {
            return Ok(behind_others(quota));
        }
        let sentence = format!(
            "The quota of {} {} in {} is used up: {} exist and {} are being made or wait for approval; this takes {} \
             more.",
            quota.maximum,
            quota.dimension,
            quota.place(),
            quota.in_use(),
            quota.reserved,
            full.wanted
        );
        if !full.could_fit() {
            let over = full.wanted.saturating_add(full.own).saturating_sub(quota.maximum);
            return Ok(Shortage::new(sentence, format!("an admin raises the quota by at least {over}")));
        }
        let missing = quota.taken().saturating_add(full.wanted).saturating_sub(quota.maximum);
        let holders = projects::holders(connection, quota, caller.person()).await?;
        let (seen, hidden): (Vec<&Holder>, Vec<&Holder>) =
            holders.iter().partition(|holder| self.may_see(op, caller, holder));
        let own = |holder: &Holder| Some(holder.owner) == caller.person();
        let mut parts: Vec<String> = seen
            .iter()
            .take(NAMED)
            .map(|holder| {
                let whose = if own(holder) { "yours, " } else { "" };
                format!("{} in {} ({whose}{})", holder.name, holder.project_slug, holder.amount)
            })
            .collect();
        let more: i64 = seen.iter().skip(NAMED).map(|holder| holder.amount).sum();
        if more > 0 {
            parts.push(format!("{} more of those that you see ({more})", seen.len() - NAMED));
        }
        let unseen: i64 = hidden.iter().map(|holder| holder.amount).sum();
        if unseen > 0 {
            parts.push(format!("others that you may not see ({unseen})"));
        }
        let after = if parts.is_empty() {
            format!("an admin raises the quota by {missing}")
        } else {
            format!("{missing} of it is given back, by {}; or after an admin raises the quota", parts.join(", "))
        };
        Ok(Shortage::new(sentence, after))
    }

    fn may_see(&self, op: &Op, caller: Caller<'_>, holder: &Holder) -> bool {
        if Some(holder.owner) == caller.person() {
            return true;
        }
        let resource = Resource {
            project: Some(holder.project_slug.clone()),
            environment_type: Some(holder.environment_type.clone()),
            owner: Some(holder.owner.to_string()),
            ..Resource::new(ResourceKind::Environment, holder.environment.to_string())
        };
        let context = Context { channel: op.origin.channel.to_owned(), ..Default::default() };
        let principal = caller.principal(Some(holder.project));
        self.policy.allows(&Question { action: Action::ReadEnvironment, principal, resource, context })
    }
}

impl From<projects::QuotaChange> for QuotaChange {
    fn from(change: projects::QuotaChange) -> Self {
        let before = change.quota.taken();
        Self::new(&change.quota, before, before.saturating_add(change.adds))
    }
}
