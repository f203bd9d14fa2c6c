//! Making, changing and removing quotas. What exists is never touched: a quota that is lowered below what
//! is taken lets nothing more in until there is room again.

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::model::{ListedQuota, NewQuota, QuotaScope, QuotaTerms, WhenFull};
use crate::audit::{self, Entry, Object};
use crate::base::id::{ProjectEnvironmentTypeId, QuotaId};
use crate::base::text::is_dimension;
use crate::base::{FieldError, Op};
use crate::db::{self, Tx};
use crate::policy::{Permit, ability};
use crate::projects::Error;
use crate::projects::store::quotas as store;

/// Every quota, by what it is for.
pub async fn quotas(connection: &mut PgConnection, _: &Permit<ability::ReadAdmin>) -> db::Result<Vec<ListedQuota>> {
    let mut all = store::list(connection, None).await?;
    let rank = |one: &ListedQuota| QuotaScope::ALL.iter().position(|scope| *scope == one.quota.scope);
    all.sort_by_key(rank);
    Ok(all)
}

/// One quota.
pub async fn quota(
    connection: &mut PgConnection,
    _: &Permit<ability::ReadAdmin>,
    id: QuotaId,
) -> Result<ListedQuota, Error> {
    get(connection, id).await
}

async fn get(connection: &mut PgConnection, id: QuotaId) -> Result<ListedQuota, Error> {
    store::list(connection, Some(id)).await?.pop().ok_or(Error::NoQuota)
}

/// Makes a quota. What is there already counts in it from the beginning.
pub async fn add_quota(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageQuotas>,
    new: &NewQuota,
) -> Result<ListedQuota, Error> {
    let of = new.of.trim();
    let dimension = new.dimension.trim();
    let mut wrong = Vec::new();
    if !is_dimension(dimension) {
        let detail = "is lower-case letters, digits and “_”, at most 40, such as “vcpu” or “memory_gib”";
        wrong.push(FieldError::new("/dimension", detail));
    }
    wrong.extend(check_maximum(new.terms.maximum));
    let subject = match (new.scope, of) {
        (QuotaScope::Organisation, "") => None,
        (QuotaScope::Organisation, _) => {
            wrong.push(FieldError::new("/of", "is empty for the organisation"));
            None
        }
        (scope, "") if scope.has_default() => None,
        (scope, of) => {
            let found = store::subject(tx, scope, of).await?;
            if found.is_none() {
                wrong.push(FieldError::new("/of", unknown(scope)));
            }
            found
        }
    };
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    store::hold_quotas(tx, true).await?;
    let id = QuotaId::new(op.clock(), op.entropy());
    let stored = store::Stored { id, scope: new.scope, subject, dimension, terms: new.terms };
    if !store::insert(tx, &stored).await? {
        return Err(Error::QuotaExists);
    }
    count_anew(tx, new.scope, dimension).await?;
    let made = get(tx, id).await?;
    audit::append(tx, op, about(&made, "quota.added").detail(json!({"after": terms(&made)}))).await?;
    Ok(made)
}

/// Gives a quota another limit, and says whether what is stopped counts and what becomes of requests that find
/// it full. Who stands in line keeps their place.
pub async fn change_quota(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageQuotas>,
    (id, generation): (QuotaId, Option<i64>),
    new: QuotaTerms,
) -> Result<ListedQuota, Error> {
    let before = get(tx, id).await?;
    let wrong: Vec<FieldError> = check_maximum(new.maximum).into_iter().collect();
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong));
    }
    store::hold_quotas(tx, true).await?;
    if !store::update(tx, id, generation, new).await? {
        return Err(Error::StaleQuota);
    }
    let after = get(tx, id).await?;
    let detail = json!({"before": terms(&before), "after": terms(&after)});
    audit::append(tx, op, about(&after, "quota.changed").detail(detail)).await?;
    Ok(after)
}

/// Removes a quota. One of its own gone, a team or user is held by the one for each again.
pub async fn remove_quota(
    tx: &mut Tx,
    op: &Op,
    _: &Permit<ability::ManageQuotas>,
    id: QuotaId,
) -> Result<ListedQuota, Error> {
    store::hold_quotas(tx, true).await?;
    let gone = get(tx, id).await?;
    store::delete(tx, id).await?;
    count_anew(tx, gone.quota.scope, &gone.quota.dimension).await?;
    audit::append(tx, op, about(&gone, "quota.removed").detail(json!({"before": terms(&gone)}))).await?;
    Ok(gone)
}

/// Sets a limit of a project environment type unless there is one.
pub async fn ensure_quota(
    tx: &mut Tx,
    op: &Op,
    place: ProjectEnvironmentTypeId,
    dimension: &str,
    maximum: i64,
) -> db::Result<()> {
    let scope = QuotaScope::ProjectEnvironmentType;
    store::hold_quotas(tx, true).await?;
    let id = QuotaId::new(op.clock(), op.entropy());
    let terms = QuotaTerms { maximum, count_stopped: true, when_full: WhenFull::Deny };
    let new = store::Stored { id, scope, subject: Some(place.0), dimension, terms };
    if store::insert(tx, &new).await? { store::recount(tx, id).await } else { Ok(()) }
}

/// What does not add up in the ledger, in words; nothing when it is whole.
pub async fn ledger_discrepancies(connection: &mut PgConnection) -> db::Result<Vec<String>> {
    store::discrepancies(connection).await
}

/// Writes down that somebody wanted to do this to a quota and may not.
pub async fn record_quota_refusal(tx: &mut Tx, op: &Op, action: &'static str, quota: &str) -> db::Result<()> {
    let object = Object { kind: "quota", id: None, label: quota.chars().take(100).collect() };
    audit::append(tx, op, Entry::new(action, object).outcome(audit::Outcome::Denied)).await
}

async fn count_anew(tx: &mut Tx, scope: QuotaScope, dimension: &str) -> db::Result<()> {
    for id in store::alike(tx, scope, dimension).await? {
        store::recount(tx, id).await?;
    }
    Ok(())
}

fn check_maximum(maximum: i64) -> Option<FieldError> {
    // Sums of environments stay far from the end of 64 bits.
    let fits = (0..=1_000_000_000_000).contains(&maximum);
    (!fits).then(|| FieldError::new("/maximum", "is a whole number from 0 to 1,000,000,000,000"))
}

fn unknown(scope: QuotaScope) -> &'static str {
    match scope {
        QuotaScope::Organisation => "is empty for the organisation",
        QuotaScope::Project => "is the short name of a project",
        QuotaScope::EnvironmentType => "is the short name of an environment type, such as “dev”",
        QuotaScope::ProjectEnvironmentType => "is a project and an environment type of it, such as “payments/dev”",
        QuotaScope::Team => "is the short name of a team, or empty for each team",
        QuotaScope::User => "is the login of a person, or empty for each person",
    }
}

fn terms(one: &ListedQuota) -> Value {
    let quota = &one.quota;
    json!({"maximum": quota.maximum, "count_stopped": quota.count_stopped, "when_full": quota.when_full})
}

fn about(one: &ListedQuota, action: &'static str) -> Entry {
    Entry::new(action, Object::new("quota", one.quota.id.0, one.label()))
}
