//! The same against the certified npm `oidc-provider`.

use std::collections::{BTreeSet, HashMap};
use std::process::Stdio;

use paddock::identity::{Callback, Role, load_access};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use url::Url;

use super::super::fixture::Fixture;
use super::{Trip, oidc, untrusted};

struct Real {
    issuer: String,
    client: reqwest::Client,
    // Ends with the test.
    _process: Child,
}

impl Real {
    async fn start() -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/oidc-provider.mjs");
        let mut process = Command::new("node")
            .args([script, "http://127.0.0.1:4000/auth/callback"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("node runs the OpenID provider of the tests");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.next_line().await.unwrap().expect("the provider starts: run `npm ci` in tests/tools");
        let told: Value = serde_json::from_str(&line).unwrap();
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let issuer = told["issuer"].as_str().unwrap().to_owned();
        Self { issuer, client: builder.build().unwrap(), _process: process }
    }

    async fn set_person(&self, sub: &str, claims: &Value) {
        let url = format!("{}/test/people/{sub}", self.issuer);
        assert!(self.client.put(url).json(claims).send().await.unwrap().status().is_success());
    }

    /// Goes where a browser would go, until the provider sends it back to us.
    async fn sign_in(&self, trip: &Trip<'_>, sub: &str) -> Callback {
        let mut url = trip.redirect.url.clone();
        url.query_pairs_mut().append_pair("login_hint", sub);
        let mut cookies: HashMap<String, String> = HashMap::new();
        for _ in 0..10 {
            let header: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let answer = self.client.get(url.clone()).header("cookie", header.join("; ")).send().await.unwrap();
            for cookie in answer.headers().get_all("set-cookie") {
                let (name, value) = cookie.to_str().unwrap().split_once('=').unwrap();
                cookies.insert(name.to_owned(), value.split(';').next().unwrap().to_owned());
            }
            let Some(to) = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()) else {
                panic!("{}: {}", answer.status(), answer.text().await.unwrap())
            };
            url = url.join(&to).unwrap();
            if url.as_str().starts_with("http://127.0.0.1:4000/") {
                return callback(&url);
            }
        }
        panic!("the provider never came back")
    }
}

fn callback(url: &Url) -> Callback {
    let mut query: HashMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(url.path(), paddock::identity::CALLBACK_PATH);
    Callback {
        code: query.remove("code"),
        state: query.remove("state"),
        iss: query.remove("iss"),
        error: query.remove("error"),
    }
}

#[tokio::test]
async fn a_real_provider_signs_people_in_and_its_groups_give_roles() {
    let (fixture, real) = (Fixture::today().await, Real::start().await);
    let payments = fixture.project("payments").await;
    let oidc = oidc(&real.issuer);
    let mut ids = BTreeSet::new();
    for (groups, roles) in [
        (json!(["grp-payments", "grp-payments-leads"]), BTreeSet::from([Role::Developer, Role::Lead])),
        (json!(["grp-auditors"]), BTreeSet::from([Role::Auditor])),
        (json!([]), BTreeSet::new()),
    ] {
        let person = json!({
            "preferred_username": "lee", "name": "Lee Okafor", "email": "lee@example.com", "groups": groups,
        });
        real.set_person("u-7", &person).await;
        let mut trip = Trip::begin(&fixture, &oidc, &real.issuer).await;
        trip.callback = real.sign_in(&trip, "u-7").await;
        assert_eq!(trip.callback.iss.as_deref(), Some(real.issuer.as_str()));
        let person = trip.finish().await.unwrap().signed_in.person;
        assert_eq!((person.login.as_str(), person.display_name.as_str()), ("lee", "Lee Okafor"));
        let access = load_access(&mut fixture.db.acquire().await.unwrap(), person.id).await.unwrap();
        assert_eq!(access.roles_in(payments, None), roles, "{groups}");
        ids.insert(person.id);
    }
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_code_of_another_flow_is_worth_nothing() {
    let (fixture, real) = (Fixture::today().await, Real::start().await);
    let oidc = oidc(&real.issuer);
    real.set_person("victim", &json!({"preferred_username": "victim"})).await;
    let mut attacker = Trip::begin(&fixture, &oidc, &real.issuer).await;
    let mut victim = Trip::begin(&fixture, &oidc, &real.issuer).await;
    let stolen = real.sign_in(&victim, "victim").await;
    // Code injection: the victim's code in the attacker's own flow. PKCE: the verifier differs.
    attacker.callback.code.clone_from(&stolen.code);
    assert!(untrusted(attacker.finish().await).contains("invalid_grant"));
    victim.callback = stolen;
    // It was a good code, only not for the attacker.
    assert_eq!(victim.finish().await.unwrap().signed_in.person.login, "victim");
}

#[tokio::test]
async fn a_real_code_works_once_and_only_with_our_secret() {
    let (fixture, real) = (Fixture::today().await, Real::start().await);
    let public = Url::parse(super::PUBLIC_URL).unwrap();
    let mut config = super::config(&real.issuer);
    config.client_secret = Some("not the secret".to_owned().into());
    let wrong = paddock::identity::Oidc::new(config, &public).unwrap();
    real.set_person("dana", &json!({"preferred_username": "dana"})).await;
    let mut trip = Trip::begin(&fixture, &wrong, &real.issuer).await;
    trip.callback = real.sign_in(&trip, "dana").await;
    assert!(untrusted(trip.finish().await).contains("invalid_client"));
    let oidc = oidc(&real.issuer);
    let mut trip = Trip::begin(&fixture, &oidc, &real.issuer).await;
    trip.callback = real.sign_in(&trip, "dana").await;
    trip.finish().await.unwrap();
    assert!(super::is_unknown(&trip.finish().await));
    let mut again = Trip::begin(&fixture, &oidc, &real.issuer).await;
    again.callback.code.clone_from(&trip.callback.code);
    assert!(untrusted(again.finish().await).contains("invalid_grant"), "the code was used");
}
