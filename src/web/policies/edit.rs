//! `/admin/policies/{number}/edit`: the editor. One form, whose button says what to do with the text.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::view::{Checked, CheckedFragment, PolicyEditPage};
use super::{change_row, failed, found, problem_row, write};
use crate::base::Kinded as _;
use crate::policy::versions::{self, PolicyVersion, VersionError, VersionState, VersionText};
use crate::web::answer::{self, Form};
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Crumb, FormError};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, urls};

/// `GET /admin/policies/{number}/edit`
pub async fn show(visitor: Visitor, Path(number): Path<i32>) -> Result<Response, PageError> {
    write(&visitor, "policy_version.written", number).await?;
    let (version, text) = draft(&visitor, number).await?;
    answer::page(&page(&visitor, &version, text, &version.note, None).await?)
}

/// The draft and its text, where it is one and is written here.
pub(super) async fn draft(visitor: &Visitor, number: i32) -> Result<(PolicyVersion, VersionText), PageError> {
    let version = found(visitor, number).await?;
    let back = urls::admin_policy(number);
    if let Some(folder) = visitor.app.policy_folder() {
        return Err(failed(VersionError::FromFolder(folder), &back));
    }
    if version.state != VersionState::Draft {
        return Err(failed(VersionError::NotNow { number, state: version.state.as_str(), what: "changed" }, &back));
    }
    let text = versions::text_of(&mut *visitor.app.db.acquire().await?, version.id).await?;
    Ok((version, text))
}

/// `POST /admin/policies/{number}/edit`: `do` is `check`, `format` or `save`.
pub async fn post(visitor: Visitor, Path(number): Path<i32>, form: Form) -> Result<Response, PageError> {
    let permit = write(&visitor, "policy_version.written", number).await?;
    let (version, stored) = draft(&visitor, number).await?;
    // Browsers send line ends as forms have them.
    let source = form.get("source").replace("\r\n", "\n");
    let note = form.get("note").trim().to_owned();
    let text = VersionText { source, schema: stored.schema };
    match form.get("do") {
        "check" if visitor.partial => answer::page(&CheckedFragment { checked: checked(&visitor, &text) }),
        "check" => answer::page(&page(&visitor, &seen(version, &form), text, &note, None).await?),
        "format" => {
            let source = versions::formatted(&text.source).unwrap_or_else(|_| text.source.clone());
            let text = VersionText { source, ..text };
            answer::page(&page(&visitor, &seen(version, &form), text, &note, None).await?)
        }
        _ => {
            let generation = form.get("generation").parse().ok();
            match visitor.app.write_policies(&visitor.op, &permit, number, generation, (&text.source, &note)).await {
                Ok(_) => Ok(answer::see_other_saying(&urls::admin_policy(number), "The draft is saved.")),
                Err(error @ (VersionError::Stale(_) | VersionError::Note(_) | VersionError::Invalid(_))) => {
                    let page = page(&visitor, &version, text, &note, Some(&error)).await?;
                    let status = match error {
                        VersionError::Stale(_) => StatusCode::CONFLICT,
                        _ => StatusCode::UNPROCESSABLE_ENTITY,
                    };
                    Ok((status, answer::page(&page)?).into_response())
                }
                Err(error) => Err(failed(error, &urls::admin_policy(number))),
            }
        }
    }
}

/// The draft as the editor was opened: who checks a text has not seen what others wrote meanwhile.
pub(super) fn seen(version: PolicyVersion, form: &Form) -> PolicyVersion {
    let generation = form.get("generation").parse().unwrap_or(version.generation);
    PolicyVersion { generation, ..version }
}

async fn page(
    visitor: &Visitor,
    version: &PolicyVersion,
    text: VersionText,
    note: &str,
    error: Option<&VersionError>,
) -> Result<PolicyEditPage, PageError> {
    let back = urls::admin_policy(version.number);
    let title = format!("Write version {}", version.number);
    let errors = error.filter(|error| error.kind() != crate::base::ErrorKind::Internal).map(|error| {
        let href = if matches!(error, VersionError::Note(_)) { "#f-note" } else { "" };
        FormError { text: sentence(&error.to_string()), href: href.to_owned() }
    });
    Ok(PolicyEditPage {
        shell: frame::shell(visitor, Section::Admin, &title).await?,
        crumbs: vec![
            Crumb::to("Policies", urls::ADMIN_POLICIES),
            Crumb::to(format!("Version {}", version.number), back.clone()),
        ],
        title,
        lede: "Rules in Cedar. Nothing changes for anybody until another admin publishes the version.".to_owned(),
        action: urls::admin_policy_verb(version.number, "edit"),
        generation: version.generation.to_string(),
        note: note.to_owned(),
        checked: checked(visitor, &text),
        source: text.source,
        errors: errors.into_iter().collect(),
        cancel_href: back,
    })
}

/// What is wrong with a text, and which rules it changes.
pub(super) fn checked(visitor: &Visitor, text: &VersionText) -> Checked {
    let (problems, rules) = match versions::check(text) {
        Ok(engine) => (Vec::new(), engine.rules().len()),
        Err(problems) => (problems, 0),
    };
    let headline = match problems.len() {
        0 => format!("Valid: {}", count(rules, "rule", "rules")),
        wrong => format!("{} wrong", count(wrong, "thing is", "things are")),
    };
    let against = match visitor.app.policies_in_force().number {
        Some(number) => format!("Against version {number}, which is in force"),
        None => "Against what is in force".to_owned(),
    };
    Checked {
        valid: problems.is_empty(),
        headline,
        problems: problems.iter().map(problem_row).collect(),
        against,
        changes: versions::compare(&visitor.app.policy.source(), &text.source).into_iter().map(change_row).collect(),
    }
}
