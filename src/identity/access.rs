//! What a person holds, and who holds a role.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::role::Role;
use super::store::{people, roles};
use super::{Access, IdentityError, Member, Person, Result, Team};
use crate::base::id::{PersonId, ProjectId};
use crate::db;

/// The person with their teams and every role, those through teams included. Two queries.
pub async fn load_access(connection: &mut PgConnection, person: PersonId) -> Result<Access> {
    let person = people::find(connection, person).await?.ok_or(IdentityError::NotFound("person"))?;
    of_person(connection, person).await
}

/// The same when the person's row was read already. One query.
pub(super) async fn of_person(connection: &mut PgConnection, person: Person) -> Result<Access> {
    let mut access =
        Access { person, teams: Vec::new(), platform_roles: BTreeSet::new(), project_roles: BTreeMap::new() };
    for row in roles::held(connection, access.person.id).await? {
        match (row.team, row.slug, row.name, row.role, row.project) {
            (Some(id), Some(slug), Some(name), None, None) => access.teams.push(Team { id, slug, name }),
            (None, None, None, Some(role), None) => {
                access.platform_roles.insert(role);
            }
            (None, None, None, Some(role), Some(project)) => {
                access.project_roles.entry(project).or_default().insert(role);
            }
            _ => return Err(db::Error::Corrupt("role binding").into()),
        }
    }
    Ok(access)
}

/// Active people who have this role in this project, directly, through a team or on the platform:
/// the names of those who could approve.
pub async fn people_with_role(connection: &mut PgConnection, project: ProjectId, role: Role) -> Result<Vec<Person>> {
    Ok(roles::people_with_role(connection, project, role).await?)
}

/// Active people who have a role given in this project, directly or through a team, by name.
pub async fn members(connection: &mut PgConnection, project: ProjectId) -> Result<Vec<Member>> {
    Ok(roles::members(connection, project).await?)
}
