//! The live verdict: what a submit of this draft would meet. No side effects.

use jiff::{SignedDuration, Timestamp};
use sqlx::PgConnection;

use super::approvers::people_of;
use super::resolve::{Resolved, resolve};
use super::seats::{self, Seats};
use super::stand_in::for_somebody;
use super::store::delegations;
use super::{Caller, Cost, Draft, Error, QuotaChange, Requests, Shortage, cost, line};
use crate::base::id::PersonId;
use crate::base::{FieldError, Op};
use crate::cost::BudgetCheck;
use crate::environments::Operation;
use crate::identity::Person;
use crate::policy::{Decision, Offer, Outcome, Requirement};
use crate::projects::{self, Full};

/// What a submit would meet.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// What policy says, with what would be allowed instead when it says no.
    pub decision: Decision,
    /// Who can approve, by name, for each requirement in the decision's order.
    pub approvers: Vec<Vec<Approver>>,
    /// When there are not enough different people to agree: for which of the requirements nobody is left.
    pub nobody_for: Option<usize>,
    /// When it is denied by rules that allow an exception: what that would take.
    pub exception: Option<OfferedException>,
    /// Quotas before and after.
    pub quotas: Vec<QuotaChange>,
    /// Why there is no room, for each quota that is full.
    pub shortages: Vec<Shortage>,
    /// Where there is no room and it would wait in line: as which number.
    pub position: Option<i64>,
    /// What it would cost.
    pub cost: Cost,
    /// The budget of the project with it, where there is one that the caller may see.
    pub budget: Option<BudgetCheck>,
    /// How long the environment would live.
    pub lifetime: Option<SignedDuration>,
    /// The longest that is allowed there.
    pub maximum_lifetime: SignedDuration,
    /// When it would end if it were ready now.
    pub ends_at: Option<Timestamp>,
    /// Values that are not right yet.
    pub errors: Vec<FieldError>,
}

/// What an exception would take, with the people.
#[derive(Debug, Clone)]
pub struct OfferedException {
    /// Whose approval, and how long it lasts at most.
    pub offer: Offer,
    /// Who can approve, by name, for each requirement of the offer.
    pub approvers: Vec<Vec<Approver>>,
}

/// Somebody who can approve.
#[derive(Debug, Clone)]
pub struct Approver {
    /// The person.
    pub id: PersonId,
    /// Their name.
    pub name: String,
    /// The name of the absent person in whose place they can.
    pub absent: Option<String>,
}

impl Approver {
    /// “Lena Lead”, “Noor Haddad (for Lena Lead)”.
    pub fn label(&self) -> String {
        for_somebody(&self.name, self.absent.as_deref())
    }
}

impl Verdict {
    /// Whether a submit would be taken: perhaps after an approval, but not refused.
    pub fn can_submit(&self) -> bool {
        let room = self.shortages.is_empty() || self.position.is_some();
        self.decision.outcome != Outcome::Denied && room && self.errors.is_empty()
    }
}

impl Requests {
    /// What a submit of `draft` by `caller` would meet.
    pub async fn verdict(&self, op: &Op, caller: Caller<'_>, draft: &Draft) -> Result<Verdict, Error> {
        let mut connection = self.db.acquire().await?;
        let resolved = resolve(&mut connection, &self.sealer, draft).await?;
        self.verdict_on(&mut connection, op, caller, resolved).await
    }

    /// The same for a draft that was resolved already.
    pub async fn verdict_on(
        &self,
        connection: &mut PgConnection,
        op: &Op,
        caller: Caller<'_>,
        resolved: Resolved,
    ) -> Result<Verdict, Error> {
        let cost = cost::of(connection, op, &resolved).await?;
        let mut decision = self.decide(op, caller, &resolved, &cost);
        let held = self.hold_against_budget(connection, op, caller, &resolved, &mut decision, false).await?;
        let approvers = approvers(connection, caller, &resolved, &decision.requirements).await?;
        let exception = match self.policy.offer(&resolved.question(op, caller, &cost)) {
            Some(offer) => {
                let approvers = self::approvers(connection, caller, &resolved, &offer.requirements).await?;
                Some(OfferedException { offer, approvers })
            }
            None => None,
        };
        let changes = self.quota_changes(connection, caller, &resolved).await?;
        let full: Vec<Full> = changes.iter().filter_map(projects::QuotaChange::full).collect();
        let shortages = self.shortages(connection, op, caller, &full).await?;
        let position = match decision.outcome {
            Outcome::Allowed | Outcome::NeedsApproval if line::waits(caller, &full) => {
                Some(projects::place_behind(connection, &full).await?)
            }
            Outcome::Allowed | Outcome::NeedsApproval | Outcome::Denied => None,
        };
        let quotas = changes.into_iter().map(Into::into).collect();
        let ends_at = match (&resolved.environment, resolved.lifetime) {
            (_, Some(lifetime)) => op.now().saturating_add(lifetime).ok(),
            (Some(environment), None) if resolved.operation != Operation::Delete => environment.expires_at,
            _ => None,
        };
        Ok(Verdict {
            nobody_for: nobody_for(&decision.requirements, &approvers),
            decision,
            approvers,
            exception,
            quotas,
            shortages,
            position,
            cost,
            budget: held.filter(|held| held.seen).map(|held| held.check),
            lifetime: resolved.lifetime,
            maximum_lifetime: resolved.place.maximum_lifetime,
            ends_at,
            errors: resolved.errors,
        })
    }

    /// The one place where policy is asked about a draft: verdict and submit both come here.
    pub(super) fn decide(&self, op: &Op, caller: Caller<'_>, resolved: &Resolved, cost: &Cost) -> Decision {
        self.policy.explain(&resolved.question(op, caller, cost), &resolved.alternatives)
    }
}

/// The first requirement that cannot be met when each of these people agrees once. Whoever decides for somebody
/// adds nobody: that person could agree as well.
fn nobody_for(requirements: &[Requirement], approvers: &[Vec<Approver>]) -> Option<usize> {
    let wanted = requirements.iter().zip(approvers).map(|(requirement, people)| Seats {
        count: usize::try_from(requirement.count).unwrap_or(usize::MAX),
        people: people.iter().filter(|person| person.absent.is_none()).map(|person| person.id).collect(),
    });
    let wanted: Vec<Seats> = wanted.collect();
    let filled = seats::fill(&wanted);
    wanted.iter().zip(&filled).position(|(wanted, filled)| filled.len() < wanted.count)
}

/// Who can approve, for each requirement: never the requester, nor anybody in their place.
async fn approvers(
    connection: &mut PgConnection,
    caller: Caller<'_>,
    resolved: &Resolved,
    requirements: &[Requirement],
) -> Result<Vec<Vec<Approver>>, Error> {
    let mut approvers = Vec::new();
    for requirement in requirements {
        let place = (resolved.project.id, resolved.place.id);
        let people = people_of(connection, place, [&requirement.by]).await?;
        let others: Vec<Person> = people.into_iter().filter(|person| Some(person.id) != caller.person()).collect();
        let ids: Vec<PersonId> = others.iter().map(|person| person.id).collect();
        let deputies = delegations::deputies(connection, &ids).await?;
        let name = |id| others.iter().find(|one| one.id == id).map(|one| one.display_name.clone());
        let further = |id: &PersonId| Some(*id) != caller.person() && !ids.contains(id);
        let places = deputies.into_iter().filter(|(_, id, _)| further(id));
        let places: Vec<Approver> =
            places.map(|(absent, id, deputy)| Approver { id, name: deputy, absent: name(absent) }).collect();
        let own = others.into_iter().map(|one| Approver { id: one.id, name: one.display_name, absent: None });
        approvers.push(own.chain(places).collect());
    }
    Ok(approvers)
}
