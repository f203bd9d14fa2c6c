//! ID tokens that must not be believed.

use paddock::identity::{Browser, IdentityError, OidcError};
use serde_json::{Value, json};

use super::super::fixture::Fixture;
use super::hostile::{Hostile, Sign, jwt, jwt_of};
use super::{Trip, oidc, untrusted};

/// Signs in with an ID token whose claims were changed; null removes one. Gives the reason.
async fn refused(fixture: &Fixture, hostile: &Hostile, changes: Value, sign: Sign) -> String {
    let oidc = oidc(&hostile.issuer);
    let trip = Trip::begin(fixture, &oidc, &hostile.issuer).await;
    let mut claims = hostile.claims(&trip);
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    hostile.answer_signed(&claims, sign);
    // Every try has an address of its own: the limit is not what is tested here.
    let reason = untrusted(trip.finish_from(&format!("host-{}", trip.question["state"]), Browser::default()).await);
    assert_eq!(fixture.text("SELECT count(*) FROM session").await, "0", "{changes}");
    assert_eq!(fixture.text("SELECT count(*) FROM person").await, "0", "{changes}");
    reason
}

#[tokio::test]
async fn claims_that_are_not_right_are_refused() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let foreign_nonce = Trip::begin(&fixture, &oidc(&hostile.issuer), &hostile.issuer).await.question["nonce"].clone();
    let now = jiff::Timestamp::now().as_second();
    for (changes, part) in [
        (json!({"nonce": "another"}), "nonce"),
        (json!({"nonce": foreign_nonce}), "nonce"),
        (json!({"nonce": null}), "nonce"),
        (json!({"iss": "https://evil.example"}), "issuer"),
        (json!({"iss": format!("{}/", hostile.issuer)}), "issuer"),
        (json!({"iss": null}), "not valid"),
        (json!({"aud": "another-client"}), "audience"),
        (json!({"aud": []}), "audience"),
        (json!({"aud": null}), "not valid"),
        (json!({"aud": ["paddock", "another-client"]}), "audience"),
        (json!({"aud": ["paddock", "another-client"], "azp": "paddock"}), "audience"),
        (json!({"aud": ["paddock", "paddock"]}), "this client alone"),
        (json!({"azp": "another-client"}), "another client"),
        (json!({"exp": now - 1}), "xpired"),
        (json!({"exp": null}), "not valid"),
        (json!({"exp": "9999999999"}), "not valid"),
        (json!({"exp": [now + 300]}), "not valid"),
        (json!({"iat": now + 400}), "future"),
        (json!({"iat": null}), "not valid"),
        (json!({"sub": ""}), "names nobody"),
        (json!({"sub": "  "}), "names nobody"),
        (json!({"sub": "a\nb"}), "names nobody"),
        (json!({"sub": "x".repeat(256)}), "names nobody"),
        (json!({"sub": null}), "not valid"),
        (json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}), "access token"),
    ] {
        let reason = refused(&fixture, &hostile, changes.clone(), Sign::Key(1)).await;
        assert!(reason.contains(part), "{changes}: {reason}");
    }
}

#[tokio::test]
async fn signatures_that_are_not_the_providers_are_refused() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let unsigned = refused(&fixture, &hostile, json!({}), Sign::Nothing).await;
    assert!(unsigned.contains("No signature"), "{unsigned}");
    // Anybody who knows the client secret could make this one.
    let shared = refused(&fixture, &hostile, json!({}), Sign::Hmac).await;
    assert!(shared.contains("HS256"), "{shared}");
    let foreign = refused(&fixture, &hostile, json!({}), Sign::Key(2)).await;
    assert!(foreign.contains("ignature"), "{foreign}");
}

#[tokio::test]
async fn a_changed_or_missing_token_is_refused() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let honest = |trip: &Trip<'_>| jwt(&hostile.claims(trip), Sign::Key(1));
    let tokens = |token: Value| json!({"access_token": "access", "token_type": "Bearer", "id_token": token});
    let swap = |trip: &Trip<'_>| {
        let (good, mut evil) = (honest(trip), hostile.claims(trip));
        evil["sub"] = json!("somebody-else");
        let evil = jwt(&evil, Sign::Key(2));
        let (mut parts, other): (Vec<_>, Vec<_>) = (good.split('.').collect(), evil.split('.').collect());
        parts[1] = other[1];
        parts.join(".")
    };
    for make in [
        &(|trip: &Trip<'_>| tokens(json!(swap(trip)))) as &dyn Fn(&Trip<'_>) -> Value,
        &|_| tokens(json!("not.a.token")),
        &|_| tokens(Value::Null),
        &|_| json!({"access_token": "access", "token_type": "Bearer"}),
        &|_| json!("tokens"),
        &|trip| json!({"id_token": honest(trip)}),
    ] {
        let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
        let answer = make(&trip);
        hostile.set(|now| now.tokens = answer.clone());
        let reason = untrusted(trip.finish().await);
        assert!(!reason.contains("access\"") && !reason.contains("eyJ"), "nothing of it in the log: {reason}");
    }
    assert_eq!(fixture.text("SELECT count(*) FROM session").await, "0");
}

#[tokio::test]
async fn our_own_clock_decides_too() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    fixture.advance(jiff::SignedDuration::from_secs(301));
    let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
    hostile.answer(&hostile.claims(&trip));
    assert!(untrusted(trip.finish().await).contains("expired"));
}

#[tokio::test]
async fn new_keys_are_fetched_when_needed_but_not_at_every_token() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    let fetches = || hostile.behaviour.lock().unwrap().key_fetches;
    let sign_in = async |seed: u8, kid: &'static str| {
        let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
        let token = jwt_of(&hostile.claims(&trip), Sign::Key(seed), kid);
        hostile.set(|now| {
            now.published = (seed, kid);
            now.tokens = json!({"access_token": "access", "token_type": "Bearer", "id_token": token});
        });
        trip.finish().await
    };
    sign_in(1, "one").await.unwrap();
    sign_in(1, "one").await.unwrap();
    assert_eq!(fetches(), 1, "kept");
    assert!(untrusted(sign_in(3, "three").await).contains("does not publish"), "fetched less than a minute ago");
    assert_eq!(fetches(), 1);
    fixture.advance(jiff::SignedDuration::from_secs(61));
    sign_in(3, "three").await.unwrap();
    assert_eq!(fetches(), 2);
}

#[tokio::test]
async fn user_info_of_somebody_else_is_refused() {
    let (fixture, hostile) = (Fixture::today().await, Hostile::start().await);
    let oidc = oidc(&hostile.issuer);
    for (subject, ok) in [("u-2", false), ("u-1", true)] {
        hostile.set(|now| now.user_info = json!({"sub": subject, "groups": ["grp-auditors"]}));
        let trip = Trip::begin(&fixture, &oidc, &hostile.issuer).await;
        let mut claims = hostile.claims(&trip);
        claims.as_object_mut().unwrap().remove("groups");
        hostile.answer(&claims);
        let result = trip.finish().await;
        assert_eq!(result.is_ok(), ok, "{result:?}");
        assert!(ok || matches!(result, Err(IdentityError::Oidc(OidcError::Untrusted(_)))));
    }
}
