//! From a body to a draft: which fields belong to which operation.

use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::error::Problem;
use crate::app::App;
use crate::base::Lifetime;
use crate::base::id::EnvironmentId;
use crate::catalog;
use crate::environments::{self, Operation};
use crate::requests::{Draft, Intent};

/// What to ask for. `create` takes project, environment type, template and name; the other
/// operations take the environment.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Draft)]
#[serde(deny_unknown_fields)]
pub struct DraftBody {
    operation: Operation,
    /// Create: the project's slug.
    project: Option<String>,
    /// Create: the environment type's slug.
    environment_type: Option<String>,
    /// Create: the template's slug or id.
    template: Option<String>,
    #[schema(schema_with = version_schema)]
    version: Option<VersionRef>,
    /// Create: the environment's name.
    name: Option<String>,
    /// Act: the name of the action, as the template declares it.
    action: Option<String>,
    /// Create: the inputs. Update: the inputs to change; null takes one away. Act: those of the action.
    #[schema(value_type = Option<Object>)]
    inputs: Option<Map<String, Value>>,
    #[schema(schema_with = lifetime_schema)]
    lifetime: Option<Lifetime>,
    /// All but create: the environment's id.
    #[schema(value_type = Option<String>)]
    environment: Option<EnvironmentId>,
    /// Update: the generation that the change is made for; the same as `If-Match`.
    generation: Option<i64>,
    /// Why: approvers read this first.
    #[serde(default)]
    reason: String,
    /// Asks for an exception from the rules that forbid it and allow one; then `reason` is needed.
    #[serde(default)]
    exception: bool,
}

fn version_schema() -> Schema {
    text_or_number("Create and update: the version as its author writes it, or its number.")
}

pub(super) fn lifetime_schema() -> Schema {
    text_or_number("Create and extend: how long it is to live from now: seconds, or a text such as `7d` or `P7D`.")
}

fn text_or_number(description: &str) -> Schema {
    let kinds = SchemaType::from_iter([Type::String, Type::Integer, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).description(Some(description)).build().into()
}

/// A version by its number or by its author's text.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a version such as “1.2.0”, or its number")]
pub enum VersionRef {
    /// 1, 2, 3 … in the order of import.
    Number(i32),
    /// As its author writes it.
    Text(String),
}

impl DraftBody {
    /// The draft that these fields mean; `if_match` comes from the header.
    pub async fn into_draft(self, app: &App, if_match: Option<i64>) -> Result<Draft, Problem> {
        self.refuse_foreign_fields()?;
        let (reason, exception) = (self.reason.clone(), self.exception);
        let intent = match self.operation {
            Operation::Create => self.create(app).await?,
            Operation::Update => self.update(app, if_match).await?,
            Operation::Extend => Intent::Extend {
                environment: required(self.environment, "environment")?,
                lifetime: required(self.lifetime, "lifetime")?.0,
            },
            Operation::Start | Operation::Stop | Operation::Hibernate | Operation::Restart => {
                Intent::Power { environment: required(self.environment, "environment")?, power: self.operation }
            }
            Operation::Act => Intent::Act {
                environment: required(self.environment, "environment")?,
                action: required(self.action, "action")?,
                inputs: self.inputs.unwrap_or_default(),
            },
            Operation::Delete => Intent::Delete { environment: required(self.environment, "environment")? },
        };
        Ok(Draft { intent, reason, exception })
    }

    async fn create(self, app: &App) -> Result<Intent, Problem> {
        let template = required(self.template, "template")?;
        Ok(Intent::Create {
            project: required(self.project, "project")?,
            environment_type: required(self.environment_type, "environment_type")?,
            version: version_number(app, &template, self.version).await?,
            template,
            name: required(self.name, "name")?,
            inputs: self.inputs.unwrap_or_default(),
            lifetime: self.lifetime.map(|lifetime| lifetime.0),
        })
    }

    async fn update(self, app: &App, if_match: Option<i64>) -> Result<Intent, Problem> {
        let environment = required(self.environment, "environment")?;
        if let (Some(body), Some(header)) = (self.generation, if_match)
            && body != header
        {
            return Err(Problem::malformed("/generation", "is not the generation of the header If-Match"));
        }
        let version = match self.version {
            None => None,
            Some(version) => {
                let found = environments::find(&mut *app.db.acquire().await?, environment).await?;
                let template = found.ok_or(environments::Error::NotFound)?.template.id.to_string();
                version_number(app, &template, Some(version)).await?
            }
        };
        Ok(Intent::Update {
            environment,
            generation: self.generation.or(if_match),
            version,
            inputs: self.inputs.unwrap_or_default(),
        })
    }

    /// A field that the operation does not know is refused like one that nobody knows.
    fn refuse_foreign_fields(&self) -> Result<(), Problem> {
        use Operation::{Act, Create, Delete, Extend, Hibernate, Restart, Start, Stop, Update};
        let there = [Update, Extend, Start, Stop, Hibernate, Restart, Act, Delete];
        let fields: [(&str, bool, &[Operation]); 10] = [
            ("project", self.project.is_some(), &[Create]),
            ("environment_type", self.environment_type.is_some(), &[Create]),
            ("template", self.template.is_some(), &[Create]),
            ("version", self.version.is_some(), &[Create, Update]),
            ("name", self.name.is_some(), &[Create]),
            ("action", self.action.is_some(), &[Act]),
            ("inputs", self.inputs.is_some(), &[Create, Update, Act]),
            ("lifetime", self.lifetime.is_some(), &[Create, Extend]),
            ("environment", self.environment.is_some(), &there),
            ("generation", self.generation.is_some(), &[Update]),
        ];
        let foreign = fields.iter().find(|(_, given, of)| *given && !of.contains(&self.operation));
        match foreign {
            Some((name, ..)) => {
                let detail = format!("`{name}` does not belong to the operation {}", self.operation.as_str());
                Err(Problem::malformed(format!("/{name}"), detail))
            }
            None => Ok(()),
        }
    }
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, Problem> {
    value.ok_or_else(|| Problem::invalid(format!("/{name}"), format!("`{name}` is needed for this operation")))
}

/// The number of a version that was named by its text; the newest where several have it.
async fn version_number(app: &App, template: &str, version: Option<VersionRef>) -> Result<Option<i32>, Problem> {
    let text = match version {
        None => return Ok(None),
        Some(VersionRef::Number(number)) => return Ok(Some(number)),
        Some(VersionRef::Text(text)) => text,
    };
    let found = catalog::get_template(&mut *app.db.acquire().await?, template).await;
    // A template that is not there is told of by whoever reads the draft, together with the rest.
    let Ok((found, _)) = found else { return Ok(text.parse().ok()) };
    let versions = catalog::list_versions(&app.db, found.id).await?;
    let named = versions.iter().find(|version| version.version == text).map(|version| version.number);
    let number = named.or_else(|| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::invalid("/version", format!("there is no version “{text}” of the template {}", found.slug))
    })
}

/// The environment that a draft is about, unless it is to be made.
pub fn environment_of(draft: &Draft) -> Option<EnvironmentId> {
    draft.intent.environment()
}
