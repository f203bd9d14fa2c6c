//! The catalog: what can be had, how to narrow it down, and one template in full.

mod facets;
mod inputs;
mod list;
mod markdown;
mod template;
pub mod view;

pub use list::page as list_page;
pub use template::page as template_page;

/// The name of a provider for people.
pub fn provider_words(provider: &str) -> &str {
    match provider {
        "postgres" => "Postgres",
        "terraform" => "Terraform",
        "cloudformation" => "AWS CloudFormation",
        "command" => "Scripts",
        "webhook" => "Webhook",
        "ssh" => "Runner host",
        "simulated" => "Practice cloud",
        "azure" => "Azure Resource Manager",
        other => other,
    }
}
