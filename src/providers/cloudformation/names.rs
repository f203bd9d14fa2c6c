//! What things of an environment are called in the account, and how they are marked.

use aws_sdk_cloudformation::types::{Stack, Tag};

use crate::base::id::EnvironmentId;
use crate::providers::{Job, ProviderError};

/// The tag that says for which environment a stack is.
pub const MARK: &str = "paddock:environment";
/// How much of a slug stands in a name: 128 characters fit.
const PART: usize = 40;

/// The stack of an environment: the same for every run. Its last part is the environment's id, so that
/// no other one has it.
pub fn stack(job: &Job) -> String {
    let (project, name) = (part(&job.project), part(&job.environment_name));
    format!("paddock-{project}-{name}-{}", job.environment.0.simple())
}

/// The environment that a stack of this name is for, if it has a name of ours.
pub fn environment(stack: &str) -> Option<EnvironmentId> {
    let (head, id) = stack.rsplit_once('-')?;
    let ours = head.starts_with("paddock-") && id.len() == 32;
    ours.then(|| uuid::Uuid::try_parse(id).ok().map(EnvironmentId)).flatten()
}

/// The change set of a run.
pub fn change_set(job: &Job) -> String {
    format!("paddock-{}", job.run.0.simple())
}

/// The token of what a run asks for: the same for all its attempts.
pub fn token(job: &Job, verb: &str) -> String {
    format!("paddock-{verb}-{}-{}", job.run.0.simple(), job.generation)
}

/// What CloudFormation takes for names: letters, digits and dashes.
fn part(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    text.chars().take(PART).map(plain).collect::<String>().trim_matches('-').to_owned()
}

/// The tags of a stack, which CloudFormation hands on to what it makes.
pub fn tags(job: &Job) -> Vec<Tag> {
    let environment = job.environment.to_string();
    [
        (MARK, environment.as_str()),
        ("paddock:project", &job.project),
        ("paddock:environment-type", &job.environment_type),
        ("paddock:name", &job.environment_name),
    ]
    .into_iter()
    .map(|(key, value)| Tag::builder().key(key).value(value).build())
    .collect()
}

/// Whether these tags are of the job's environment.
pub fn is_marked(tags: &[Tag], job: &Job) -> bool {
    mark(tags).is_some_and(|mark| mark == job.environment.to_string())
}

/// The mark among tags.
pub fn mark(tags: &[Tag]) -> Option<&str> {
    tags.iter().find(|tag| tag.key() == Some(MARK)).and_then(Tag::value)
}

/// The refusal to touch a stack.
pub fn foreign(stack: &Stack) -> ProviderError {
    let name = stack.stack_name().unwrap_or_default();
    ProviderError::failed(format!(
        "There is a stack {name} that does not have the tag {MARK} of this environment. It is not touched: remove it, or \
         give it another name."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ours_tells_the_environment() {
        let id = uuid::Uuid::from_u128(7);
        assert_eq!(environment(&format!("paddock-shop-orders-{}", id.simple())), Some(EnvironmentId(id)));
        for other in ["paddock-shop-orders", "shop-00000000000000000000000000000007", "paddock-x-0007"] {
            assert_eq!(environment(other), None, "{other}");
        }
    }

    #[test]
    fn only_letters_digits_and_dashes_are_in_names() {
        assert_eq!(part("orders_db.v2"), "orders-db-v2");
        assert_eq!(part(&format!("{}-x", "a".repeat(PART - 1))), "a".repeat(PART - 1), "no dash at the end");
    }
}
