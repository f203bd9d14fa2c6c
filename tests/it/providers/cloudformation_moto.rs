//! CloudFormation against moto: the wire, as others read the API. What moto does not do honestly (states,
//! reasons, tokens, drift) is shown against our own double.

use std::sync::Arc;

use paddock::providers::{Job, Provider as _, ProviderError, TemplateFile};
use serde_json::json;

use super::cloudformation::{CLOUD, target};
use super::conformance::{self, inputs, next_run};
use super::host::RecordingHost;
use crate::support::moto::Moto;

const TEMPLATE: &str = "
Parameters:
  Seconds: {Type: Number, Default: '5'}
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: !Ref Seconds}
  Topic:
    Type: AWS::SNS::Topic
Outputs:
  Url: {Value: !Ref Queue}
";

fn job(template: &str) -> Job {
    let settings = json!({"region": "eu-west-1", "endpoint": Moto::url(), "deadline_seconds": 120});
    let content = template.as_bytes().to_vec();
    Job {
        target: Some(target(settings)),
        files: Arc::new(vec![TemplateFile { path: "stack.yaml".to_owned(), executable: false, content }]),
        config: json!({"template": "stack.yaml"}),
        ..conformance::job()
    }
}

#[tokio::test]
async fn lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    conformance::lives_and_ends(&CLOUD, &job(TEMPLATE), &RecordingHost::new(folder.path())).await;
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    Moto::url();
    conformance::survives_a_crash_at_every_call(&CLOUD, || job(TEMPLATE)).await;
}

#[tokio::test]
async fn a_queue_is_really_changed() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let create = job(TEMPLATE);
    CLOUD.apply(&create, &host).await.unwrap();
    let (_, resources) = CLOUD.collect(&create, &host).await.unwrap();
    assert_eq!(resources.len(), 3, "{resources:?}");
    let queue = resources.iter().find(|one| one.address == "Queue").unwrap();
    let url = queue.provider_id.as_deref().unwrap();
    let update = Job { inputs: inputs(json!({"Seconds": 77})), ..next_run(&create, "update") };
    let plan = CLOUD.plan(&update, &host).await.unwrap();
    assert!(!plan.changes.is_empty(), "{plan:?}");
    CLOUD.apply(&Job { plan: Some(Arc::new(plan)), ..update.clone() }, &host).await.unwrap();
    let body =
        "Action=GetQueueAttributes&Version=2012-11-05&AttributeName.1=VisibilityTimeout&QueueUrl=".to_owned() + url;
    let asked = reqwest::Client::builder().build().unwrap().post(Moto::url());
    let asked = asked.header("content-type", "application/x-www-form-urlencoded");
    let asked = asked.header("authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/sqs/aws4_request");
    let answer = asked.body(body).send().await.unwrap().text().await.unwrap();
    assert!(answer.contains("77"), "{answer}");
    CLOUD.destroy(&next_run(&update, "delete"), &host).await.unwrap();
}

#[tokio::test]
async fn what_moto_answers_with_a_page_is_survived() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    let broken = "Resources: [";
    let job = job(broken);
    let error = CLOUD.apply(&job, &host).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Retryable { message } if message == "AWS answered with HTTP 500: 500 Internal Server Error"),
        "{error:?}"
    );
    let away = next_run(&job, "delete");
    CLOUD.destroy(&away, &host).await.unwrap();
    assert_eq!(CLOUD.read_back(&away, &host).await.unwrap(), []);
}

#[tokio::test]
async fn roles_and_web_identities_are_asked_for_as_moto_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(folder.path());
    for settings in [json!({}), json!({"credentials": "web_identity"})] {
        let mut job = job(TEMPLATE);
        let target = job.target.as_mut().unwrap();
        let all = target.settings.as_object_mut().unwrap();
        all.extend(inputs(settings));
        all.insert("role_arn".to_owned(), json!("arn:aws:iam::123456789012:role/paddock"));
        let secret = json!({"access_key_id": "x", "secret_access_key": "y", "web_identity_token": "a.b.c"});
        target.secret = Some(secret.to_string().into());
        let findings = CLOUD.check_target(job.target.as_ref().unwrap()).await;
        assert!(findings[0].detail.contains("assumed-role/paddock/paddock"), "{findings:?}");
        assert_eq!(CLOUD.read_back(&job, &host).await.unwrap(), []);
    }
}
