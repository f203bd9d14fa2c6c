//! Use-cases of projects: look up, set up.

use std::collections::HashSet;

use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::store::{projects, quotas, targets};
use super::{
    Error, NewProjectEnvironmentType, Place, Project, ProjectEnvironmentType, QuotaUse, StoredTarget, TargetLimits,
};
use crate::audit::{self, Entry, Object};
use crate::base::id::{EnvironmentTypeId, ProjectEnvironmentTypeId, ProjectId, TargetId};
use crate::base::{Op, Sealer};
use crate::db::{Result, Tx};
use crate::providers;

/// Projects by name; all of them, or only these.
pub async fn list(connection: &mut PgConnection, only: Option<&[ProjectId]>) -> Result<Vec<Project>> {
    projects::list(connection, only).await
}

/// The project with this slug.
pub async fn find(connection: &mut PgConnection, slug: &str) -> Result<Option<Project>> {
    projects::find(connection, slug).await
}

/// The environment types of a project, in the platform's order.
pub async fn environment_types(
    connection: &mut PgConnection,
    project: ProjectId,
) -> Result<Vec<ProjectEnvironmentType>> {
    projects::environment_types(connection, project).await
}

/// The environment types of these projects with their quotas, in the platform's order. Two queries.
pub async fn places(connection: &mut PgConnection, of: &[ProjectId]) -> Result<Vec<Place>> {
    let kinds = projects::environment_types_of(connection, of).await?;
    let ids: Vec<ProjectEnvironmentTypeId> = kinds.iter().map(|kind| kind.id).collect();
    let mut quotas = quotas::of_places(connection, &ids).await?;
    Ok(kinds
        .into_iter()
        .map(|kind| {
            let (own, rest) = std::mem::take(&mut quotas).into_iter().partition(|(place, _)| *place == kind.id);
            quotas = rest;
            let own: Vec<(ProjectEnvironmentTypeId, QuotaUse)> = own;
            Place { kind, quotas: own.into_iter().map(|(_, quota)| quota).collect() }
        })
        .collect())
}

/// One enabled environment type of a project, out of all of them, by its slug.
pub fn pick_environment_type(
    project: &Project,
    types: &[ProjectEnvironmentType],
    slug: &str,
) -> Result<ProjectEnvironmentType, Error> {
    let found = types.iter().find(|place| place.slug == slug && place.enabled).cloned();
    found.ok_or_else(|| Error::NoEnvironmentType { project: project.slug.clone(), slug: slug.to_owned() })
}

/// Slug and name of every environment type of the platform, in its order.
pub async fn all_environment_types(connection: &mut PgConnection) -> Result<Vec<(String, String)>> {
    projects::all_environment_types(connection).await
}

/// The target that `provider` uses at a project environment type.
pub async fn target(
    connection: &mut PgConnection,
    place: ProjectEnvironmentTypeId,
    provider: &str,
) -> Result<Option<StoredTarget>> {
    targets::at(connection, place, provider).await
}

/// Which of these project environment types have a target that `provider` uses.
pub async fn places_with_target(
    connection: &mut PgConnection,
    places: &[ProjectEnvironmentTypeId],
    provider: &str,
) -> Result<HashSet<ProjectEnvironmentTypeId>> {
    targets::bound(connection, places, provider).await
}

/// A target with its credential opened, for a run.
pub async fn open_target(
    connection: &mut PgConnection,
    sealer: &Sealer,
    id: TargetId,
) -> Result<Option<providers::Target>, Error> {
    let stored = targets::find(connection, id).await?;
    stored.map(|stored| super::connect::open(sealer, stored)).transpose()
}

/// Makes the project unless its slug is taken.
pub async fn ensure_project(tx: &mut Tx, op: &Op, slug: &str, name: &str, summary: &str) -> Result<ProjectId> {
    projects::ensure(tx, ProjectId::new(op.clock(), op.entropy()), slug, name, summary).await
}

/// Makes the platform's environment type unless its slug is taken.
pub async fn ensure_environment_type(
    tx: &mut Tx,
    op: &Op,
    slug: &str,
    name: &str,
    position: i32,
) -> Result<EnvironmentTypeId> {
    projects::ensure_environment_type(tx, EnvironmentTypeId::new(op.clock(), op.entropy()), slug, name, position).await
}

/// Enables an environment type for a project unless it is.
pub async fn ensure_project_environment_type(
    tx: &mut Tx,
    op: &Op,
    new: &NewProjectEnvironmentType,
) -> Result<ProjectEnvironmentTypeId> {
    let id = ProjectEnvironmentTypeId::new(op.clock(), op.entropy());
    projects::ensure_project_environment_type(tx, id, new).await
}

/// Makes the target, or gives the one of this slug new settings and a new credential.
pub async fn ensure_target(
    tx: &mut Tx,
    op: &Op,
    sealer: &Sealer,
    (slug, name, provider): (&str, &str, &str),
    settings: Value,
    secret: Option<&SecretString>,
) -> Result<TargetId, Error> {
    let new = StoredTarget {
        id: TargetId::new(op.clock(), op.entropy()),
        slug: slug.to_owned(),
        name: name.to_owned(),
        provider: provider.to_owned(),
        settings,
        generation: 1,
        secret: None,
        next_secret: None,
    };
    let id = targets::ensure(tx, &new).await?;
    if let Some(secret) = secret {
        super::connect::set_credential(tx, op, sealer, id, secret).await?;
    }
    Ok(id)
}

/// Sets how many runs of a target may be at work at a time, and what a worker must have for those
/// that are asked for from now on. The caller has the permit to. `None`: there is no such target.
pub async fn limit_target(
    tx: &mut Tx,
    op: &Op,
    id: TargetId,
    run_limit: Option<i32>,
    labels: &[String],
) -> Result<Option<TargetLimits>> {
    let Some(before) = targets::limits(tx, id).await? else { return Ok(None) };
    targets::set_limits(tx, id, run_limit, labels).await?;
    let detail = json!({
        "run_limit": run_limit, "labels": labels,
        "before": {"run_limit": before.run_limit, "labels": before.labels},
    });
    let object = Object::new("target", id.0, before.slug.clone());
    audit::append(tx, op, Entry::new("target.limited", object).detail(detail)).await?;
    Ok(Some(TargetLimits { run_limit, labels: labels.to_vec(), ..before }))
}

/// Says which target a provider uses at a project environment type.
pub async fn bind_target(tx: &mut Tx, place: ProjectEnvironmentTypeId, provider: &str, target: TargetId) -> Result<()> {
    targets::bind(tx, place, provider, target).await
}
