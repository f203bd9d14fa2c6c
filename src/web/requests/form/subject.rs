//! What the form is about: a template, or an environment that is there already.

use serde_json::Value;

use crate::base::id::EnvironmentId;
use crate::catalog::{self, ActionSpec, Template, TemplateVersion};
use crate::environments::{self, Environment, Operation};
use crate::policy::ability;
use crate::projects::{self, Project, ProjectEnvironmentType};
use crate::web::answer::Form;
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::Crumb;
use crate::web::urls;
use crate::web::visitor::Visitor;

/// What is asked for, by its address.
pub(super) enum Ask {
    /// A new environment of the template with this slug.
    Create(String),
    /// New inputs.
    Update(EnvironmentId),
    /// A new end.
    Extend(EnvironmentId),
    /// An action of the template, by its name.
    Act(EnvironmentId, String),
}

impl Ask {
    /// The address of the form.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Create(template) => urls::template_request(template),
            Self::Update(id) => urls::environment_update(id),
            Self::Extend(id) => urls::environment_extend(id),
            Self::Act(id, action) => urls::environment_act(id, action),
        }
    }
}

/// What is asked for, looked up.
pub(super) enum Subject {
    /// A new environment.
    Create(Box<Create>),
    /// New inputs, perhaps a newer version.
    Update(Box<Update>),
    /// A new end.
    Extend(Box<Environment>),
    /// An action.
    Act(Box<Act>),
}

/// What the form of a new environment needs.
pub(super) struct Create {
    pub(super) template: Template,
    pub(super) version: TemplateVersion,
    /// The viewer's projects.
    pub(super) projects: Vec<Project>,
    /// The chosen one's slug.
    pub(super) project: String,
    /// Its environment types.
    pub(super) places: Vec<ProjectEnvironmentType>,
}

/// What the form of an update needs.
pub(super) struct Update {
    pub(super) environment: Environment,
    /// The chosen version.
    pub(super) version: TemplateVersion,
    /// Number and text of the versions to choose from; the environment's own first.
    pub(super) versions: Vec<(i32, String)>,
    /// The generation that the form was opened with.
    pub(super) generation: i64,
}

/// What the form of an action needs.
pub(super) struct Act {
    pub(super) environment: Environment,
    pub(super) action: ActionSpec,
}

impl Subject {
    /// Looks everything up. `values` is the query or the posted form: project and version decide
    /// about the form itself.
    pub(super) async fn load(visitor: &Visitor, ask: Ask, values: &Form) -> Result<Self, PageError> {
        match ask {
            Ask::Create(template) => create(visitor, &template, values.get("project")).await,
            Ask::Update(id) => update(visitor, id, values).await,
            Ask::Extend(id) => Ok(Self::Extend(Box::new(environment(visitor, id).await?))),
            Ask::Act(id, action) => act(visitor, id, &action).await,
        }
    }

    /// The section of the rail.
    pub(super) fn section(&self) -> Section {
        match self {
            Self::Create(_) => Section::Catalog,
            Self::Update(_) | Self::Extend(_) | Self::Act(_) => Section::Environments,
        }
    }

    /// The path above the title.
    pub(super) fn crumbs(&self) -> Vec<Crumb> {
        match self {
            Self::Create(create) => vec![
                Crumb::to("Catalog", urls::CATALOG),
                Crumb::to(&create.template.name, urls::template(&create.template.slug)),
            ],
            Self::Update(update) => crumbs(&update.environment),
            Self::Extend(environment) => crumbs(environment),
            Self::Act(act) => crumbs(&act.environment),
        }
    }

    /// The title.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Create(create) => format!("Request {}", create.template.name),
            Self::Update(update) => format!("Update {}", update.environment.name),
            Self::Extend(environment) => format!("Extend {}", environment.name),
            Self::Act(act) => Operation::Act.label(Some(&act.action.title), &act.environment.name),
        }
    }

    /// One line of what it is.
    pub(super) fn lede(&self) -> String {
        match self {
            Self::Create(create) => create.template.summary.clone(),
            Self::Update(update) => place(&update.environment),
            Self::Extend(environment) => place(environment),
            Self::Act(act) if act.action.description.is_empty() => place(&act.environment),
            Self::Act(act) => act.action.description.clone(),
        }
    }

    /// The address of the form, by which its draft is known.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Create(create) => urls::template_request(&create.template.slug),
            Self::Update(update) => urls::environment_update(update.environment.id),
            Self::Extend(environment) => urls::environment_extend(environment.id),
            Self::Act(act) => urls::environment_act(act.environment.id, &act.action.name),
        }
    }

    /// Where the form posts to.
    pub(super) fn action(&self) -> String {
        match self {
            Self::Update(update) => format!("{}?generation={}", self.address(), update.generation),
            Self::Create(_) | Self::Extend(_) | Self::Act(_) => self.address(),
        }
    }

    /// JSON Schema of the inputs that the form asks for.
    pub(super) fn schema(&self) -> Option<&Value> {
        match self {
            Self::Create(create) => Some(&create.version.inputs_schema),
            Self::Update(update) => Some(&update.version.inputs_schema),
            Self::Act(act) => Some(&act.action.inputs),
            Self::Extend(_) => None,
        }
    }
}

fn crumbs(environment: &Environment) -> Vec<Crumb> {
    vec![Crumb::to("Environments", urls::ENVIRONMENTS), Crumb::to(&environment.name, urls::environment(environment.id))]
}

fn place(environment: &Environment) -> String {
    let (template, project) = (&environment.template, &environment.project.slug);
    format!("{} {} in {project}, {}", template.name, template.version, environment.place.slug)
}

async fn create(visitor: &Visitor, slug: &str, project: &str) -> Result<Subject, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let (template, version) = catalog::get_template(&mut connection, slug).await?;
    version
        .requestable()
        .map_err(|reason| PageError::invalid(reason).link(template.name.clone(), urls::template(&template.slug)))?;
    let projects = visitor.projects(&mut connection).await?;
    let chosen = projects.iter().find(|one| one.slug == project);
    // A link may name a project that is not the viewer's: the verdict says what is missing there.
    let chosen = match chosen {
        None if project.is_empty() => {
            let kept_to = projects.iter().find(|one| Some(&one.slug) == visitor.scope.as_ref());
            kept_to.or(projects.first())
        }
        found => found,
    };
    let mut places = Vec::new();
    if let Some(chosen) = chosen {
        places = projects::environment_types(&mut connection, chosen.id).await?;
        places.retain(|place| place.enabled);
    }
    let project = chosen.map_or_else(|| project.to_owned(), |chosen| chosen.slug.clone());
    Ok(Subject::Create(Box::new(Create { template, version, projects, project, places })))
}

async fn environment(visitor: &Visitor, id: EnvironmentId) -> Result<Environment, PageError> {
    let found = environments::find(&mut *visitor.app.db.acquire().await?, id).await?;
    let environment = found.ok_or(environments::Error::NotFound)?;
    visitor.app.permit_on::<ability::ReadEnvironment>(&visitor.op, &visitor.access, &environment)?;
    Ok(environment)
}

async fn act(visitor: &Visitor, id: EnvironmentId, name: &str) -> Result<Subject, PageError> {
    let environment = environment(visitor, id).await?;
    let mut connection = visitor.app.db.acquire().await?;
    let version = catalog::get_version(&mut connection, environment.template.version_id).await?;
    let mut actions = catalog::actions_of(&version.manifest).into_iter();
    let action = actions.find(|action| action.name == name && !action.is_power());
    let action = action.ok_or_else(|| PageError::not_found("action"))?;
    Ok(Subject::Act(Box::new(Act { environment, action })))
}

async fn update(visitor: &Visitor, id: EnvironmentId, values: &Form) -> Result<Subject, PageError> {
    let environment = environment(visitor, id).await?;
    let mut connection = visitor.app.db.acquire().await?;
    let own = catalog::get_version(&mut connection, environment.template.version_id).await?;
    let (_, current) = catalog::get_template(&mut connection, &environment.template.slug).await?;
    let mut versions = vec![(own.number, own.version.clone())];
    if current.number != own.number && current.requestable().is_ok() {
        versions.push((current.number, current.version.clone()));
    }
    let wanted = values.get("version").parse().unwrap_or(own.number);
    let version = if wanted == current.number && versions.len() > 1 { current } else { own };
    // The form's own address carries it, so that a post is for what the form was made from.
    let asked = crate::web::answer::pairs(visitor.here.split_once('?').map_or("", |(_, query)| query).as_bytes());
    let generation = asked.iter().find(|(name, _)| name == "generation").and_then(|(_, value)| value.parse().ok());
    let generation = generation.unwrap_or(environment.generation);
    Ok(Subject::Update(Box::new(Update { environment, version, versions, generation })))
}
