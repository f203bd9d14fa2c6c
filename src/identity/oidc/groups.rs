//! From the provider's groups to teams and roles.

use std::collections::BTreeSet;

use super::{Oidc, OidcError};
use crate::audit::{self, Entry, Object};
use crate::base::id::ProjectId;
use crate::base::{Op, text};
use crate::db::Tx;
use crate::identity::store::external as store;
use crate::identity::{Holder, Person, Result, Role, Source, people};

impl Oidc {
    /// Makes the person's memberships and roles from the provider exactly what the groups mean now.
    /// What an admin gave by hand stays.
    pub(super) async fn sync(&self, tx: &mut Tx, op: &Op, person: &Person, groups: &[String]) -> Result<()> {
        let rules: Vec<_> = self.config.groups.iter().filter(|rule| groups.contains(&rule.name)).collect();
        let teams: BTreeSet<&str> = rules.iter().filter_map(|rule| rule.team.as_deref()).collect();
        let mut wanted: BTreeSet<(Role, Option<ProjectId>)> = BTreeSet::new();
        for rule in rules {
            let Some(name) = &rule.role else { continue };
            let unknown = || OidcError::Misconfigured(format!("there is no role “{name}”"));
            let role = Role::parse(name).ok_or_else(unknown)?;
            match &rule.project {
                None => {
                    wanted.insert((role, None));
                }
                Some(slug) => {
                    let Some(id) = store::find_project(tx, slug).await? else {
                        tracing::warn!(operation.id = %op.id, project = %slug, "identity.oidc.group_without_project");
                        continue;
                    };
                    wanted.insert((role, Some(id)));
                }
            }
        }
        self.sync_teams(tx, op, person, &teams).await?;
        let holder = Holder::Person(person.id);
        for (role, project) in store::roles(tx, person.id).await? {
            if !wanted.contains(&(role, project)) {
                people::unbind_role(tx, op, role, holder, project, Source::Oidc).await?;
            }
        }
        for (role, project) in wanted {
            people::bind_role(tx, op, role, holder, project, Source::Oidc).await?;
        }
        Ok(())
    }

    async fn sync_teams(&self, tx: &mut Tx, op: &Op, person: &Person, names: &BTreeSet<&str>) -> Result<()> {
        let slugs: BTreeSet<String> = names.iter().map(|name| text::slugify(name)).collect();
        for team in store::leave_other_teams(tx, person.id, &slugs).await? {
            let detail = serde_json::json!({"person": person.id, "login": person.login, "source": Source::Oidc});
            let object = Object::new("team", team.id.0, team.slug);
            audit::append(tx, op, Entry::new("team.left", object).detail(detail)).await?;
        }
        for name in names {
            let team = people::ensure_team(tx, op, &text::slugify(name), name).await?;
            people::join_team(tx, op, &team, person, Source::Oidc).await?;
        }
        Ok(())
    }
}
