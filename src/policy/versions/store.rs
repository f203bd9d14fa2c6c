//! All SQL of versions of the policy set.

use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{NewVersion, PolicyVersion, VersionOrigin, VersionState, VersionText};
use crate::base::Digest;
use crate::base::id::{PersonId, PolicyVersionId};
use crate::db::{Error, Result};

/// How many versions a list shows.
const MOST: i64 = 200;

/// One change of versions at a time: numbers have no gaps, and one version replaces another.
pub async fn lock(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!("LOCK TABLE policy_version IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}

struct Row {
    id: PolicyVersionId,
    number: i32,
    state: VersionState,
    origin: VersionOrigin,
    digest: Vec<u8>,
    note: String,
    author_label: String,
    editor_ids: Vec<Uuid>,
    editor_labels: Vec<String>,
    based_on: Option<i32>,
    generation: i64,
    created_at: jiff_sqlx::Timestamp,
    updated_at: jiff_sqlx::Timestamp,
    proposed_at: Option<jiff_sqlx::Timestamp>,
    proposer_label: Option<String>,
    published_at: Option<jiff_sqlx::Timestamp>,
    publisher_label: Option<String>,
}

impl TryFrom<Row> for PolicyVersion {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            number: row.number,
            state: row.state,
            origin: row.origin,
            digest: Digest(row.digest.try_into().map_err(|_| Error::Corrupt("policy digest"))?),
            note: row.note,
            author: row.author_label,
            editors: row.editor_ids.into_iter().map(PersonId).zip(row.editor_labels).collect(),
            based_on: row.based_on,
            generation: row.generation,
            created_at: row.created_at.to_jiff(),
            updated_at: row.updated_at.to_jiff(),
            proposed: row.proposed_at.map(jiff_sqlx::Timestamp::to_jiff).zip(row.proposer_label),
            published: row.published_at.map(|at| (at.to_jiff(), row.publisher_label)),
        })
    }
}

/// The newest versions, the newest first; of this number alone where one is given; of the one in force
/// where `published` is set.
async fn some(connection: &mut PgConnection, number: Option<i32>, published: bool) -> Result<Vec<PolicyVersion>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: _", number, state AS "state: _", origin AS "origin: _", digest, note, author_label,
               ARRAY(SELECT person_id FROM policy_version_editor e WHERE e.version_id = v.id ORDER BY since, person_id)
                   AS "editor_ids!",
               ARRAY(SELECT label FROM policy_version_editor e WHERE e.version_id = v.id ORDER BY since, person_id)
                   AS "editor_labels!",
               based_on, generation, created_at, updated_at, proposed_at, proposer_label, published_at, publisher_label
           FROM policy_version v
           WHERE ($1::int IS NULL OR number = $1) AND (NOT $2 OR state = 'published')
           ORDER BY number DESC LIMIT $3"#,
        number,
        published,
        MOST,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(PolicyVersion::try_from).collect()
}

/// The newest versions, the newest first.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<PolicyVersion>> {
    some(connection, None, false).await
}

/// The version with this number.
pub async fn find(connection: &mut PgConnection, number: i32) -> Result<Option<PolicyVersion>> {
    Ok(some(connection, Some(number), false).await?.pop())
}

/// The version in force; none before the first start.
pub async fn published(connection: &mut PgConnection) -> Result<Option<PolicyVersion>> {
    Ok(some(connection, None, true).await?.pop())
}

/// The text of a version.
pub async fn text_of(connection: &mut PgConnection, id: PolicyVersionId) -> Result<VersionText> {
    Ok(sqlx::query_as!(VersionText, "SELECT source, schema FROM policy_version WHERE id = $1", id.0)
        .fetch_one(connection)
        .await?)
}

pub(super) async fn insert(connection: &mut PgConnection, id: PolicyVersionId, new: &NewVersion<'_>) -> Result<i32> {
    let inserted = sqlx::query!(
        r#"INSERT INTO policy_version
               (id, number, state, origin, source, schema, digest, note, author_id, author_label, based_on, published_at)
           SELECT $1, coalesce(max(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10,
               CASE WHEN $2 = 'published' THEN now() END
           FROM policy_version RETURNING number"#,
        id.0,
        new.state.as_str(),
        new.origin as VersionOrigin,
        new.text.source,
        new.text.schema,
        new.digest.0.as_slice(),
        new.note,
        new.author.map(|author| author.0),
        new.author_label,
        new.based_on,
    )
    .fetch_one(connection)
    .await?;
    Ok(inserted.number)
}

pub(super) async fn add_editor(
    connection: &mut PgConnection,
    id: PolicyVersionId,
    person: PersonId,
    label: &str,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO policy_version_editor (version_id, person_id, label) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        id.0,
        person.0,
        label,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn write(
    connection: &mut PgConnection,
    id: PolicyVersionId,
    source: &str,
    note: &str,
    digest: Digest,
) -> Result<()> {
    sqlx::query!(
        "UPDATE policy_version SET source = $2, note = $3, digest = $4, generation = generation + 1, updated_at = now()
         WHERE id = $1 AND state = 'draft'",
        id.0,
        source,
        note,
        digest.0.as_slice(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_state(
    connection: &mut PgConnection,
    version: &PolicyVersion,
    state: VersionState,
    proposer: Option<&str>,
) -> std::result::Result<(), super::VersionError> {
    let moved = sqlx::query!(
        "UPDATE policy_version SET state = $2, generation = generation + 1, updated_at = now(),
             proposed_at = CASE WHEN $2 = 'proposed' THEN now() WHEN $2 = 'draft' THEN NULL ELSE proposed_at END,
             proposer_label = CASE WHEN $2 = 'proposed' THEN $5 WHEN $2 = 'draft' THEN NULL ELSE proposer_label END
         WHERE id = $1 AND state = $3 AND generation = $4",
        version.id.0,
        state.as_str(),
        version.state.as_str(),
        version.generation,
        proposer,
    )
    .execute(connection)
    .await
    .map_err(Error::from)?;
    if moved.rows_affected() == 1 { Ok(()) } else { Err(super::VersionError::Stale(version.number)) }
}

/// The version in force is so no more.
pub(super) async fn supersede(connection: &mut PgConnection) -> Result<()> {
    sqlx::query!(
        "UPDATE policy_version SET state = 'superseded', generation = generation + 1, updated_at = now()
         WHERE state = 'published'"
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn publish(
    connection: &mut PgConnection,
    id: PolicyVersionId,
    person: PersonId,
    label: &str,
) -> Result<()> {
    sqlx::query!(
        "UPDATE policy_version SET state = 'published', published_at = now(), publisher_id = $2, publisher_label = $3,
             generation = generation + 1, updated_at = now()
         WHERE id = $1 AND state = 'proposed'",
        id.0,
        person.0,
        label,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn was_loaded(connection: &mut PgConnection, origin: VersionOrigin, digest: Digest) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM policy_version WHERE origin = $1 AND digest = $2) AS "loaded!""#,
        origin as VersionOrigin,
        digest.0.as_slice(),
    )
    .fetch_one(connection)
    .await?)
}

/// How many decisions of the last 30 days each observed rule of this set would have taken part in.
pub async fn counted(connection: &mut PgConnection, digest: Digest) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT rule ->> 'id' AS "id!", count(*) AS "count!"
           FROM decision, jsonb_array_elements(observed -> 'rules') AS rule
           WHERE observed IS NOT NULL AND policy_digest = $1 AND created_at > now() - interval '30 days'
           GROUP BY 1 ORDER BY 1"#,
        digest.0.as_slice(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.count)).collect())
}
