//! What a person holds, and who holds a role.

use sqlx::PgConnection;

use super::role::Role;
use super::store::{people, roles};
use super::{Access, IdentityError, Member, Person, Result};
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId};

/// The person with their teams and every role, those through teams included. Two queries.
pub async fn load_access(connection: &mut PgConnection, person: PersonId) -> Result<Access> {
    let person = people::find(connection, person).await?.ok_or(IdentityError::NotFound("person"))?;
    let held = roles::held(connection, person.id).await?;
    Ok(people::access_of(person, held)?)
}

/// Active people whose role counts in this environment type of a project, held directly or through a team, there,
/// in the project or on the platform: the names of those who could approve.
pub async fn people_with_role(
    connection: &mut PgConnection,
    place: (ProjectId, ProjectEnvironmentTypeId),
    role: Role,
) -> Result<Vec<Person>> {
    Ok(roles::people_with_role(connection, place, role).await?)
}

/// Active members of the team with this slug, by name.
pub async fn people_in_team(connection: &mut PgConnection, team: &str) -> Result<Vec<Person>> {
    Ok(roles::people_in_team(connection, team).await?)
}

/// Active people who have a role given in this project or one of its environment types, directly or through a team,
/// by name.
pub async fn members(connection: &mut PgConnection, project: ProjectId) -> Result<Vec<Member>> {
    Ok(roles::members(connection, project).await?)
}
