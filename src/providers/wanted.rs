//! What a request wants of a target, before anybody asks the target.

use serde_json::{Map, Value};

use super::postgres;
use crate::base::FieldError;

/// Why this provider makes nothing where no target of it is bound, as what follows the name of the place;
/// `None`: it can do without one.
pub fn without_target(provider: &str) -> Option<&'static str> {
    Some(match provider {
        "ssh" => "has no runner host: an admin binds a target of the provider ssh to it",
        "webhook" => "has no receiver: an admin binds a target of the provider webhook to it",
        "postgres" => "has no database server: an admin binds a target of the provider postgres to it",
        "cloudformation" => "has no AWS account: an admin binds a target of the provider cloudformation to it",
        _ => return None,
    })
}

/// Whether a plan of this provider leaves something at the target that has to be removed when nothing
/// comes of it: a change set of CloudFormation keeps an empty stack under review.
pub fn leaves_plans(provider: &str) -> bool {
    provider == "cloudformation"
}

/// A request as far as providers judge it without a target's credential.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The provider's name.
    pub provider: &'a str,
    /// The manifest's settings for it.
    pub config: &'a Value,
    /// The inputs, without the secret ones.
    pub inputs: &'a Map<String, Value>,
}

impl Wanted<'_> {
    /// Whether the settings of a target could stand against it.
    pub fn depends_on_target(&self) -> bool {
        self.provider == "postgres" && postgres::asks_for_extensions(self.config, self.inputs)
    }

    /// Why nothing can be made where no target is bound; `None` where the provider can do without one.
    pub fn without_target(&self) -> Option<&'static str> {
        without_target(self.provider)
    }

    /// What the target named `slug` refuses by its settings, each with the pointer of what asked for it.
    pub fn objections(&self, slug: &str, settings: &Value) -> Vec<FieldError> {
        if self.depends_on_target() {
            postgres::objections(self.config, self.inputs, settings, slug)
        } else {
            Vec::new()
        }
    }
}
