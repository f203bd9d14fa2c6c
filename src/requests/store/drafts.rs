//! Rows of `request_draft`: what somebody typed and has not sent.

use sqlx::PgConnection;
use sqlx::types::Json;

use crate::base::id::PersonId;
use crate::db::Result;
use crate::requests::{NewSavedDraft, SavedDraft};

/// Drafts of one person: the oldest go first.
const MOST: i64 = 20;
/// A draft that nobody touched for so long is not continued any more.
const DAYS: i32 = 30;

/// Keeps a draft, unless its form was sent or thrown away meanwhile: a question that was on its way
/// then may arrive after it. Tells whether it is kept.
pub async fn save(connection: &mut PgConnection, person: PersonId, draft: &NewSavedDraft<'_>) -> Result<bool> {
    let saved = sqlx::query!(
        "INSERT INTO request_draft (person_id, form, title, link, fields)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (person_id, form) DO UPDATE
         SET title = excluded.title, link = excluded.link, fields = excluded.fields, saved_at = now()
         WHERE request_draft.ended_key IS DISTINCT FROM $6",
        person.0,
        draft.form,
        draft.title,
        draft.link,
        Json(draft.fields) as _,
        draft.key
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM request_draft WHERE person_id = $1 AND (saved_at < now() - make_interval(days => $3) OR form IN
             (SELECT form FROM request_draft WHERE person_id = $1 AND fields IS NOT NULL ORDER BY saved_at DESC OFFSET $2))",
        person.0,
        MOST,
        DAYS
    )
    .execute(connection)
    .await?;
    Ok(saved.rows_affected() > 0)
}

/// The draft of a form.
pub async fn find(connection: &mut PgConnection, person: PersonId, form: &str) -> Result<Option<SavedDraft>> {
    let row = sqlx::query!(
        r#"SELECT form, title, link, fields AS "fields!: Json<Vec<(String, String)>>", saved_at AS "at: jiff_sqlx::Timestamp"
           FROM request_draft
           WHERE person_id = $1 AND form = $2 AND fields IS NOT NULL AND saved_at > now() - make_interval(days => $3)"#,
        person.0,
        form,
        DAYS
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| SavedDraft {
        form: row.form,
        title: row.title,
        link: row.link,
        fields: row.fields.0,
        saved_at: row.at.to_jiff(),
    }))
}

/// A person's drafts without their fields, the latest first.
pub async fn list(connection: &mut PgConnection, person: PersonId, limit: i64) -> Result<Vec<SavedDraft>> {
    let rows = sqlx::query!(
        r#"SELECT form, title, link, saved_at AS "at: jiff_sqlx::Timestamp" FROM request_draft
           WHERE person_id = $1 AND fields IS NOT NULL AND saved_at > now() - make_interval(days => $3) ORDER BY saved_at DESC LIMIT $2"#,
        person.0,
        limit,
        DAYS
    )
    .fetch_all(connection)
    .await?;
    let draft = |row: (String, String, String, jiff_sqlx::Timestamp)| SavedDraft {
        form: row.0,
        title: row.1,
        link: row.2,
        fields: Vec::new(),
        saved_at: row.3.to_jiff(),
    };
    Ok(rows.into_iter().map(|row| draft((row.form, row.title, row.link, row.at))).collect())
}

/// Throws a draft away, and whatever the form with this key still sends.
pub async fn discard(connection: &mut PgConnection, person: PersonId, form: &str, key: &str) -> Result<()> {
    sqlx::query!(
        "INSERT INTO request_draft (person_id, form, title, ended_key) VALUES ($1, $2, '', $3)
         ON CONFLICT (person_id, form) DO UPDATE
         SET title = '', link = '', fields = NULL, ended_key = excluded.ended_key, saved_at = now()",
        person.0,
        form,
        key
    )
    .execute(connection)
    .await?;
    Ok(())
}
