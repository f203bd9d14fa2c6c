//! Drafts of request forms that were typed and not sent: kept for the person, without secrets.
//!
//! A saved draft is text for a form. It decides nothing and is checked by nobody until it is sent;
//! whoever saves one has taken the secrets out.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::store::drafts;
use crate::base::id::PersonId;
use crate::db;

/// What was typed into a form.
#[derive(Debug, Clone)]
pub struct SavedDraft {
    /// The address of the form.
    pub form: String,
    /// What the form is for, in words.
    pub title: String,
    /// The query of the link that the form was opened with.
    pub link: String,
    /// Names and values as a browser posts them.
    pub fields: Vec<(String, String)>,
    /// When.
    pub saved_at: Timestamp,
}

/// What is to be kept.
#[derive(Debug, Clone, Copy)]
pub struct NewSavedDraft<'a> {
    /// The address of the form.
    pub form: &'a str,
    /// What the form is for, in words.
    pub title: &'a str,
    /// The query of the link that the form was opened with.
    pub link: &'a str,
    /// Names and values as a browser posts them, without secrets.
    pub fields: &'a [(String, String)],
    /// The idempotency key of the form: one that was sent or thrown away is no draft any more.
    pub key: &'a str,
}

/// Keeps the draft in place of an older one of the same form; false when its form has ended.
pub async fn save_draft(
    connection: &mut PgConnection,
    person: PersonId,
    draft: &NewSavedDraft<'_>,
) -> db::Result<bool> {
    drafts::save(connection, person, draft).await
}

/// The draft of a form.
pub async fn find_draft(connection: &mut PgConnection, person: PersonId, form: &str) -> db::Result<Option<SavedDraft>> {
    drafts::find(connection, person, form).await
}

/// A person's drafts without their fields, the latest first.
pub async fn drafts_of(connection: &mut PgConnection, person: PersonId, limit: i64) -> db::Result<Vec<SavedDraft>> {
    drafts::list(connection, person, limit).await
}

/// Throws a draft away. `key`: the idempotency key of the form; what it still sends is not kept.
pub async fn discard_draft(connection: &mut PgConnection, person: PersonId, form: &str, key: &str) -> db::Result<()> {
    drafts::discard(connection, person, form, key).await
}
