//! What can be done with an environment now, and why the rest cannot.
//!
//! Policy and state decide; the use-case behind each button decides again.

use crate::catalog::{ActionSpec, Connect};
use crate::environments::{Environment, Operation, State};
use crate::orchestrator::Run;
use crate::policy::{Ability, Outcome, ability};
use crate::web::error::sentence;
use crate::web::requests::rows::icon;
use crate::web::ui::{Action, Fact};
use crate::web::urls;
use crate::web::visitor::Visitor;

/// The buttons, and what cannot be done with its reason.
pub(super) fn of(
    visitor: &Visitor,
    environment: &Environment,
    declared: &[ActionSpec],
    last: Option<&Run>,
) -> (Vec<Action>, Vec<Fact>) {
    let mut found = Found { visitor, environment, actions: Vec::new(), cannot: Vec::new() };
    let (state, id) = (environment.state, environment.id);
    if state == State::Deleted {
        return (Vec::new(), Vec::new());
    }
    let working = last.filter(|run| !run.state.is_terminal());
    if let Some(run) = working {
        let canceling = run.cancel_requested.then_some("It is being canceled.");
        found.add::<ability::CancelRun>(canceling, post("Cancel", urls::run_cancel(run.id), "square", "outline"));
    }
    let failed = last.filter(|run| run.request.is_some() && matches!(state, State::Failed | State::Faulted));
    if let (Some(run), None) = (failed, working) {
        found.add::<ability::RetryRun>(None, post("Retry", urls::run_retry(run.id), "rotate-cw", "primary"));
    }
    for spec in declared {
        found.declared(spec);
    }
    let refused = refused(environment, Operation::Update);
    found.add::<ability::UpdateEnvironment>(refused, link("Update", urls::environment_update(id), "pencil", "outline"));
    let refused = self::refused(environment, Operation::Extend);
    let extend = link("Extend", urls::environment_extend(id), "calendar-plus", "outline");
    found.add::<ability::ExtendEnvironment>(refused, extend);
    if working.is_none() {
        let rests = matches!(state, State::Ready | State::Stopped);
        let refused = (!rests).then_some("Only one that is ready or stopped is compared with what its last run left.");
        let check = post("Check for drift", urls::drift_check(id), "git-compare-arrows", "outline");
        found.add::<ability::CheckDrift>(refused, check);
    }
    let refused = self::refused(environment, Operation::Delete);
    found
        .add::<ability::DeleteEnvironment>(refused, link("Delete…", urls::environment_delete(id), "trash-2", "danger"));
    (found.actions, found.cannot)
}

struct Found<'a> {
    visitor: &'a Visitor,
    environment: &'a Environment,
    actions: Vec<Action>,
    cannot: Vec<Fact>,
}

impl Found<'_> {
    /// A power operation is one click, an action has a form. Only one of start and stop is there at a time.
    fn declared(&mut self, spec: &ActionSpec) {
        let environment = self.environment;
        let id = environment.id;
        match Operation::POWER.into_iter().find(|operation| operation.as_str() == spec.name) {
            Some(operation) if (operation == Operation::Start) == (environment.state == State::Stopped) => {
                let variant = if operation == Operation::Start { "primary" } else { "outline" };
                let button =
                    post(&spec.title, urls::environment_power(id, operation.as_str()), icon(operation), variant);
                self.add::<ability::PowerEnvironment>(refused(environment, operation), button);
            }
            Some(_) => {}
            None => {
                let form = link(&spec.title, urls::environment_act(id, &spec.name), icon(Operation::Act), "outline");
                self.add::<ability::ActOnEnvironment>(refused(environment, Operation::Act), form);
            }
        }
    }

    fn add<A: Ability>(&mut self, refused: Option<&str>, action: Action) {
        let denied = denied::<A>(self.visitor, self.environment);
        match denied.or_else(|| refused.map(str::to_owned)) {
            Some(reason) => self.cannot.push(Fact::new(action.label.trim_end_matches('…'), reason)),
            None => self.actions.push(action),
        }
    }
}

/// Why policy does not allow it, not even with an approval.
pub(super) fn denied<A: Ability>(visitor: &Visitor, environment: &Environment) -> Option<String> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    let question = app.environment_question(op, access, A::ACTION, environment);
    if app.policy.decide(&question).outcome != Outcome::Denied {
        return None;
    }
    app.permit_on::<A>(op, access, environment).err().map(|denied| sentence(&denied.to_string()))
}

/// Why the state does not allow it.
fn refused(environment: &Environment, operation: Operation) -> Option<&'static str> {
    let state = environment.state;
    let working = match state {
        State::Requested => Some("It waits for approval or in line for a quota; the request can be withdrawn."),
        State::Provisioning => Some("It is being made; cancel that first, or wait."),
        State::Updating => Some("It is being updated; cancel that first, or wait."),
        State::Deleting => Some("It is being deleted."),
        State::Stopping | State::Starting => Some("Its power state is changing; wait for that."),
        State::Ready | State::Stopped | State::Failed | State::Faulted | State::Deleted => None,
    };
    if working.is_some() {
        return working;
    }
    match (operation, state) {
        (_, State::Failed) if operation == Operation::Act || Operation::POWER.contains(&operation) => {
            Some("Its last operation failed: retry or change it first.")
        }
        (Operation::Act, State::Stopped) => Some("It is stopped: start it first."),
        (Operation::Update, State::Stopped) => Some("Only one that is ready or failed can be updated."),
        (operation, State::Faulted) if operation != Operation::Delete => {
            Some("Its clean-up failed: it can only be deleted again.")
        }
        _ => None,
    }
}

fn link(label: &str, href: String, icon: &'static str, variant: &'static str) -> Action {
    Action { label: label.to_owned(), href, icon, variant, post: false, new_tab: false }
}

fn post(label: &str, href: String, icon: &'static str, variant: &'static str) -> Action {
    Action { post: true, ..link(label, href, icon, variant) }
}

/// The button that leads into it, in a tab of its own.
pub(super) fn connect(environment: &Environment, connect: &Connect) -> Action {
    let button = link(&connect.label, urls::environment_connect(environment.id), "external-link", "primary");
    Action { new_tab: true, ..button }
}
