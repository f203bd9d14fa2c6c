//! `/costs/budget/{project}`: what a project may cost in a month, for admins.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use rust_decimal::Decimal;

use crate::base::{ErrorKind, FieldError, Kinded as _};
use crate::catalog::form::{Control, Field};
use crate::cost::{self, Budget, BudgetTerms, Error};
use crate::policy::{Action, Permit, Resource, ability};
use crate::projects::{self, Project};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::quotas::view::QuotaFormPage;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, FormSection, own_field, text_control};
use crate::web::visitor::Visitor;
use crate::web::{frame, listing, urls};

/// Whether the viewer may change budgets; nothing is written down.
pub(super) fn may_manage(visitor: &Visitor) -> bool {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    app.policy.allows(&app.platform_question(op, access, Action::ManageQuotas, Resource::platform()))
}

/// The permit to change budgets. A refusal is written down as what was to be done to which.
async fn permit(
    visitor: &Visitor,
    action: &'static str,
    slug: &str,
) -> Result<Permit<ability::ManageQuotas>, PageError> {
    let (app, op, access) = (&visitor.app, &visitor.op, &visitor.access);
    match app.policy.permit(&app.platform_question(op, access, Action::ManageQuotas, Resource::platform())) {
        Ok(permit) => Ok(permit),
        Err(refused) => {
            app.record_refused_budget(op, action, slug).await?;
            Err(refused.into())
        }
    }
}

/// `GET /costs/budget/{project}`
pub async fn page(visitor: Visitor, Path(slug): Path<String>) -> Result<Response, PageError> {
    permit(&visitor, "budget.changed", &slug).await?;
    let (project, budget) = found(&visitor, &slug).await?;
    answer::page(&form_page(&visitor, &project, budget, &Form::default(), &[]).await?)
}

/// `POST /costs/budget/{project}`
pub async fn change(visitor: Visitor, Path(slug): Path<String>, form: Form) -> Result<Response, PageError> {
    let permit = permit(&visitor, "budget.changed", &slug).await?;
    let (project, budget) = found(&visitor, &slug).await?;
    let generation = form.get("generation").parse().ok();
    let set = match typed(&form) {
        Ok(terms) => visitor.app.set_budget(&visitor.op, &permit, &project, generation, &terms).await,
        Err(wrong) => Err(Error::Invalid(wrong)),
    };
    match set {
        Ok(_) => Ok(answer::see_other_saying(&of(&slug), &format!("{} has this budget from now on.", project.name))),
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Stale) => {
            let (status, wrong) = match &error {
                Error::Invalid(wrong) => (StatusCode::UNPROCESSABLE_ENTITY, wrong.clone()),
                other => (StatusCode::CONFLICT, vec![FieldError::new("", other.to_string())]),
            };
            let page = form_page(&visitor, &project, budget, &form, &wrong).await?;
            Ok((status, answer::page(&page)?).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /costs/budget/{project}/remove`
pub async fn remove(visitor: Visitor, Path(slug): Path<String>) -> Result<Response, PageError> {
    let permit = permit(&visitor, "budget.removed", &slug).await?;
    let (project, _) = found(&visitor, &slug).await?;
    visitor.app.remove_budget(&visitor.op, &permit, &project).await?;
    Ok(answer::see_other_saying(&of(&slug), &format!("{} has no budget any more.", project.name)))
}

fn of(slug: &str) -> String {
    listing::href(urls::COSTS, [("project", slug)])
}

async fn found(visitor: &Visitor, slug: &str) -> Result<(Project, Option<Budget>), PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let project = projects::find(&mut connection, slug).await?.ok_or_else(|| PageError::not_found("project"))?;
    let budget = cost::budget(&mut connection, project.id, false).await?;
    Ok((project, budget))
}

fn typed(form: &Form) -> Result<BudgetTerms, Vec<FieldError>> {
    let mut wrong = Vec::new();
    let mut percent = |name: &str| match form.get(name).trim() {
        "" => None,
        text => text.parse().map_err(|_| wrong.push(FieldError::new(format!("/{name}"), "is a whole number"))).ok(),
    };
    let (warn_above, approve_above, deny_above) =
        (percent("warn_above"), percent("approve_above"), percent("deny_above"));
    let amount = Decimal::from_str_exact(form.get("amount").trim())
        .map_err(|_| wrong.push(FieldError::new("/amount", "is a decimal number, such as 2000.00")));
    match (amount, wrong.is_empty()) {
        (Ok(amount), true) => Ok(BudgetTerms { amount, warn_above, approve_above, deny_above }),
        _ => Err(wrong),
    }
}

async fn form_page(
    visitor: &Visitor,
    project: &Project,
    budget: Option<Budget>,
    form: &Form,
    found: &[FieldError],
) -> Result<QuotaFormPage, PageError> {
    let currency = cost::currency(&mut *visitor.app.db.acquire().await?).await?;
    let section = section(budget.map(|budget| budget.terms), form, found, &currency);
    let alone = found.iter().filter(|error| error.pointer.is_empty());
    let alone = alone.map(|error| FormError { text: sentence(&error.detail), href: String::new() });
    Ok(QuotaFormPage {
        shell: frame::shell(visitor, Section::Costs, "Budget").await?,
        crumbs: vec![Crumb::to("Costs", urls::COSTS), Crumb::to(project.name.clone(), of(&project.slug))],
        title: format!("Budget of {}", project.name),
        lede: "What it may cost in each month. What is there stays, whatever it costs.".to_owned(),
        action: urls::costs_budget(&project.slug),
        // As it is now, 0 where there is none: who sends the form again has seen that somebody was faster.
        generation: Some(budget.map_or(0, |budget| budget.generation)),
        bar: None,
        errors: alone.chain(FormError::collect(std::slice::from_ref(&section))).collect(),
        section,
        submit: "Save",
        cancel_href: urls::COSTS,
        remove_action: budget.map(|_| urls::costs_budget_remove(&project.slug)),
    })
}

/// As typed, or as it is; a new one begins with what most want.
fn section(terms: Option<BudgetTerms>, form: &Form, found: &[FieldError], currency: &str) -> FormSection {
    let typed = form.has("amount");
    let value = |name: &str, stored: String| if typed { form.get(name).to_owned() } else { stored };
    let percent = |name: &'static str, label: &'static str, help: &'static str, stored: Option<i32>| -> Field {
        let stored = stored.map(|percent| percent.to_string()).unwrap_or_default();
        let value = value(name, stored);
        let (min, max) = (Some("1".to_owned()), Some("1000".to_owned()));
        let control = Control::Number { value, min, max, step: None, unit: Some("%".to_owned()) };
        own_field(found, name, label, Some(help), false, control)
    };
    let amount = value("amount", terms.map(|terms| terms.amount.to_string()).unwrap_or_default());
    let of = |pick: fn(&BudgetTerms) -> Option<i32>, usual| terms.as_ref().map_or(usual, pick);
    FormSection {
        id: "budget".to_owned(),
        title: "Each month".to_owned(),
        help: format!(
            "In {currency}. What the month has cost, what it will by what is there now and under way, and what a \
             request adds are held against it, when a request is sent."
        ),
        fields: vec![
            own_field(found, "amount", "Amount", None, true, text_control(&amount, "2000.00", Some(20))),
            percent("warn_above", "Warn above", "The form says so. Empty: never.", of(|it| it.warn_above, Some(80))),
            percent(
                "approve_above",
                "Ask a lead above",
                "A lead of the project must agree. Empty: never.",
                of(|it| it.approve_above, None),
            ),
            percent(
                "deny_above",
                "Deny above",
                "Nothing more gets in. Empty: never.",
                of(|it| it.deny_above, Some(100)),
            ),
        ],
        reshapes: false,
    }
}
