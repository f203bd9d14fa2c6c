//! Which set each process decides by: at once after a publication, after an upgrade, with a folder.

use axum::http::StatusCode;
use paddock::app::{App, PolicySource, follow_policies};
use paddock::base::id::PersonId;
use paddock::base::{Actor, Origin};
use paddock::orchestrator::Event;
use paddock::policy::versions::{self, VersionOrigin, VersionState};
use paddock::policy::{Action, Outcome, PolicyEngine, Resource};

use super::{NO_LARGE, begin, proposed, publish, site, verdict, with};
use crate::support::app::TestApp;
use crate::support::http::Site;
use crate::support::wait::until_true;

/// Another process on the same database.
async fn other(site: &Site) -> App {
    let app = site.test.with_policies(PolicyEngine::embedded().unwrap());
    begin(&app, PolicySource::Versions).await;
    app
}

#[tokio::test]
async fn every_process_takes_a_publication_up() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let server = other(&site).await;
    follow_policies(&server);
    let mut hints = server.signals.subscribe();
    let number = proposed(&admin, &with(NO_LARGE)).await;
    let before = server.policy.now();
    publish(&second, number, 1).await.expect(StatusCode::OK);
    let digest = site.test.app.policy.digest();
    assert_ne!(digest, before.digest());
    tokio::time::timeout(std::time::Duration::from_secs(60), async {
        while hints.recv().await.unwrap() != Event::Policies {}
    })
    .await
    .expect("a hint comes");
    until_true("the other process has it", async || server.policy.digest() == digest).await;
    assert_eq!(server.policies_in_force().number, Some(2));
    assert_ne!(before.digest(), digest, "what was taken before stays whole");

    // Without any hint: whoever published died right after the commit.
    let number = i32::try_from(proposed(&admin, &with("")).await).unwrap();
    let by: PersonId = site.person("second").await.id;
    let mut tx = server.db.begin().await.unwrap();
    versions::lock(&mut tx).await.unwrap();
    let version = versions::held(&mut tx, number, None).await.unwrap();
    versions::publish(&mut tx, &version, (by, "second")).await.unwrap();
    tx.commit().await.unwrap();
    until_true("it is found by looking", async || server.policies_in_force().number == Some(number)).await;
    server.tasks.stop(std::time::Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_decision_has_the_digest_of_the_set_that_made_it() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let developer = site.client("developer").await;
    let ask = async |name: &str| {
        let made = developer.post("/api/v1/requests", &crate::api::create("dev", name)).await;
        made.expect(StatusCode::CREATED)["decision"]["policy_digest"].as_str().unwrap().to_owned()
    };
    let first = ask("first").await;
    let number = proposed(&admin, &with(NO_LARGE)).await;
    publish(&second, number, 1).await.expect(StatusCode::OK);
    let next = ask("second").await;
    assert_ne!(first, next);
    let stored = admin.json("/api/v1/policies/2").await;
    assert_eq!(next, stored["digest"].as_str().unwrap());
    let mut connection = site.test.app.db.acquire().await.unwrap();
    let digest = site.test.app.policy.digest();
    let set = paddock::policy::find_policy_set(&mut connection, digest).await.unwrap().unwrap();
    assert_eq!((set.digest.to_string(), set.source), (next, with(NO_LARGE)));
}

#[tokio::test]
async fn a_set_that_does_not_fit_locks_nobody_out() {
    let site = site().await;
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    // As an earlier version of Paddock stored it: it reads what this one does not know.
    let gone = NO_LARGE.replace("\"large\"", "context.mood");
    let insert = "UPDATE policy_version SET state = 'superseded' WHERE state = 'published';
        INSERT INTO policy_version (id, number, state, origin, source, digest, note, author_id, author_label, published_at,
            publisher_id, publisher_label)
        SELECT gen_random_uuid(), 2, 'published', 'person', $text$TEXT$text$, sha256('x'), '', a.id, 'admin', now(), b.id, 'second'
        FROM person a, person b WHERE a.login = 'admin' AND b.login = 'second'";
    site.sql(&insert.replace("TEXT", &with(&gone))).await;
    assert!(site.test.app.take_up_policies().await.unwrap());
    let wrong = site.test.app.policies_in_force().wrong.unwrap();
    assert!(wrong.contains("version 2") && wrong.contains("mood"), "{wrong}");
    let developer = site.client("developer").await;
    assert_eq!(verdict(&developer, "small").await["decision"]["outcome"], "denied", "nothing is made");
    developer.get("/api/v1/environments").await.expect(StatusCode::OK);
    let mut browser = site.test.browser_of("admin").await;
    browser
        .get("/admin/policies")
        .await
        .shows(&["does not fit this Paddock", "context.mood".split('.').nth(1).unwrap()]);
    // Two admins mend it.
    let number = proposed(&admin, &with("")).await;
    publish(&second, number, 2).await.expect(StatusCode::OK);
    assert_eq!(site.test.app.policies_in_force().wrong, None);
    assert_eq!(verdict(&developer, "small").await["decision"]["outcome"], "allowed");
}

#[tokio::test]
async fn with_a_folder_git_is_the_source() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.cedar"), with(NO_LARGE)).unwrap();
    let test = TestApp::start_with(PolicyEngine::from_folder(folder.path()).unwrap()).await;
    begin(&test.app, PolicySource::Folder(folder.path().to_owned())).await;
    let site = Site::serve(test).await;
    let admin = site.client("admin").await;
    let list = admin.json("/api/v1/policies").await;
    assert_eq!(
        (list["items"][0]["origin"].as_str(), list["items"][0]["state"].as_str()),
        (Some("folder"), Some("published"))
    );
    let refused = admin.post("/api/v1/policies", &serde_json::json!({"source": with("")})).await;
    let refused = refused.expect(StatusCode::CONFLICT);
    assert!(refused["detail"].as_str().unwrap().contains("change them there, in Git"), "{refused}");
    let mut browser = site.test.browser_of("admin").await;
    let page = browser.get("/admin/policies").await;
    page.shows(&["change them there, in Git", "Loaded from"]);
    page.hides(&["New draft"]);
    browser.get("/admin/policies/1").await.hides(&["New draft from it"]);
    assert_eq!(browser.post("/admin/policies/new", &[]).await.status, StatusCode::CONFLICT);

    // A process without the folder decides by what was loaded from it.
    let worker = other(&site).await;
    assert_eq!(worker.policy.digest(), site.test.app.policy.digest());
    // The folder again changes nothing; another text in it is another version.
    begin(
        &site.test.with_policies(PolicyEngine::from_folder(folder.path()).unwrap()),
        PolicySource::Folder(folder.path().to_owned()),
    )
    .await;
    assert_eq!(site.number("SELECT count(*) FROM policy_version").await, 1);
    std::fs::write(folder.path().join("all.cedar"), with("")).unwrap();
    begin(
        &site.test.with_policies(PolicyEngine::from_folder(folder.path()).unwrap()),
        PolicySource::Folder(folder.path().to_owned()),
    )
    .await;
    assert_eq!(site.number("SELECT number FROM policy_version WHERE state = 'published'").await, 2);
}

#[tokio::test]
async fn a_newer_built_in_set_replaces_an_older_one_and_nothing_else() {
    let site = site().await;
    let newer = || TestApp::policies_and(NO_LARGE);
    let in_force = async || {
        let found = versions::published(&mut site.test.app.db.acquire().await.unwrap()).await.unwrap().unwrap();
        (found.number, found.origin, found.state)
    };
    begin(&site.test.with_policies(newer()), PolicySource::Versions).await;
    assert_eq!(in_force().await, (2, VersionOrigin::BuiltIn, VersionState::Published));
    // The older process beside it does not bring its own back.
    other(&site).await;
    assert_eq!(in_force().await.0, 2);
    let (admin, second) = (site.client("admin").await, site.client("second").await);
    let number = proposed(&admin, &with("")).await;
    publish(&second, number, 2).await.expect(StatusCode::OK);
    begin(&site.test.with_policies(TestApp::policies_and(&NO_LARGE.replace("large", "huge"))), PolicySource::Versions)
        .await;
    assert_eq!(in_force().await, (3, VersionOrigin::Person, VersionState::Published));
}

#[tokio::test]
async fn what_holds_for_repair_lets_admins_mend_and_nobody_make() {
    let test = TestApp::start().await;
    let repair = PolicyEngine::for_repair().unwrap();
    let op = test.app.op(Actor::Anonymous, Origin::internal("web"));
    for (login, action, allowed) in [
        ("admin", Action::ManagePolicies, true),
        ("admin", Action::ReadAdmin, true),
        ("developer", Action::ManagePolicies, false),
        ("developer", Action::ReadCatalog, true),
    ] {
        let access = test.person(login).await;
        let question = test.app.platform_question(&op, &access, action, Resource::platform());
        assert_eq!(repair.decide(&question).is_allowed(), allowed, "{login} {action}");
    }
    let changes = [Action::CreateEnvironment, Action::DeleteEnvironment, Action::ReviewRequest, Action::RevealOutput];
    let mut connection = test.app.db.acquire().await.unwrap();
    let project = paddock::projects::find(&mut connection, "payments").await.unwrap().unwrap();
    for login in ["developer", "lead", "admin"] {
        let access = test.person(login).await;
        for action in changes {
            let question = test.app.project_question(&op, &access, action, &project);
            assert_eq!(repair.decide(&question).outcome, Outcome::Denied, "{login} {action}");
        }
    }
}
