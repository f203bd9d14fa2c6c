//! In whose place somebody reviews: in their own where they may, else for an absent person who let them.

use super::{Caller, ProgressedRequirement, Request, RequestDetail, RequestStatus, Review, ReviewVerdict};
use crate::base::id::{DelegationId, PersonId};
use crate::identity::Access;
use crate::policy::{Action, Borrowed, Group};

/// Somebody who may give, for one request, the approval of an absent person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// By what.
    pub delegation: DelegationId,
    /// Who is absent.
    pub absent: PersonId,
    /// Their name.
    pub absent_name: String,
    /// Who decides for them.
    pub deputy: PersonId,
    /// The name of that person.
    pub deputy_name: String,
    /// What the absent person holds of what the request asks for.
    pub group: Group,
}

impl StandIn {
    /// “Noor Haddad (for Lena Lead)”.
    pub fn label(&self) -> String {
        for_somebody(&self.deputy_name, Some(&self.absent_name))
    }
}

/// A name, with that of the absent person for whom they decide.
pub(super) fn for_somebody(name: &str, absent: Option<&str>) -> String {
    match absent {
        Some(absent) => format!("{name} (for {absent})"),
        None => name.to_owned(),
    }
}

impl Review {
    /// The reviewer by name, and for whom they said it.
    pub fn who(&self) -> String {
        for_somebody(&self.reviewer_name, self.absent.as_ref().map(|(_, name)| name.as_str()))
    }

    /// Whose approval it is: of each person there is one.
    pub fn voice(&self) -> PersonId {
        self.absent.as_ref().map_or(self.reviewer, |(id, _)| *id)
    }
}

impl Request {
    /// For whom this person decides here.
    pub fn stands_in(&self, person: PersonId) -> impl Iterator<Item = &StandIn> {
        self.stand_ins.iter().filter(move |one| one.deputy == person)
    }
}

impl RequestDetail {
    /// In whose place an approval by this person would count now; none: in their own, or for nothing.
    pub fn decides_for(&self, access: &Access) -> Option<&StandIn> {
        let waits = self.request.status == RequestStatus::AwaitingApproval;
        approves_for(access, &self.request, &self.requirements, &self.reviews).filter(|_| waits)
    }
}

/// What a question about a request borrows: a delegation gives reading and reviewing, and nothing else.
pub(super) fn borrowed(request: &Request, caller: Caller<'_>, action: Action) -> Vec<Borrowed> {
    let (Action::ReadRequest | Action::ReviewRequest, Some(person)) = (action, caller.person()) else {
        return Vec::new();
    };
    let of = |one: &StandIn| Borrowed { of: one.absent.to_string(), group: one.group.clone() };
    let mut borrowed: Vec<Borrowed> = request.stands_in(person).map(of).collect();
    borrowed.sort_unstable();
    borrowed
}

/// In whose place the caller says it. Their own approval goes before that of somebody else, where it counts for
/// what waits now; and nobody's counts twice. `alone`: policy lets them review without anybody's place.
pub(super) fn place<'a>(
    caller: Caller<'_>,
    request: &'a Request,
    verdict: ReviewVerdict,
    alone: bool,
    (before, reviews): (&[ProgressedRequirement], &[Review]),
) -> Option<&'a StandIn> {
    match (caller, verdict) {
        (Caller::Person(access), ReviewVerdict::Approved) => approves_for(access, request, before, reviews),
        (Caller::Person(access), ReviewVerdict::Rejected) if !alone => request.stands_in(access.person.id).next(),
        (Caller::Person(_), ReviewVerdict::Rejected) | (Caller::System(_), _) => None,
    }
}

/// Whether this person belongs to those whose approval counts, in their own name.
pub(super) fn holds(access: &Access, request: &Request, group: &Group) -> bool {
    match group {
        Group::Role(role) => access.roles_in(request.project, Some(request.place)).contains(role),
        Group::Team(slug) => access.teams.iter().any(|team| team.slug == *slug),
    }
}

fn approves_for<'a>(
    access: &Access,
    request: &'a Request,
    before: &[ProgressedRequirement],
    reviews: &[Review],
) -> Option<&'a StandIn> {
    let own = |group: &Group| holds(access, request, group);
    let awaited: Vec<&Group> = ProgressedRequirement::awaited(before).flat_map(ProgressedRequirement::groups).collect();
    if awaited.iter().copied().any(own) {
        return None;
    }
    let said = |one: &StandIn| {
        let mut approvals = reviews.iter().filter(|it| it.counts && it.holds && it.verdict == ReviewVerdict::Approved);
        approvals.any(|review| review.voice() == one.absent)
    };
    let free = || request.stands_in(access.person.id).filter(|one| !said(one));
    let wanted = free().find(|one| awaited.contains(&&one.group));
    let elsewhere = before.iter().flat_map(ProgressedRequirement::groups).any(own);
    wanted.or_else(|| free().next().filter(|_| !elsewhere))
}
