//! The five people of `--demo`, and their sign-in by one click.

use std::net::IpAddr;

use super::role::Role;
use super::{
    Browser, Holder, IdentityError, NewPerson, Person, Result, Settings, SignInMethod, SignedIn, Source, people,
    session,
};
use crate::base::Op;
use crate::db::Db;

/// Login and name of the demo people.
pub const DEMO_LOGINS: [(&str, &str); 5] = [
    ("developer", "Dana Reyes"),
    ("lead", "Lee Okafor"),
    ("admin", "Ada Lindqvist"),
    ("second-admin", "Kim Sato"),
    ("auditor", "Noor Haddad"),
];

/// The demo people, as they are stored.
#[derive(Debug, Clone)]
pub struct DemoPeople {
    /// Asks for environments.
    pub developer: Person,
    /// Leads the teams of the demo projects.
    pub lead: Person,
    /// Curates the platform.
    pub admin: Person,
    /// Publishes the policies that the other admin wrote.
    pub second_admin: Person,
    /// Reads everything, changes nothing.
    pub auditor: Person,
}

/// Makes the demo people if they are not there, and gives admins and auditor their roles on the
/// platform. Roles in projects are for whoever makes the projects.
pub async fn ensure_demo(db: &Db, op: &Op) -> Result<DemoPeople> {
    let mut tx = db.begin().await?;
    let mut made = Vec::with_capacity(DEMO_LOGINS.len());
    for (login, name) in DEMO_LOGINS {
        let new = NewPerson {
            login: login.to_owned(),
            display_name: name.to_owned(),
            email: Some(format!("{login}@demo.invalid")),
            demo: true,
            service: false,
        };
        made.push(people::ensure_person(&mut tx, op, &new).await?);
    }
    let [developer, lead, admin, second_admin, auditor] =
        <[Person; 5]>::try_from(made).map_err(|_| IdentityError::Internal("there are five demo people"))?;
    for (person, role) in [(&admin, Role::Admin), (&second_admin, Role::Admin), (&auditor, Role::Auditor)] {
        people::bind_role(&mut tx, op, role, Holder::Person(person.id), None, Source::Demo).await?;
    }
    tx.commit().await?;
    Ok(DemoPeople { developer, lead, admin, second_admin, auditor })
}

/// Signs a demo person in without a proof. Only with `--demo`, and only for a peer on this
/// machine; `peer` is the address of the TCP connection, never one that a header tells.
pub async fn demo_sign_in(
    db: &Db,
    op: &Op,
    settings: &Settings,
    login: &str,
    peer: IpAddr,
    browser: Browser<'_>,
) -> Result<SignedIn> {
    let mut tx = db.begin().await?;
    let person = super::store::people::find_by_login(&mut tx, login).await?.filter(|person| person.demo);
    let reason = if !settings.demo {
        Some("demo sign-in is only there when the server was started with --demo")
    } else if !peer.to_canonical().is_loopback() {
        Some("demo sign-in works only on the machine that Paddock runs on")
    } else {
        None
    };
    if let Some(reason) = reason {
        session::refused(&mut tx, op, person.as_ref(), SignInMethod::Demo, reason).await?;
        tx.commit().await?;
        return Err(IdentityError::Denied(reason));
    }
    let person = person.ok_or(IdentityError::NotFound("demo person"))?;
    if !person.active {
        session::refused(&mut tx, op, Some(&person), SignInMethod::Demo, "disabled").await?;
        tx.commit().await?;
        return Err(IdentityError::Disabled);
    }
    let signed_in = session::start(&mut tx, op, settings, person, SignInMethod::Demo, browser).await?;
    tx.commit().await?;
    Ok(signed_in)
}
