//! `GET /admin/roles`: who holds which role where, newest first.

use axum::response::Response;

use super::view::{RoleRow, RolesPage};
use super::{look, may_manage};
use crate::identity::{self, Binding, Holder, Source};
use crate::web::answer::{self, Query};
use crate::web::error::PageError;
use crate::web::listing::{self, PAGE_SIZE};
use crate::web::shell::Section;
use crate::web::ui::{Empty, FilterBar};
use crate::web::visitor::Visitor;
use crate::web::words::{Times, count};
use crate::web::{frame, queue, urls};

/// The page.
pub async fn page(visitor: Visitor, query: Query) -> Result<Response, PageError> {
    let permit = look(&visitor)?;
    let after = listing::cursor(&query)?;
    let asked = query.get("q");
    let mut connection = visitor.app.db.acquire().await?;
    let found = identity::list_bindings(&mut connection, &permit, asked, after, PAGE_SIZE).await?;
    let to_judge = identity::count_to_judge(&mut connection).await?;
    drop(connection);
    let (manages, times) = (may_manage(&visitor), visitor.times());
    let rows: Vec<RoleRow> = found.items.iter().map(|one| row(one, manages, &times)).collect();
    let page = RolesPage {
        shell: frame::shell(&visitor, Section::Admin, "Roles").await?,
        tabs: queue::tabs(urls::ADMIN_ROLES),
        lede: "Who holds which role, where and until when. A role in a project counts there, one in an environment \
               type of it only there, one on the platform everywhere."
            .to_owned(),
        filter: FilterBar {
            action: urls::ADMIN_ROLES.to_owned(),
            q: asked.to_owned(),
            placeholder: "Name, team, role, project or environment type".to_owned(),
            selects: Vec::new(),
            keep: Vec::new(),
            chips: listing::chips(urls::ADMIN_ROLES, &query, &[("q", "Filter", asked.to_owned())]),
        },
        to_judge,
        give_href: manages.then_some(urls::ADMIN_ROLE_NEW),
        empty: rows.is_empty().then(|| Empty {
            icon: "users-round",
            title: "No role fits".to_owned(),
            text: "Take the filter away.".to_owned(),
            action: None,
        }),
        pager: listing::pager(
            urls::ADMIN_ROLES,
            &query,
            count(rows.len(), "role", "roles"),
            found.next_cursor.as_deref(),
        ),
        rows,
    };
    answer::page(&page)
}

fn row(one: &Binding, manages: bool, times: &Times) -> RoleRow {
    RoleRow {
        name: one.name.clone(),
        key: key(one),
        href: manages.then(|| urls::admin_role(one.id)),
        role: one.role.to_string(),
        place: match (&one.project_slug, &one.environment_type) {
            (Some(slug), Some(kind)) => format!("{kind} of {slug}"),
            (Some(slug), None) => slug.clone(),
            (None, _) => "the platform".to_owned(),
        },
        ends: one.expires_at.map(|end| times.near(end)),
        by: by(one),
    }
}

/// The login, or the team with how many it has.
pub(super) fn key(one: &Binding) -> String {
    match one.holder {
        Holder::Person(_) => one.key.clone(),
        Holder::Team(_) => {
            format!("team {}, {}", one.key, count(usize::try_from(one.members).unwrap_or(0), "person", "people"))
        }
    }
}

/// Who gave it, or where it comes from.
pub(super) fn by(one: &Binding) -> String {
    match one.source {
        Source::Oidc => "the identity provider".to_owned(),
        Source::Demo => "the demo".to_owned(),
        Source::Elevation if one.given_by.is_empty() => "taken in an emergency".to_owned(),
        Source::Elevation => format!("asked for, granted by {}", one.given_by),
        Source::Local if one.given_by.is_empty() => "set-up".to_owned(),
        Source::Local => one.given_by.clone(),
    }
}
