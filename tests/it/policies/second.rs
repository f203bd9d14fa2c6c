//! A version is published by a second person: tried by every way around.

use axum::http::StatusCode;
use paddock::base::Actor;
use paddock::policy::versions::{self, VersionError};
use serde_json::json;

use super::{NO_LARGE, proposed, publish, site, with};

#[tokio::test]
async fn who_wrote_or_proposed_it_does_not_publish_it() {
    let site = site().await;
    let (admin, second, third) = (site.client("admin").await, site.client("second").await, site.client("third").await);
    let number = proposed(&admin, &with(NO_LARGE)).await;
    // The author: by token, by another token, in the browser.
    publish(&admin, number, 1).await.expect(StatusCode::FORBIDDEN);
    publish(&site.client("admin").await, number, 1).await.expect(StatusCode::FORBIDDEN);
    let browser = site.browser("admin").await.with_header("sec-fetch-site", "same-origin");
    publish(&browser, number, 1).await.expect(StatusCode::FORBIDDEN);
    // Who wrote in it later becomes one of its editors, and so does who proposes it.
    admin.post_nothing(&format!("/api/v1/policies/{number}/take-back")).await.expect(StatusCode::OK);
    second.put(&format!("/api/v1/policies/{number}"), &json!({"source": with("")})).await.expect(StatusCode::OK);
    admin.put(&format!("/api/v1/policies/{number}"), &json!({"source": with(NO_LARGE)})).await.expect(StatusCode::OK);
    third.post_nothing(&format!("/api/v1/policies/{number}/propose")).await.expect(StatusCode::OK);
    for one in [&admin, &second, &third] {
        publish(one, number, 1).await.expect(StatusCode::FORBIDDEN);
    }
    site.grant("fourth", paddock::policy::Role::Admin, None).await;
    // Who is no admin publishes nothing.
    for login in ["developer", "lead", "auditor"] {
        publish(&site.client(login).await, number, 1).await.expect(StatusCode::FORBIDDEN);
    }
    publish(&site.client("fourth").await, number, 1).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_use_case_and_the_database_refuse_it_too() {
    let site = site().await;
    let admin = site.client("admin").await;
    let number = i32::try_from(proposed(&admin, &with(NO_LARGE)).await).unwrap();
    let author = site.person("admin").await;
    let app = &site.test.app;
    let version = app.policy_version(number).await.unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let refused = versions::publish(&mut tx, &version, (author.id, "admin")).await;
    assert!(matches!(refused, Err(VersionError::OwnVersion(_))), "{refused:?}");
    // Even where the use-case is told that nobody wrote in it.
    let blind = versions::PolicyVersion { editors: Vec::new(), ..version };
    let refused = versions::publish(&mut tx, &blind, (author.id, "admin")).await;
    assert!(matches!(refused, Err(VersionError::OwnVersion(_))), "{refused:?}");
    tx.rollback().await.unwrap();
    let owner = sqlx::PgPool::connect_with(site.test.database.options()).await.unwrap();
    for (statement, constraint) in [
        ("UPDATE policy_version SET source = '' WHERE number = 2", "policy_version_content"),
        (
            "UPDATE policy_version SET state = 'published', published_at = now() WHERE number = 2",
            "policy_version_publisher",
        ),
        ("UPDATE policy_version SET state = 'proposed' WHERE number = 1", "policy_version_transition"),
    ] {
        let error = sqlx::query(statement).execute(&owner).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().constraint(), Some(constraint), "{statement}: {error}");
    }
    for statement in ["DELETE FROM policy_version", "DELETE FROM policy_version_editor"] {
        let error = sqlx::query(statement).execute(&owner).await.unwrap_err();
        assert!(error.to_string().contains("its rows are never changed"), "{error}");
    }
    owner.close().await;
    // Nobody at the terminal and nothing of Paddock writes policies.
    let permit = app.policy.permit(&app.platform_question(
        &site.test.op(Actor::Operator),
        &site.test.person("admin").await,
        paddock::policy::Action::ManagePolicies,
        paddock::policy::Resource::platform(),
    ));
    let refused = app.draft_policies(&site.test.op(Actor::Operator), &permit.unwrap(), None, None).await;
    assert!(matches!(refused, Err(VersionError::NoPerson)), "{refused:?}");
}
