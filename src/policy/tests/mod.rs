//! Tests of the room, on the default policy set and on small ones of their own.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

mod decide;

/// A question of `roles` in project payments, about an environment of the type `environment_type`.
pub(super) fn question(action: Action, roles: &[Role], environment_type: &str) -> Question {
    Question {
        action,
        principal: Principal {
            id: "usr_ada".into(),
            login: "ada".into(),
            teams: vec!["payments".into()],
            platform_roles: BTreeSet::new(),
            project_roles: roles.iter().copied().collect(),
        },
        resource: Resource {
            project: Some("payments".into()),
            environment_type: Some(environment_type.into()),
            template: Some("postgres-database".into()),
            provider: Some("postgres".into()),
            owner: Some("usr_ada".into()),
            ..Resource::new(ResourceKind::Environment, "env_1")
        },
        context: Context {
            inputs: json!({"size": 3, "name": "orders"}).as_object().unwrap().clone(),
            lifetime_seconds: Some(86_400),
            maximum_lifetime_seconds: Some(604_800),
            channel: "web".into(),
        },
    }
}
