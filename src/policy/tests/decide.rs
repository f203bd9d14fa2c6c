//! The engine on the default set.

use super::*;

fn engine() -> PolicyEngine {
    PolicyEngine::embedded().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn developers_create_in_dev_at_once_and_in_prod_with_a_lead() {
    let dev = engine().decide(&question(Action::CreateEnvironment, &[Role::Developer], "dev"));
    assert_eq!(dev.outcome, Outcome::Allowed);
    let prod = engine().decide(&question(Action::CreateEnvironment, &[Role::Developer], "prod"));
    assert_eq!(prod.outcome, Outcome::NeedsApproval);
    let who: Vec<_> = prod.requirements.iter().map(|it| (it.who.as_str(), it.role, it.count)).collect();
    assert_eq!(who, [("a lead of payments", Role::Lead, 1)]);
}
