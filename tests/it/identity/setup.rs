//! The set-up code and the first admin.

use futures_util::future::join_all;
use paddock::base::{Kinded as _, Op};
use paddock::identity::{
    self, Browser, Holder, IdentityError, Role, SetupForm, SignedIn, Source, begin_setup, complete_setup, setup_needed,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::fixture::Fixture;

fn form(code: &str, login: &str) -> SetupForm {
    SetupForm {
        code: SecretString::from(code),
        login: login.to_owned(),
        display_name: "Ada".to_owned(),
        password: SecretString::from("four walls and a roof"),
    }
}

async fn complete(fixture: &Fixture, op: &Op, form: &SetupForm) -> Result<SignedIn, IdentityError> {
    complete_setup(&fixture.db, op, &fixture.settings, form, Browser::default()).await
}

async fn code(fixture: &Fixture) -> String {
    begin_setup(&fixture.db, &fixture.operator()).await.unwrap().unwrap().expose_secret().to_owned()
}

async fn needed(fixture: &Fixture) -> bool {
    setup_needed(&mut fixture.db.acquire().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn the_newest_code_makes_the_first_admin_once() {
    let fixture = Fixture::new().await;
    assert!(needed(&fixture).await);
    let (older, code) = (code(&fixture).await, code(&fixture).await);
    let stored = fixture.text("SELECT string_agg(setup_code::text, '') FROM setup_code").await;
    assert!(!stored.contains(&code) && !stored.contains(&hex::encode(code.replace('-', ""))));
    let op = fixture.anonymous();
    for wrong in [older.as_str(), "", "AAAAA-AAAAA-AAAAA-AAAAA"] {
        let refused = complete(&fixture, &op, &form(wrong, "ada")).await;
        assert!(matches!(refused, Err(IdentityError::Wrong(_))), "{refused:?}");
    }
    let ada = complete(&fixture, &op, &form(&code.to_lowercase(), "Ada")).await.unwrap().person;
    assert_eq!(ada.login, "ada");
    let access = identity::load_access(&mut fixture.db.acquire().await.unwrap(), ada.id).await.unwrap();
    assert!(access.has_platform_role(Role::Admin));
    assert!(!needed(&fixture).await);
    assert!(begin_setup(&fixture.db, &fixture.operator()).await.unwrap().is_none());
    let again = complete(&fixture, &op, &form(&code, "eve")).await;
    assert!(matches!(again, Err(IdentityError::SetupDone)));
    assert_eq!(fixture.audit("setup.completed").await.len(), 1);
    assert_eq!(fixture.audit("session.refused").await.len(), 3);
}

#[tokio::test]
async fn a_code_is_worth_nothing_once_it_was_used_or_an_admin_exists() {
    let fixture = Fixture::new().await;
    let code = code(&fixture).await;
    let lee = fixture.person("lee").await;
    let op = fixture.operator();
    let mut tx = fixture.db.begin().await.unwrap();
    identity::bind_role(&mut tx, &op, Role::Admin, Holder::Person(lee.id), None, Source::Local).await.unwrap();
    tx.commit().await.unwrap();
    let refused = complete(&fixture, &fixture.anonymous(), &form(&code, "eve")).await;
    assert!(matches!(refused, Err(IdentityError::SetupDone)));
    identity::set_active(&fixture.db, &op, lee.id, false).await.unwrap();
    assert!(needed(&fixture).await, "a disabled admin cannot administer");
    complete(&fixture, &fixture.anonymous(), &form(&code, "eve")).await.unwrap();
    fixture.sql("UPDATE person SET active = false").await;
    let reused = complete(&fixture, &fixture.anonymous(), &form(&code, "mallory")).await;
    assert!(matches!(reused, Err(IdentityError::Wrong(_))), "{reused:?}");
}

#[tokio::test]
async fn two_at_once_make_one_admin() {
    let fixture = Fixture::new().await;
    let code = code(&fixture).await;
    let (one, two) = (form(&code, "ada"), form(&code, "eve"));
    let op = fixture.anonymous();
    let results = join_all([&one, &two].map(|form| complete(&fixture, &op, form))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(fixture.text("SELECT count(*) FROM person").await, "1");
}

#[tokio::test]
async fn demo_people_do_not_stand_in_for_an_admin() {
    let fixture = Fixture::new().await;
    identity::ensure_demo(&fixture.db, &fixture.operator()).await.unwrap();
    assert!(needed(&fixture).await);
}

#[tokio::test]
async fn every_wrong_field_is_told_at_once_but_only_to_who_has_the_code() {
    let fixture = Fixture::new().await;
    let code = code(&fixture).await;
    let mut bad = form(&code, "Not A Login");
    bad.display_name = " ".to_owned();
    bad.password = SecretString::from("short");
    let Err(IdentityError::Invalid(errors)) = complete(&fixture, &fixture.anonymous(), &bad).await else { panic!() };
    let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/login", "/display_name", "/password"]);
    bad.code = SecretString::from("wrong");
    assert!(matches!(complete(&fixture, &fixture.anonymous(), &bad).await, Err(IdentityError::Wrong(_))));
    fixture.person("ada").await;
    assert!(matches!(
        complete(&fixture, &fixture.anonymous(), &form(&code, "ada")).await,
        Err(IdentityError::LoginTaken(_))
    ));
    complete(&fixture, &fixture.anonymous(), &form(&code, "ada2")).await.unwrap();
}

#[tokio::test]
async fn guessing_the_code_is_throttled() {
    let fixture = Fixture::new().await;
    code(&fixture).await;
    for _ in 0..20 {
        assert!(complete(&fixture, &fixture.anonymous(), &form("x", "eve")).await.is_err());
    }
    let blocked = complete(&fixture, &fixture.anonymous(), &form("x", "eve")).await.unwrap_err();
    assert_eq!(blocked.kind(), paddock::base::ErrorKind::Limited);
}
