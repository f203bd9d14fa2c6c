//! `GET /admin/targets/{target}`: its check, its credential, where it is used, what lives on it.

use axum::extract::Path;
use axum::response::Response;

use super::connect::summary;
use super::list::{at_work, pill};
use super::view::{BindingRow, FindingRow, TargetActions, TargetPage};
use super::{fields, found, look, may_manage};
use crate::base::FieldError;
use crate::catalog::form::Control;
use crate::db::Connection;
use crate::environments::{self, Living};
use crate::projects::{self, ConnectedTarget};
use crate::providers::{Finding, TargetForm, Verdict};
use crate::web::answer::{self, Form};
use crate::web::error::PageError;
use crate::web::shell::Section;
use crate::web::ui::{Crumb, Fact, FormSection, LinkRow, Pill, choice, own_field, text_control};
use crate::web::visitor::Visitor;
use crate::web::words::Times;
use crate::web::{frame, urls};

/// How many environments are listed.
const MOST: i64 = 20;

/// The page.
pub async fn show(visitor: Visitor, Path(slug): Path<String>) -> Result<Response, PageError> {
    look(&visitor)?;
    let target = found(&visitor, &slug).await?;
    answer::page(&filled(&visitor, &target, &Form::default(), &[]).await?)
}

/// The page with a form as it was typed.
pub(super) async fn filled(
    visitor: &Visitor,
    target: &ConnectedTarget,
    form: &Form,
    found: &[FieldError],
) -> Result<TargetPage, PageError> {
    let declared = visitor.app.target_forms().into_iter().find(|(name, _)| *name == target.provider);
    let declared = declared.map(|(_, form)| form);
    let mut connection = visitor.app.db.acquire().await?;
    let busy =
        crate::orchestrator::Queue::at_work(&mut connection).await?.get(&target.id.0).copied().unwrap_or_default();
    let mut living = environments::on_target(&mut connection, target.id, MOST + 1).await?;
    let actions = match declared {
        Some(declared) if may_manage(visitor) => Some(actions(&mut connection, target, declared, form, found).await?),
        Some(_) | None => None,
    };
    drop(connection);
    let more = i64::try_from(living.len()).is_ok_and(|count| count > MOST);
    living.truncate(usize::try_from(MOST).unwrap_or_default());
    let times = visitor.times();
    let sections: Vec<FormSection> = actions.iter().flat_map(TargetActions::sections).cloned().collect();
    Ok(TargetPage {
        shell: frame::shell(visitor, Section::Admin, &target.name).await?,
        crumbs: vec![Crumb::to("Targets", urls::ADMIN_TARGETS)],
        title: target.name.clone(),
        lede: declared.map_or("", |form| form.about).to_owned(),
        pill: pill(target.check.as_ref()),
        checked: target.check.as_ref().map(|check| times.near(check.at)),
        findings: target.check.iter().flat_map(|check| &check.findings).map(finding).collect(),
        facts: facts(target, declared),
        credential: credential(target, declared, &times),
        rotation: target.rotation_begun_at.map(|_| {
            "A rotation was begun and did not end: runs try the old and the new credential. Rotate it once more."
                .to_owned()
        }),
        limits: vec![
            Fact::new("At work", at_work(busy, target.run_limit)),
            Fact::new("Labels", if target.labels.is_empty() { "none".to_owned() } else { target.labels.join(", ") }),
        ],
        bindings: target
            .bindings
            .iter()
            .map(|one| BindingRow {
                label: format!("{} {}", one.project, one.environment_type),
                place: one.place.to_string(),
            })
            .collect(),
        living: living.into_iter().map(living_row).collect(),
        more_living: more.then(|| format!("Only the newest {MOST} are shown.")),
        errors: summary(&sections, found),
        actions,
    })
}

impl TargetActions {
    fn sections(&self) -> impl Iterator<Item = &FormSection> {
        [Some(&self.rotate), self.bind.as_ref(), Some(&self.limits), Some(&self.disconnect)].into_iter().flatten()
    }
}

fn finding(finding: &Finding) -> FindingRow {
    let pill = match finding.result {
        Verdict::Ok => Pill::of("succeeded").saying("OK"),
        Verdict::Warning => Pill { icon: "triangle-alert", ..Pill::of("needs_approval").saying("Look at it") },
        Verdict::Failed => Pill::of("failed").saying("Not OK"),
    };
    FindingRow { pill, what: finding.what.clone(), detail: finding.detail.clone(), advice: finding.advice.clone() }
}

fn facts(target: &ConnectedTarget, declared: Option<&'static TargetForm>) -> Vec<Fact> {
    let mut facts = vec![Fact::id("Short name", target.slug.clone()), Fact::new("Provider", target.provider.clone())];
    for field in declared.into_iter().flat_map(TargetForm::settings) {
        let shown = field.shown(target.settings.get(field.name));
        if shown.is_empty() {
            continue;
        }
        let words = match field.kind {
            crate::providers::target::Kind::Choice(choices) => {
                choices.iter().find(|(value, _)| *value == shown).map(|(_, words)| (*words).to_owned())
            }
            crate::providers::target::Kind::Text => Some("given".to_owned()),
            _ => None,
        };
        match words {
            Some(words) => facts.push(Fact::new(field.label, words)),
            None => facts.push(Fact { mono: true, ..Fact::new(field.label, shown.replace('\n', ", ")) }),
        }
    }
    facts
}

fn credential(target: &ConnectedTarget, declared: Option<&'static TargetForm>, times: &Times) -> Vec<Fact> {
    if declared.is_some_and(|form| form.secrets().next().is_none()) {
        return vec![Fact::new("Credential", "Such targets need none.")];
    }
    match (target.has_credential, target.credential_set_at) {
        (true, Some(at)) => {
            vec![Fact::new("Credential", "Encrypted, never shown"), Fact::time("Since", times.near(at))]
        }
        (true, None) => vec![Fact::new("Credential", "Encrypted, never shown")],
        (false, _) => vec![Fact::new("Credential", "None")],
    }
}

fn living_row(one: Living) -> LinkRow {
    LinkRow {
        href: urls::environment(one.id),
        title: one.name,
        sub: one.project,
        pill: Some(Pill::of(one.state.as_str())),
        when: None,
        soon: false,
    }
}

async fn actions(
    connection: &mut Connection,
    target: &ConnectedTarget,
    declared: &'static TargetForm,
    form: &Form,
    found: &[FieldError],
) -> Result<TargetActions, PageError> {
    let verb = |verb: &str| urls::admin_target_verb(&target.slug, verb);
    Ok(TargetActions {
        edit_href: verb("edit"),
        check_action: verb("check"),
        rotate_action: verb("rotate"),
        rotate: rotate(declared, form, found),
        bind_action: verb("bind"),
        bind: bind(connection, target, form, found).await?,
        unbind_action: verb("unbind"),
        limits_action: verb("limits"),
        limits: fields::limits(Some(target), form, found),
        disconnect_action: verb("disconnect"),
        disconnect: disconnect(target, form, found),
    })
}

fn rotate(declared: &'static TargetForm, form: &Form, found: &[FieldError]) -> FormSection {
    let help = "The new one is checked first. Steps at work end with the old one; every later step gets the new one.";
    let mut section = fields::credential(declared, !declared.sets_credential, help, found);
    section.id = "rotate".to_owned();
    section.title = "Rotate the credential".to_owned();
    if declared.sets_credential {
        let somebody = form.get("how") == "somebody";
        let choices = vec![
            choice(
                "paddock",
                "Paddock sets it",
                Some("It makes one when the field is empty. Runs try both meanwhile, so none fails."),
                !somebody,
            ),
            choice(
                "somebody",
                "It is set already",
                Some("The target takes the new one; Paddock only keeps it."),
                somebody,
            ),
        ];
        section.fields.push(own_field(
            found,
            "how",
            "Who sets it at the target",
            None,
            true,
            Control::Radios { choices },
        ));
    }
    section
}

/// The project environment types that do not use it; each with the target that it uses now.
async fn bind(
    connection: &mut Connection,
    target: &ConnectedTarget,
    form: &Form,
    found: &[FieldError],
) -> Result<Option<FormSection>, PageError> {
    let all = projects::list(connection, None).await?;
    let ids: Vec<_> = all.iter().map(|project| project.id).collect();
    let others = projects::targets(connection).await?;
    let mut choices = Vec::new();
    for place in projects::places(connection, &ids).await? {
        if target.bindings.iter().any(|one| one.place == place.kind.id) {
            continue;
        }
        let project = all.iter().find(|project| project.id == place.kind.project);
        let now = others.iter().find(|other| {
            other.provider == target.provider && other.bindings.iter().any(|one| one.place == place.kind.id)
        });
        let instead = now.map(|other| format!(", instead of {}", other.slug)).unwrap_or_default();
        let label = format!("{} {}{instead}", project.map_or("", |project| project.slug.as_str()), place.kind.slug);
        let value = place.kind.id.to_string();
        choices.push(choice(&value, &label, None, form.get("place") == value));
    }
    if choices.is_empty() {
        return Ok(None);
    }
    let field = own_field(found, "place", "Environment type", None, true, Control::Select { choices });
    Ok(Some(FormSection {
        id: "bind".to_owned(),
        title: "Use it for".to_owned(),
        help: "New environments of the type are made here.".to_owned(),
        fields: vec![field],
        reshapes: false,
    }))
}

fn disconnect(target: &ConnectedTarget, form: &Form, found: &[FieldError]) -> FormSection {
    let label = format!("Type {} to confirm", target.slug);
    let control = text_control(form.get("confirm"), &target.slug, None);
    FormSection {
        id: "disconnect".to_owned(),
        title: "Disconnect".to_owned(),
        help: "Its credential is deleted and nothing is made here any more. What the target itself holds stays."
            .to_owned(),
        fields: vec![own_field(found, "confirm", &label, None, true, control)],
        reshapes: false,
    }
}
