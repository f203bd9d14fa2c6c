//! CloudFormation when AWS is slow, silent, broken or endless, and with every kind of credential.

use std::time::Duration;

use paddock::providers::{Finding, Job, Provider as _, ProviderError, Target, Verdict};
use serde_json::{Value, json};

use super::cloudformation::{CLOUD, job, target};
use super::conformance::{inputs, next_attempt, next_run};
use super::host::RecordingHost;
use crate::support::aws::{Aws, Fault};

/// The settings with more in them.
fn and(mut settings: Value, more: Value) -> Value {
    settings.as_object_mut().unwrap().extend(inputs(more));
    settings
}

/// The job with other settings of its target.
fn set(mut job: Job, more: Value) -> Job {
    let target = job.target.as_mut().unwrap();
    target.settings = and(target.settings.clone(), more);
    job
}

#[tokio::test]
async fn a_page_of_a_proxy_is_an_error_that_may_pass() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let job = job(&aws);
    aws.breaks("CreateChangeSet", &[Fault::Html500After, Fault::Throttle]);
    aws.breaks("DescribeStacks", &[Fault::Throttle, Fault::Html500, Fault::Cut]);
    CLOUD.apply(&job, &host).await.unwrap();
    assert_eq!(aws.account().count("", "First", "made"), 1);
    aws.breaks("DescribeStacks", &[Fault::Html500; 20]);
    match CLOUD.read_back(&job, &host).await {
        Err(ProviderError::Retryable { message }) => {
            assert_eq!(message, "AWS answered with HTTP 500: 500 Internal Server Error");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_effect_without_an_answer_is_unknown_and_looked_for() {
    for fault in [Fault::HangAfter, Fault::Html500After, Fault::Cut] {
        let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
        let host = RecordingHost::new(folder.path());
        let job = set(job(&aws), json!({"call_timeout_seconds": 1}));
        // All tries of the SDK; the first one had its effect.
        aws.breaks("ExecuteChangeSet", &[fault, Fault::Hang, Fault::Html500, Fault::Html500, Fault::Html500]);
        let first = CLOUD.apply(&job, &host).await;
        assert!(matches!(first, Err(ProviderError::Unknown { .. })), "{fault:?}: {first:?}");
        aws.account().faults.clear();
        CLOUD.apply(&next_attempt(&job), &host).await.unwrap();
        assert!(host.text().contains("An earlier attempt has begun the change"), "{}", host.text());
        assert_eq!(aws.account().count("", "First", "made"), 1, "{fault:?}");

        let away = next_run(&job, "delete");
        aws.breaks("DeleteStack", &[fault, Fault::Hang, Fault::Html500, Fault::Html500, Fault::Html500]);
        let first = CLOUD.destroy(&away, &host).await;
        assert!(matches!(first, Err(ProviderError::Unknown { .. })), "{fault:?}: {first:?}");
        aws.account().faults.clear();
        CLOUD.destroy(&next_attempt(&away), &host).await.unwrap();
        assert_eq!(aws.account().count("", "First", "removed"), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_call_that_hangs_is_cut_off_and_gives_way_to_a_cancellation() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let job = set(job(&aws), json!({"call_timeout_seconds": 1}));
    aws.breaks("DescribeStacks", &[Fault::Hang; 20]);
    let silent = CLOUD.read_back(&job, &host).await;
    match &silent {
        Err(ProviderError::Retryable { message }) => assert_eq!(message, "AWS did not answer in time"),
        other => panic!("{other:?}"),
    }
    let patient = set(job, json!({"call_timeout_seconds": 300}));
    let cancel = patient.cancel.clone();
    let asked = aws.account().calls.len();
    let (result, ()) = tokio::join!(CLOUD.apply(&patient, &host), async {
        crate::support::wait::until_true("the call hangs", async || aws.account().calls.len() > asked).await;
        cancel.cancel();
    });
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
}

#[tokio::test]
async fn a_stack_that_never_ends_is_given_up_and_can_be_removed() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let endless = set(Job { inputs: inputs(json!({"Hang": "yes"})), ..job(&aws) }, json!({"deadline_seconds": 1}));
    match CLOUD.apply(&endless, &host).await {
        Err(ProviderError::Unknown { message }) => {
            assert!(message.ends_with("is still CREATE_IN_PROGRESS after 1 s; AWS goes on with it"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    // A further attempt watches on, until somebody cancels it.
    let again = set(next_attempt(&endless), json!({"deadline_seconds": 3600}));
    let cancel = again.cancel.clone();
    let looks = || aws.account().calls.iter().filter(|call| *call == "DescribeStacks").count();
    let before = looks();
    let (result, ()) = tokio::join!(CLOUD.apply(&again, &host), async {
        crate::support::wait::until_true("it looks", async || looks() > before + 3).await;
        cancel.cancel();
    });
    assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
    let busy = CLOUD.plan(&next_run(&endless, "update"), &host).await;
    assert!(
        matches!(&busy, Err(ProviderError::Retryable { message }) if message.contains("is CREATE_IN_PROGRESS")),
        "{busy:?}"
    );
    let away = next_run(&endless, "delete");
    CLOUD.destroy(&away, &host).await.unwrap();
    assert_eq!(CLOUD.read_back(&away, &host).await.unwrap(), []);
    assert_eq!(aws.account().count("", "Bucket", "made"), 1, "nothing was made again");
}

#[tokio::test]
async fn a_role_is_assumed_once_with_its_external_id() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    aws.account().external_id = Some("for-paddock".to_owned());
    let role = json!({"role_arn": "arn:aws:iam::123456789012:role/paddock", "external_id": "for-paddock"});
    let good = set(job(&aws), role.clone());
    CLOUD.apply(&good, &host).await.unwrap();
    assert_eq!(aws.account().assumed.len(), 1, "one credential for all calls");
    let wrong = set(good.clone(), json!({"external_id": "for-another"}));
    match CLOUD.read_back(&wrong, &host).await {
        Err(ProviderError::Retryable { message }) => {
            assert!(
                message.starts_with(
                    "the role arn:aws:iam::123456789012:role/paddock cannot be assumed: AWS said: not authorized"
                ),
                "{message}"
            );
        }
        other => panic!("{other:?}"),
    }
    // A credential that runs out is renewed on the way.
    aws.account().short_lived = true;
    CLOUD.destroy(&next_run(&good, "delete"), &host).await.unwrap();
    assert!(aws.account().assumed.len() > 2);
    assert!(!host.text().contains("secret-of-the-role"));
}

#[tokio::test]
async fn a_web_identity_is_a_text_or_a_file() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    aws.account().web_token = Some("header.claims.signature".to_owned());
    let role = json!({"credentials": "web_identity", "role_arn": "arn:aws:iam::123456789012:role/paddock"});
    let mut text = set(job(&aws), role.clone());
    text.target.as_mut().unwrap().secret =
        Some(json!({"web_identity_token": "header.claims.signature\n"}).to_string().into());
    CLOUD.apply(&text, &host).await.unwrap();
    let file = folder.path().join("token");
    let mut named = set(next_run(&text, "delete"), json!({"web_identity_token_file": file}));
    named.target.as_mut().unwrap().secret = None;
    match CLOUD.destroy(&named, &host).await {
        Err(ProviderError::Retryable { message }) => assert!(message.contains("cannot be read"), "{message}"),
        other => panic!("{other:?}"),
    }
    std::fs::write(&file, "header.claims.signature\n").unwrap();
    CLOUD.destroy(&named, &host).await.unwrap();
    let mut none = named;
    none.target.as_mut().unwrap().settings.as_object_mut().unwrap().shift_remove("web_identity_token_file");
    let error = CLOUD.read_back(&none, &host).await.unwrap_err().to_string();
    assert_eq!(error, "the target account lacks a web identity token, or the file that has it");
}

/// The results by what was tried.
fn told(findings: &[Finding], what: &str) -> Option<Verdict> {
    findings.iter().filter(|finding| finding.what == what).map(|finding| finding.result).max()
}

#[tokio::test]
async fn a_check_says_whose_the_credential_is_and_what_it_lacks() {
    let aws = Aws::start();
    let good = target(aws.settings());
    let findings = CLOUD.check_target(&good).await;
    assert_eq!(Finding::worst(&findings), Verdict::Ok, "{findings:#?}");
    assert!(findings[0].detail.contains("in the account 123456789012"), "{findings:#?}");
    aws.account().denied.insert("DescribeStackEvents".to_owned());
    let findings = CLOUD.check_target(&good).await;
    assert_eq!(told(&findings, "Rights"), Some(Verdict::Failed));
    assert!(
        findings.iter().any(|finding| finding.detail == "It lacks cloudformation:DescribeStackEvents."),
        "{findings:#?}"
    );
    assert!(!aws.account().calls.iter().any(|call| call.starts_with("Create") || call.starts_with("Delete")));

    let wrong = json!({"access_key_id": "AKIABAD", "secret_access_key": "hunter2-wrong"});
    let findings = CLOUD.check_target(&Target { secret: Some(wrong.to_string().into()), ..good.clone() }).await;
    assert_eq!(told(&findings, "Credential"), Some(Verdict::Failed));
    assert!(!format!("{findings:?}").contains("hunter2"), "{findings:?}");
    let none = CLOUD.check_target(&Target { secret: None, ..good.clone() }).await;
    assert_eq!(none[0].detail, "The target account lacks an access key.");

    // Nothing listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody =
        and(aws.settings(), json!({"endpoint": format!("http://127.0.0.1:{port}"), "call_timeout_seconds": 1}));
    let findings = CLOUD.check_target(&target(nobody)).await;
    assert_eq!(told(&findings, "Reach"), Some(Verdict::Failed), "{findings:#?}");
    for bad in ["http://169.254.169.254/latest", "ftp://127.0.0.1", "http://user:word@127.0.0.1", "nonsense"] {
        let findings = CLOUD.check_target(&target(and(aws.settings(), json!({"endpoint": bad})))).await;
        assert_eq!(told(&findings, "Credential"), Some(Verdict::Failed), "{bad}: {findings:#?}");
    }
    let silent = target(and(aws.settings(), json!({"call_timeout_seconds": 300})));
    aws.breaks("GetCallerIdentity", &[Fault::Hang; 5]);
    let began = std::time::Instant::now();
    let findings = CLOUD.check_target(&silent).await;
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(told(&findings, "Reach"), Some(Verdict::Failed), "{findings:#?}");
}
