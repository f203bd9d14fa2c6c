//! Local accounts: sign-in, throttling, changing the password.

use futures_util::future::join_all;
use paddock::base::Op;
use paddock::identity::{self, Browser, IdentityError, Person, SignedIn, authenticate_session, sign_in_local};
use secrecy::{ExposeSecret as _, SecretString};

use super::fixture::{DEMO, Fixture};

const PASSWORD: &str = "four walls and a roof";
const OTHER: &str = "a fence around a field";

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

async fn account(fixture: &Fixture, login: &str) -> Person {
    identity::create_local_account(&fixture.db, &fixture.operator(), login, "Dana Reyes", &secret(PASSWORD))
        .await
        .unwrap()
}

async fn try_in(fixture: &Fixture, op: &Op, login: &str, password: &str) -> Result<SignedIn, IdentityError> {
    sign_in_local(&fixture.db, op, &fixture.settings, login, &secret(password), Browser::default()).await
}

fn is_wrong(result: &Result<SignedIn, IdentityError>) -> bool {
    matches!(result, Err(IdentityError::Wrong("the login or the password is wrong")))
}

#[tokio::test]
async fn the_right_password_signs_in_and_nothing_else_does() {
    let fixture = Fixture::new().await;
    let dana = account(&fixture, "dana").await;
    fixture.person("no-password").await;
    let op = fixture.anonymous();
    let signed_in = try_in(&fixture, &op, " Dana ", PASSWORD).await.unwrap();
    assert_eq!(signed_in.person, dana);
    let who = authenticate_session(
        &mut fixture.db.acquire().await.unwrap(),
        &fixture.settings,
        signed_in.token.expose_secret(),
    )
    .await
    .unwrap();
    assert_eq!(who.access.person, dana);
    for (login, password) in
        [("dana", OTHER), ("dana", ""), ("no-password", PASSWORD), ("nobody", PASSWORD), (PASSWORD, "dana")]
    {
        let result = try_in(&fixture, &op, login, password).await;
        assert!(is_wrong(&result), "{login}: {result:?}");
    }
    let refused = fixture.audit("session.refused").await;
    assert_eq!(
        refused,
        [
            r#"anonymous dana denied {"method": "local", "reason": "wrong password"}"#,
            r#"anonymous dana denied {"method": "local", "reason": "wrong password"}"#,
            r#"anonymous no-password denied {"method": "local", "reason": "no password"}"#,
            r#"anonymous unknown denied {"method": "local", "reason": "unknown login"}"#,
            r#"anonymous unknown denied {"method": "local", "reason": "unknown login"}"#,
        ]
    );
    let everything = fixture.text("SELECT string_agg(audit_record::text, '') FROM audit_record").await;
    assert!(!everything.contains(PASSWORD), "a password typed as the login");
    let throttle = fixture.text("SELECT string_agg(t::text, '') FROM sign_in_throttle t").await;
    assert!(!throttle.contains(&hex::encode(PASSWORD)));
}

#[tokio::test]
async fn a_disabled_account_is_told_only_with_the_right_password() {
    let fixture = Fixture::new().await;
    let dana = account(&fixture, "dana").await;
    identity::set_active(&fixture.db, &fixture.operator(), dana.id, false).await.unwrap();
    let op = fixture.anonymous();
    assert!(is_wrong(&try_in(&fixture, &op, "dana", OTHER).await));
    assert!(matches!(try_in(&fixture, &op, "dana", PASSWORD).await, Err(IdentityError::Disabled)));
    assert_eq!(fixture.audit("session.refused").await.len(), 2);
    assert_eq!(fixture.text("SELECT count(*) FROM session").await, "0");
}

#[tokio::test]
async fn demo_people_and_programs_do_not_sign_in_locally() {
    let fixture = Fixture::new().await;
    account(&fixture, "dana").await;
    let op = fixture.anonymous();
    for column in ["demo", "service"] {
        fixture.sql(&format!("UPDATE person SET {column} = true")).await;
        assert!(is_wrong(&try_in(&fixture, &op, "dana", PASSWORD).await), "{column}");
        fixture.sql(&format!("UPDATE person SET {column} = false")).await;
    }
    assert!(try_in(&fixture, &op, "dana", PASSWORD).await.is_ok());
    let people = identity::ensure_demo(&fixture.db, &fixture.operator()).await.unwrap();
    let refused = identity::set_password(&fixture.db, &fixture.operator(), &people.admin, &secret(PASSWORD)).await;
    assert!(matches!(refused, Err(IdentityError::Denied(_))));
}

#[tokio::test]
async fn guessing_at_one_login_is_slowed_down_from_every_address() {
    let fixture = Fixture::new().await;
    account(&fixture, "dana").await;
    account(&fixture, "lee").await;
    let guess = async |address: &str, login: &str, password: &str| {
        try_in(&fixture, &fixture.from(address), login, password).await
    };
    for n in 0..5 {
        assert!(is_wrong(&guess(&format!("198.51.100.{n}"), "dana", OTHER).await));
    }
    let sixth = guess("198.51.100.9", "dana", PASSWORD).await;
    assert!(matches!(sixth, Err(IdentityError::TooManyAttempts { wait_seconds: 1..=2 })), "{sixth:?}");
    assert!(guess("198.51.100.9", "lee", PASSWORD).await.is_ok(), "another login");
    // The wait doubles, up to five minutes.
    for (attempts, wait) in [("8", 16), ("12", 256), ("13", 300), ("2000000", 300)] {
        let set =
            format!("UPDATE sign_in_throttle SET attempts = {attempts}, blocked_until = now() WHERE attempts > 0");
        fixture.sql(&set).await;
        assert!(is_wrong(&guess("198.51.100.9", "dana", OTHER).await));
        let Err(IdentityError::TooManyAttempts { wait_seconds }) = guess("198.51.100.10", "dana", OTHER).await else {
            panic!("not throttled after {attempts}")
        };
        assert!((wait - 2..=wait).contains(&wait_seconds), "after {attempts}: {wait_seconds}");
        fixture.sql("DELETE FROM sign_in_throttle WHERE attempts < 5").await;
    }
    // A success starts anew.
    fixture.sql("UPDATE sign_in_throttle SET blocked_until = now()").await;
    assert!(guess("198.51.100.20", "dana", PASSWORD).await.is_ok());
    assert!(is_wrong(&guess("198.51.100.21", "dana", OTHER).await));
    assert!(is_wrong(&guess("198.51.100.21", "dana", OTHER).await));
}

#[tokio::test]
async fn old_failures_are_forgotten() {
    let fixture = Fixture::new().await;
    account(&fixture, "dana").await;
    let op = fixture.anonymous();
    for _ in 0..5 {
        assert!(is_wrong(&try_in(&fixture, &op, "dana", OTHER).await));
    }
    let past =
        "UPDATE sign_in_throttle SET last_at = now() - interval '31 min', blocked_until = now() - interval '1 s'";
    fixture.sql(past).await;
    for _ in 0..5 {
        assert!(is_wrong(&try_in(&fixture, &op, "dana", OTHER).await));
    }
}

#[tokio::test]
async fn an_address_is_slowed_down_for_every_login_and_a_success_does_not_clear_it() {
    let fixture = Fixture::new().await;
    account(&fixture, "dana").await;
    let op = fixture.from("203.0.113.5");
    for n in 0..19 {
        assert!(is_wrong(&try_in(&fixture, &op, &format!("user{n}"), OTHER).await));
    }
    assert!(try_in(&fixture, &op, "dana", PASSWORD).await.is_ok(), "the twentieth");
    assert!(is_wrong(&try_in(&fixture, &op, "user20", OTHER).await), "its own attempt came back");
    let blocked = try_in(&fixture, &op, "user21", OTHER).await;
    assert!(matches!(blocked, Err(IdentityError::TooManyAttempts { .. })), "{blocked:?}");
    assert!(is_wrong(&try_in(&fixture, &fixture.from("203.0.113.6"), "user22", OTHER).await));
}

#[tokio::test]
async fn parallel_guesses_do_not_pass_the_limit_together() {
    let fixture = Fixture::new().await;
    account(&fixture, "dana").await;
    let ops: Vec<Op> = (0..30).map(|n| fixture.from(&format!("198.51.100.{n}"))).collect();
    let results = join_all(ops.iter().map(|op| try_in(&fixture, op, "dana", OTHER))).await;
    let made = results.iter().filter(|result| is_wrong(result)).count();
    assert!((5..=6).contains(&made), "{made} guesses were made");
    assert_eq!(fixture.audit("session.refused").await.len(), made);
}

#[tokio::test]
async fn changing_the_password_needs_the_old_one_and_ends_the_other_sessions() {
    let fixture = Fixture::new().await;
    let dana = account(&fixture, "dana").await;
    let op = fixture.as_person(&dana);
    let here = try_in(&fixture, &op, "dana", PASSWORD).await.unwrap();
    let there = try_in(&fixture, &op, "dana", PASSWORD).await.unwrap();
    let change = async |current: &str, new: &str| {
        identity::change_password(&fixture.db, &op, &dana, Some(here.session_id), &secret(current), &secret(new)).await
    };
    for (current, new, pointer) in [(OTHER, "another fine passphrase", "/current"), (PASSWORD, "short", "/password")] {
        let Err(IdentityError::Invalid(errors)) = change(current, new).await else { panic!("{new}") };
        assert_eq!(errors[0].pointer, pointer);
    }
    change(PASSWORD, OTHER).await.unwrap();
    let holds = async |token: &SecretString| {
        authenticate_session(&mut fixture.db.acquire().await.unwrap(), &DEMO, token.expose_secret()).await.is_ok()
    };
    assert!(holds(&here.token).await);
    assert!(!holds(&there.token).await);
    assert!(is_wrong(&try_in(&fixture, &op, "dana", PASSWORD).await));
    assert!(try_in(&fixture, &op, "dana", OTHER).await.is_ok());
    assert_eq!(fixture.audit("password.changed").await, [r#"dana dana succeeded {"sessions_ended": 1}"#]);
    identity::set_password(&fixture.db, &fixture.operator(), &dana, &secret(PASSWORD)).await.unwrap();
    assert!(!holds(&here.token).await, "set by somebody else: every session ends");
    assert!(try_in(&fixture, &op, "dana", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn changing_the_password_is_throttled_like_a_sign_in() {
    let fixture = Fixture::new().await;
    let dana = account(&fixture, "dana").await;
    let op = fixture.as_person(&dana);
    for _ in 0..5 {
        let result = identity::change_password(&fixture.db, &op, &dana, None, &secret(OTHER), &secret(OTHER)).await;
        assert!(matches!(result, Err(IdentityError::Invalid(_))));
    }
    let result = identity::change_password(&fixture.db, &op, &dana, None, &secret(PASSWORD), &secret(OTHER)).await;
    assert!(matches!(result, Err(IdentityError::TooManyAttempts { .. })));
}
