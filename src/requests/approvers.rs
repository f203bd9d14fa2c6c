//! Who could agree, by name.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::Error;
use crate::base::id::{ProjectEnvironmentTypeId, ProjectId};
use crate::identity::{self, Person};
use crate::policy::Group;

/// Active people whose approval counts for a requirement of one of these groups in an environment type of a project,
/// by name.
pub async fn people_of<'a>(
    connection: &mut PgConnection,
    place: (ProjectId, ProjectEnvironmentTypeId),
    groups: impl IntoIterator<Item = &'a Group>,
) -> Result<Vec<Person>, Error> {
    let (mut seen, mut people) = (BTreeSet::new(), Vec::new());
    for group in groups {
        let found = match group {
            Group::Role(role) => identity::people_with_role(connection, place, *role).await?,
            Group::Team(team) => identity::people_in_team(connection, team).await?,
        };
        people.extend(found.into_iter().filter(|person| seen.insert(person.id)));
    }
    Ok(people)
}
