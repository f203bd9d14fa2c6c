//! Sessions: who gets one, how long it lasts, and how it ends.

use paddock::identity::{
    self, Browser, Credential, IdentityError, SignInMethod, authenticate_session, demo_sign_in, list_sessions,
};
use secrecy::ExposeSecret as _;

use super::fixture::{DEMO, Fixture};

async fn holds(fixture: &Fixture, token: &str) -> bool {
    match authenticate_session(&mut fixture.db.acquire().await.unwrap(), &DEMO, token).await {
        Ok(_) => true,
        Err(IdentityError::NotSignedIn) => false,
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_tells_who_and_only_its_hash_is_stored() {
    let fixture = Fixture::new().await;
    let signed_in = fixture.demo_session("admin", None).await;
    let token = signed_in.token.expose_secret();
    let who = authenticate_session(&mut fixture.db.acquire().await.unwrap(), &DEMO, token).await.unwrap();
    assert_eq!(who.access.person, signed_in.person);
    assert!(who.access.has_platform_role(identity::Role::Admin));
    assert_eq!(who.credential, Credential::Session(signed_in.session_id));
    let stored = fixture.text("SELECT string_agg(session::text, '') FROM session").await;
    assert!(stored.contains(&paddock::base::Digest::of(token.as_bytes()).to_string()), "{stored}");
    assert!(!stored.contains(token) && !stored.contains(&hex::encode(token)), "{stored}");
    for bad in ["", "x", &token[1..], &token.to_lowercase()] {
        assert!(!holds(&fixture, bad).await, "{bad}");
    }
    let records = fixture.audit("session.signed_in").await;
    assert_eq!(records, [r#"admin admin succeeded {"method": "demo"}"#]);
}

#[tokio::test]
async fn each_end_ends_a_session() {
    let fixture = Fixture::new().await;
    let signed_in = fixture.demo_session("developer", None).await;
    let token = signed_in.token.expose_secret();
    for (breaks, heals) in [
        ("UPDATE session SET idle_until = now() - interval '1 s'", "UPDATE session SET idle_until = absolute_until"),
        (
            "UPDATE session SET absolute_until = now() - interval '1 s'",
            "UPDATE session SET absolute_until = now() + interval '1 h'",
        ),
        ("UPDATE person SET active = false", "UPDATE person SET active = true"),
    ] {
        fixture.sql(breaks).await;
        assert!(!holds(&fixture, token).await, "{breaks}");
        fixture.sql(heals).await;
        assert!(holds(&fixture, token).await, "{heals}");
    }
}

#[tokio::test]
async fn the_ends_are_those_of_the_settings() {
    let fixture = Fixture::new().await;
    fixture.demo_session("developer", None).await;
    let ends = "SELECT (idle_until - created_at, absolute_until - created_at) FROM session";
    assert_eq!(fixture.text(ends).await, "(00:30:00,12:00:00)");
}

#[tokio::test]
async fn use_moves_the_idle_end_once_a_minute_and_never_past_the_absolute_one() {
    let fixture = Fixture::new().await;
    let signed_in = fixture.demo_session("developer", None).await;
    let token = signed_in.token.expose_secret();
    let state = "SELECT (idle_until, seen_at) FROM session";
    let before = fixture.text(state).await;
    assert!(holds(&fixture, token).await);
    assert_eq!(fixture.text(state).await, before, "used again within the minute");
    fixture.sql("UPDATE session SET seen_at = now() - interval '61 s', idle_until = now() + interval '1 min'").await;
    assert!(holds(&fixture, token).await);
    let moved = "SELECT idle_until > now() + interval '29 min' AND seen_at > now() - interval '30 s' FROM session";
    assert_eq!(fixture.text(moved).await, "true");
    fixture
        .sql("UPDATE session SET seen_at = now() - interval '61 s', absolute_until = now() + interval '5 min'")
        .await;
    assert!(holds(&fixture, token).await);
    assert_eq!(fixture.text("SELECT idle_until = absolute_until FROM session").await, "true");
}

#[tokio::test]
async fn sign_in_ends_the_session_that_the_browser_had() {
    let fixture = Fixture::new().await;
    let old = fixture.demo_session("developer", None).await;
    let elsewhere = fixture.demo_session("developer", None).await;
    let new = fixture.demo_session("lead", Some(old.token.expose_secret())).await;
    assert!(!holds(&fixture, old.token.expose_secret()).await);
    assert!(holds(&fixture, new.token.expose_secret()).await);
    assert!(holds(&fixture, elsewhere.token.expose_secret()).await);
    assert_eq!(fixture.audit("session.ended").await, [r#"lead developer succeeded {"reason": "replaced"}"#]);
}

#[tokio::test]
async fn own_sessions_are_listed_and_ended_and_others_are_not() {
    let fixture = Fixture::new().await;
    let one = fixture.demo_session("developer", None).await;
    let two = fixture.demo_session("developer", None).await;
    let lead = fixture.demo_session("lead", None).await;
    let mut connection = fixture.db.acquire().await.unwrap();
    let mine = list_sessions(&mut connection, one.person.id).await.unwrap();
    let mut ids: Vec<_> = mine.iter().map(|session| session.id).collect();
    ids.sort();
    // Ids of one moment are in no order.
    let mut expected = [one.session_id, two.session_id];
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(mine[0].address.as_deref(), Some("192.0.2.7"));
    let op = fixture.as_person(&one.person);
    let foreign = identity::end_session(&fixture.db, &op, &one.person, lead.session_id).await;
    assert!(matches!(foreign, Err(IdentityError::NotFound(_))));
    assert!(holds(&fixture, lead.token.expose_secret()).await);
    identity::end_session(&fixture.db, &op, &one.person, two.session_id).await.unwrap();
    assert!(!holds(&fixture, two.token.expose_secret()).await);
    identity::sign_out(&fixture.db, &op, one.token.expose_secret()).await.unwrap();
    identity::sign_out(&fixture.db, &op, one.token.expose_secret()).await.unwrap();
    assert!(!holds(&fixture, one.token.expose_secret()).await);
    assert_eq!(
        fixture.audit("session.ended").await,
        [
            r#"developer developer succeeded {"reason": "ended"}"#,
            r#"developer developer succeeded {"reason": "signed_out"}"#
        ]
    );
}

#[tokio::test]
async fn disabling_a_person_ends_everything_for_good() {
    let fixture = Fixture::new().await;
    let signed_in = fixture.demo_session("developer", None).await;
    let op = fixture.operator();
    identity::set_active(&fixture.db, &op, signed_in.person.id, false).await.unwrap();
    identity::set_active(&fixture.db, &op, signed_in.person.id, true).await.unwrap();
    assert!(!holds(&fixture, signed_in.token.expose_secret()).await, "enabled again, but the session is gone");
    identity::set_active(&fixture.db, &op, signed_in.person.id, false).await.unwrap();
    let again = demo_sign_in(
        &fixture.db,
        &fixture.anonymous(),
        &DEMO,
        "developer",
        "127.0.0.1".parse().unwrap(),
        Browser::default(),
    )
    .await;
    assert!(matches!(again, Err(IdentityError::Disabled)));
    assert_eq!(fixture.text("SELECT count(*) FROM session").await, "0");
    assert_eq!(fixture.audit("session.refused").await.len(), 1);
    assert_eq!(
        fixture.audit("person.disabled").await,
        [
            r#"operator developer succeeded {"sessions_ended": 1, "tokens_revoked": 0}"#,
            r#"operator developer succeeded {"sessions_ended": 0, "tokens_revoked": 0}"#
        ]
    );
}

#[tokio::test]
async fn demo_sign_in_is_for_demo_people_on_this_machine_with_the_flag() {
    let fixture = Fixture::new().await;
    fixture.person("dana").await;
    identity::ensure_demo(&fixture.db, &fixture.operator()).await.unwrap();
    let off = identity::Settings { demo: false, ..DEMO };
    for (settings, login, peer, ok) in [
        (DEMO, "developer", "127.0.0.1", true),
        (DEMO, "lead", "::1", true),
        (DEMO, "admin", "::ffff:127.0.0.1", true),
        (DEMO, "developer", "192.0.2.1", false),
        (DEMO, "developer", "10.0.0.1", false),
        (DEMO, "dana", "127.0.0.1", false),
        (DEMO, "nobody", "127.0.0.1", false),
        (off, "developer", "127.0.0.1", false),
    ] {
        let peer = peer.parse().unwrap();
        let result = demo_sign_in(&fixture.db, &fixture.anonymous(), &settings, login, peer, Browser::default()).await;
        assert_eq!(result.is_ok(), ok, "{login} from {peer}: {result:?}");
    }
    assert_eq!(fixture.audit("session.refused").await.len(), 3);
    assert_eq!(fixture.audit("session.signed_in").await.len(), 3);
}

#[tokio::test]
async fn without_the_flag_nothing_from_a_demo_counts() {
    let fixture = Fixture::new().await;
    let signed_in = fixture.demo_session("admin", None).await;
    let token = signed_in.token.expose_secret();
    assert!(authenticate_session(&mut fixture.db.acquire().await.unwrap(), &DEMO, token).await.is_ok());
    let off = authenticate_session(&mut fixture.db.acquire().await.unwrap(), &fixture.settings, token).await;
    assert!(matches!(off, Err(IdentityError::NotSignedIn)));
}

#[tokio::test]
async fn purge_removes_only_what_has_ended() {
    let fixture = Fixture::new().await;
    let (ended, live) = (fixture.demo_session("lead", None).await, fixture.demo_session("admin", None).await);
    let id = ended.session_id.0;
    fixture.sql(&format!("UPDATE session SET idle_until = now() - interval '1 s' WHERE id = '{id}'")).await;
    assert_eq!(identity::purge_expired(&fixture.db).await.unwrap(), 1);
    assert!(holds(&fixture, live.token.expose_secret()).await);
    assert_eq!(live.person.login, "admin");
    assert_eq!(SignInMethod::Demo.as_str(), "demo");
}
