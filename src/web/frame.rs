//! Fills the frame of a page: who looks, what their rail shows, what was just done.

use super::error::PageError;
use super::shell::{AlarmLine, Section, Shell, Viewer};
use super::ui::Person;
use super::urls;
use super::visitor::{Visit, Visitor};
use crate::app::Visible;
use crate::db::Connection;
use crate::policy::{Action, Resource, Role};
use crate::projects::{self, Project};
use crate::requests::{Filter, Mine, RequestStatus};

/// The frame of a page before sign-in.
pub fn gate(visit: &Visit, title: &str) -> Shell {
    Shell {
        title: title.to_owned(),
        section: Section::Elsewhere,
        viewer: None,
        preferences: visit.preferences,
        zone: visit.zone.clone(),
        demo: visit.app.identity.demo,
        here: visit.here.clone(),
        alarms: Vec::new(),
        notice: visit.notice.clone(),
    }
}

/// The frame of a page for somebody who is signed in.
pub async fn shell(visitor: &Visitor, section: Section, title: &str) -> Result<Shell, PageError> {
    let mut shell = gate(visitor, title);
    shell.section = section;
    shell.viewer = Some(viewer(visitor).await?);
    shell.alarms = alarms(visitor).await?;
    Ok(shell)
}

/// Those that nobody has reviewed. Whoever took the role sees when it ends, and cannot review it.
async fn alarms(visitor: &Visitor) -> Result<Vec<AlarmLine>, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let found = visitor.app.alarms(&mut connection, &visitor.op, &visitor.access).await?;
    let times = visitor.times();
    Ok(found
        .into_iter()
        .map(|one| {
            let when = match times.near(one.at).shown.as_str() {
                "now" => "just now".to_owned(),
                when => when.to_owned(),
            };
            let own = one.person == visitor.access.person.id;
            AlarmLine {
                text: format!(
                    "{} took the role {} in an emergency, {when}.",
                    if own { "You" } else { one.name.as_str() },
                    one.label
                ),
                href: if own { urls::OWN_ROLES.to_owned() } else { urls::admin_role_asked(one.id) },
                label: if own { "Your roles" } else { "Review it" },
            }
        })
        .collect())
}

async fn viewer(visitor: &Visitor) -> Result<Viewer, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let projects = visitor.projects(&mut connection).await?;
    let approvals = visitor.app.requests.count(&mut connection, &to_review(visitor)).await?;
    let may_review = |project: &Project| visitor.app.may_review(&visitor.op, &visitor.access, project);
    // Also whoever a rule asks by name of their team, or because nobody else has agreed in time.
    let can_approve = approvals > 0 || projects.iter().any(may_review);
    let may = |action| {
        let question = visitor.app.platform_question(&visitor.op, &visitor.access, action, Resource::platform());
        visitor.app.policy.decide(&question).is_allowed()
    };
    let readable = visitor.app.readable_audit(&mut connection, &visitor.op, &visitor.access).await?;
    Ok(Viewer {
        person: Person::named(&visitor.access.person.display_name),
        role: role_words(visitor, &projects),
        can_approve,
        approvals: u64::try_from(approvals).unwrap_or(0),
        can_audit: readable.is_ok(),
        can_admin: may(Action::ReadAdmin),
        project: visitor.scope.clone().filter(|slug| projects.iter().any(|project| project.slug == *slug)),
        projects: projects.into_iter().map(|project| (project.slug, project.name)).collect(),
    })
}

impl Visitor {
    /// The projects that this person may see anything of: their own, or all for platform roles.
    pub async fn projects(&self, connection: &mut Connection) -> Result<Vec<Project>, PageError> {
        let own: Vec<_> = self.access.projects().into_iter().collect();
        let only = if self.access.platform_roles.is_empty() { Some(own.as_slice()) } else { None };
        Ok(projects::list(connection, only).await?)
    }
}

impl Visitor {
    /// The projects in which this person may do something, out of all that there are.
    pub async fn visible(&self, connection: &mut Connection, action: Action) -> Result<Visible, PageError> {
        Ok(self.app.visible(connection, &self.op, &self.access, action).await?)
    }
}

/// The requests that wait for this person.
pub fn to_review(visitor: &Visitor) -> Filter {
    Filter {
        status: Some(RequestStatus::AwaitingApproval),
        to_review: Some(Mine::of(&visitor.access)),
        ..Filter::default()
    }
}

/// "Developer in payments and storefront", "Platform admin".
fn role_words(visitor: &Visitor, projects: &[Project]) -> String {
    let mut parts: Vec<String> = visitor
        .access
        .platform_roles
        .iter()
        .map(|role| match role {
            Role::Admin => "Platform admin".to_owned(),
            Role::Auditor => "Auditor".to_owned(),
            Role::Developer => "Developer everywhere".to_owned(),
            Role::Lead => "Lead everywhere".to_owned(),
        })
        .collect();
    for role in Role::ALL {
        let held = |project: &&Project| {
            visitor.access.project_roles.get(&project.id).is_some_and(|roles| roles.contains(&role))
        };
        let types = projects.iter().flat_map(|project| {
            let here = visitor.access.places_in(project.id).filter(move |(_, held)| held.roles.contains(&role));
            here.map(|(kind, _)| format!("{kind} of {}", project.slug))
        });
        let names: Vec<String> =
            projects.iter().filter(held).map(|project| project.slug.clone()).chain(types).collect();
        if !names.is_empty() {
            let word = super::error::sentence(role.as_str());
            parts.push(format!("{} in {}", word.trim_end_matches('.'), super::words::listed(&names, "and")));
        }
    }
    if parts.is_empty() { "No role yet".to_owned() } else { parts.join(", ") }
}
