//! Versions and their files. Triggers refuse to change the content of a stored one.

use serde_json::Value;
use sqlx::PgConnection;

use crate::base::Digest;
use crate::base::id::{TemplateId, TemplateVersionId};
use crate::catalog::loader::Loaded;
use crate::catalog::model::{Format, OutputSpec, PublishedInputs, TemplateVersion, VersionState, VersionSummary};
use crate::db::{Error, Result};
use crate::providers::TemplateFile;

fn digest(bytes: Vec<u8>) -> Result<Digest> {
    bytes.try_into().map(Digest).map_err(|_| Error::Corrupt("digest"))
}

struct VersionRow {
    id: TemplateVersionId,
    template_id: TemplateId,
    version: String,
    number: i32,
    state: VersionState,
    digest: Vec<u8>,
    source_commit: Option<String>,
    format: Format,
    manifest: Value,
    inputs_schema: Value,
    outputs: Value,
    provider: String,
    provider_config: Value,
    readme: String,
    created_at: jiff_sqlx::Timestamp,
}

impl TryFrom<VersionRow> for TemplateVersion {
    type Error = Error;

    fn try_from(row: VersionRow) -> Result<Self> {
        Ok(Self {
            id: row.id,
            template_id: row.template_id,
            version: row.version,
            number: row.number,
            state: row.state,
            digest: digest(row.digest)?,
            source_commit: row.source_commit,
            format: row.format,
            manifest: row.manifest,
            inputs_schema: row.inputs_schema,
            outputs: serde_json::from_value::<Vec<OutputSpec>>(row.outputs)
                .map_err(|_| Error::Corrupt("list of outputs"))?,
            provider: row.provider,
            provider_config: row.provider_config,
            readme: row.readme,
            created_at: row.created_at.to_jiff(),
        })
    }
}

/// Versions whole. Each way to find them is a statement of its own, so that Postgres keeps a plan for it.
macro_rules! versions {
    ($tail:tt, $($value:expr),+) => {
        sqlx::query_as!(
            VersionRow,
            r#"SELECT id AS "id: _", template_id AS "template_id: _", version, number, state AS "state: _", digest,
               source_commit, format AS "format: _", manifest, inputs_schema, outputs, provider, provider_config, readme,
               created_at
           FROM template_version "#
                + $tail,
            $($value),+
        )
    };
}

/// A version by id, or a template's by number, or a template's current one: the published one,
/// else the newest.
pub(in crate::catalog) async fn find_version(
    connection: &mut PgConnection,
    which: Which,
) -> Result<Option<TemplateVersion>> {
    let row = match which {
        Which::Id(id) => versions!("WHERE id = $1", id.0).fetch_optional(connection).await?,
        Which::Number(template, number) => {
            versions!("WHERE template_id = $1 AND number = $2", template.0, number).fetch_optional(connection).await?
        }
        Which::Current(template) => {
            versions!("WHERE template_id = $1 ORDER BY state = 'published' DESC, number DESC LIMIT 1", template.0)
                .fetch_optional(connection)
                .await?
        }
    };
    row.map(TryInto::try_into).transpose()
}

/// What a worker must have for the runs of a version: as its manifest says.
pub(in crate::catalog) async fn worker_labels(
    connection: &mut PgConnection,
    id: TemplateVersionId,
) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT label AS "label!" FROM template_version AS v, jsonb_array_elements_text(
               CASE WHEN v.format = 'paddock' THEN v.manifest -> 'worker_labels'
                    ELSE v.manifest -> 'x-paddock' -> 'worker_labels' END) AS label
           WHERE v.id = $1"#,
        id.0
    )
    .fetch_all(connection)
    .await?)
}

/// The items that published versions name under `prices`, with the names of their templates.
pub(in crate::catalog) async fn priced_items(connection: &mut PgConnection) -> Result<Vec<(String, Vec<String>)>> {
    let rows = sqlx::query!(
        r#"SELECT line ->> 'item' AS "item!", array_agg(DISTINCT t.name ORDER BY t.name) AS "templates!"
           FROM template_version v JOIN template t ON t.id = v.template_id
           CROSS JOIN LATERAL jsonb_path_query(
               CASE WHEN v.format = 'paddock' THEN v.manifest ELSE v.manifest -> 'x-paddock' END, '$.prices[*]') line
           WHERE v.state = 'published' AND line ? 'item' GROUP BY 1
           ORDER BY 1 LIMIT 500"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.item, row.templates)).collect())
}

/// Which version to read.
#[derive(Debug, Clone, Copy)]
pub(in crate::catalog) enum Which {
    Id(TemplateVersionId),
    Number(TemplateId, i32),
    Current(TemplateId),
}

pub(in crate::catalog) async fn list_versions(
    connection: &mut PgConnection,
    template: TemplateId,
) -> Result<Vec<VersionSummary>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: TemplateVersionId", version, number, state AS "state: VersionState", digest, source_commit,
               created_at
           FROM template_version WHERE template_id = $1 ORDER BY number DESC LIMIT 200"#,
        template.0
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(VersionSummary {
                id: row.id,
                version: row.version,
                number: row.number,
                state: row.state,
                digest: digest(row.digest)?,
                source_commit: row.source_commit,
                created_at: row.created_at.to_jiff(),
            })
        })
        .collect()
}

/// A template's version with this digest, and its published one.
pub(in crate::catalog) async fn versions_for_sync(
    connection: &mut PgConnection,
    template: TemplateId,
    digest: Digest,
) -> Result<(Option<(TemplateVersionId, VersionState)>, i32)> {
    let same = sqlx::query!(
        r#"SELECT id AS "id: TemplateVersionId", state AS "state: VersionState"
           FROM template_version WHERE template_id = $1 AND digest = $2"#,
        template.0,
        digest.0.as_slice()
    )
    .fetch_optional(&mut *connection)
    .await?;
    let last = sqlx::query_scalar!(
        r#"SELECT coalesce(max(number), 0) AS "number!" FROM template_version WHERE template_id = $1"#,
        template.0
    )
    .fetch_one(connection)
    .await?;
    Ok((same.map(|row| (row.id, row.state)), last))
}

pub(in crate::catalog) async fn insert_version(
    connection: &mut PgConnection,
    id: TemplateVersionId,
    template: TemplateId,
    number: i32,
    commit: Option<&str>,
    loaded: &Loaded,
) -> Result<()> {
    let manifest = &loaded.manifest;
    let outputs = serde_json::to_value(&manifest.outputs).map_err(|_| Error::Corrupt("list of outputs"))?;
    let version = if manifest.version.is_empty() { number.to_string() } else { manifest.version.clone() };
    sqlx::query!(
        "INSERT INTO template_version (id, template_id, version, number, state, digest, source_commit, format, manifest,
             inputs_schema, outputs, provider, provider_config, readme)
         VALUES ($1, $2, $3, $4, 'published', $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        id.0,
        template.0,
        version,
        number,
        loaded.digest.0.as_slice(),
        commit,
        manifest.format as Format,
        manifest.raw,
        manifest.inputs,
        outputs,
        manifest.provider,
        manifest.config,
        loaded.readme
    )
    .execute(&mut *connection)
    .await?;
    let paths: Vec<String> = loaded.files.iter().map(|file| file.path.clone()).collect();
    let executable: Vec<bool> = loaded.files.iter().map(|file| file.executable).collect();
    let contents: Vec<Vec<u8>> = loaded.files.iter().map(|file| file.content.clone()).collect();
    sqlx::query!(
        "INSERT INTO template_file (version_id, path, executable, content)
         SELECT $1, * FROM unnest($2::text[], $3::boolean[], $4::bytea[])",
        id.0,
        &paths,
        &executable,
        &contents
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves the published version of a template to `to`, unless it is `except`; its id if one moved.
pub(in crate::catalog) async fn replace_published(
    connection: &mut PgConnection,
    template: TemplateId,
    except: Option<TemplateVersionId>,
    to: VersionState,
) -> Result<Option<TemplateVersionId>> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE template_version SET state = $3
           WHERE template_id = $1 AND state = 'published' AND ($2::uuid IS NULL OR id <> $2)
           RETURNING id AS "id: TemplateVersionId""#,
        template.0,
        except.map(|id| id.0),
        to as VersionState
    )
    .fetch_optional(connection)
    .await?)
}

pub(in crate::catalog) async fn publish(connection: &mut PgConnection, id: TemplateVersionId) -> Result<()> {
    sqlx::query!("UPDATE template_version SET state = 'published' WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

pub(in crate::catalog) async fn files(
    connection: &mut PgConnection,
    version: TemplateVersionId,
) -> Result<Vec<TemplateFile>> {
    Ok(sqlx::query_as!(
        TemplateFile,
        "SELECT path, executable, content FROM template_file WHERE version_id = $1 ORDER BY path",
        version.0
    )
    .fetch_all(connection)
    .await?)
}

/// The inputs of every published template, by the template's name.
pub(in crate::catalog) async fn published_inputs(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<PublishedInputs>> {
    let rows = sqlx::query_as!(
        PublishedInputs,
        "SELECT t.slug AS template, t.name, v.inputs_schema AS schema FROM template t
         JOIN template_version v ON v.template_id = t.id AND v.state = 'published'
         ORDER BY lower(t.name), t.id LIMIT $1",
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
