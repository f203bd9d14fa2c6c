//! Templates, without their content.

use sqlx::PgConnection;

use crate::base::id::{CatalogSourceId, TemplateId, TemplateVersionId};
use crate::catalog::loader::Loaded;
use crate::catalog::model::{Kind, Template, TemplateSummary};
use crate::db::Result;

/// A template with its published version, if it has one.
struct Row {
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
    version_id: Option<TemplateVersionId>,
    version: Option<String>,
    number: Option<i32>,
}

impl From<Row> for Template {
    fn from(row: Row) -> Self {
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

impl Row {
    /// `None` when no version is published.
    fn into_summary(self) -> Option<TemplateSummary> {
        let (version_id, version, number) = (self.version_id?, self.version.clone()?, self.number?);
        Some(TemplateSummary { template: self.into(), version_id, version, number })
    }
}

/// The only place that reads templates whole. Each way to find them is a statement of its own, so
/// that Postgres keeps a plan for it.
macro_rules! templates {
    ($tail:tt, $value:expr) => {
        sqlx::query_as!(
            Row,
            r#"SELECT t.id AS "id: _", t.source_id AS "source_id: _", s.slug AS source_slug, t.path, t.slug, t.name,
               t.summary, t.provider, t.kind AS "kind: _", t.icon, t.tags, t.created_at,
               v.id AS "version_id?: _", v.version AS "version?", v.number AS "number?"
           FROM template t
           JOIN catalog_source s ON s.id = t.source_id
           LEFT JOIN template_version v ON v.template_id = t.id AND v.state = 'published' "#
                + $tail,
            $value
        )
    };
}

pub(in crate::catalog) async fn find_template(connection: &mut PgConnection, slug: &str) -> Result<Option<Template>> {
    Ok(templates!("WHERE t.slug = $1", slug).fetch_optional(connection).await?.map(Into::into))
}

pub(in crate::catalog) async fn get_template(
    connection: &mut PgConnection,
    id: TemplateId,
) -> Result<Option<Template>> {
    Ok(templates!("WHERE t.id = $1", id.0).fetch_optional(connection).await?.map(Into::into))
}

/// Templates with a published version whose name, slug, summary or tags match the `tsquery`.
pub(in crate::catalog) async fn list(
    connection: &mut PgConnection,
    query: Option<&str>,
    limit: i64,
) -> Result<Vec<TemplateSummary>> {
    let ids = sqlx::query_scalar!(
        "SELECT t.id FROM template t JOIN template_version v ON v.template_id = t.id AND v.state = 'published'
         WHERE $1::text IS NULL
            OR (t.search || array_to_tsvector(array_remove(t.tags, ''))) @@ to_tsquery('simple', $1)
         ORDER BY lower(t.name), t.id
         LIMIT $2",
        query,
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = templates!("WHERE t.id = ANY ($1) ORDER BY lower(t.name), t.id", &ids).fetch_all(connection).await?;
    Ok(rows.into_iter().filter_map(Row::into_summary).collect())
}

/// What a sync compares with: every template, whichever source it is from.
pub(in crate::catalog) struct Known {
    pub(in crate::catalog) id: TemplateId,
    pub(in crate::catalog) source: CatalogSourceId,
    pub(in crate::catalog) source_slug: String,
    pub(in crate::catalog) path: String,
    pub(in crate::catalog) slug: String,
}

pub(in crate::catalog) async fn known_templates(connection: &mut PgConnection) -> Result<Vec<Known>> {
    Ok(sqlx::query_as!(
        Known,
        r#"SELECT t.id AS "id: _", t.source_id AS "source: _", s.slug AS source_slug, t.path, t.slug
           FROM template t JOIN catalog_source s ON s.id = t.source_id ORDER BY t.path"#
    )
    .fetch_all(connection)
    .await?)
}

pub(in crate::catalog) async fn insert_template(
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

pub(in crate::catalog) async fn update_template(
    connection: &mut PgConnection,
    id: TemplateId,
    loaded: &Loaded,
) -> Result<()> {
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
