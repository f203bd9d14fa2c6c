//! The person behind (issuer, subject), made at the first sign-in.

use serde_json::json;

use super::verify::Claims;
use crate::audit::{self, Entry};
use crate::base::Op;
use crate::db::Tx;
use crate::identity::store::{external as store, people as person_store};
use crate::identity::{IdentityError, NewPerson, Person, Result, people};

const LONGEST_LOGIN: usize = 80;
const LONGEST_NAME: usize = 200;
const LONGEST_EMAIL: usize = 254;
/// After this many taken logins something else is wrong.
const MOST_TRIES: usize = 1000;

/// Finds the person, or makes one. Neither login nor e-mail can ever lead to somebody who is there
/// already: both are the provider's to choose, and an attacker's to choose there.
pub(super) async fn find_or_make(tx: &mut Tx, op: &Op, claims: &Claims) -> Result<Person> {
    store::lock(tx, &claims.issuer, &claims.subject).await?;
    let name = cut(claims.name.as_deref().or(claims.username.as_deref()).unwrap_or(&claims.subject), LONGEST_NAME);
    let name = if name.is_empty() { "Unnamed".to_owned() } else { name };
    let email = claims.email.as_deref().map(|text| cut(text, LONGEST_EMAIL)).filter(|text| text.contains('@'));
    let person = if let Some(id) = store::find_person(tx, &claims.issuer, &claims.subject).await? {
        let person = person_store::find(tx, id).await?.ok_or(IdentityError::NotFound("person"))?;
        if person.display_name != name || person.email != email {
            store::update_person(tx, id, &name, email.as_deref()).await?;
            audit::append(tx, op, Entry::new("person.updated", people::object(&person))).await?;
        }
        Person { display_name: name, email, ..person }
    } else {
        make(tx, op, claims, name, email).await?
    };
    let seen = json!({"preferred_username": claims.username, "groups": claims.groups});
    store::upsert_identity(tx, &claims.issuer, &claims.subject, person.id, &seen).await?;
    Ok(person)
}

async fn make(tx: &mut Tx, op: &Op, claims: &Claims, name: String, email: Option<String>) -> Result<Person> {
    let base = login_of(claims.username.as_deref().unwrap_or(&claims.subject));
    let mut new = NewPerson { login: base.clone(), display_name: name, email, ..NewPerson::default() };
    for number in 2..MOST_TRIES {
        if people::check_login(&new.login).is_ok()
            && let Some(person) = people::try_create(tx, op, &new).await?
        {
            return Ok(person);
        }
        new.login = format!("{base}-{number}");
    }
    Err(IdentityError::LoginTaken(base))
}

/// A well-formed login made of what the provider calls the person.
fn login_of(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || "._@+-".contains(c) { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(LONGEST_LOGIN)
        .collect();
    if kept.is_empty() { "user".to_owned() } else { kept }
}

fn cut(text: &str, longest: usize) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_username_gives_a_login() {
        for (from, to) in [
            ("Dana.Reyes@Example.com", "dana.reyes@example.com"),
            ("Dana Reyes", "dana-reyes"),
            ("__x", "x"),
            ("Ünal", "nal"),
            ("漢字", "user"),
            ("", "user"),
        ] {
            assert_eq!(login_of(from), to);
            assert!(people::check_login(&login_of(from)).is_ok(), "{from}");
        }
        assert_eq!(login_of(&"x".repeat(300)).len(), LONGEST_LOGIN);
    }
}
