//! `GET /admin/policies`: every version, and which one is in force.

use axum::response::Response;

use super::view::{PoliciesPage, VersionRow};
use super::{look, may_write, pill};
use crate::app::InForce;
use crate::policy::versions::{self, PolicyVersion, VersionState};
use crate::web::answer;
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::Empty;
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, queue, urls};

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    look(&visitor)?;
    let all = versions::list(&mut *visitor.app.db.acquire().await?).await?;
    let times = visitor.times();
    let waiting = all.iter().filter(|version| version.state == VersionState::Proposed).count();
    let lede = match waiting {
        0 => "Who may do what, in rules. A version that one admin wrote is published by another.".to_owned(),
        some => format!("{} for another admin to publish.", count(some, "version waits", "versions wait")),
    };
    answer::page(&PoliciesPage {
        shell: frame::shell(&visitor, Section::Admin, "Policies").await?,
        tabs: queue::tabs(urls::ADMIN_POLICIES),
        lede,
        warnings: warnings(&visitor),
        empty: all.is_empty().then(|| Empty {
            icon: "shield-check",
            title: "No version is stored".to_owned(),
            text: "The set inside Paddock decides. It becomes version 1 at the next start.".to_owned(),
            action: None,
        }),
        rows: all.into_iter().map(|version| row(version, &times)).collect(),
        draft_action: may_write(&visitor).then(|| urls::ADMIN_POLICY_NEW.to_owned()),
    })
}

/// What somebody must know about the rules in force.
pub(super) fn warnings(visitor: &Visitor) -> Vec<String> {
    let folder = visitor.app.policy_folder().map(|folder| {
        format!("The rules come from the folder {folder}: change them there, in Git, and start Paddock again. Here they can only be read.")
    });
    let InForce { wrong, .. } = visitor.app.policies_in_force();
    let wrong = wrong.map(|why| {
        format!("{} Until policies that fit are published, people see what is there, and nothing is made, changed or approved.", sentence(&why))
    });
    folder.into_iter().chain(wrong).collect()
}

fn row(version: PolicyVersion, times: &Times) -> VersionRow {
    VersionRow {
        title: format!("Version {}", version.number),
        href: urls::admin_policy(version.number),
        pill: pill(version.state),
        note: version.note,
        author: version.author,
        changed: times.near(version.updated_at),
        published_by: version.published.as_ref().and_then(|(_, by)| by.clone()).unwrap_or_default(),
        published: version.published.map(|(at, _)| times.near(at)),
    }
}
