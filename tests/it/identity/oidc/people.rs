//! Who somebody becomes, and what their groups mean.

use std::collections::BTreeSet;

use paddock::identity::{self, Access, Holder, IdentityError, Oidc, Role, Source, load_access};
use serde_json::{Value, json};

use super::super::fixture::Fixture;
use super::hostile::Hostile;
use super::{Trip, oidc};

async fn sign_in(fixture: &Fixture, hostile: &Hostile, oidc: &Oidc, changes: Value) -> Result<Access, IdentityError> {
    let trip = Trip::begin(fixture, oidc, &hostile.issuer).await;
    let mut claims = hostile.claims(&trip);
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    hostile.answer(&claims);
    let person = trip.finish().await?.signed_in.person;
    load_access(&mut fixture.db.acquire().await.unwrap(), person.id).await
}

#[tokio::test]
async fn a_person_is_issuer_and_subject_and_nothing_else() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let local = fixture.person("dana").await;
    fixture.sql("UPDATE person SET email = 'dana@example.com'").await;
    identity::ensure_demo(&fixture.db, &fixture.operator()).await.unwrap();
    let login = async |changes: Value| sign_in(&fixture, &hostile, &oidc, changes).await.unwrap().person;
    let first = login(json!({})).await;
    assert_ne!(first.id, local.id, "same login and same e-mail");
    assert_eq!(first.login, "dana-2");
    assert_eq!(login(json!({"preferred_username": "renamed", "email": "new@example.com"})).await.id, first.id);
    let again = login(json!({"name": "Dana R."})).await;
    assert_eq!((again.id, again.display_name.as_str(), again.login.as_str()), (first.id, "Dana R.", "dana-2"));
    let other = login(json!({"sub": "u-2"})).await;
    assert_eq!((other.id == first.id, other.login.as_str()), (false, "dana-3"));
    for (name, gets) in [("admin", "admin-2"), ("operator", "operator-2"), ("Ünal ß", "nal--")] {
        assert_eq!(login(json!({"sub": name, "preferred_username": name})).await.login, gets);
    }
    assert_eq!(login(json!({"sub": "U-1", "preferred_username": ""})).await.login, "user");
}

#[tokio::test]
async fn teams_and_roles_follow_the_groups_at_every_sign_in() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let payments = fixture.project("payments").await;
    let sign_in = async |groups: Value| sign_in(&fixture, &hostile, &oidc, json!({"groups": groups})).await.unwrap();
    let slugs = |access: &Access| access.teams.iter().map(|team| team.slug.clone()).collect::<Vec<_>>();

    let access = sign_in(json!(["grp-payments", "grp-payments-leads", "grp-auditors", "grp-nowhere", "other"])).await;
    assert_eq!(slugs(&access), ["payments"]);
    assert_eq!(access.platform_roles, BTreeSet::from([Role::Auditor]));
    assert_eq!(access.project_roles[&payments], BTreeSet::from([Role::Developer, Role::Lead]));
    assert_eq!(access.projects().len(), 1, "no role for a project that is not there");

    // What an admin gave by hand stays; what the groups gave goes with them.
    let mut tx = fixture.db.begin().await.unwrap();
    let person = &access.person;
    let op = fixture.operator();
    identity::bind_role(&mut tx, &op, Role::Developer, Holder::Person(person.id), None, Source::Local).await.unwrap();
    let team = identity::ensure_team(&mut tx, &op, "by-hand", "By hand").await.unwrap();
    identity::join_team(&mut tx, &op, &team, person, Source::Local).await.unwrap();
    tx.commit().await.unwrap();
    let access = sign_in(json!("grp-payments")).await;
    assert_eq!(slugs(&access), ["by-hand", "payments"]);
    assert_eq!(access.platform_roles, BTreeSet::from([Role::Developer]));
    assert_eq!(access.project_roles[&payments], BTreeSet::from([Role::Developer]));
    for nothing in [json!([]), Value::Null, json!({"grp-payments": true}), json!([["grp-payments"], 7])] {
        sign_in(json!(["grp-payments"])).await;
        let access = sign_in(nothing.clone()).await;
        assert_eq!((slugs(&access), access.project_roles.len()), (vec!["by-hand".to_owned()], 0), "{nothing}");
    }
    assert_eq!(fixture.audit("role.withdrawn").await.len(), 6);
    assert_eq!(fixture.audit("team.left").await.len(), 4);
}

#[tokio::test]
async fn a_disabled_person_stays_out() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let person = sign_in(&fixture, &hostile, &oidc, json!({})).await.unwrap().person;
    identity::set_active(&fixture.db, &fixture.operator(), person.id, false).await.unwrap();
    let result = sign_in(&fixture, &hostile, &oidc, json!({"groups": ["grp-auditors"]})).await;
    assert!(matches!(result, Err(IdentityError::Disabled)));
    assert_eq!(fixture.text("SELECT count(*) FROM role_binding").await, "0");
    assert_eq!(
        fixture.audit("session.refused").await,
        [r#"anonymous dana denied {"method": "oidc", "reason": "disabled"}"#]
    );
}
