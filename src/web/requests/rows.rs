//! A request as a row, and who it waits for.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::remind;
use super::view::RequestRow;
use crate::base::id::{ProjectEnvironmentTypeId, ProjectId, RequestId};
use crate::db::Connection;
use crate::environments::Operation;
use crate::identity::Person;
use crate::policy::Group;
use crate::requests::{self, ProgressedRequirement, Request, RequestDetail, RequestStatus, Review};
use crate::web::error::PageError;
use crate::web::ui::{LinkRow, Person as Shown, Pill};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, listed};

/// "Create orders-db".
pub fn title(request: &Request) -> String {
    request.label()
}

/// "payments, prod".
pub fn place(request: &Request) -> String {
    format!("{}, {}", request.project_slug, request.environment_type)
}

/// The icon of an operation.
pub fn icon(operation: Operation) -> &'static str {
    match operation {
        Operation::Create => "plus",
        Operation::Update => "pencil",
        Operation::Extend => "calendar-plus",
        Operation::Start => "play",
        Operation::Stop => "square",
        Operation::Hibernate => "moon",
        Operation::Restart => "rotate-cw",
        Operation::Act => "zap",
        Operation::Delete => "trash-2",
    }
}

fn row(request: &Request, href: String, waits_for: String, mark: Option<String>, times: &Times) -> RequestRow {
    RequestRow {
        title: title(request),
        href,
        icon: icon(request.operation),
        template: format!("{} {}", request.template_name, request.version),
        place: place(request),
        pill: Pill::of(request.status.as_str()),
        requester: Shown::named(&request.requester_label),
        waits_for,
        mark,
        when: times.near(request.created_at),
    }
}

/// A row of a short list in a card.
pub fn link(request: &Request, href: String, times: &Times) -> LinkRow {
    LinkRow {
        title: title(request),
        href,
        sub: format!("{} in {}", request.template_name, place(request)),
        pill: Some(Pill::of(request.status.as_str())),
        when: Some(times.near(request.created_at)),
        soon: false,
    }
}

/// A page of requests as rows, each with who it waits for.
pub async fn rows(
    visitor: &Visitor,
    connection: &mut Connection,
    page: Vec<Request>,
    href: impl Fn(RequestId) -> String,
) -> Result<Vec<RequestRow>, PageError> {
    let (mut approvers, times) = (Approvers::default(), visitor.times());
    let mut rows = Vec::with_capacity(page.len());
    for detail in visitor.app.requests.details(connection, page).await? {
        let waits_for = approvers.waits_for(connection, &detail).await?;
        let mark = remind::mark(visitor, &detail.request, &times);
        rows.push(row(&detail.request, href(detail.request.id), waits_for, mark, &times));
    }
    Ok(rows)
}

/// Looks up who could still agree; asks once for each group in an environment type of a project.
#[derive(Default)]
pub struct Approvers {
    known: HashMap<(ProjectEnvironmentTypeId, Group), Vec<Person>>,
}

impl Approvers {
    async fn of(
        &mut self,
        connection: &mut Connection,
        (project, place): (ProjectId, ProjectEnvironmentTypeId),
        group: &Group,
    ) -> Result<&[Person], PageError> {
        Ok(match self.known.entry((place, group.clone())) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(requests::people_of(connection, (project, place), [group]).await?),
        })
    }

    /// "Lena Lead or Mette Holm", "its turn, as number 3"; empty when the request waits for nobody.
    pub async fn waits_for(
        &mut self,
        connection: &mut Connection,
        detail: &RequestDetail,
    ) -> Result<String, PageError> {
        let mut parts = Vec::new();
        if let Some(position) = detail.request.position {
            return Ok(format!("its turn, as number {position}"));
        }
        if detail.request.status != RequestStatus::AwaitingApproval {
            return Ok(String::new());
        }
        for requirement in ProgressedRequirement::awaited(&detail.requirements) {
            let people = self.left(connection, detail, requirement).await?;
            parts.push(if people.is_empty() { requirement.who.clone() } else { listed(&people, "or") });
        }
        let open = ProgressedRequirement::open_step(&detail.requirements);
        let later = detail.requirements.iter().filter(|one| Some(one.step) > open && !one.is_satisfied());
        let later: Vec<&str> = later.map(|one| one.who.as_str()).collect();
        let now = listed(&parts, "and");
        Ok(if later.is_empty() { now } else { format!("{now}, then {}", listed(&later, "and")) })
    }

    /// The names of those who can still agree to a requirement: neither the requester nor whoever has reviewed it
    /// already; then of those who can in the place of somebody absent.
    pub async fn left(
        &mut self,
        connection: &mut Connection,
        detail: &RequestDetail,
        requirement: &ProgressedRequirement,
    ) -> Result<Vec<String>, PageError> {
        let (request, mut seen) = (&detail.request, BTreeSet::new());
        seen.extend(request.requester);
        seen.extend(detail.reviews.iter().filter(|review| review.counts).map(|review| review.reviewer));
        let said: BTreeSet<_> =
            detail.reviews.iter().filter(|one| one.counts && one.holds).map(Review::voice).collect();
        seen.extend(&said);
        let mut people = Vec::new();
        for group in requirement.groups() {
            let found = self.of(connection, (request.project, request.place), group).await?;
            let more = found.iter().filter(|person| seen.insert(person.id));
            people.extend(more.map(|person| person.display_name.clone()));
        }
        for one in &request.stand_ins {
            let asked = requirement.groups().any(|group| *group == one.group) && !said.contains(&one.absent);
            if asked && seen.insert(one.deputy) {
                people.push(one.label());
            }
        }
        Ok(people)
    }
}
