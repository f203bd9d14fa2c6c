//! The ways in which a receiver says how it went, or does not: what is believed, what is unknown, and that
//! nothing is done twice.

use std::time::Duration;

use paddock::providers::{Job, JobAction, Provider, ProviderError, Report, ReportState};
use serde_json::{Value, json};

use super::conformance::{next_attempt, next_run};
use super::host::RecordingHost;
use super::webhook::{job, provider};
use crate::support::receiver::{Fault, Receiver, Way, result};
use crate::support::wait::until_true;

fn report(value: Value) -> Report {
    serde_json::from_value(value).unwrap()
}

/// What breaks after the effect is looked for, and not asked for again.
#[tokio::test]
async fn an_effect_without_an_answer_is_found_by_a_look() {
    for fault in [
        Fault::BreakAfter,
        Fault::AnswerAfter("500 Internal Server Error", "<html>oops</html>".to_owned()),
        Fault::AnswerAfter("504 Gateway Timeout", String::new()),
        Fault::AnswerAfter("429 Too Many Requests|Retry-After: 0", "{}".to_owned()),
    ] {
        let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
        let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, json!({"status": "/status"})));
        receiver.next([fault.clone()]);
        let error = provider().apply(&job, &host).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unknown { .. }), "{fault:?}: {error:?}");
        assert!(!provider().read_back(&job, &host).await.unwrap().is_empty(), "it may be there");
        provider().apply(&next_attempt(&job), &host).await.unwrap();
        assert_eq!(receiver.of_kind("environment.deploy").len(), 1, "{fault:?}: asked once");
        let (outputs, resources) = provider().collect(&job, &host).await.unwrap();
        assert_eq!((outputs.len(), resources.len()), (2, 1));
    }
}

/// Where nobody can look, the same id says that it is the same; what never arrived is asked for again.
#[tokio::test]
async fn what_nobody_can_look_for_is_asked_again_with_the_same_id() {
    for config in [Value::Null, json!({"status": "/status"})] {
        for fault in [Fault::BreakBefore, Fault::Answer("503 Service Unavailable", String::new())] {
            let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
            let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, config.clone()));
            receiver.next([fault]);
            assert!(matches!(provider().apply(&job, &host).await, Err(ProviderError::Unknown { .. })));
            provider().apply(&next_attempt(&job), &host).await.unwrap();
            let asked = receiver.of_kind("environment.deploy");
            assert_eq!((asked.len(), asked[0].id()), (2, asked[1].id()));
            assert_eq!(receiver.effects(&job.environment.to_string()).len(), 1);
        }
    }
}

/// A receiver that cannot tell the same from the new is asked once; a person decides.
#[tokio::test]
async fn once_is_once() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, json!({"repeat": "once"})));
    receiver.next([Fault::BreakAfter]);
    assert!(matches!(provider().apply(&job, &host).await, Err(ProviderError::Unknown { .. })));
    let error = provider().apply(&next_attempt(&job), &host).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Failed { message } if message.contains("must not be")), "{error:?}");
    assert_eq!(receiver.of_kind("environment.deploy").len(), 1);
    // A person's retry is a run of its own; an action says it for itself.
    let retry = next_run(&job, "create");
    provider().apply(&retry, &host).await.unwrap();
    let action = JobAction { name: "x".into(), run: "x".into(), once: true, inputs: serde_json::Map::new() };
    let act = Job { action: Some(action), config: Value::Null, ..next_run(&retry, "act") };
    receiver.next([Fault::BreakAfter]);
    assert!(matches!(provider().act(&act, &host).await, Err(ProviderError::Unknown { .. })));
    assert!(matches!(provider().act(&next_attempt(&act), &host).await, Err(ProviderError::Failed { .. })));
    assert_eq!(receiver.of_kind("environment.action").len(), 1);
}

/// Where no connection was made nothing was sent: also `once` may be tried again.
#[tokio::test]
async fn what_was_not_sent_may_be_sent() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let job = job(&receiver, json!({"repeat": "once"}));
    let mut away = job.clone();
    away.target.as_mut().unwrap().settings = json!({"url": "http://127.0.0.1:1/"});
    assert!(matches!(provider().apply(&away, &host).await, Err(ProviderError::Retryable { .. })));
    assert_eq!(provider().read_back(&away, &host).await.unwrap(), []);
    provider().apply(&next_attempt(&job), &host).await.unwrap();
}

#[tokio::test]
async fn a_call_back_says_how_it_goes_and_how_it_ended() {
    let (receiver, folder) = (Receiver::start(Way::Silent), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
    let apply = async {
        provider().apply(&job, &host).await.unwrap();
    };
    let tell = async {
        until_true("it is asked", async || !receiver.came().is_empty()).await;
        host.hear(report(json!({"state": "running", "progress": 20, "message": "booting"})));
        until_true("it is told", async || host.text().contains("20 %: booting")).await;
        host.hear(report(result(&receiver.came()[0].body)));
    };
    tokio::join!(apply, tell);
    let (outputs, _) = provider().collect(&job, &host).await.unwrap();
    assert!(outputs.iter().any(|output| output.sensitive && output.name == "key"));
    assert_eq!(host.text().matches("booting").count(), 1, "{}", host.text());
}

/// A worker is killed while it waits; the answer comes meanwhile, or later. Nothing is asked again.
#[tokio::test]
async fn a_further_attempt_goes_on_waiting() {
    for early in [true, false] {
        let (receiver, folder) = (Receiver::start(Way::Silent), tempfile::tempdir().unwrap());
        let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
        tokio::select! {
            result = provider().apply(&job, &host) => panic!("it did not wait: {result:?}"),
            () = until_true("it waits", async || host.text().contains("goes on by itself")) => {}
        }
        let answer = report(result(&receiver.came()[0].body));
        if early {
            host.hear(answer.clone());
        }
        let again = next_attempt(&job);
        let (result, ()) = tokio::join!(provider().apply(&again, &host), async {
            if !early {
                until_true("it waits again", async || host.waits() == 2).await;
                host.hear(answer);
            }
        });
        result.unwrap();
        assert_eq!(receiver.of_kind("environment.deploy").len(), 1);
    }
}

#[tokio::test]
async fn a_failure_is_told_and_what_is_there_can_be_removed() {
    let (receiver, folder) = (Receiver::start(Way::Silent), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
    host.hear(report(
        json!({"state": "failed", "message": "no capacity in zone b", "resources": [{"address": "disk"}]}),
    ));
    let error = provider().apply(&job, &host).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Failed { message } if message == "no capacity in zone b"), "{error:?}");
    assert_eq!(provider().read_back(&job, &host).await.unwrap()[0].address, "disk");
    let (receiver, host2) = (Receiver::start(Way::AtOnce), RecordingHost::new(folder.path()));
    let away = Job { target: super::webhook::job(&receiver, Value::Null).target, ..next_run(&job, "delete") };
    provider().destroy(&away, &host2).await.unwrap();
    assert_eq!(receiver.of_kind("environment.delete").len(), 1);
    assert_eq!(receiver.came()[0].body["data"]["previous"]["resources"][0]["address"], "disk");
}

/// Nothing comes: that is unknown, not failed, and the next attempt asks with the same id.
#[tokio::test]
async fn a_time_that_is_over_is_unknown() {
    let (receiver, folder) = (Receiver::start(Way::Silent), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, json!({"timeout": "1s"})));
    let error = provider().apply(&job, &host).await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Unknown { message } if message.ends_with("did not say within 1s how it ended")),
        "{error:?}"
    );
    assert!(matches!(provider().apply(&next_attempt(&job), &host).await, Err(ProviderError::Unknown { .. })));
    let asked = receiver.of_kind("environment.deploy");
    assert_eq!((asked.len(), asked[0].id()), (2, asked[1].id()));
    // With a status address it is looked there before that.
    let (receiver, folder) = (Receiver::start(Way::Silent), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let job = super::webhook::job(&receiver, json!({"timeout": "2s", "status": "/status"}));
    provider().apply(&job, &host).await.unwrap();
}

/// An answer that says nothing is not taken for a success.
#[tokio::test]
async fn an_answer_without_a_result_is_no_result() {
    let page = Fault::AnswerAfter("200 OK", "<html>Sign in</html>".to_owned());
    let workflow = Fault::AnswerAfter("200 OK", r#"{"message": "Workflow was started"}"#.to_owned());
    for fault in [page, workflow, Fault::AnswerAfter("200 OK", String::new())] {
        let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
        let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, json!({"timeout": "1s"})));
        receiver.next([fault]);
        assert!(matches!(provider().apply(&job, &host).await, Err(ProviderError::Unknown { .. })));
        assert!(host.text().contains("says nothing of a result"), "{}", host.text());
    }
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
    receiver.next([Fault::AnswerAfter("200 OK", r#"{"state": "succeeded", "outputs": [1]}"#.to_owned())]);
    let error = provider().apply(&job, &host).await.unwrap_err();
    assert!(matches!(&error, ProviderError::Failed { message } if message.contains("cannot be used")), "{error:?}");
    assert!(!provider().read_back(&job, &host).await.unwrap().is_empty(), "it may be there all the same");
}

/// A person cancels: the receiver hears of it, and nothing is promised. A worker that only stops says nothing.
#[tokio::test]
async fn a_cancellation_is_passed_on() {
    for by_person in [true, false] {
        let (receiver, folder) = (Receiver::start(Way::Silent), tempfile::tempdir().unwrap());
        let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
        let stop = async {
            until_true("it waits", async || host.text().contains("goes on by itself")).await;
            if by_person {
                host.cancel();
            }
            job.cancel.cancel();
        };
        let (result, ()) = tokio::join!(provider().apply(&job, &host), stop);
        assert!(matches!(result, Err(ProviderError::Canceled)), "{result:?}");
        let told = receiver.of_kind("environment.cancel");
        assert_eq!(told.len(), usize::from(by_person));
        if let Some(told) = told.first() {
            assert_eq!(told.body["data"]["cancels"].as_str().unwrap(), receiver.came()[0].id());
            assert_ne!(told.id(), receiver.came()[0].id());
            assert!(host.text().contains("is not known"), "{}", host.text());
        }
    }
}

/// A receiver that does not answer at all is given up; the look finds what it did.
#[tokio::test]
async fn a_receiver_that_hangs_is_left_when_the_run_stops() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, json!({"status": "/status"})));
    receiver.next([Fault::Hang]);
    tokio::select! {
        result = provider().apply(&job, &host) => panic!("it did not hang: {result:?}"),
        () = until_true("it has its effect", async || !receiver.effects(&job.environment.to_string()).is_empty()) => {}
    }
    tokio::time::timeout(Duration::from_secs(60), provider().apply(&next_attempt(&job), &host)).await.unwrap().unwrap();
    assert_eq!(receiver.of_kind("environment.deploy").len(), 1);
}

/// The answer that comes on the call-back counts also where the request's own answer was lost.
#[tokio::test]
async fn a_call_back_makes_up_for_a_lost_answer() {
    let (receiver, folder) = (Receiver::start(Way::AtOnce), tempfile::tempdir().unwrap());
    let (host, job) = (RecordingHost::new(folder.path()), job(&receiver, Value::Null));
    receiver.next([Fault::BreakAfter]);
    let body = json!({"type": "environment.deploy", "data": {"inputs": {"size": "small"}}});
    host.hear(report(result(&body)));
    provider().apply(&job, &host).await.unwrap();
    assert_eq!(receiver.of_kind("environment.deploy").len(), 1);
    assert_eq!(Report::of(ReportState::Running, None).line(), None);
}
