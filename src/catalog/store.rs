//! All SQL of the catalog.

use jiff::Timestamp;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::loader::Loaded;
use super::model::{
    CatalogSource, Format, Kind, NewSource, OutputSpec, Problem, Severity, SourceKind, SyncCounts, SyncState, Template,
    TemplateSummary, TemplateVersion, VersionState, VersionSummary,
};
use crate::base::Digest;
use crate::base::id::{CatalogSourceId, TemplateId, TemplateVersionId};
use crate::db::{Error, Result};
use crate::providers::TemplateFile;

struct SourceRow {
    id: CatalogSourceId,
    slug: String,
    kind: SourceKind,
    location: String,
    branch: Option<String>,
    folder: String,
    sync_state: SyncState,
    sync_error: Option<String>,
    synced_at: Option<jiff_sqlx::Timestamp>,
    source_commit: Option<String>,
    added: i32,
    updated: i32,
    unchanged: i32,
    removed: i32,
}

impl From<SourceRow> for CatalogSource {
    fn from(row: SourceRow) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            kind: row.kind,
            location: row.location,
            branch: row.branch,
            folder: row.folder,
            sync_state: row.sync_state,
            sync_error: row.sync_error,
            synced_at: row.synced_at.map(jiff_sqlx::Timestamp::to_jiff),
            source_commit: row.source_commit,
            counts: SyncCounts {
                added: row.added,
                updated: row.updated,
                unchanged: row.unchanged,
                removed: row.removed,
            },
        }
    }
}

fn digest(bytes: Vec<u8>) -> Result<Digest> {
    bytes.try_into().map(Digest).map_err(|_| Error::Corrupt("digest"))
}

// ---- sources

pub(super) async fn insert_source(
    connection: &mut PgConnection,
    id: CatalogSourceId,
    source: &NewSource,
) -> Result<()> {
    sqlx::query!(
        "INSERT INTO catalog_source (id, slug, kind, location, branch, folder) VALUES ($1, $2, $3, $4, $5, $6)",
        id.0,
        source.slug,
        source.kind as SourceKind,
        source.location,
        source.branch,
        source.folder
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn list_sources(connection: &mut PgConnection) -> Result<Vec<CatalogSource>> {
    let rows = sqlx::query_as!(
        SourceRow,
        r#"SELECT id AS "id: _", slug, kind AS "kind: _", location, branch, folder, sync_state AS "sync_state: _",
               sync_error, synced_at, source_commit, added, updated, unchanged, removed
           FROM catalog_source ORDER BY created_at, id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn find_source(connection: &mut PgConnection, id: CatalogSourceId) -> Result<Option<CatalogSource>> {
    let row = sqlx::query_as!(
        SourceRow,
        r#"SELECT id AS "id: _", slug, kind AS "kind: _", location, branch, folder, sync_state AS "sync_state: _",
               sync_error, synced_at, source_commit, added, updated, unchanged, removed
           FROM catalog_source WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// Locks the source's row until the transaction ends: one sync writes at a time.
pub(super) async fn lock_source(connection: &mut PgConnection, id: CatalogSourceId) -> Result<bool> {
    let row =
        sqlx::query_scalar!(r#"SELECT id AS "id: CatalogSourceId" FROM catalog_source WHERE id = $1 FOR UPDATE"#, id.0)
            .fetch_optional(connection)
            .await?;
    Ok(row.is_some())
}

pub(super) async fn finish_sync(
    connection: &mut PgConnection,
    id: CatalogSourceId,
    counts: SyncCounts,
    commit: Option<&str>,
) -> Result<()> {
    sqlx::query!(
        "UPDATE catalog_source SET sync_state = 'succeeded', sync_error = NULL, synced_at = now(), source_commit = $2,
             added = $3, updated = $4, unchanged = $5, removed = $6
         WHERE id = $1",
        id.0,
        commit,
        counts.added,
        counts.updated,
        counts.unchanged,
        counts.removed
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn fail_sync(connection: &mut PgConnection, id: CatalogSourceId, reason: &str) -> Result<()> {
    sqlx::query!(
        "UPDATE catalog_source SET sync_state = 'failed', sync_error = $2, synced_at = now() WHERE id = $1",
        id.0,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

// ---- problems

pub(super) async fn replace_problems(
    connection: &mut PgConnection,
    source: CatalogSourceId,
    problems: &[Problem],
) -> Result<()> {
    sqlx::query!("DELETE FROM catalog_problem WHERE source_id = $1", source.0).execute(&mut *connection).await?;
    let number = |value: Option<u32>| value.and_then(|value| i32::try_from(value).ok());
    for (position, problem) in (0_i32..).zip(problems) {
        sqlx::query!(
            "INSERT INTO catalog_problem (source_id, position, path, line, col, key, message, severity)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            source.0,
            position,
            problem.path,
            number(problem.line),
            number(problem.col),
            problem.key,
            problem.message,
            problem.severity as Severity
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub(super) async fn problems(connection: &mut PgConnection, source: CatalogSourceId) -> Result<Vec<Problem>> {
    let rows = sqlx::query!(
        r#"SELECT path, line, col, key, message, severity AS "severity: Severity"
           FROM catalog_problem WHERE source_id = $1 ORDER BY severity, position"#,
        source.0
    )
    .fetch_all(connection)
    .await?;
    let number = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok());
    Ok(rows
        .into_iter()
        .map(|row| Problem {
            path: row.path,
            line: number(row.line),
            col: number(row.col),
            key: row.key,
            message: row.message,
            severity: row.severity,
        })
        .collect())
}

// ---- templates

struct TemplateRow {
    id: TemplateId,
    source_id: CatalogSourceId,
    source_slug: String,
    path: String,
    slug: String,
    name: String,
    summary: String,
    provider: String,
    kind: Kind,
    icon: String,
    tags: Vec<String>,
    created_at: jiff_sqlx::Timestamp,
}

impl From<TemplateRow> for Template {
    fn from(row: TemplateRow) -> Self {
        Self {
            id: row.id,
            source_id: row.source_id,
            source_slug: row.source_slug,
            path: row.path,
            slug: row.slug,
            name: row.name,
            summary: row.summary,
            provider: row.provider,
            kind: row.kind,
            icon: row.icon,
            tags: row.tags,
            created_at: row.created_at.to_jiff(),
        }
    }
}

pub(super) async fn find_template(connection: &mut PgConnection, slug: &str) -> Result<Option<Template>> {
    let row = sqlx::query_as!(
        TemplateRow,
        r#"SELECT t.id AS "id: _", t.source_id AS "source_id: _", s.slug AS source_slug, t.path, t.slug, t.name,
               t.summary, t.provider, t.kind AS "kind: _", t.icon, t.tags, t.created_at
           FROM template t JOIN catalog_source s ON s.id = t.source_id
           WHERE t.slug = $1"#,
        slug
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

pub(super) async fn get_template(connection: &mut PgConnection, id: TemplateId) -> Result<Option<Template>> {
    let row = sqlx::query_as!(
        TemplateRow,
        r#"SELECT t.id AS "id: _", t.source_id AS "source_id: _", s.slug AS source_slug, t.path, t.slug, t.name,
               t.summary, t.provider, t.kind AS "kind: _", t.icon, t.tags, t.created_at
           FROM template t JOIN catalog_source s ON s.id = t.source_id
           WHERE t.id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// Templates with a published version whose name, slug, summary or tags match the `tsquery`.
pub(super) async fn list(
    connection: &mut PgConnection,
    query: Option<&str>,
    limit: i64,
) -> Result<Vec<TemplateSummary>> {
    let rows = sqlx::query!(
        r#"SELECT t.id AS "id: TemplateId", t.source_id AS "source_id: CatalogSourceId", s.slug AS source_slug, t.path,
               t.slug, t.name, t.summary, t.provider, t.kind AS "kind: Kind", t.icon, t.tags, t.created_at,
               v.id AS "version_id: TemplateVersionId", v.version, v.number
           FROM template t
           JOIN catalog_source s ON s.id = t.source_id
           JOIN template_version v ON v.template_id = t.id AND v.state = 'published'
           WHERE $1::text IS NULL
              OR (t.search || array_to_tsvector(array_remove(t.tags, ''))) @@ to_tsquery('simple', $1)
           ORDER BY lower(t.name), t.id
           LIMIT $2"#,
        query,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| TemplateSummary {
            template: Template {
                id: row.id,
                source_id: row.source_id,
                source_slug: row.source_slug,
                path: row.path,
                slug: row.slug,
                name: row.name,
                summary: row.summary,
                provider: row.provider,
                kind: row.kind,
                icon: row.icon,
                tags: row.tags,
                created_at: row.created_at.to_jiff(),
            },
            version_id: row.version_id,
            version: row.version,
            number: row.number,
        })
        .collect())
}

/// What a sync compares with: every template, whichever source it is from.
pub(super) struct Known {
    pub(super) id: TemplateId,
    pub(super) source: CatalogSourceId,
    pub(super) source_slug: String,
    pub(super) path: String,
    pub(super) slug: String,
}

pub(super) async fn known_templates(connection: &mut PgConnection) -> Result<Vec<Known>> {
    Ok(sqlx::query_as!(
        Known,
        r#"SELECT t.id AS "id: _", t.source_id AS "source: _", s.slug AS source_slug, t.path, t.slug
           FROM template t JOIN catalog_source s ON s.id = t.source_id ORDER BY t.path"#
    )
    .fetch_all(connection)
    .await?)
}

pub(super) async fn insert_template(
    connection: &mut PgConnection,
    id: TemplateId,
    source: CatalogSourceId,
    loaded: &Loaded,
) -> Result<()> {
    let manifest = &loaded.manifest;
    sqlx::query!(
        "INSERT INTO template (id, source_id, path, slug, name, summary, provider, kind, icon, tags)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id.0,
        source.0,
        loaded.path,
        loaded.slug,
        manifest.name,
        manifest.summary,
        manifest.provider,
        manifest.kind as Kind,
        manifest.icon,
        &manifest.tags
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn update_template(connection: &mut PgConnection, id: TemplateId, loaded: &Loaded) -> Result<()> {
    let manifest = &loaded.manifest;
    sqlx::query!(
        "UPDATE template SET path = $2, slug = $3, name = $4, summary = $5, provider = $6, kind = $7, icon = $8, tags = $9
         WHERE id = $1",
        id.0,
        loaded.path,
        loaded.slug,
        manifest.name,
        manifest.summary,
        manifest.provider,
        manifest.kind as Kind,
        manifest.icon,
        &manifest.tags
    )
    .execute(connection)
    .await?;
    Ok(())
}

// ---- versions

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

/// A version by id, or a template's by number, or a template's current one: the published one,
/// else the newest.
pub(super) async fn find_version(connection: &mut PgConnection, which: Which) -> Result<Option<TemplateVersion>> {
    let (id, template, number): (Option<Uuid>, Option<Uuid>, Option<i32>) = match which {
        Which::Id(id) => (Some(id.0), None, None),
        Which::Number(template, number) => (None, Some(template.0), Some(number)),
        Which::Current(template) => (None, Some(template.0), None),
    };
    let row = sqlx::query_as!(
        VersionRow,
        r#"SELECT id AS "id: _", template_id AS "template_id: _", version, number, state AS "state: _", digest,
               source_commit, format AS "format: _", manifest, inputs_schema, outputs, provider, provider_config, readme,
               created_at
           FROM template_version
           WHERE ($1::uuid IS NULL OR id = $1) AND ($2::uuid IS NULL OR template_id = $2)
             AND ($3::integer IS NULL OR number = $3)
           ORDER BY state = 'published' DESC, number DESC
           LIMIT 1"#,
        id,
        template,
        number
    )
    .fetch_optional(connection)
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// Which version to read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Id(TemplateVersionId),
    Number(TemplateId, i32),
    Current(TemplateId),
}

pub(super) async fn list_versions(connection: &mut PgConnection, template: TemplateId) -> Result<Vec<VersionSummary>> {
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
pub(super) async fn versions_for_sync(
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

pub(super) async fn insert_version(
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
pub(super) async fn replace_published(
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

pub(super) async fn publish(connection: &mut PgConnection, id: TemplateVersionId) -> Result<()> {
    sqlx::query!("UPDATE template_version SET state = 'published' WHERE id = $1", id.0).execute(connection).await?;
    Ok(())
}

pub(super) async fn files(connection: &mut PgConnection, version: TemplateVersionId) -> Result<Vec<TemplateFile>> {
    Ok(sqlx::query_as!(
        TemplateFile,
        "SELECT path, executable, content FROM template_file WHERE version_id = $1 ORDER BY path",
        version.0
    )
    .fetch_all(connection)
    .await?)
}

/// The ids of sources of a kind that were not synced since `before`.
pub(super) async fn due_sources(connection: &mut PgConnection, before: Timestamp) -> Result<Vec<CatalogSourceId>> {
    use jiff_sqlx::ToSqlx as _;
    Ok(sqlx::query_scalar!(
        r#"SELECT id AS "id: CatalogSourceId" FROM catalog_source
           WHERE synced_at IS NULL OR synced_at < $1 ORDER BY synced_at NULLS FIRST"#,
        before.to_sqlx() as jiff_sqlx::Timestamp
    )
    .fetch_all(connection)
    .await?)
}
