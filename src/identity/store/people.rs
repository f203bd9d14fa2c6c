//! People and teams.

use std::collections::{BTreeMap, BTreeSet};

use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::roles::HeldRow;
use crate::base::cursor::{Cursor, MAX_PAGE};
use crate::base::id::{PersonId, ProjectEnvironmentTypeId, ProjectId, TeamId};
use crate::db::{Error, Result};
use crate::identity::{Access, NewPerson, Person, PlaceRoles, Source, Team};

/// A choice of more is no choice.
const MOST_TEAMS: i64 = 1000;

pub(in crate::identity) struct PersonRow {
    pub id: PersonId,
    pub login: String,
    pub display_name: String,
    pub email: Option<String>,
    pub active: bool,
    pub demo: bool,
    pub service: bool,
    pub created_at: jiff_sqlx::Timestamp,
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        Self {
            id: row.id,
            login: row.login,
            display_name: row.display_name,
            email: row.email,
            active: row.active,
            demo: row.demo,
            service: row.service,
            created_at: row.created_at.to_jiff(),
        }
    }
}

/// A credential that works, with its active person and what they hold: how sessions and API tokens
/// are found.
pub(in crate::identity) struct HolderRow<Id> {
    pub credential: Id,
    /// It was last used more than a minute ago.
    pub stale: bool,
    pub scopes: Vec<String>,
    pub id: PersonId,
    pub login: String,
    pub display_name: String,
    pub email: Option<String>,
    pub demo: bool,
    pub service: bool,
    pub created_at: jiff_sqlx::Timestamp,
    pub held: Json<Vec<HeldRow>>,
}

impl<Id> HolderRow<Id> {
    pub fn into_access(self) -> Result<Access> {
        let person = Person {
            id: self.id,
            login: self.login,
            display_name: self.display_name,
            email: self.email,
            active: true,
            demo: self.demo,
            service: self.service,
            created_at: self.created_at.to_jiff(),
        };
        access_of(person, self.held.0)
    }
}

/// A [`HolderRow`]: which columns are its credential's, and where it is found.
macro_rules! find_holder {
    ($credential:tt, $table:tt, $where:tt, $digest:expr) => {
        sqlx::query_as!(
            HolderRow,
            "SELECT "
                + $credential
                + r#", p.id AS "id: _", p.login, p.display_name, p.email, p.demo, p.service, p.created_at,
                   (SELECT coalesce(json_agg(held), '[]') FROM held WHERE held.person_id = p.id) AS "held!: _"
               FROM "#
                + $table
                + " c JOIN person p ON p.id = c.person_id WHERE c.token_hash = $1 AND p.active AND "
                + $where,
            $digest
        )
    };
}
pub(super) use find_holder;

/// Everything that a person holds, from its rows.
pub(in crate::identity) fn access_of(person: Person, held: Vec<HeldRow>) -> Result<Access> {
    let mut access = Access {
        person,
        teams: Vec::new(),
        platform_roles: BTreeSet::new(),
        project_roles: BTreeMap::new(),
        place_roles: BTreeMap::new(),
    };
    for row in held {
        match (row.role, row.project.map(ProjectId), row.place.zip(row.environment_type)) {
            (None, None, None) => access.teams.extend(row.team.zip(row.slug.zip(row.name)).map(team)),
            (Some(role), None, None) => {
                access.platform_roles.insert(role);
            }
            (Some(role), Some(project), None) => {
                access.project_roles.entry(project).or_default().insert(role);
            }
            (Some(role), Some(project), Some((place, slug))) => {
                let places = access.place_roles.entry(project).or_default();
                let none = || PlaceRoles { place: ProjectEnvironmentTypeId(place), roles: BTreeSet::new() };
                places.entry(slug).or_insert_with(none).roles.insert(role);
            }
            _ => return Err(Error::Corrupt("role binding")),
        }
    }
    access.teams.sort_unstable_by(|one, other| one.slug.cmp(&other.slug));
    Ok(access)
}

fn team((id, (slug, name)): (Uuid, (String, String))) -> Team {
    Team { id: TeamId(id), slug, name }
}

/// `None` when the login is taken.
pub(in crate::identity) async fn insert(
    connection: &mut PgConnection,
    id: PersonId,
    new: &NewPerson,
) -> Result<Option<Person>> {
    let row = sqlx::query_as!(
        PersonRow,
        r#"INSERT INTO person (id, login, display_name, email, demo, service) VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (login) DO NOTHING
           RETURNING id AS "id: _", login, display_name, email, active, demo, service, created_at"#,
        id.0,
        new.login,
        new.display_name,
        new.email,
        new.demo,
        new.service,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

pub(in crate::identity) async fn find(connection: &mut PgConnection, id: PersonId) -> Result<Option<Person>> {
    let row = sqlx::query_as!(
        PersonRow,
        r#"SELECT id AS "id: _", login, display_name, email, active, demo, service, created_at
           FROM person WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

/// The names to show of these people.
pub(in crate::identity) async fn names(
    connection: &mut PgConnection,
    ids: &[PersonId],
) -> Result<Vec<(PersonId, String)>> {
    let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(r#"SELECT id AS "id: PersonId", display_name FROM person WHERE id = ANY ($1)"#, &ids)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.display_name)).collect())
}

pub(in crate::identity) async fn find_by_login(connection: &mut PgConnection, login: &str) -> Result<Option<Person>> {
    let row = sqlx::query_as!(
        PersonRow,
        r#"SELECT id AS "id: _", login, display_name, email, active, demo, service, created_at
           FROM person WHERE login = $1"#,
        login
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Into::into))
}

pub(in crate::identity) async fn list(
    connection: &mut PgConnection,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Person>> {
    let rows = sqlx::query_as!(
        PersonRow,
        r#"SELECT id AS "id: _", login, display_name, email, active, demo, service, created_at
           FROM person
           WHERE $1::timestamptz IS NULL OR (created_at, id) < ($1, $2)
           ORDER BY created_at DESC, id DESC
           LIMIT $3"#,
        after.map(|cursor| cursor.at.to_sqlx()) as Option<jiff_sqlx::Timestamp>,
        after.map(|cursor| cursor.id),
        limit.clamp(1, MAX_PAGE) + 1,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// True when that changed something.
pub(in crate::identity) async fn set_active(connection: &mut PgConnection, id: PersonId, active: bool) -> Result<bool> {
    let done = sqlx::query!("UPDATE person SET active = $2 WHERE id = $1 AND active <> $2", id.0, active)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(in crate::identity) async fn insert_team(
    connection: &mut PgConnection,
    id: TeamId,
    slug: &str,
    name: &str,
) -> Result<Option<Team>> {
    let row = sqlx::query_as!(
        Team,
        r#"INSERT INTO team (id, slug, name) VALUES ($1, $2, $3) ON CONFLICT (slug) DO NOTHING
           RETURNING id AS "id: _", slug, name"#,
        id.0,
        slug,
        name
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

pub(in crate::identity) async fn find_team(connection: &mut PgConnection, slug: &str) -> Result<Option<Team>> {
    let row = sqlx::query_as!(Team, r#"SELECT id AS "id: _", slug, name FROM team WHERE slug = $1"#, slug)
        .fetch_optional(connection)
        .await?;
    Ok(row)
}

pub(in crate::identity) async fn list_teams(connection: &mut PgConnection) -> Result<Vec<Team>> {
    Ok(sqlx::query_as!(
        Team,
        r#"SELECT id AS "id: _", slug, name FROM team ORDER BY lower(name), slug LIMIT $1"#,
        MOST_TEAMS
    )
    .fetch_all(connection)
    .await?)
}

/// True when the person was not a member from this source before.
pub(in crate::identity) async fn insert_member(
    connection: &mut PgConnection,
    team: TeamId,
    person: PersonId,
    source: Source,
) -> Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO team_member (team_id, person_id, source) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        team.0,
        person.0,
        source as Source
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
