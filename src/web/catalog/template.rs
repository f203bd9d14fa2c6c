//! `GET /catalog/{template}`: what it makes, what it asks, who may have it where.

use axum::extract::Path;
use axum::response::Response;

use super::view::{OutputSpec, PlaceRow, TemplatePage, VersionRow};
use super::{inputs, markdown, provider_words};
use crate::catalog::form;
use crate::catalog::{self, Kind, Template, TemplateVersion, VersionState, VersionSummary};
use crate::policy::{Action, Context, Decision, Outcome, Question, Resource, ResourceKind};
use crate::projects::{self, Project, ProjectEnvironmentType};
use crate::providers;
use crate::web::answer;
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::listed;
use crate::web::{frame, icons, urls};

/// The page.
pub async fn page(visitor: Visitor, Path(slug): Path<String>) -> Result<Response, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let (template, version) = catalog::get_template(&mut connection, &slug).await?;
    let mut places = Vec::new();
    for project in visitor.projects(&mut connection).await? {
        for place in projects::environment_types(&mut connection, project.id).await? {
            if place.enabled {
                let decision = visitor.app.policy.decide(&question(&visitor, &template, &version, &project, &place));
                places.push((project.slug.clone(), place, decision));
            }
        }
    }
    let ids: Vec<_> = places.iter().map(|(_, place, _)| place.id).collect();
    let bound = projects::places_with_target(&mut connection, &ids, &version.provider).await?;
    let alone = providers::without_target(&version.provider);
    let places: Vec<_> = places
        .into_iter()
        .map(|(project, place, decision)| Place {
            lacks: alone.filter(|_| !bound.contains(&place.id)),
            name: format!("{project}, {}", place.slug),
            decision,
        })
        .collect();
    drop(connection);
    let versions = catalog::list_versions(&visitor.app.db, template.id).await?;
    let cannot = version.requestable().err();
    let anywhere = places.iter().any(Place::can_have_it);
    let published = version.state == VersionState::Published;
    let page = TemplatePage {
        shell: frame::shell(&visitor, Section::Catalog, &template.name).await?,
        crumbs: vec![Crumb::to("Catalog", urls::CATALOG)],
        name: template.name.clone(),
        icon: icons::of_template(&template.icon),
        lede: template.summary.clone(),
        pill: (!published).then(|| Pill::of(state_word(version.state))),
        request_href: (cannot.is_none() && anywhere).then(|| urls::template_request(&template.slug)),
        cannot,
        description_html: markdown::render(&version.readme, &template.name),
        makes: makes(&version.provider),
        inputs: inputs::rows(&version.inputs_schema),
        outputs: version.outputs.iter().map(output).collect(),
        places: places.iter().map(place_row).collect(),
        facts: facts(&template, &version),
        versions: versions.iter().map(|one| version_row(&visitor, one)).collect(),
    };
    answer::page(&page)
}

/// What the viewer would be told for the untouched form: the request form asks again with what is typed.
fn question(
    visitor: &Visitor,
    template: &Template,
    version: &TemplateVersion,
    project: &Project,
    place: &ProjectEnvironmentType,
) -> Question {
    let person = visitor.access.person.id.to_string();
    let (inputs, _) = form::split_secrets(&version.inputs_schema, &form::defaults(&version.inputs_schema));
    let resource = Resource {
        project: Some(project.slug.clone()),
        environment_type: Some(place.slug.clone()),
        template: Some(template.slug.clone()),
        provider: Some(version.provider.clone()),
        owner: Some(person.clone()),
        requester: Some(person),
        ..Resource::new(ResourceKind::Environment, "")
    };
    let context = Context {
        inputs,
        lifetime_seconds: Some(place.default_lifetime.as_secs()),
        maximum_lifetime_seconds: Some(place.maximum_lifetime.as_secs()),
        operation: None,
        at: Some(visitor.op.now()),
        cost_per_month: None,
        asked_role: None,
        exception: false,
        channel: visitor.op.origin.channel.to_owned(),
    };
    let principal = visitor.access.principal(Some(project.id));
    Question { action: Action::CreateEnvironment, principal, resource, context }
}

/// A project environment type of the viewer's.
struct Place {
    name: String,
    decision: Decision,
    /// Why nothing of this template can be made there.
    lacks: Option<&'static str>,
}

impl Place {
    fn can_have_it(&self) -> bool {
        self.lacks.is_none() && self.decision.outcome != Outcome::Denied
    }
}

fn place_row(place: &Place) -> PlaceRow {
    let decision = &place.decision;
    let (pill, words) = match (decision.outcome, place.lacks) {
        (Outcome::Denied, _) => (Pill::of("denied"), reasons(decision)),
        (_, Some(lacks)) => (Pill::not_yet(), sentence(&format!("{} {lacks}", place.name))),
        (Outcome::Allowed, None) => (Pill::of("allowed"), reasons(decision)),
        (Outcome::NeedsApproval, None) => {
            let who: Vec<&str> = decision.requirements.iter().map(|one| one.who.as_str()).collect();
            (Pill::of("needs_approval"), sentence(&format!("{} must agree", listed(&who, "and"))))
        }
    };
    PlaceRow { place: place.name.clone(), pill, words }
}

fn reasons(decision: &Decision) -> String {
    decision.rules.iter().map(|rule| rule.reason.as_str()).collect::<Vec<_>>().join(" ")
}

fn makes(provider: &str) -> Vec<String> {
    let lines: &[&str] = match provider {
        "postgres" => &[
            "A database on the project's Postgres server",
            "A login role that owns it and can reach nothing else",
            "A connection string with a password of its own",
        ],
        "terraform" => &["The resources of a Terraform or OpenTofu configuration", "Its outputs, secret ones sealed"],
        "simulated" => &["Objects of a cloud that exists only here, to see how runs go"],
        "webhook" => &["What a system of your own makes when Paddock asks it", "The outputs that it reports"],
        "command" => &["What the scripts of its folder make", "The outputs that they report"],
        "ssh" => &["What the scripts of its folder make on a runner host", "The outputs that they report"],
        "cloudformation" => {
            &["A stack of AWS CloudFormation in the account of the project", "The outputs of the stack"]
        }
        _ => &[],
    };
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn output(spec: &catalog::OutputSpec) -> OutputSpec {
    OutputSpec { name: spec.name.clone(), help: spec.description.clone(), sensitive: spec.sensitive }
}

fn facts(template: &Template, version: &TemplateVersion) -> Vec<Fact> {
    let kind = match template.kind {
        Kind::Environment => "Environment",
        Kind::Workspace => "Workspace",
    };
    let mut facts = vec![
        Fact::new("Made by", provider_words(&template.provider)),
        Fact::new("Kind", kind),
        Fact::new("Version", version.version.clone()),
        Fact::new("Catalog source", format!("{}, folder {}", template.source_slug, template.path)),
        Fact::new("Manifest", version.format.file_name()),
        Fact::id("Digest", version.digest.to_string()),
    ];
    if let Some(commit) = &version.source_commit {
        facts.push(Fact::id("Commit", commit.clone()));
    }
    if !template.tags.is_empty() {
        facts.push(Fact::new("Tags", template.tags.join(", ")));
    }
    facts
}

fn version_row(visitor: &Visitor, version: &VersionSummary) -> VersionRow {
    VersionRow {
        version: version.version.clone(),
        pill: Pill::of(state_word(version.state)),
        digest: version.digest.short(),
        commit: version.source_commit.as_ref().map(|commit| commit.chars().take(10).collect()),
        when: visitor.times().near(version.created_at),
    }
}

fn state_word(state: VersionState) -> &'static str {
    match state {
        VersionState::Draft => "draft",
        VersionState::Published => "published",
        VersionState::Deprecated => "deprecated",
        VersionState::Retired => "retired",
    }
}
