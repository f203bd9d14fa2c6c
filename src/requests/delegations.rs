//! Delegations: from then to then, somebody decides on requests in the place of an absent person.
//!
//! A delegation gives nothing by itself: it lets somebody read and review what a rule asks of the absent person
//! (the view `stand_in`), while that person holds what is asked for. It is of one's own, so no rule of policy
//! says who may give one; policy is asked at the review.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::PgConnection;

use super::store::{delegations as store, requests};
use super::{Error, Requests};
use crate::audit::{self, Entry, Object, Outcome};
use crate::base::id::{DelegationId, PersonId};
use crate::base::text::NUL_REFUSED;
use crate::base::{FieldError, Op};
use crate::db::Tx;
use crate::identity::{self, Access, Person};

/// The longest delegation, in hours.
const LONGEST: i64 = 90 * 24;
/// How far ahead one may begin, in hours.
const AHEAD: i64 = 365 * 24;
/// How many of a person hold or are to come.
const MOST: i64 = 20;
/// The longest note, in characters.
const LONGEST_NOTE: usize = 500;

/// Somebody decides in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// Its id.
    pub id: DelegationId,
    /// Who is absent.
    pub absent: PersonId,
    /// Their name.
    pub absent_name: String,
    /// Who decides for them.
    pub deputy: PersonId,
    /// The name of that person.
    pub deputy_name: String,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when: from that second on it counts for nothing.
    pub ends_at: Timestamp,
    /// What the absent person wrote about it.
    pub note: String,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it was taken back.
    pub ended_at: Option<Timestamp>,
    /// Whether it holds at this moment, by the database's clock.
    pub holds: bool,
    /// Whether it holds or will.
    pub open: bool,
}

/// A delegation to be given.
#[derive(Debug, Clone, Copy)]
pub struct NewDelegation<'a> {
    /// The login of who is to decide.
    pub to: &'a str,
    /// From when; none, or what is past: from now on.
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Timestamp,
    /// For whoever reads it.
    pub note: &'a str,
}

impl Requests {
    /// Lets somebody decide in the place of `access`. Refused to oneself, which is written down.
    pub async fn delegate(&self, op: &Op, access: &Access, new: NewDelegation<'_>) -> Result<Delegation, Error> {
        let mut tx = self.db.begin().await?;
        let absent = access.person.id;
        let deputy = identity::find_person(&mut tx, new.to.trim()).await?;
        if deputy.as_ref().is_some_and(|person| person.id == absent) {
            refused(&mut tx, op, "delegation.given", &access.person.display_name).await?;
            tx.commit().await?;
            return Err(wrong("/to", "is you: let somebody else decide while you are away"));
        }
        store::lock(&mut tx, absent).await?;
        let now = requests::now(&mut tx).await?;
        let (from, note) = (new.from.map_or(now, |from| from.max(now)), new.note.trim());
        let deputy = checked(deputy, note, now, from, new.until)?;
        if store::count_open(&mut tx, absent).await? >= MOST {
            return Err(wrong("", "there are 20 already: take one back first"));
        }
        let id = DelegationId::new(op.clock(), op.entropy());
        store::insert(&mut tx, id, (absent, deputy.id), (from, new.until), note).await?;
        let detail = json!({"to": deputy.login, "to_id": deputy.id, "from": from, "until": new.until, "note": note});
        let entry = Entry::new("delegation.given", Object::new("delegation", id.0, deputy.display_name));
        audit::append(&mut tx, op, entry.detail(detail)).await?;
        let given = store::find(&mut tx, id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(given)
    }

    /// Takes one back that `access` gave. From the commit on it counts for nothing, nor does what waits of it.
    pub async fn end_delegation(&self, op: &Op, access: &Access, id: DelegationId) -> Result<Delegation, Error> {
        let mut tx = self.db.begin().await?;
        let found = store::find(&mut tx, id).await?;
        let Some(mine) = found.filter(|one| one.absent == access.person.id) else {
            refused(&mut tx, op, "delegation.ended", &id.to_string()).await?;
            tx.commit().await?;
            return Err(Error::NoDelegation);
        };
        if !store::end(&mut tx, id).await? {
            return Err(Error::WrongStatus("it has ended already"));
        }
        let entry = Entry::new("delegation.ended", Object::new("delegation", id.0, mine.deputy_name.clone()));
        audit::append(&mut tx, op, entry.detail(json!({"to_id": mine.deputy}))).await?;
        tx.commit().await?;
        Ok(mine)
    }

    /// Those that a person gave, and those by which they decide, the newest first; at most 100 of them.
    pub async fn delegations(&self, connection: &mut PgConnection, of: PersonId) -> Result<Vec<Delegation>, Error> {
        Ok(store::list(connection, of).await?)
    }
}

fn checked(
    deputy: Option<Person>,
    note: &str,
    now: Timestamp,
    from: Timestamp,
    until: Timestamp,
) -> Result<Person, Error> {
    let deputy = deputy.filter(|person| person.active && !person.service);
    let mut found = Vec::new();
    if deputy.is_none() {
        found.push(FieldError::new("/to", "is the login of nobody who signs in here"));
    }
    if from.duration_since(now) > SignedDuration::from_hours(AHEAD) {
        found.push(FieldError::new("/from", "is at most a year ahead"));
    }
    if until <= from {
        found.push(FieldError::new("/until", "must lie ahead, and after the beginning"));
    } else if until.duration_since(from) > SignedDuration::from_hours(LONGEST) {
        found.push(FieldError::new("/until", "is at most 90 days after the beginning"));
    }
    if note.chars().count() > LONGEST_NOTE {
        found.push(FieldError::new("/note", "must be at most 500 characters long"));
    }
    if note.contains('\0') {
        found.push(FieldError::new("/note", NUL_REFUSED));
    }
    deputy.filter(|_| found.is_empty()).ok_or(Error::Invalid(found))
}

fn wrong(pointer: &str, detail: &str) -> Error {
    Error::Invalid(vec![FieldError::new(pointer, detail)])
}

/// Writes down what somebody wanted and may not.
async fn refused(tx: &mut Tx, op: &Op, action: &'static str, label: &str) -> Result<(), Error> {
    let object = Object { kind: "delegation", id: None, label: label.to_owned() };
    Ok(audit::append(tx, op, Entry::new(action, object).outcome(Outcome::Denied)).await?)
}
