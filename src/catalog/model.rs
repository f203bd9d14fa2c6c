//! What the catalog knows: sources, templates, versions, problems.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::Digest;
use crate::base::id::{CatalogSourceId, TemplateId, TemplateVersionId};

/// Where a source's templates come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// A folder that the server can read.
    Folder,
    /// A branch of a Git repository.
    Git,
    /// The sample catalog inside the binary.
    Embedded,
}

/// How the last sync of a source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SyncState {
    /// It was never read.
    Never,
    /// It is being read now.
    Running,
    /// It was read; single templates may still have problems.
    Succeeded,
    /// It could not be read at all: see the source's `sync_error`.
    Failed,
}

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = TemplateKind)]
pub enum Kind {
    /// An environment.
    #[default]
    Environment,
    /// A dev box: has power state and a way to connect.
    Workspace,
}

/// The state of a template version. Its content never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// Not for requests yet.
    Draft,
    /// The current one.
    Published,
    /// Replaced by a newer one.
    Deprecated,
    /// The template left its source: no new environments.
    Retired,
}

/// Who wrote the manifest's rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
#[schema(as = ManifestFormat)]
pub enum Format {
    /// `paddock.yaml`.
    Paddock,
    /// `environment.yaml` or `manifest.yaml` of Azure Deployment Environments.
    Ade,
}

impl Format {
    /// The manifest's usual file name.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Paddock => "paddock.yaml",
            Self::Ade => "environment.yaml",
        }
    }
}

/// Whether a problem keeps the template out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The template was not imported.
    Error,
    /// The template was imported all the same.
    Warning,
}

/// One thing that is wrong with a source, with its place and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file, relative to the source's root.
    pub path: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1, in characters.
    pub col: Option<u32>,
    /// The key, dotted: `inputs.properties.size.default`.
    pub key: Option<String>,
    /// What is wrong and what to do, in words.
    pub message: String,
    /// Whether it keeps the template out.
    pub severity: Severity,
}

impl Problem {
    /// An error about a whole file.
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, col: None, key: None, message: message.into(), severity: Severity::Error }
    }

    /// A warning about a whole file.
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, message) }
    }

    /// True when the problem keeps its template out.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `path:line:col: message (key)`, as compilers print it.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}:{}", self.col.unwrap_or(1))?;
        }
        let word = if self.is_error() { "error" } else { "warning" };
        match &self.key {
            Some(key) => write!(f, ": {word}: {key}: {}", self.message),
            None => write!(f, ": {word}: {}", self.message),
        }
    }
}

/// What a sync did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SyncCounts {
    /// Templates that were new.
    pub added: i32,
    /// Templates that got another version.
    pub updated: i32,
    /// Templates whose content is what it was.
    pub unchanged: i32,
    /// Templates that left the source.
    pub removed: i32,
}

/// A source as stored.
#[derive(Debug, Clone, Serialize)]
pub struct CatalogSource {
    /// Its id.
    pub id: CatalogSourceId,
    /// Its short name.
    pub slug: String,
    /// Where templates come from.
    pub kind: SourceKind,
    /// Folder path, repository URL, or nothing for the embedded catalog.
    pub location: String,
    /// The branch, for Git; `None` is the repository's default branch.
    pub branch: Option<String>,
    /// The folder inside that holds the templates; empty for all of it.
    pub folder: String,
    /// How the last sync ended.
    pub sync_state: SyncState,
    /// Why the last sync failed, in words.
    pub sync_error: Option<String>,
    /// When the last sync ended.
    pub synced_at: Option<Timestamp>,
    /// The Git commit of the last sync.
    pub source_commit: Option<String>,
    /// What the last sync did.
    pub counts: SyncCounts,
}

/// A source to be added.
#[derive(Debug, Clone)]
pub struct NewSource {
    /// Its short name: lower-case letters, digits and dashes.
    pub slug: String,
    /// Where templates come from.
    pub kind: SourceKind,
    /// Folder path or repository URL.
    pub location: String,
    /// The branch, for Git.
    pub branch: Option<String>,
    /// The folder inside that holds the templates.
    pub folder: String,
}

/// A value that an environment made from the template gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutputSpec {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Whether it is masked until revealed.
    #[serde(default)]
    pub sensitive: bool,
}

/// A template, without its content.
#[derive(Debug, Clone, Serialize)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// The source that it comes from.
    pub source_id: CatalogSourceId,
    /// The slug of that source.
    pub source_slug: String,
    /// Its folder inside the source; `.` for the source's root.
    pub path: String,
    /// Its name in URLs, unique in the whole catalog.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// One line about it.
    pub summary: String,
    /// The provider that makes it.
    pub provider: String,
    /// What it makes.
    pub kind: Kind,
    /// A Lucide icon name.
    pub icon: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// When it was first seen.
    pub created_at: Timestamp,
}

impl Template {
    /// Whether it can be requested from this build; the reason in words when it cannot.
    pub fn requestable(&self) -> Result<(), String> {
        requestable(&self.provider)
    }
}

/// A version with its content, but for the files.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateVersion {
    /// Its id.
    pub id: TemplateVersionId,
    /// The template that it is a version of.
    pub template_id: TemplateId,
    /// The version as its author writes it.
    pub version: String,
    /// 1, 2, 3 … in the order of import.
    pub number: i32,
    /// Its state.
    pub state: VersionState,
    /// Digest of manifest and files.
    pub digest: Digest,
    /// The Git commit that it came from.
    pub source_commit: Option<String>,
    /// Who wrote the manifest's rules.
    pub format: Format,
    /// The manifest as JSON.
    pub manifest: Value,
    /// JSON Schema 2020-12 of the inputs, always of type object.
    pub inputs_schema: Value,
    /// What an environment gives.
    pub outputs: Vec<OutputSpec>,
    /// The provider that makes it.
    pub provider: String,
    /// The provider's settings.
    pub provider_config: Value,
    /// `README.md`, Markdown; empty when there is none.
    pub readme: String,
    /// When it was imported.
    pub created_at: Timestamp,
}

impl TemplateVersion {
    /// Whether it can be requested from this build; the reason in words when it cannot.
    pub fn requestable(&self) -> Result<(), String> {
        match self.state {
            VersionState::Published | VersionState::Deprecated => requestable(&self.provider),
            VersionState::Draft => Err("This version is a draft: a platform admin has not published it yet.".into()),
            VersionState::Retired => {
                Err("This template was removed from its catalog source: no new environments are made from it.".into())
            }
        }
    }
}

/// One line of a template's history.
#[derive(Debug, Clone, Serialize)]
pub struct VersionSummary {
    /// Its id.
    pub id: TemplateVersionId,
    /// The version as its author writes it.
    pub version: String,
    /// 1, 2, 3 … in the order of import.
    pub number: i32,
    /// Its state.
    pub state: VersionState,
    /// Digest of manifest and files.
    pub digest: Digest,
    /// The Git commit that it came from.
    pub source_commit: Option<String>,
    /// When it was imported.
    pub created_at: Timestamp,
}

/// A template in a list, with its published version.
#[derive(Debug, Clone, Serialize)]
pub struct TemplateSummary {
    /// The template.
    #[serde(flatten)]
    pub template: Template,
    /// The published version's id.
    pub version_id: TemplateVersionId,
    /// The published version as its author writes it.
    pub version: String,
    /// The published version's number.
    pub number: i32,
}

/// What the published version of a template asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedInputs {
    /// The slug of the template.
    pub template: String,
    /// Its name for people.
    pub name: String,
    /// The schema of the inputs.
    pub schema: serde_json::Value,
}

/// Which templates to list; everything that is set narrows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Words; each must begin a word of name, slug, summary or tags.
    pub query: String,
    /// One provider.
    pub provider: Option<String>,
    /// One kind.
    pub kind: Option<Kind>,
    /// One tag.
    pub tag: Option<String>,
}

/// A value of a facet and how many templates have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Facet {
    /// The value, as a filter takes it.
    pub value: String,
    /// How many templates match, the other filters applied.
    pub count: usize,
}

/// The facets of a list. Each counts with the other filters applied, but not its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// By provider.
    pub providers: Vec<Facet>,
    /// By kind.
    pub kinds: Vec<Facet>,
    /// By tag.
    pub tags: Vec<Facet>,
}

/// What the catalog page shows.
#[derive(Debug, Clone, Serialize)]
pub struct Listing {
    /// The templates that match, by name.
    pub templates: Vec<TemplateSummary>,
    /// The facets.
    pub facets: Facets,
}

/// The providers of this build. `tests/it/catalog` compares them with the registry.
pub const PROVIDERS: [&str; 7] = ["postgres", "terraform", "cloudformation", "command", "ssh", "webhook", "simulated"];

/// Whether templates of this provider can be requested from this build, and if not, why.
pub fn requestable(provider: &str) -> Result<(), String> {
    if PROVIDERS.contains(&provider) && (cfg!(feature = "aws") || provider != "cloudformation") {
        return Ok(());
    }
    Err(match provider {
        "cloudformation" => "This build of Paddock was made without AWS.".to_owned(),
        "azure" => "This template is made by Azure Resource Manager (ARM or Bicep). This version of Paddock imports \
                    it, but does not deploy to Azure yet."
            .to_owned(),
        other => {
            format!("This version of Paddock has no provider “{other}”, so nothing can be made from this template.")
        }
    })
}
