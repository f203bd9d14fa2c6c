//! The provider of receivers: the suite of all providers, what is sent, and where nothing is sent to.

use std::sync::{Arc, LazyLock};

use paddock::base::{ManualClock, SystemClock};
use paddock::providers::{
    Drift, Finding, Job, JobAction, PlanAction, Provider, ProviderError, Target, Verdict, WebhookProvider,
};
use serde_json::{Value, json};

use super::conformance::{self, actions, inputs, next_attempt, next_run};
use super::host::RecordingHost;
use crate::support::receiver::{Came, Fault, Receiver, SECRET, Way};

pub fn provider() -> &'static WebhookProvider {
    static PROVIDER: LazyLock<WebhookProvider> = LazyLock::new(|| WebhookProvider::new(Arc::new(SystemClock)));
    &PROVIDER
}

pub fn target(settings: Value) -> Target {
    Target { slug: "pipelines".to_owned(), settings, secret: Some(SECRET.into()), next_secret: None }
}

pub fn job(receiver: &Receiver, config: Value) -> Job {
    Job {
        target: Some(target(receiver.settings())),
        config,
        inputs: inputs(json!({"size": "small", "password": "hunter2"})),
        secret_inputs: vec!["password".to_owned()],
        ..conformance::job()
    }
}

#[tokio::test]
async fn lives_and_ends() {
    for (way, config) in [
        (Way::AtOnce, Value::Null),
        (Way::AtOnce, json!({"status": "/status"})),
        (Way::Polled, json!({"timeout": "1m"})),
    ] {
        let (receiver, folder) = (Receiver::start(way), tempfile::tempdir().unwrap());
        let job = job(&receiver, config);
        conformance::lives_and_ends(provider(), &job, &RecordingHost::new(folder.path())).await;
        let effects = receiver.effects(&job.environment.to_string());
        assert_eq!(effects, ["environment.deploy", "environment.delete"], "{way:?}");
    }
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    let receiver = Receiver::start(Way::AtOnce);
    conformance::survives_a_crash_at_every_call(provider(), || job(&receiver, json!({"status": "/status"}))).await;
    assert_eq!(receiver.asked_again_without_a_look(), Vec::<String>::new());
    let receiver = Receiver::start(Way::AtOnce);
    conformance::survives_a_crash_at_every_call(provider(), || job(&receiver, Value::Null)).await;
}

#[tokio::test]
async fn stops_without_lease() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let job = job(&receiver, Value::Null);
    conformance::stops_without_lease(provider(), &job, &RecordingHost::new(folder.path())).await;
    assert!(receiver.came().is_empty());
}

#[tokio::test]
async fn a_refusal_is_told_in_the_receivers_words() {
    for (status, body, words) in [
        ("400 Bad Request", r#"{"message": "no such size"}"#, "no such size"),
        ("422 Unprocessable", r#"{"error": {"message": "quota is full"}}"#, "quota is full"),
        ("403 Forbidden", "not today\nat Main.java:17", "not today"),
        ("404 Not Found", "<html><body>nginx</body></html>", "404"),
        ("302 Found|Location: http://127.0.0.1:1/x", "", "not followed"),
    ] {
        let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
        receiver.next([Fault::Answer(status, body.to_owned())]);
        let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
        conformance::fails_with_the_first_real_error(provider(), &job, &host, words).await;
        assert_eq!(receiver.effects(&job.environment.to_string()), Vec::<String>::new(), "nothing was there to remove");
    }
}

/// Everything that a receiver needs stands in the request, and nothing that is not its business.
#[tokio::test]
async fn a_request_tells_what_is_wanted_of_whom() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let job = job(&receiver, json!({"parameters": {"pipeline": "vm.yml"}}));
    provider().apply(&job, &host).await.unwrap();
    let mut update = next_run(&job, "update");
    update.inputs.insert("size".to_owned(), json!("large"));
    provider().apply(&update, &host).await.unwrap();
    let action =
        JobAction { name: "stop".into(), run: "off".into(), once: false, inputs: inputs(json!({"now": true})) };
    let stop = Job { action: Some(action), ..next_run(&update, "stop") };
    provider().act(&stop, &host).await.unwrap();
    let (outputs, _) = provider().collect(&stop, &host).await.unwrap();
    assert_eq!(outputs.len(), 2, "an action tells what has changed");

    let came = receiver.came();
    let data = |n: usize| came[n].body["data"].clone();
    assert_eq!(data(0)["environment"]["id"], json!(job.environment));
    assert_eq!(data(0)["environment"]["project"], "test");
    assert_eq!((&data(0)["operation"], &data(0)["parameters"]["pipeline"]), (&json!("create"), &json!("vm.yml")));
    assert_eq!(data(0)["inputs"], json!({"size": "small", "password": "hunter2"}));
    assert_eq!(data(0)["previous"], json!({"outputs": {}, "resources": [], "keep": null}));
    assert!(data(0)["callback"]["url"].as_str().unwrap().contains("/api/v1/callbacks/"));
    assert_eq!(
        data(1)["previous"],
        json!({"outputs": {"size": "small"}, "resources": [{"address": "vm", "type": "vm", "id": "vm-1"}],
               "keep": {"serial": 7}})
    );
    assert_eq!(came[2].kind(), "environment.action");
    assert_eq!(data(2)["action"], json!({"name": "stop", "run": "off", "inputs": {"now": true}}));
    assert_eq!(data(2)["previous"]["outputs"], json!({"size": "large"}), "no secret output goes back");
    let ids: Vec<&str> = came.iter().map(Came::id).collect();
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    assert!(!host.text().contains("callbacks"), "{}", host.text());
}

#[tokio::test]
async fn a_plan_says_who_is_asked() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
    assert!(provider().plan(&next_run(&job, "delete"), &host).await.unwrap().changes.is_empty());
    let plan = provider().plan(&job, &host).await.unwrap();
    assert_eq!(actions(&plan), [("webhook", PlanAction::Create)]);
    assert!(plan.changes[0].summary.contains(&receiver.address.to_string()), "{plan:?}");
    assert!(receiver.came().is_empty(), "a plan asks nobody");
    provider().apply(&job, &host).await.unwrap();
    let plan = provider().plan(&next_run(&job, "delete"), &host).await.unwrap();
    assert_eq!(actions(&plan), [("webhook", PlanAction::Destroy)]);
}

/// The id stays, the time of the signature does not; while a secret is replaced there are two signatures.
#[tokio::test]
async fn a_further_attempt_has_the_same_id_and_a_signature_of_its_own() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    receiver.next([Fault::BreakAfter]);
    let mut job = job(&receiver, Value::Null);
    let at = |second| WebhookProvider::new(Arc::new(ManualClock::new(jiff::Timestamp::from_second(second).unwrap())));
    assert!(matches!(at(1_800_000_000).apply(&job, &host).await, Err(ProviderError::Unknown { .. })));
    job.target.as_mut().unwrap().next_secret = Some("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into());
    at(1_800_000_100).apply(&next_attempt(&job), &host).await.unwrap();
    let came = receiver.came();
    assert_eq!(came[0].id(), came[1].id());
    let header = |n: usize, name: &str| came[n].headers[name].clone();
    assert_eq!(
        (header(0, "webhook-timestamp"), header(1, "webhook-timestamp")),
        ("1800000000".into(), "1800000100".into())
    );
    assert_eq!(header(0, "webhook-signature").split(' ').count(), 1);
    let both = header(1, "webhook-signature");
    assert_eq!(both.split(' ').filter(|one| one.starts_with("v1,")).count(), 2, "{both}");
    assert_eq!(receiver.effects(&job.environment.to_string()).len(), 1);
    let (mut one, mut other) = (came[0].body["data"].clone(), came[1].body["data"].clone());
    for data in [&mut one, &mut other] {
        data["attempt"].take();
    }
    assert_eq!(one, other, "the same is asked for, with the same call-back");
}

/// No address of nobody, no other server than the target's, no other machine without encryption.
#[tokio::test]
async fn nothing_is_sent_to_where_no_receiver_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    for (url, words) in [
        ("http://169.254.169.254/latest", "no server can be"),
        ("https://[fd00:ec2::254]/", "no server can be"),
        ("https://0.0.0.0/", "no server can be"),
        ("https://224.0.0.1/", "no server can be"),
        ("http://192.0.2.1/", "another machine"),
        ("ftp://127.0.0.1/", "https://"),
        ("https://user:secret@127.0.0.1/", "a password"),
        ("nonsense", "none"),
    ] {
        let job = Job { target: Some(target(json!({"url": url}))), ..conformance::job() };
        let error = provider().apply(&job, &host).await.unwrap_err();
        assert!(matches!(&error, ProviderError::Failed { message } if message.contains(words)), "{url}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(host.load().is_none(), "{url}: nothing is asked, so nothing is kept");
    }
    // A status address of another server is not asked, whoever names it.
    let (receiver, other) = (Receiver::start(Way::AtOnce), Receiver::start(Way::AtOnce));
    let elsewhere = format!("http://{}/work/1", other.address);
    for fault in [
        Fault::AnswerAfter("202 Accepted", json!({"status_url": elsewhere}).to_string()),
        Fault::AnswerAfter(Box::leak(format!("202 Accepted|Location: {elsewhere}").into_boxed_str()), String::new()),
    ] {
        receiver.next([fault]);
        let folder = tempfile::tempdir().unwrap();
        let error = provider().apply(&job(&receiver, Value::Null), &RecordingHost::new(folder.path())).await;
        assert!(
            matches!(&error, Err(ProviderError::Unknown { message }) if message.contains("another server")),
            "{error:?}"
        );
    }
    assert!(other.came().is_empty());
}

#[tokio::test]
async fn drift_is_what_the_receiver_says() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, json!({"status": "/status"})));
    provider().apply(&job, &host).await.unwrap();
    let state = host.load();
    assert_eq!(provider().drift(&job, &host).await.unwrap(), Drift::of(Vec::new()));
    receiver.drift(json!([{"address": "vm", "kind": "changed", "summary": "2 → 4 cores"}]));
    let Drift::Looked { differences } = provider().drift(&job, &host).await.unwrap() else { panic!("nobody looked") };
    assert_eq!((differences[0].address.as_str(), differences[0].summary.as_str()), ("vm", "2 → 4 cores"));
    assert_eq!(host.load(), state, "a look writes nothing");
    let silent = Job { config: Value::Null, ..job.clone() };
    assert!(matches!(provider().drift(&silent, &host).await.unwrap(), Drift::CannotTell { .. }));
    // Somebody removes it by another way.
    provider().destroy(&next_run(&job, "delete"), &RecordingHost::new(folder.path())).await.unwrap();
    assert_eq!(provider().read_back(&job, &host).await.unwrap(), []);
}

#[tokio::test]
async fn a_check_pings_and_says_what_to_do() {
    let receiver = Receiver::start(Way::AtOnce);
    let check = async |target: Target| provider().check_target(&target).await;
    let told = |findings: &[Finding], what: &str| {
        findings.iter().find(|finding| finding.what == what).map(|finding| finding.result)
    };
    let findings = check(target(receiver.settings())).await;
    assert_eq!(Finding::worst(&findings), Verdict::Ok, "{findings:#?}");
    assert_eq!(receiver.came()[0].kind(), "paddock.ping");
    let findings = check(target(json!({"url": "http://127.0.0.1:1/"}))).await;
    assert_eq!(told(&findings, "Reach"), Some(Verdict::Failed), "{findings:#?}");
    let findings = check(target(json!({"url": "http://169.254.169.254/"}))).await;
    assert_eq!(told(&findings, "Reach"), Some(Verdict::Failed), "{findings:#?}");
    for secret in ["hunter2", "whsec_c2hvcnQ="] {
        let findings = check(Target { secret: Some(secret.into()), ..target(receiver.settings()) }).await;
        assert_eq!(told(&findings, "Signing secret"), Some(Verdict::Failed));
        assert!(!format!("{findings:?}").contains("hunter2"), "{findings:?}");
    }
    let bad = json!({"url": "https://127.0.0.1:1/", "ca_certificate": "no certificate"});
    let findings = check(target(bad)).await;
    assert!(format!("{findings:?}").contains("no certificate in PEM"), "{findings:?}");
}
