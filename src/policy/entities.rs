//! A question in Cedar's terms: one request and only the entities that it needs.

use std::collections::HashSet;

use cedar_policy::{
    Context as CedarContext, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
    Schema,
};

use super::group::Group;
use super::question::{Action, Question, Resource, ResourceKind, Role};
use crate::policy::inputs::{Inputs, Tagged};

/// Why a question cannot be put to the engine. The text is for operators.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unaskable(String);

impl Unaskable {
    fn new(error: &dyn std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

type Pairs = Vec<(String, RestrictedExpression)>;

/// The names of the entity types, parsed once.
#[derive(Debug)]
pub(super) struct Types {
    action: EntityTypeName,
    user: EntityTypeName,
    team: EntityTypeName,
    role: EntityTypeName,
    platform: EntityTypeName,
    project: EntityTypeName,
    template: EntityTypeName,
    environment: EntityTypeName,
    request: EntityTypeName,
    audit_log: EntityTypeName,
    catalog_source: EntityTypeName,
    policy_version: EntityTypeName,
    texts: EntityTypeName,
    numbers: EntityTypeName,
    decimals: EntityTypeName,
    flags: EntityTypeName,
    lists: EntityTypeName,
}

impl Types {
    pub(super) fn new() -> Result<Self, Unaskable> {
        let named = |name: &str| name.parse::<EntityTypeName>().map_err(|error| Unaskable::new(&error));
        Ok(Self {
            action: named("Action")?,
            user: named("User")?,
            team: named("Team")?,
            role: named("Role")?,
            platform: named("Platform")?,
            project: named("Project")?,
            template: named("Template")?,
            environment: named("Environment")?,
            request: named("Request")?,
            audit_log: named("AuditLog")?,
            catalog_source: named("CatalogSource")?,
            policy_version: named("PolicyVersion")?,
            texts: named("Texts")?,
            numbers: named("Numbers")?,
            decimals: named("Decimals")?,
            flags: named("Flags")?,
            lists: named("Lists")?,
        })
    }

    /// The Cedar name of an action.
    pub(super) fn action(&self, action: Action) -> EntityUid {
        uid(&self.action, action.cedar_name())
    }

    fn resource_type(&self, kind: ResourceKind) -> &EntityTypeName {
        match kind {
            ResourceKind::Platform => &self.platform,
            ResourceKind::Project => &self.project,
            ResourceKind::Template => &self.template,
            ResourceKind::Environment => &self.environment,
            ResourceKind::Request => &self.request,
            ResourceKind::AuditLog => &self.audit_log,
            ResourceKind::CatalogSource => &self.catalog_source,
            ResourceKind::PolicyVersion => &self.policy_version,
        }
    }

    /// The request and its entities, both checked against the schema.
    pub(super) fn ask(&self, schema: &Schema, question: &Question) -> Result<(Request, Entities), Unaskable> {
        let inputs = Inputs::read(&question.context.inputs);
        let resource = uid(self.resource_type(question.resource.kind), &question.resource.id);
        let request = Request::new(
            uid(&self.user, &question.principal.id),
            self.action(question.action),
            resource.clone(),
            self.context(question)?,
            Some(schema),
        )
        .map_err(|error| Unaskable::new(&error))?;
        let mut entities = vec![self.user(question)?, self.resource(resource, &question.resource)?];
        entities.push(tagged(&self.texts, inputs.texts)?);
        entities.push(tagged(&self.numbers, inputs.numbers)?);
        entities.push(tagged(&self.decimals, inputs.decimals)?);
        entities.push(tagged(&self.flags, inputs.flags)?);
        entities.push(tagged(&self.lists, inputs.lists)?);
        let entities =
            Entities::from_entities(entities, Some(schema)).map_err(|error| Unaskable::new(&Deep(&error)))?;
        Ok((request, entities))
    }

    fn roles<'a>(&self, roles: impl IntoIterator<Item = &'a Role>) -> RestrictedExpression {
        RestrictedExpression::new_set(
            roles.into_iter().map(|role| RestrictedExpression::new_entity_uid(uid(&self.role, role.as_str()))),
        )
    }

    fn context(&self, question: &Question) -> Result<CedarContext, Unaskable> {
        let context = &question.context;
        let inputs = [
            ("texts", &self.texts),
            ("numbers", &self.numbers),
            ("decimals", &self.decimals),
            ("flags", &self.flags),
            ("lists", &self.lists),
        ];
        let inputs =
            inputs.map(|(name, kind)| (name.to_owned(), RestrictedExpression::new_entity_uid(uid(kind, ASKED))));
        let inputs = RestrictedExpression::new_record(inputs).map_err(|error| Unaskable::new(&error))?;
        let mut pairs: Pairs = vec![
            ("roles".to_owned(), self.roles(&question.roles())),
            ("channel".to_owned(), text(&context.channel)),
            ("inputs".to_owned(), inputs),
        ];
        let lifetimes = [
            ("lifetime_seconds", context.lifetime_seconds),
            ("maximum_lifetime_seconds", context.maximum_lifetime_seconds),
        ];
        for (name, seconds) in lifetimes {
            if let Some(seconds) = seconds {
                pairs.push((name.to_owned(), RestrictedExpression::new_long(seconds)));
            }
        }
        if let Some(at) = context.at {
            // Whole seconds: what rules name are minutes.
            let at = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            pairs.push(("at".to_owned(), RestrictedExpression::new_datetime(at)));
        }
        if let Some(cost) = &context.cost_per_month {
            pairs.push(("cost_per_month".to_owned(), RestrictedExpression::new_decimal(cost)));
        }
        if let Some(role) = context.asked_role {
            let role = uid(&self.role, role.as_str());
            pairs.push(("asked_role".to_owned(), RestrictedExpression::new_entity_uid(role)));
        }
        if let Some(operation) = &context.operation {
            pairs.push(("operation".to_owned(), text(operation)));
        }
        CedarContext::from_pairs(pairs).map_err(|error| Unaskable::new(&error))
    }

    fn user(&self, question: &Question) -> Result<Entity, Unaskable> {
        let principal = &question.principal;
        let attributes: Pairs = vec![
            ("login".to_owned(), text(&principal.login)),
            ("platform_roles".to_owned(), self.roles(&principal.platform_roles)),
            ("system".to_owned(), RestrictedExpression::new_bool(principal.is_system())),
        ];
        let teams = question.teams().into_iter().map(|team| uid(&self.team, team));
        Entity::new_with_tags(uid(&self.user, &principal.id), attributes, teams, [])
            .map_err(|error| Unaskable::new(&error))
    }

    fn resource(&self, id: EntityUid, resource: &Resource) -> Result<Entity, Unaskable> {
        let mut parents = Vec::new();
        let mut attributes: Pairs = Vec::new();
        match resource.kind {
            ResourceKind::Platform | ResourceKind::Project | ResourceKind::Template | ResourceKind::CatalogSource => {}
            ResourceKind::PolicyVersion => {
                let editors =
                    resource.editors.iter().map(|id| RestrictedExpression::new_entity_uid(uid(&self.user, id)));
                attributes.push(("editors".to_owned(), RestrictedExpression::new_set(editors)));
            }
            ResourceKind::AuditLog => parents.extend(self.project_of(resource)),
            ResourceKind::Environment => {
                parents.extend(self.project_of(resource));
                attributes = self.environment_attributes(resource);
            }
            ResourceKind::Request => {
                parents.extend(self.project_of(resource));
                attributes = self.environment_attributes(resource);
                attributes.extend(self.person("requester", resource.requester.as_deref()));
                let roles: Vec<Role> = resource.asked.iter().filter_map(Group::role).collect();
                attributes.push(("asked_roles".to_owned(), self.roles(&roles)));
                let teams = resource.asked.iter().filter_map(Group::team);
                let teams = teams.map(|slug| RestrictedExpression::new_entity_uid(uid(&self.team, slug)));
                attributes.push(("asked_teams".to_owned(), RestrictedExpression::new_set(teams)));
            }
        }
        Entity::new_with_tags(id, attributes, parents, []).map_err(|error| Unaskable::new(&error))
    }

    fn project_of(&self, resource: &Resource) -> Option<EntityUid> {
        resource.project.as_deref().map(|slug| uid(&self.project, slug))
    }

    fn person(&self, name: &str, id: Option<&str>) -> Option<(String, RestrictedExpression)> {
        id.map(|id| (name.to_owned(), RestrictedExpression::new_entity_uid(uid(&self.user, id))))
    }

    fn environment_attributes(&self, resource: &Resource) -> Pairs {
        let texts = [("environment_type", &resource.environment_type), ("provider", &resource.provider)];
        let mut pairs: Pairs = texts
            .into_iter()
            .filter_map(|(name, value)| value.as_deref().map(|value| (name.to_owned(), text(value))))
            .collect();
        if let Some(slug) = &resource.template {
            let template = RestrictedExpression::new_entity_uid(uid(&self.template, slug));
            pairs.push(("template".to_owned(), template));
        }
        pairs.extend(self.person("owner", resource.owner.as_deref()));
        pairs
    }
}

/// The id of the entities that carry the inputs: there is one question at a time.
const ASKED: &str = "asked";

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn tagged(kind: &EntityTypeName, values: Vec<(String, Tagged)>) -> Result<Entity, Unaskable> {
    let tags = values.into_iter().map(|(name, value)| {
        let value = match value {
            Tagged::Text(value) => RestrictedExpression::new_string(value),
            Tagged::Number(value) => RestrictedExpression::new_long(value),
            Tagged::Decimal(value) => RestrictedExpression::new_decimal(value),
            Tagged::Flag(value) => RestrictedExpression::new_bool(value),
            Tagged::List(values) => {
                RestrictedExpression::new_set(values.into_iter().map(RestrictedExpression::new_string))
            }
        };
        (name, value)
    });
    Entity::new_with_tags(uid(kind, ASKED), [], HashSet::new(), tags).map_err(|error| Unaskable::new(&error))
}

/// An error with its sources: Cedar puts the attribute that is wrong into the source.
struct Deep<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Deep<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            write!(f, ": {error}")?;
            next = error.source();
        }
        Ok(())
    }
}
