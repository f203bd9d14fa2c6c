//! Fills the frame of a page: who looks, what their rail shows, what was just done.

use super::error::PageError;
use super::requests::remind::ago;
use super::shell::{AlarmLine, Section, Shell, Viewer};
use super::ui::Person;
use super::urls;
use super::visitor::{Visit, Visitor};
use super::words::{count, length};
use crate::app::Visible;
use crate::db::Connection;
use crate::policy::{Action, Resource, Role};
use crate::projects::{self, Project};
use crate::requests::{Filter, Mine, Request, RequestStatus};

/// So many requests whose requesters asked for an answer are named.
const MOST_NAMED: usize = 3;

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
        reminders: Vec::new(),
        notice: visit.notice.clone(),
    }
}

/// The frame of a page for somebody who is signed in.
pub async fn shell(visitor: &Visitor, section: Section, title: &str) -> Result<Shell, PageError> {
    let mut shell = gate(visitor, title);
    shell.section = section;
    let waiting = visitor.app.requests.newest(&mut *visitor.app.db.acquire().await?, &to_review(visitor)).await?;
    shell.viewer = Some(viewer(visitor, waiting.len()).await?);
    shell.reminders = reminders(visitor, &waiting);
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
            let when = ago(&times, one.at);
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

/// Of what waits for the viewer: what has waited long, and whose requesters asked for an answer. It is computed from
/// what the badge counts anyway, so it says the same and costs nothing more.
fn reminders(visitor: &Visitor, waiting: &[Request]) -> Vec<AlarmLine> {
    let times = visitor.times();
    let inbox = |text: String, many: bool| AlarmLine {
        text,
        href: urls::APPROVALS.to_owned(),
        label: if many { "Look at them" } else { "Look at it" },
    };
    let mut lines = Vec::new();
    let late = waiting.iter().filter(|one| visitor.app.requests.is_late(one, times.now())).count();
    if late > 0 {
        let after = visitor.app.requests.settings.reminder_after;
        let after = length(jiff::SignedDuration::try_from(after).unwrap_or_default());
        let many = count(late, "request has", "requests have");
        lines.push(inbox(format!("{many} waited for you for more than {after}."), late > 1));
    }
    let mut asked: Vec<_> = waiting.iter().filter_map(|one| Some((one.asked_again()?, one))).collect();
    asked.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    for (at, one) in asked.iter().take(MOST_NAMED) {
        lines.push(AlarmLine {
            text: format!("{} asked for an answer to “{}”, {}.", one.requester_label, one.label(), ago(&times, *at)),
            href: urls::approval(one.id),
            label: "Look at it",
        });
    }
    let more = asked.len().saturating_sub(MOST_NAMED);
    if more > 0 {
        lines.push(inbox(
            format!("An answer was asked for to {}.", count(more, "other request", "other requests")),
            more > 1,
        ));
    }
    lines
}

async fn viewer(visitor: &Visitor, approvals: usize) -> Result<Viewer, PageError> {
    let mut connection = visitor.app.db.acquire().await?;
    let projects = visitor.projects(&mut connection).await?;
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
