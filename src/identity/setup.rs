//! The first admin: whoever can read the server's terminal.
//!
//! There is no default password. The server prints a code; the set-up page asks for it and makes
//! the first admin. A code works once, the newest replaces the ones before, and none works once an
//! admin exists.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;

use super::role::Role;
use super::store::local as store;
use super::{
    Browser, Holder, IdentityError, NewPerson, Result, Settings, SignInMethod, SignedIn, Source, password, people,
    session, throttle,
};
use crate::audit::{self, Entry, Object};
use crate::base::{Digest, Entropy, FieldError, Op};
use crate::db::Db;

const WRONG_CODE: &str = "the set-up code is wrong; the newest one stands on the server's terminal";
/// Crockford's base 32: nothing that looks like something else.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What the set-up page asks for.
#[derive(Debug)]
pub struct SetupForm {
    /// The code of the terminal; case, spaces and dashes do not matter.
    pub code: SecretString,
    /// The admin's login.
    pub login: String,
    /// The admin's name.
    pub display_name: String,
    /// The admin's password.
    pub password: SecretString,
}

/// Whether nobody can administer yet. Demo people do not count: they are gone without `--demo`.
pub async fn setup_needed(connection: &mut PgConnection) -> Result<bool> {
    Ok(!store::admin_exists(connection).await?)
}

/// A new set-up code to print on the terminal, or `None` when an admin exists.
pub async fn begin_setup(db: &Db, op: &Op) -> Result<Option<SecretString>> {
    let mut tx = db.begin().await?;
    if store::admin_exists(&mut tx).await? {
        return Ok(None);
    }
    let code = new_code(op.entropy());
    store::set_setup_code(&mut tx, digest(&code)).await?;
    audit::append(&mut tx, op, Entry::new("setup.begun", platform())).await?;
    tx.commit().await?;
    Ok(Some(code))
}

/// Makes the first admin and signs them in.
pub async fn complete_setup(
    db: &Db,
    op: &Op,
    settings: &Settings,
    form: &SetupForm,
    browser: Browser<'_>,
) -> Result<SignedIn> {
    let attempt = throttle::take(db, op, None).await?;
    let code = digest(&form.code);
    // Before anything else is said: the page is open to everybody who finds it.
    let mut tx = db.begin().await?;
    if store::admin_exists(&mut tx).await? {
        return Err(IdentityError::SetupDone);
    }
    if !store::setup_code_fits(&mut tx, code).await? {
        session::refused(&mut tx, op, None, SignInMethod::Local, "wrong set-up code").await?;
        tx.commit().await?;
        return Err(IdentityError::Wrong(WRONG_CODE));
    }
    tx.commit().await?;
    let new = NewPerson {
        login: form.login.trim().to_lowercase(),
        display_name: form.display_name.trim().to_owned(),
        ..NewPerson::default()
    };
    check(&new, &form.password)?;
    let hash = password::hash(op, &form.password).await?;

    let mut tx = db.begin().await?;
    if !store::use_setup_code(&mut tx, code).await? {
        return Err(IdentityError::Wrong(WRONG_CODE));
    }
    if store::admin_exists(&mut tx).await? {
        return Err(IdentityError::SetupDone);
    }
    let person = people::create_person(&mut tx, op, &new).await?;
    store::set_phc(&mut tx, person.id, &hash).await?;
    people::bind_role(&mut tx, op, Role::Admin, Holder::Person(person.id), None, Source::Local).await?;
    audit::append(&mut tx, op, Entry::new("setup.completed", platform())).await?;
    attempt.succeeded(&mut tx).await?;
    let signed_in = session::start(&mut tx, op, settings, person, SignInMethod::Local, browser).await?;
    tx.commit().await?;
    Ok(signed_in)
}

/// Everything that is wrong with the form, at once.
fn check(new: &NewPerson, password: &SecretString) -> Result<()> {
    let mut errors = Vec::new();
    for result in [people::check_login(&new.login), people::check_name(&new.display_name)] {
        match result {
            Ok(()) => {}
            Err(IdentityError::Invalid(more)) => errors.extend(more),
            Err(other) => return Err(other),
        }
    }
    if let Err(rule) = password::check(&new.login, password) {
        errors.push(FieldError::new("/password", rule));
    }
    if errors.is_empty() { Ok(()) } else { Err(IdentityError::Invalid(errors)) }
}

fn platform() -> Object {
    Object { kind: "platform", id: None, label: "paddock".to_owned() }
}

/// 100 random bits in four groups of five: `7K2QF-…`.
fn new_code(entropy: &dyn Entropy) -> SecretString {
    let mut random = [0; 20];
    entropy.fill(&mut random);
    let mut code = String::with_capacity(23);
    for (index, byte) in random.into_iter().enumerate() {
        if index > 0 && index % 5 == 0 {
            code.push('-');
        }
        code.push(ALPHABET.get(usize::from(byte % 32)).copied().map_or('0', char::from));
    }
    SecretString::from(code)
}

fn digest(code: &SecretString) -> Digest {
    let plain: String =
        code.expose_secret().chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    Digest::of(plain.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn codes_are_easy_to_type() {
        let entropy = SeededEntropy::new(1);
        let code = new_code(&entropy);
        let text = code.expose_secret();
        assert_eq!((text.len(), text.split('-').count()), (23, 4));
        assert_eq!(digest(&code), digest(&SecretString::from(text.to_lowercase().replace('-', " "))));
        assert_ne!(digest(&code), digest(&new_code(&entropy)));
    }
}
