//! `GET /admin/quotas`: every quota, by what it is for, with what is taken.

use axum::response::Response;

use super::view::{QuotaGroup, QuotaRow, QuotasPage};
use super::{look, may_manage};
use crate::projects::{self, ListedQuota, QuotaScope, WhenFull};
use crate::web::answer;
use crate::web::error::{PageError, sentence};
use crate::web::shell::Section;
use crate::web::ui::{Empty, QuotaBar};
use crate::web::visitor::Visitor;
use crate::web::words::count;
use crate::web::{frame, queue, urls};

/// The page.
pub async fn page(visitor: Visitor) -> Result<Response, PageError> {
    let permit = look(&visitor)?;
    let quotas = projects::quotas(&mut *visitor.app.db.acquire().await?, &permit).await?;
    let manages = may_manage(&visitor);
    let full = quotas.iter().filter(|one| one.quota.taken() >= one.quota.maximum).count();
    let lede = match full {
        0 => "How much may be taken, and where. A request must fit into every one that it counts in.".to_owned(),
        full => format!("{} used up: requests there are refused or wait.", count(full, "quota is", "quotas are")),
    };
    let group = |scope: QuotaScope| QuotaGroup {
        id: scope.as_str(),
        title: title(scope),
        rows: quotas.iter().filter(|one| one.quota.scope == scope).map(|one| row(one, manages)).collect(),
    };
    let page = QuotasPage {
        shell: frame::shell(&visitor, Section::Admin, "Quotas").await?,
        tabs: queue::tabs(urls::ADMIN_QUOTAS),
        lede,
        groups: QuotaScope::ALL.map(group).into_iter().filter(|group| !group.rows.is_empty()).collect(),
        add_href: manages.then_some(urls::ADMIN_QUOTA_NEW),
        empty: quotas.is_empty().then(|| Empty {
            icon: "sliders-horizontal",
            title: "There is no quota yet".to_owned(),
            text: "Everybody may take as much as policy allows.".to_owned(),
            action: manages.then(|| ("Add a quota".to_owned(), urls::ADMIN_QUOTA_NEW.to_owned())),
        }),
    };
    answer::page(&page)
}

/// The scope as a heading.
pub(super) fn title(scope: QuotaScope) -> &'static str {
    match scope {
        QuotaScope::Organisation => "Organisation",
        QuotaScope::Project => "Projects",
        QuotaScope::EnvironmentType => "Environment types, in all projects together",
        QuotaScope::ProjectEnvironmentType => "Environment types of projects",
        QuotaScope::Team => "Teams",
        QuotaScope::User => "Users",
    }
}

/// What is taken of the limit.
pub(super) fn bar(one: &ListedQuota) -> QuotaBar {
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    let taken = number(one.quota.taken());
    let label = match (one.for_each, one.fullest.as_str()) {
        (true, "") => "Nobody has taken any".to_owned(),
        (true, most) => format!("Most: {most}"),
        (false, _) => "Taken".to_owned(),
    };
    QuotaBar::new(label, taken, taken, number(one.quota.maximum))
}

fn row(one: &ListedQuota, manages: bool) -> QuotaRow {
    let quota = &one.quota;
    let of = match (one.for_each, quota.scope) {
        (true, QuotaScope::Team) => "Each team without its own".to_owned(),
        (true, _) => "Each user without their own".to_owned(),
        (false, QuotaScope::Organisation) => "Everything".to_owned(),
        (false, _) => quota.of.clone(),
    };
    let mut notes = Vec::new();
    if quota.reserved > 0 {
        notes.push(format!("{} of it reserved", quota.reserved));
    }
    if quota.when_full == WhenFull::Wait || quota.waiting > 0 {
        notes.push(match usize::try_from(quota.waiting).unwrap_or(0) {
            0 => "who finds it full waits in line".to_owned(),
            waiting => format!("{} in line", count(waiting, "request waits", "requests wait")),
        });
    }
    if !quota.count_stopped {
        notes.push(match quota.stopped {
            0 => "what is stopped does not count".to_owned(),
            stopped => format!("{stopped} stopped, not counted"),
        });
    }
    QuotaRow {
        of,
        href: manages.then(|| urls::admin_quota(quota.id)),
        dimension: quota.dimension.clone(),
        bar: bar(one),
        note: if notes.is_empty() { String::new() } else { sentence(&notes.join("; ")) },
    }
}
