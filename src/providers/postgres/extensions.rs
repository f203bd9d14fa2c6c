//! Extensions, by the list of the target.
//!
//! Who has CREATE on a database may install every extension that the server trusts, and an owner has
//! it. Where the target lists extensions, its databases therefore belong to the administrator: the
//! role may connect, use temporary tables and make what it likes in the schema `public`, but neither
//! schemas nor extensions. Without a list the role owns its database, and asks nobody.
//!
//! What is asked for is installed into a schema of its own, where only the administrator creates
//! anything: an installation script runs with the administrator's rights, and must not meet what a
//! tenant prepared for it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::inspect::Installed;
use super::session::Session;
use super::settings::{self, Wish};
use super::sql::Statement;
use crate::base::FieldError;
use crate::base::failpoint::reach;
use crate::providers::{Host, ProviderError, Stream};

/// The schema of everything that Paddock installs.
pub const SCHEMA: &str = "extensions";
/// The one that every database has from its beginning.
pub const ALWAYS_THERE: &str = "plpgsql";

/// What a target says of extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    target: String,
    listed: Option<BTreeSet<String>>,
}

impl Rule {
    /// From the settings of the target.
    pub fn of(settings: &Value, target: &str) -> Self {
        let listed = settings.get("extensions").and_then(Value::as_array).filter(|list| !list.is_empty());
        let names = |list: &Vec<Value>| list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Self { target: target.to_owned(), listed: listed.map(names) }
    }

    /// Whether databases are closed to all that is not listed.
    pub fn closes(&self) -> bool {
        self.listed.is_some()
    }

    /// Whether it is listed.
    pub fn lists(&self, name: &str) -> bool {
        name == ALWAYS_THERE || self.listed.as_ref().is_some_and(|listed| listed.contains(name))
    }

    /// Why one of these cannot be had on the target, in words.
    pub fn objection(&self, asked: &[String]) -> Option<String> {
        let refused: Vec<&str> = asked.iter().map(String::as_str).filter(|name| !self.lists(name)).collect();
        if refused.is_empty() {
            return None;
        }
        let (refused, target) = (refused.join(", "), &self.target);
        Some(match &self.listed {
            None => format!("the target {target} lists no extensions that environments may have, so not {refused}"),
            Some(listed) => {
                let listed: Vec<&str> = listed.iter().map(String::as_str).collect();
                let listed = listed.join(", ");
                format!("the target {target} does not allow the extension {refused}; it allows {listed}")
            }
        })
    }
}

/// Whether template or inputs ask for any. What cannot be read is told by the plan.
pub fn are_asked_for(config: &Value, inputs: &Map<String, Value>) -> bool {
    settings::extensions(config, inputs).is_ok_and(|asked| !asked.is_empty())
}

/// What the settings of a target refuse, without asking the server.
pub fn objections(config: &Value, inputs: &Map<String, Value>, settings: &Value, target: &str) -> Vec<FieldError> {
    let rule = Rule::of(settings, target);
    let Ok(asked) = settings::extensions(config, inputs) else { return Vec::new() };
    let given = inputs.contains_key("extensions");
    let pointer = if given { "/inputs/extensions" } else { "/template" };
    rule.objection(&asked).map(|why| FieldError::new(pointer, why)).into_iter().collect()
}

/// The wish, with its extensions in an order in which they can be installed; refused where the target does
/// not list one, or the server does not have it.
pub async fn checked(session: &mut Session, mut wish: Wish) -> Result<Wish, ProviderError> {
    if let Some(why) = wish.rule.objection(&wish.extensions) {
        return Err(ProviderError::failed(why));
    }
    if wish.extensions.is_empty() {
        return Ok(wish);
    }
    let available = available(session, &wish.extensions).await?;
    let mut ordered: Vec<String> = Vec::new();
    while ordered.len() < wish.extensions.len() {
        let before = ordered.len();
        for name in &wish.extensions {
            let Some(one) = available.iter().find(|one| one.name == *name) else {
                return Err(ProviderError::failed(format!(
                    "the extension {name} is not available on the server; ask the platform team to install its package"
                )));
            };
            let asked = |needed: &&String| *needed == ALWAYS_THERE || wish.extensions.contains(needed);
            if let Some(missing) = one.requires.iter().find(|needed| !asked(needed)) {
                return Err(ProviderError::failed(format!("the extension {name} needs {missing}: ask for both")));
            }
            let met = |needed: &String| needed == ALWAYS_THERE || ordered.contains(needed);
            if !ordered.contains(name) && one.requires.iter().all(met) {
                ordered.push(name.clone());
            }
        }
        if ordered.len() == before {
            return Err(ProviderError::failed("the extensions need one another in a circle"));
        }
    }
    wish.extensions = ordered;
    Ok(wish)
}

/// An extension that the server could install.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Available {
    /// Its name.
    pub name: String,
    /// Whether a superuser must do it, because the server does not trust it.
    pub superuser: bool,
    /// What it needs.
    pub requires: Vec<String>,
    /// Whether it goes to a schema of its own choice.
    pub fixed: bool,
}

/// Those of these names, in their default versions.
pub async fn available(session: &mut Session, names: &[String]) -> Result<Vec<Available>, ProviderError> {
    session
        .read(async |c| {
            sqlx::query_as(
                "SELECT v.name::text AS name, v.superuser AND NOT v.trusted AS superuser, \
                    coalesce(v.requires, '{}')::text[] AS requires, v.schema IS NOT NULL AS fixed \
                 FROM pg_available_extension_versions v \
                 JOIN pg_available_extensions e ON e.name = v.name AND e.default_version = v.version \
                 WHERE v.name = ANY($1::text[]) ORDER BY v.name",
            )
            .bind(names)
            .fetch_all(c)
            .await
        })
        .await
}

/// Makes the database inside as the wish says. `session` is connected to it, as its owner.
pub async fn make(
    session: &mut Session,
    wish: &Wish,
    installed: &[Installed],
    host: &dyn Host,
) -> Result<(), ProviderError> {
    let (makes_in_public, keeper): (bool, Option<bool>) = session
        .read(async |c| {
            sqlx::query_as(
                "SELECT coalesce(bool_or(nspname = 'public' AND has_schema_privilege($1, oid, 'CREATE')) \
                        OR NOT bool_or(nspname = 'public'), true), \
                    bool_and(pg_has_role(current_user, nspowner, 'MEMBER') AND pg_get_userbyid(nspowner) <> $1) \
                        FILTER (WHERE nspname = $2) \
                 FROM pg_namespace WHERE nspname IN ('public', $2)",
            )
            .bind(&wish.name)
            .bind(SCHEMA)
            .fetch_one(c)
            .await
        })
        .await?;
    if !makes_in_public {
        session.write(Statement::new("GRANT USAGE, CREATE ON SCHEMA public TO ").identifier(&wish.name)).await?;
    }
    match keeper {
        Some(false) => {
            return Err(ProviderError::failed(format!(
                "the database has a schema named {SCHEMA} that is not the administrator's; rename it first"
            )));
        }
        Some(true) => {}
        None => {
            let create = Statement::new("CREATE SCHEMA ").identifier(SCHEMA);
            let grant = Statement::new("GRANT USAGE ON SCHEMA ").identifier(SCHEMA).text(" TO ").identifier(&wish.name);
            let path =
                Statement::new("ALTER ROLE ").identifier(&wish.name).text(" IN DATABASE ").identifier(&wish.name);
            let path = path.text(" SET search_path = \"$user\", public, ").identifier(SCHEMA);
            session.transaction(vec![create, grant, path]).await?;
        }
    }
    let available = available(session, &wish.extensions).await?;
    for name in &wish.extensions {
        if installed.iter().any(|there| there.name == *name) {
            continue;
        }
        host.log(Stream::Paddock, &format!("Installing extension {name}")).await?;
        let create = Statement::new("CREATE EXTENSION IF NOT EXISTS ").identifier(name);
        let fixed = available.iter().any(|one| one.name == *name && one.fixed);
        reach("postgres.extension");
        session.write(if fixed { create } else { create.text(" SCHEMA ").identifier(SCHEMA) }).await?;
        reach("postgres.extension_made");
    }
    // Those that need another one go before it.
    for there in unwanted(wish, installed).rev() {
        host.log(Stream::Paddock, &format!("Removing extension {}", there.name)).await?;
        session.write(Statement::new("DROP EXTENSION IF EXISTS ").identifier(&there.name).text(" RESTRICT")).await?;
    }
    Ok(())
}

/// What Paddock installed and nobody asks for any more, in the order in which it was installed.
pub fn unwanted<'a>(
    wish: &'a Wish,
    installed: &'a [Installed],
) -> impl DoubleEndedIterator<Item = &'a Installed> + use<'a> {
    installed.iter().filter(|there| there.schema == SCHEMA && !wish.extensions.contains(&there.name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_listed_is_refused_with_the_list() {
        let rule = Rule::of(&json!({"extensions": ["pg_trgm", "hstore"]}), "shared");
        assert!(rule.closes() && rule.objection(&["hstore".to_owned(), ALWAYS_THERE.to_owned()]).is_none());
        assert_eq!(
            rule.objection(&["hstore".to_owned(), "dblink".to_owned()]).unwrap(),
            "the target shared does not allow the extension dblink; it allows hstore, pg_trgm"
        );
        let none = Rule::of(&json!({"extensions": []}), "shared");
        assert!(!none.closes() && none.objection(&[]).is_none());
        let why = none.objection(&["hstore".to_owned()]).unwrap();
        assert_eq!(why, "the target shared lists no extensions that environments may have, so not hstore");
    }

    #[test]
    fn a_refusal_stands_beside_the_field_that_asked() {
        let Value::Object(inputs) = json!({"extensions": ["hstore"]}) else { unreachable!() };
        assert_eq!(objections(&json!({}), &inputs, &json!({}), "shared")[0].pointer, "/inputs/extensions");
        let config = json!({"extensions": ["hstore"]});
        assert_eq!(objections(&config, &Map::new(), &json!({}), "shared")[0].pointer, "/template");
        assert!(objections(&config, &Map::new(), &json!({"extensions": ["hstore"]}), "shared").is_empty());
    }
}
