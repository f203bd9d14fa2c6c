//! Tests of the room, on the default policy set and on small ones of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::json;

use super::*;

mod annotated;
mod approvals;
mod decide;
mod drafts;
mod exceptions;
mod forms;
mod grants;
mod matrix;
mod proofs;
mod properties;
mod refused;
mod replay;
mod slices;

static ENGINE: LazyLock<PolicyEngine> =
    LazyLock::new(|| PolicyEngine::embedded().unwrap_or_else(|error| panic!("{error}")));

fn engine() -> PolicyEngine {
    ENGINE.clone()
}

/// An engine of the default schema and these policies.
fn engine_of(policies: &str) -> PolicyEngine {
    PolicyEngine::from_text(&engine().schema(), policies).unwrap_or_else(|error| panic!("{error}"))
}

/// Ada, with `roles` in project payments, asks about her environment of this type.
fn question(action: Action, roles: &[Role], environment_type: &str) -> Question {
    Question {
        action,
        principal: Principal {
            id: "usr_ada".into(),
            login: "ada".into(),
            teams: vec!["payments".into()],
            platform_roles: BTreeSet::new(),
            project_roles: roles.iter().copied().collect(),
            place_roles: BTreeMap::new(),
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
            operation: None,
            at: None,
            cost_per_month: None,
            asked_role: None,
            lifetime_seconds: Some(86_400),
            maximum_lifetime_seconds: Some(604_800),
            exception: false,
            channel: "web".into(),
        },
    }
}

/// Ada asks about a request in project payments that `requester` made.
fn about_request(action: Action, roles: &[Role], requester: Option<&str>) -> Question {
    let mut question = question(action, roles, "prod");
    question.resource.kind = ResourceKind::Request;
    question.resource.id = "req_1".into();
    question.resource.requester = requester.map(str::to_owned);
    question
}

fn ids(decision: &Decision) -> Vec<&str> {
    decision.rules.iter().map(|rule| rule.id.as_str()).collect()
}
