//! `/admin/policies/{number}/rule`: a rule by form, added to the text of a draft.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::edit::{draft, seen};
use super::rule_fields::{Kind, Offered};
use super::view::{RulePage, RulePreview, RulePreviewFragment};
use super::{failed, problem_row, write};
use crate::base::FieldError;
use crate::policy::forms::RuleForm;
use crate::policy::versions::{self, PolicyVersion, VersionError, VersionText};
use crate::web::answer::{self, Form, Query};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError, Tab};
use crate::web::visitor::Visitor;
use crate::web::{frame, urls};

/// `GET /admin/policies/{number}/rule?kind=…`
pub async fn show(visitor: Visitor, Path(number): Path<i32>, Query(query): Query) -> Result<Response, PageError> {
    write(&visitor, "policy_version.written", number).await?;
    let (version, text) = draft(&visitor, number).await?;
    let kind = Kind::parse(query.get("kind"));
    let offered = Offered::load(&visitor, &text).await?;
    let nothing = RulePreview { rule: None, problems: Vec::new() };
    answer::page(&page(&visitor, &version, kind, &offered, (&kind.defaults(), &[]), nothing).await?)
}

/// `POST /admin/policies/{number}/rule`: `do` is `preview` or `add`.
pub async fn post(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let permit = write(&visitor, "policy_version.written", number).await?;
    let (version, text) = draft(&visitor, number).await?;
    let kind = Kind::parse(form.get("kind"));
    let offered = Offered::load(&visitor, &text).await?;
    let (rule, mut found) = kind.read(&form, &offered);
    for problem in rule.problems(&text.source) {
        if !found.iter().any(|known| known.pointer == problem.pointer) {
            found.push(problem);
        }
    }
    let preview = preview(&rule, &found, &text);
    let back = urls::admin_policy(number);
    if form.get("do") != "add" {
        if visitor.partial {
            return answer::page(&RulePreviewFragment { preview });
        }
        let version = seen(version, &form);
        return answer::page(&page(&visitor, &version, kind, &offered, (&form, &found), preview).await?);
    }
    if !found.is_empty() {
        let version = seen(version, &form);
        let page = page(&visitor, &version, kind, &offered, (&form, &found), preview).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, answer::page(&page)?).into_response());
    }
    let generation = form.get("generation").parse().ok();
    let source = rule.added_to(&text.source);
    match visitor.app.write_policies(&visitor.op, &permit, number, generation, (&source, &version.note)).await {
        Ok(_) => Ok(answer::see_other_saying(&back, &format!("The rule {} is in the draft.", rule.id))),
        Err(error @ (VersionError::Stale(_) | VersionError::Invalid(_))) => {
            let status = if matches!(error, VersionError::Stale(_)) {
                StatusCode::CONFLICT
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            let mut page = page(&visitor, &version, kind, &offered, (&form, &[]), preview).await?;
            page.errors = vec![FormError { text: sentence(&error.to_string()), href: String::new() }];
            Ok((status, answer::page(&page)?).into_response())
        }
        Err(error) => Err(failed(error, &back)),
    }
}

/// The rule as it would stand in the draft, once nothing is missing.
fn preview(rule: &RuleForm, found: &[FieldError], text: &VersionText) -> RulePreview {
    if !found.is_empty() {
        return RulePreview { rule: None, problems: Vec::new() };
    }
    let whole = VersionText { source: rule.added_to(&text.source), schema: text.schema.clone() };
    let problems = versions::check(&whole).err().unwrap_or_default();
    RulePreview { rule: Some((rule.sentence(), rule.cedar())), problems: problems.iter().map(problem_row).collect() }
}

async fn page(
    visitor: &Visitor,
    version: &PolicyVersion,
    kind: Kind,
    offered: &Offered,
    (typed, found): (&Form, &[FieldError]),
    preview: RulePreview,
) -> Result<RulePage, PageError> {
    let number = version.number;
    let back = urls::admin_policy(number);
    let title = format!("Add a rule to version {number}");
    let sections = kind.sections(typed, found, offered);
    let tab = |one: Kind| Tab {
        label: one.title().to_owned(),
        count: None,
        href: urls::admin_policy_rule(number, one.as_str()),
        current: one == kind,
    };
    Ok(RulePage {
        shell: frame::shell(visitor, Section::Admin, &title).await?,
        crumbs: vec![Crumb::to("Policies", urls::ADMIN_POLICIES), Crumb::to(format!("Version {number}"), back.clone())],
        title,
        lede: "A rule without writing Cedar. It goes to the end of the draft, where it can be read and changed."
            .to_owned(),
        tabs: Kind::ALL.map(tab).to_vec(),
        action: urls::admin_policy_verb(number, "rule"),
        kind: kind.as_str(),
        generation: version.generation.to_string(),
        errors: FormError::collect(&sections),
        sections,
        preview,
        cancel_href: back,
    })
}
