//! Asking for an exception: the choice in the panel, and the way to it from a request that was denied.

use super::subject::{Ask, Subject};
use super::typed::Typed;
use super::{lifetime, share, verdict};
use crate::environments::Operation;
use crate::policy::Outcome;
use crate::requests::{self, Request};
use crate::web::answer::Form;
use crate::web::ui::ExceptionView;
use crate::web::visitor::Visitor;
use crate::web::words::{length, listed};

/// The choice, where there is one.
pub(super) fn of(typed: &Typed, judged: &requests::Verdict) -> Option<ExceptionView> {
    if let Some(offered) = &judged.exception {
        let who: Vec<&str> = offered.offer.requirements.iter().map(|one| one.who.as_str()).collect();
        let people = verdict::people(&offered.approvers);
        let nobody = if people.is_empty() { " Nobody else is that at the moment." } else { "" };
        let longest = offered.offer.longest.map(|longest| format!(" It lasts at most {}.", length(longest)));
        let words = format!(
            "This once it can pass with the approval of {}. Say why.{}{nobody}",
            listed(&who, "and"),
            longest.unwrap_or_default()
        );
        return Some(ExceptionView { asked: false, words, people });
    }
    typed.exception.then(|| {
        let words = if judged.decision.excepted().next().is_some() {
            "Who grants it reads why you ask. It holds for this request alone."
        } else if judged.decision.outcome == Outcome::Denied {
            "The rule allows none for this."
        } else {
            "Nothing forbids it: no exception is needed."
        };
        ExceptionView { asked: true, words: words.to_owned(), people: Vec::new() }
    })
}

/// The address of the form, filled in as a request was, to ask for an exception; none where the operation has no form,
/// or its form cannot be opened any more.
pub(in crate::web) async fn address(visitor: &Visitor, request: &Request) -> Option<String> {
    let ask = match (request.operation, request.environment, &request.action) {
        (Operation::Create, ..) => Ask::Create(request.template_slug.clone()),
        (Operation::Update, Some(id), _) => Ask::Update(id),
        (Operation::Extend, Some(id), _) => Ask::Extend(id),
        (Operation::Act, Some(id), Some(action)) => Ask::Act(id, action.clone()),
        _ => return None,
    };
    let values = Form(vec![("project".to_owned(), request.project_slug.clone())]);
    let subject = Subject::load(visitor, ask, &values).await.ok()?;
    let typed = Typed {
        environment_type: request.environment_type.clone(),
        name: request.environment_name.clone(),
        lifetime: request.lifetime.map(lifetime::text).unwrap_or_default(),
        reason: request.reason.clone(),
        exception: true,
        inputs: request.inputs.clone(),
    };
    Some(share::filled(&subject, &typed))
}
