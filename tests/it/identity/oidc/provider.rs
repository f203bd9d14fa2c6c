//! Metadata that must not be believed, and providers that are not there.

use paddock::identity::{IdentityError, Oidc, OidcError};
use serde_json::json;
use url::Url;

use super::super::fixture::Fixture;
use super::hostile::Hostile;
use super::{PUBLIC_URL, config, oidc};

async fn begin(fixture: &Fixture, oidc: &Oidc) -> OidcError {
    match oidc.begin(&fixture.db, &fixture.anonymous(), None, "/").await {
        Err(IdentityError::Oidc(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn metadata_that_does_not_fit_stops_the_sign_in() {
    let fixture = Fixture::today().await;
    for (metadata, part) in [
        (json!({"issuer": "https://evil.example"}), "issuer"),
        (json!({"code_challenge_methods_supported": ["plain"]}), "PKCE"),
        (json!({"jwks_uri": "http://203.0.113.1/keys"}), "not https"),
        (json!({"padding": "x".repeat(1 << 20)}), "larger"),
        (json!({"token_endpoint": 7}), ""),
    ] {
        let hostile = Hostile::start().await;
        hostile.set(|now| now.metadata = metadata.clone());
        let error = begin(&fixture, &oidc(&hostile.issuer)).await;
        assert!(error.reason().contains(part), "{metadata:.60}: {error:?}");
    }
    let (hostile, honest) = (Hostile::start().await, Hostile::start().await);
    let issuer = hostile.issuer.clone();
    honest.set(|now| now.metadata = json!({"issuer": issuer}));
    hostile.set(|now| now.metadata_redirect = Some(format!("{}/.well-known/openid-configuration", honest.issuer)));
    let error = begin(&fixture, &oidc(&hostile.issuer)).await;
    assert!(error.reason().contains("302"), "no redirect is followed: {error:?}");
    assert_eq!(fixture.text("SELECT count(*) FROM sign_in_flow").await, "0");
}

#[tokio::test]
async fn a_provider_that_is_down_is_told_and_tried_again() {
    let fixture = Fixture::today().await;
    let hostile = Hostile::start().await;
    hostile.set(|now| now.metadata_redirect = Some("/elsewhere".to_owned()));
    let oidc = oidc(&hostile.issuer);
    assert!(matches!(begin(&fixture, &oidc).await, OidcError::Unreachable(_)));
    hostile.set(|now| now.metadata_redirect = None);
    oidc.begin(&fixture.db, &fixture.anonymous(), None, "/").await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    assert!(matches!(begin(&fixture, &super::oidc(&nobody)).await, OidcError::Unreachable(_)));
}

#[test]
fn only_a_group_with_the_platforms_admin_role_makes_admins() {
    let mut with = config("https://id.example");
    let public = Url::parse(PUBLIC_URL).unwrap();
    assert!(!Oidc::new(with.clone(), &public).unwrap().can_make_admins(), "admin of one project only");
    with.groups[3].project = None;
    assert!(Oidc::new(with, &public).unwrap().can_make_admins());
}
