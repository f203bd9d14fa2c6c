//! The browser's way back: state, cookie, issuer, code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use paddock::identity::{Browser, IdentityError, OidcError, authenticate_session};
use secrecy::ExposeSecret as _;

use super::super::fixture::Fixture;
use super::hostile::Hostile;
use super::{Trip, is_unknown, oidc, untrusted};

#[tokio::test]
async fn an_honest_answer_signs_in() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "paddock"),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "http://127.0.0.1:4000/auth/callback"),
        ("scope", "openid profile email groups"),
    ] {
        assert_eq!(trip.question[name], value);
    }
    hostile.answer(&hostile.claims(&trip));
    let done = trip.finish().await.unwrap();
    assert_eq!((done.return_to.as_str(), done.signed_in.person.login.as_str()), ("/environments", "dana"));
    let token = done.signed_in.token.expose_secret();
    let who = authenticate_session(&mut fixture.db.acquire().await.unwrap(), &fixture.settings, token).await.unwrap();
    assert_eq!(who.access.person.display_name, "Dana Reyes");
    assert_eq!(fixture.audit("session.signed_in").await, [r#"dana dana succeeded {"method": "oidc"}"#]);
    let exchange = hostile.behaviour.lock().unwrap().exchanges.remove(0);
    let hash = paddock::base::Digest::of(exchange["code_verifier"].as_bytes());
    assert_eq!(URL_SAFE_NO_PAD.encode(hash.0), trip.question["code_challenge"]);
    assert_eq!((exchange["code"].as_str(), exchange["grant_type"].as_str()), ("the code", "authorization_code"));
    // Nothing of the flow is left, and nothing secret ever was there.
    assert_eq!(fixture.text("SELECT count(*) FROM sign_in_flow").await, "0");
}

#[tokio::test]
async fn nothing_that_is_stored_finishes_a_flow() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    hostile.answer(&hostile.claims(&trip));
    let stored = fixture.text("SELECT string_agg(f::text, '') FROM sign_in_flow f").await;
    trip.finish().await.unwrap();
    let verifier = hostile.behaviour.lock().unwrap().exchanges.remove(0).remove("code_verifier").unwrap();
    for secret in [&trip.question["state"], &trip.question["nonce"], trip.cookie.as_ref().unwrap(), &verifier] {
        assert!(!stored.contains(secret) && !stored.contains(&hex::encode(secret)), "{stored}");
    }
}

#[tokio::test]
async fn a_flow_belongs_to_one_browser_and_ends() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let mut trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    let other = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    hostile.answer(&hostile.claims(&trip));
    let (state, cookie) = (trip.callback.state.clone(), trip.cookie.clone());
    // Login CSRF: a state of the attacker's browser in the victim's, and no cookie at all.
    for (wrong_state, wrong_cookie) in [
        (state.clone(), other.cookie.clone()),
        (state.clone(), None),
        (state.clone(), Some("x".to_owned())),
        (other.callback.state.clone(), cookie.clone()),
        (None, cookie.clone()),
        (Some(String::new()), cookie.clone()),
        (state.as_ref().map(|text| text.to_lowercase()), cookie.clone()),
    ] {
        (trip.callback.state, trip.cookie) = (wrong_state, wrong_cookie);
        assert!(is_unknown(&trip.finish().await));
    }
    assert_eq!(hostile.behaviour.lock().unwrap().exchanges.len(), 0, "no code was spent");
    (trip.callback.state, trip.cookie) = (state, cookie);
    fixture.sql("UPDATE sign_in_flow SET expires_at = expires_at - interval '600 s'").await;
    assert!(is_unknown(&trip.finish().await), "ten minutes later");
    fixture.sql("UPDATE sign_in_flow SET expires_at = now() + interval '1 s'").await;
    trip.finish().await.unwrap();
    assert!(is_unknown(&trip.finish().await), "a second time");
    assert_eq!(fixture.text("SELECT count(*) FROM session").await, "1");
    let refused = fixture.audit("session.refused").await;
    assert_eq!(refused.len(), 9);
    assert!(refused[0].contains("unknown, foreign, late or repeated state"), "{refused:?}");
}

#[tokio::test]
async fn two_tabs_sign_in_at_the_same_time() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let one = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    let two = Trip::begin_with(&fixture, &oidc, &hostile.issuer, one.cookie.as_deref(), "/").await;
    assert_eq!(one.cookie, two.cookie);
    for trip in [&one, &two] {
        hostile.answer(&hostile.claims(trip));
        trip.finish().await.unwrap();
    }
}

#[tokio::test]
async fn the_answer_must_come_from_the_issuer_that_was_asked() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    // Mix-up: the attacker's provider answers in the name of ours, or ours in the attacker's.
    let with_slash = format!("{}/", hostile.issuer);
    for (iss, reason) in [
        (Some("https://evil.example"), "another issuer"),
        (Some(with_slash.as_str()), "another issuer"),
        (Some(""), "another issuer"),
        (None, "does not say its issuer"),
    ] {
        let mut trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
        hostile.answer(&hostile.claims(&trip));
        trip.callback.iss = iss.map(str::to_owned);
        let text = untrusted(trip.finish().await);
        assert!(text.contains(reason), "{iss:?}: {text}");
        trip.callback.iss = Some(hostile.issuer.clone());
        assert!(is_unknown(&trip.finish().await), "the flow is spent");
    }
    assert_eq!(hostile.behaviour.lock().unwrap().exchanges.len(), 0, "no code was given away");
}

#[tokio::test]
async fn a_provider_that_never_promised_iss_may_leave_it_out_but_not_lie() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    hostile.set(|now| now.metadata = serde_json::json!({"authorization_response_iss_parameter_supported": false}));
    let oidc = oidc(&hostile.issuer);
    for (iss, ok) in [(None, true), (Some("https://evil.example".to_owned()), false)] {
        let mut trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
        hostile.answer(&hostile.claims(&trip));
        trip.callback.iss = iss;
        assert_eq!(trip.finish().await.is_ok(), ok);
    }
}

#[tokio::test]
async fn a_refusal_is_told_but_its_words_are_not_repeated() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    for (code, word) in [("access_denied", "access_denied"), ("<script>", "another error")] {
        let mut trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
        trip.callback.error = Some(code.to_owned());
        match trip.finish().await {
            Err(IdentityError::Oidc(OidcError::Refused(told))) => assert_eq!(told, word),
            other => panic!("{other:?}"),
        }
    }
    let mut trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    trip.callback.code = None;
    assert!(untrusted(trip.finish().await).contains("neither code nor error"));
    let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    hostile.set(|now| now.tokens = serde_json::json!({"error": "invalid_grant"}));
    assert!(untrusted(trip.finish().await).contains("invalid_grant"));
}

#[tokio::test]
async fn afterwards_one_goes_only_to_this_site() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    for (asked, got) in
        [("/requests?mine=1", "/requests?mine=1"), ("//evil.example", "/"), ("https://evil.example", "/")]
    {
        let trip = Trip::begin_with(&fixture, &oidc, &hostile.issuer, None, asked).await;
        hostile.answer(&hostile.claims(&trip));
        assert_eq!(trip.finish().await.unwrap().return_to, got);
    }
}

#[tokio::test]
async fn sign_in_ends_the_session_that_the_browser_had_and_tries_are_limited() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let first = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    hostile.answer(&hostile.claims(&first));
    let old = first.finish().await.unwrap().signed_in;
    let second = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    hostile.answer(&hostile.claims(&second));
    let browser = Browser { session: Some(old.token.expose_secret()), user_agent: None };
    second.finish_from("192.0.2.7", browser).await.unwrap();
    let gone =
        authenticate_session(&mut fixture.db.acquire().await.unwrap(), &fixture.settings, old.token.expose_secret())
            .await;
    assert!(matches!(gone, Err(IdentityError::NotSignedIn)));
    for _ in 0..20 {
        assert!(is_unknown(&second.finish_from("203.0.113.1", Browser::default()).await));
    }
    let limited = second.finish_from("203.0.113.1", Browser::default()).await;
    assert!(matches!(limited, Err(IdentityError::TooManyAttempts { .. })));
}
