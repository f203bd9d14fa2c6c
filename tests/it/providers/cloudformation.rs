//! CloudFormation stacks against a double of the documented API: plans, states, reasons, what stays.

use std::sync::Arc;

use paddock::providers::{
    CloudFormationProvider, DifferenceKind, Drift, Inventory, Job, Marked, PlanAction, Provider as _, ProviderError,
    Target, TemplateFile,
};
use serde_json::{Value, json};

use super::conformance::{self, actions, inputs, next_attempt, next_run};
use super::host::RecordingHost;
use crate::support::aws::Aws;

pub const CLOUD: CloudFormationProvider = CloudFormationProvider;

/// Two queues, of which one can be made to fail, and a bucket that stays.
pub fn template() -> Value {
    json!({
        "Parameters": {
            "Size": {"Type": "String", "Default": "small", "AllowedValues": ["small", "large"]},
            "Password": {"Type": "String", "Default": "", "NoEcho": true},
            "Fail": {"Type": "String", "Default": ""},
            "FailBack": {"Type": "String", "Default": ""},
            "FailDelete": {"Type": "String", "Default": ""},
            "Hang": {"Type": "String", "Default": ""}
        },
        "Resources": {
            "Bucket": {"Type": "AWS::S3::Bucket", "Metadata": {"FailsRollback": {"Ref": "FailBack"}}},
            "First": {"Type": "AWS::SQS::Queue", "Properties": {"Size": {"Ref": "Size"}},
                "Metadata": {"Fails": {"Ref": "Fail"}, "FailsRollback": {"Ref": "FailBack"},
                    "FailsDelete": {"Ref": "FailDelete"}, "Hangs": {"Ref": "Hang"}}},
            "Second": {"Type": "AWS::SQS::Queue", "Properties": {"Size": "fixed"}}
        },
        "Outputs": {
            "Url": {"Value": {"Ref": "First"}},
            "Login": {"Value": {"Ref": "Password"}}
        }
    })
}

pub fn with_template(mut job: Job, template: &Value) -> Job {
    let content = template.to_string().into_bytes();
    job.files = Arc::new(vec![TemplateFile { path: "template.json".to_owned(), executable: false, content }]);
    job
}

pub fn target(settings: Value) -> Target {
    let secret = json!({"access_key_id": "AKIAGOOD", "secret_access_key": "the-key-of-the-account"});
    Target { slug: "account".to_owned(), settings, secret: Some(secret.to_string().into()), next_secret: None }
}

pub fn job(aws: &Aws) -> Job {
    let job = Job { target: Some(target(aws.settings())), ..conformance::job() };
    with_template(job, &template())
}

fn with(job: &Job, values: Value) -> Job {
    Job { inputs: inputs(values), ..job.clone() }
}

fn failure(result: Result<(), ProviderError>) -> String {
    match result {
        Err(ProviderError::Failed { message }) => message,
        other => panic!("not a failure: {other:?}"),
    }
}

/// The job with the plan that it makes.
async fn planned(job: &Job, host: &RecordingHost) -> Job {
    let plan = CLOUD.plan(job, host).await.unwrap();
    Job { plan: Some(Arc::new(plan)), ..job.clone() }
}

#[tokio::test]
async fn lives_and_ends() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    conformance::lives_and_ends(&CLOUD, &job(&aws), &RecordingHost::new(folder.path())).await;
    let account = aws.account();
    for resource in ["Bucket", "First", "Second"] {
        assert_eq!((account.count("", resource, "made"), account.count("", resource, "removed")), (1, 1), "{resource}");
    }
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    let aws = Aws::start();
    conformance::survives_a_crash_at_every_call(&CLOUD, || job(&aws)).await;
    let account = aws.account();
    let made = account.effects.iter().filter(|(_, _, effect)| *effect == "made").count();
    assert_eq!(made % 3, 0, "never one twice");
    assert!(account.stacks.iter().all(|stack| account.count(&stack.name, "First", "made") <= 1));
}

#[tokio::test]
async fn fails_with_the_first_real_error() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let bad = with(&job(&aws), json!({"Fail": "The queue name is taken"}));
    let words = "First (AWS::SQS::Queue): The queue name is taken. CloudFormation has removed what it had made \
                 (ROLLBACK_COMPLETE).";
    conformance::fails_with_the_first_real_error(&CLOUD, &bad, &host, words).await;
    assert!(
        host.text().contains("CREATE_FAILED Second (AWS::SQS::Queue): Resource creation cancelled"),
        "{}",
        host.text()
    );
    let bad = with(&job(&aws), json!({"Size": "huge"}));
    conformance::fails_with_the_first_real_error(&CLOUD, &bad, &host, "must be one of AllowedValues").await;
}

/// Not what its own stack says of it, which names nothing, nor what failed there another time.
#[tokio::test]
async fn fails_with_the_first_real_error_of_a_nested_stack() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let inner = [
        ("", "UPDATE_IN_PROGRESS", ""),
        ("Old", "UPDATE_FAILED", "Trouble of last year"),
        ("", "UPDATE_ROLLBACK_COMPLETE", ""),
        ("", "UPDATE_IN_PROGRESS", ""),
        ("Beside", "UPDATE_FAILED", "Resource update cancelled"),
        ("Queue", "UPDATE_FAILED", "The queue name is taken"),
        ("", "UPDATE_ROLLBACK_COMPLETE", ""),
    ];
    let arn = aws.account().nest("network", &inner);
    let outer = |fails: &str, size: &str| {
        let metadata = json!({"Is": arn, "Fails": fails});
        let properties = json!({"TemplateURL": "https://example.com/network.yaml", "Size": size});
        let network = json!({"Type": "AWS::CloudFormation::Stack", "Metadata": metadata, "Properties": properties});
        json!({"Resources": {"Network": network}})
    };
    let job = with_template(job(&aws), &outer("", "small"));
    CLOUD.apply(&planned(&job, &host).await, &host).await.unwrap();
    let words = format!("Embedded stack {arn} was not successfully updated");
    let update = with_template(next_run(&job, "update"), &outer(&words, "large"));
    let message = failure(CLOUD.apply(&planned(&update, &host).await, &host).await);
    assert!(message.starts_with("Network: Queue (AWS::SQS::Queue): The queue name is taken."), "{message}");
}

#[tokio::test]
async fn stops_without_lease() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    conformance::stops_without_lease(&CLOUD, &job(&aws), &RecordingHost::new(folder.path())).await;
    assert!(!aws.account().calls.iter().any(|call| call == "ExecuteChangeSet"));
}

#[tokio::test]
async fn a_plan_is_a_change_set_and_apply_executes_exactly_that() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let create = planned(&job(&aws), &host).await;
    let again = planned(&next_attempt(&job_like(&create)), &host).await;
    assert_eq!(create.plan, again.plan, "a further attempt finds the change set that is there");
    assert_eq!(aws.account().calls.iter().filter(|call| *call == "CreateChangeSet").count(), 1);
    CLOUD.apply(&create, &host).await.unwrap();
    assert!(!aws.account().stack("conformance").unwrap().tags.is_empty());
    let tags = aws.account().stack("conformance").unwrap().tags.clone();
    assert!(tags.contains(&("paddock:environment".to_owned(), create.environment.to_string())), "{tags:?}");

    let nothing = planned(&next_run(&job_like(&create), "update"), &host).await;
    assert_eq!(nothing.plan.as_ref().unwrap().changes, []);
    CLOUD.apply(&nothing, &host).await.unwrap();

    let mut changed = template();
    changed["Resources"]["Second"]["Metadata"] = json!({"Replaces": "yes"});
    changed["Resources"]["Third"] = json!({"Type": "AWS::SNS::Topic"});
    changed["Resources"].as_object_mut().unwrap().shift_remove("Bucket");
    let update = with_template(next_run(&job_like(&create), "update"), &changed);
    let update = planned(&with(&update, json!({"Size": "large"})), &host).await;
    let plan = update.plan.clone().unwrap();
    assert_eq!(
        actions(&plan),
        [
            ("First", PlanAction::Change),
            ("Second", PlanAction::Replace),
            ("Third", PlanAction::Create),
            ("Bucket", PlanAction::Destroy),
        ]
    );
    assert_eq!(plan.changes[0].summary, "AWS::SQS::Queue: Size");
    let other = with(&update, json!({"Size": "small"}));
    assert!(failure(CLOUD.apply(&other, &host).await).starts_with("The plan is stale: the template or the inputs"));
    let calls = aws.account().calls.len();
    aws.account().shorten_change_sets();
    let message = failure(CLOUD.apply(&update, &host).await);
    assert!(message.starts_with("The plan is stale: the change set does something else"), "{message}");
    assert!(!aws.account().calls[calls..].contains(&"ExecuteChangeSet".to_owned()));
    let update = Job { plan: None, ..next_run(&update, "update") };
    let update = planned(&update, &host).await;
    CLOUD.apply(&update, &host).await.unwrap();
    {
        let account = aws.account();
        assert_eq!(account.count("", "Second", "replaced"), 1);
        assert_eq!((account.count("", "First", "changed"), account.count("", "Bucket", "removed")), (1, 1));
    }
    // The same plan in a later run: it was carried out, and is not again.
    CLOUD.apply(&next_attempt(&update), &host).await.unwrap();
    assert_eq!(aws.account().count("", "First", "changed"), 1);

    let outputs_only = {
        let mut changed = changed.clone();
        changed["Outputs"]["Size"] = json!({"Value": {"Ref": "Size"}});
        with_template(next_run(&job_like(&update), "update"), &changed)
    };
    let outputs_only = planned(&with(&outputs_only, json!({"Size": "large"})), &host).await;
    assert_eq!(actions(outputs_only.plan.as_ref().unwrap()), [("stack", PlanAction::Change)]);
    CLOUD.apply(&outputs_only, &host).await.unwrap();
    let (outputs, _) = CLOUD.collect(&outputs_only, &host).await.unwrap();
    assert!(outputs.iter().any(|output| output.name == "Size" && output.value == "large"));
}

/// The job without its plan.
fn job_like(job: &Job) -> Job {
    Job { plan: None, ..job.clone() }
}

#[tokio::test]
async fn a_plan_that_the_stack_left_behind_is_refused() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let create = job(&aws);
    CLOUD.apply(&create, &host).await.unwrap();
    let late = planned(&with(&next_run(&create, "update"), json!({"Size": "large"})), &host).await;
    let other = next_run(&next_run(&create, "update"), "update");
    CLOUD.apply(&with(&other, json!({"Size": "large", "Password": "x"})), &host).await.unwrap();
    let words = failure(CLOUD.apply(&late, &host).await);
    assert_eq!(words, "The plan is stale: the stack has changed since it was made. Plan again.");
    assert_eq!(aws.account().count("", "First", "changed"), 1);

    let gone = planned(&with(&next_run(&other, "update"), json!({"Size": "small"})), &host).await;
    let away = next_run(&other, "delete");
    CLOUD.destroy(&away, &host).await.unwrap();
    let words = failure(CLOUD.apply(&gone, &host).await);
    assert_eq!(words, "The plan is stale: its change set is not there any more. Plan again.");
    assert_eq!(CLOUD.read_back(&away, &host).await.unwrap(), []);
}

#[tokio::test]
async fn a_change_set_that_is_forgotten_once_it_is_executed_was_executed() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    aws.account().forgetful = true;
    let host = RecordingHost::new(folder.path());
    let create = planned(&job(&aws), &host).await;
    CLOUD.apply(&create, &host).await.unwrap();
    CLOUD.apply(&next_attempt(&create), &host).await.unwrap();
    assert_eq!(aws.account().count("", "First", "made"), 1);
}

#[tokio::test]
async fn events_are_told_as_they_happen_and_outputs_that_show_a_secret_are_secret() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let mut create = with(&job(&aws), json!({"Password": "hunter2"}));
    create.secret_inputs = vec!["Password".to_owned()];
    CLOUD.apply(&create, &host).await.unwrap();
    let text = host.text();
    let places: Vec<usize> = [
        "CREATE_IN_PROGRESS paddock-test-conformance-",
        "CREATE_IN_PROGRESS Bucket (AWS::S3::Bucket)",
        "CREATE_COMPLETE Bucket (AWS::S3::Bucket)",
        "CREATE_COMPLETE Second (AWS::SQS::Queue)",
        "CREATE_COMPLETE paddock-test-conformance-",
    ]
    .iter()
    .map(|line| text.find(line).unwrap_or_else(|| panic!("{line} is not in\n{text}")))
    .collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(text.matches("CREATE_COMPLETE Bucket").count(), 1, "each event once, over all pages: {text}");
    use paddock::providers::Host as _;
    let traces = host.traces().await.unwrap();
    assert!(
        traces
            .iter()
            .any(|trace| trace.resource.address == "Bucket" && trace.made && trace.resource.provider_id.is_some())
    );
    let (outputs, resources) = CLOUD.collect(&create, &host).await.unwrap();
    let told: Vec<(&str, bool)> = outputs.iter().map(|output| (output.name.as_str(), output.sensitive)).collect();
    assert_eq!(told, [("Url", false), ("Login", true)]);
    let names: Vec<&str> = resources.iter().skip(1).map(|resource| resource.address.as_str()).collect();
    assert_eq!(names, ["Bucket", "First", "Second"], "all pages");
    assert_eq!(resources[0].r#type, "AWS::CloudFormation::Stack");
}

#[tokio::test]
async fn rollbacks_are_told_truly() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let create = job(&aws);
    CLOUD.apply(&create, &host).await.unwrap();
    let update = with(&next_run(&create, "update"), json!({"Size": "large", "Fail": "No such size"}));
    let words = failure(CLOUD.apply(&update, &host).await);
    assert_eq!(
        words,
        "First (AWS::SQS::Queue): No such size. CloudFormation has put back what was there before \
         (UPDATE_ROLLBACK_COMPLETE)."
    );
    // What was put back can be changed again.
    let update = with(&next_run(&update, "update"), json!({"Size": "large"}));
    CLOUD.apply(&update, &host).await.unwrap();
    let update = with(&next_run(&update, "update"), json!({"Fail": "No", "FailBack": "Nor back"}));
    let words = failure(CLOUD.apply(&update, &host).await);
    assert!(words.starts_with("First (AWS::SQS::Queue): No. CloudFormation could not put back"), "{words}");
    let stuck = CLOUD.plan(&next_run(&update, "update"), &host).await.unwrap_err().to_string();
    assert!(stuck.contains("is UPDATE_ROLLBACK_FAILED: CloudFormation does not change it any more"), "{stuck}");
    CLOUD.destroy(&next_run(&update, "delete"), &host).await.unwrap();

    let broken = with(&job(&aws), json!({"Fail": "No", "FailBack": "Nor back"}));
    let words = failure(CLOUD.apply(&broken, &host).await);
    assert!(words.contains("could not remove all that it had made (ROLLBACK_FAILED)"), "{words}");
    let left = CLOUD.read_back(&broken, &host).await.unwrap();
    assert_eq!(left.iter().map(|one| one.address.as_str()).skip(1).collect::<Vec<_>>(), ["Bucket"]);
}

#[tokio::test]
async fn a_failed_creation_is_cleared_away_by_the_next_plan() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let bad = with(&job(&aws), json!({"Fail": "Not today"}));
    failure(CLOUD.apply(&bad, &host).await);
    let left = CLOUD.read_back(&bad, &host).await.unwrap();
    assert_eq!(left.len(), 1, "the stack itself: {left:?}");
    let good = planned(&with(&next_run(&bad, "create"), json!({})), &host).await;
    CLOUD.apply(&good, &host).await.unwrap();
    assert!(host.text().contains("Removing what a failed creation left"), "{}", host.text());
    assert_eq!(aws.account().count("", "First", "made"), 1);
}

#[tokio::test]
async fn what_stays_is_listed_and_not_claimed_to_be_removed() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let mut kept = template();
    kept["Resources"]["Bucket"]["DeletionPolicy"] = json!("Retain");
    let create = with_template(job(&aws), &kept);
    CLOUD.apply(&create, &host).await.unwrap();
    let away = planned(&next_run(&create, "delete"), &host).await;
    let plan = away.plan.clone().unwrap();
    let summary = &plan.changes.iter().find(|change| change.address == "Bucket").unwrap().summary;
    assert!(summary.starts_with("leave AWS::S3::Bucket paddock-Bucket-"), "{summary}");
    assert!(plan.changes.iter().all(|change| change.action == PlanAction::Destroy));
    CLOUD.destroy(&away, &host).await.unwrap();
    let text = host.text();
    assert!(
        text.contains("These stay in the account, and Paddock looks after them no more: Bucket (paddock-Bucket-"),
        "{text}"
    );
    assert_eq!(aws.account().count("", "Bucket", "removed"), 0);
    assert_eq!(CLOUD.read_back(&away, &host).await.unwrap(), [], "it is not the environment's any more");
    // The attempt that was to tell it has died.
    let later = RecordingHost::new(tempfile::tempdir().unwrap().path());
    CLOUD.destroy(&next_attempt(&away), &later).await.unwrap();
    assert!(later.text().contains("Nothing to remove") && later.text().contains("These stay"), "{}", later.text());

    // The same when an update takes it out of the template.
    let create = with_template(job(&aws), &kept);
    CLOUD.apply(&create, &host).await.unwrap();
    kept["Resources"].as_object_mut().unwrap().shift_remove("Bucket");
    let update = planned(&with_template(next_run(&create, "update"), &kept), &host).await;
    assert_eq!(update.plan.as_ref().unwrap().changes[0].summary, "AWS::S3::Bucket: leave it in the account");
    let host = RecordingHost::new(folder.path());
    CLOUD.apply(&update, &host).await.unwrap();
    assert!(
        host.text().contains("Bucket (AWS::S3::Bucket)") && host.text().contains("stays in the account"),
        "{}",
        host.text()
    );
}

#[tokio::test]
async fn what_cannot_be_removed_is_named() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let create = with(&job(&aws), json!({"FailDelete": "The bucket you tried to delete is not empty"}));
    CLOUD.apply(&create, &host).await.unwrap();
    let away = next_run(&create, "delete");
    let words = failure(CLOUD.destroy(&away, &host).await);
    assert!(
        words.starts_with("First (AWS::SQS::Queue): The bucket you tried to delete is not empty. The stack paddock-"),
        "{words}"
    );
    assert!(words.ends_with("is DELETE_FAILED."), "{words}");
    let left = CLOUD.read_back(&away, &host).await.unwrap();
    assert_eq!(left.iter().map(|one| one.address.as_str()).skip(1).collect::<Vec<_>>(), ["First"]);
}

#[tokio::test]
async fn a_stack_of_somebody_else_is_never_touched() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let job = job(&aws);
    let name = format!("paddock-test-conformance-{}", job.environment.0.simple());
    aws.account().plant(&name, "CREATE_COMPLETE");
    for result in [
        CLOUD.plan(&job, &host).await.map(drop),
        CLOUD.apply(&job, &host).await,
        CLOUD.destroy(&next_run(&job, "delete"), &host).await,
        CLOUD.read_back(&job, &host).await.map(drop),
    ] {
        let words = failure(result);
        assert!(words.contains("does not have the tag paddock:environment of this environment"), "{words}");
    }
    let changing =
        |call: &String| call.starts_with("Create") || call.starts_with("Execute") || call.starts_with("Delete");
    assert!(!aws.account().calls.iter().any(changing));
}

#[tokio::test]
async fn a_late_removal_does_not_touch_the_next_stack() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let create = job(&aws);
    CLOUD.apply(&create, &host).await.unwrap();
    let late = planned(&next_run(&create, "delete"), &host).await;
    CLOUD.destroy(&late, &host).await.unwrap();
    let again = next_run(&late, "create");
    CLOUD.apply(&job_like(&again), &host).await.unwrap();
    let words = failure(CLOUD.destroy(&next_attempt(&late), &host).await);
    assert_eq!(words, "The plan is stale: another stack is there now. Plan again.");
    assert!(aws.account().stack("conformance").is_some());
}

#[tokio::test]
async fn what_a_template_does_must_be_acknowledged() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let roles = json!({"Resources": {"Role": {"Type": "AWS::IAM::Role"}}});
    let job = with_template(job(&aws), &roles);
    let words = failure(CLOUD.plan(&job, &host).await.map(drop));
    assert!(words.contains("Requires capabilities : [CAPABILITY_IAM]"), "{words}");
    let known = Job { config: json!({"capabilities": ["CAPABILITY_IAM"]}), ..job.clone() };
    CLOUD.apply(&known, &host).await.unwrap();
    let odd = Job { config: json!({"capabilities": ["CAPABILITY_ALL"]}), ..job };
    let words = failure(CLOUD.apply(&odd, &host).await);
    assert!(words.contains("“CAPABILITY_ALL”, which is not one of CAPABILITY_AUTO_EXPAND"), "{words}");
}

#[tokio::test]
async fn what_others_changed_is_told_and_no_secret() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let mut create = with(&job(&aws), json!({"Password": "hunter2"}));
    create.secret_inputs = vec!["Password".to_owned()];
    let look = Job { operation: "drift", ..next_run(&create, "update") };
    let missing = CLOUD.drift(&look, &host).await.unwrap();
    assert!(matches!(&missing, Drift::Looked { differences } if differences[0].kind == DifferenceKind::Missing));
    CLOUD.apply(&create, &host).await.unwrap();
    assert_eq!(CLOUD.drift(&look, &host).await.unwrap(), Drift::of(Vec::new()));
    aws.account().drift(
        "First",
        json!({"/Properties/Size": ["small", "huge"], "/Properties/Login": ["hunter2", "x"], "/Properties/UserPassword": ["a", "b"]}),
    );
    aws.account().drift("Second", Value::Null);
    let Drift::Looked { differences } = CLOUD.drift(&look, &host).await.unwrap() else { panic!() };
    let told: Vec<(&str, DifferenceKind, &str)> =
        differences.iter().map(|one| (one.address.as_str(), one.kind, one.summary.as_str())).collect();
    assert_eq!(told[0].0, "First");
    let words = "Properties.Size: small → huge, Properties.Login was changed, Properties.UserPassword was changed";
    assert_eq!((told[0].1, told[0].2), (DifferenceKind::Changed, words));
    assert!(differences[0].print.is_some());
    assert_eq!((told[1].0, told[1].1, told.len()), ("Second", DifferenceKind::Missing, 2));
    assert!(told[1].2.ends_with("is not there any more"), "{told:?}");
    let calls = aws.account().calls.len();
    CLOUD.drift(&look, &host).await.unwrap();
    assert!(!aws.account().calls[calls..].iter().any(|call| call.starts_with("Create") || call.starts_with("Execute")));
}

#[tokio::test]
async fn every_stack_with_our_mark_is_listed_and_only_such_a_one_is_removed() {
    let (aws, folder) = (Aws::start(), tempfile::tempdir().unwrap());
    let host = RecordingHost::new(folder.path());
    let jobs = [job(&aws), job(&aws), job(&aws)];
    for job in &jobs[..2] {
        CLOUD.apply(job, &host).await.unwrap();
    }
    CLOUD.plan(&jobs[2], &host).await.unwrap();
    aws.account().plant("somebody-elses", "CREATE_COMPLETE");
    let target = target(aws.settings());
    let list = async || match CLOUD.inventory(&target).await.unwrap() {
        Inventory::Listed(all) => all,
        Inventory::CannotTell(why) => panic!("{why}"),
    };
    let all = list().await;
    let owners: Vec<_> = all.iter().map(|one| (one.environment.unwrap(), one.is_resource)).collect();
    let [a, b, c] = jobs.each_ref().map(|job| job.environment);
    assert_eq!(owners, [(a, true), (b, true), (c, false)]);
    let (_, resources) = CLOUD.collect(&jobs[0], &host).await.unwrap();
    assert!(resources.iter().any(|one| one.r#type == all[0].r#type && one.provider_id.as_ref() == Some(&all[0].id)));

    let theirs = Marked { environment: Some(b), ..all[0].clone() };
    let refused = CLOUD.remove_marked(&target, &theirs, &host).await;
    assert!(matches!(refused, Err(ProviderError::Failed { .. })), "{refused:?}");
    CLOUD.remove_marked(&target, &all[0], &host).await.unwrap();
    CLOUD.remove_marked(&target, &all[0], &host).await.unwrap();
    CLOUD.remove_marked(&target, &all[2], &host).await.unwrap();
    assert_eq!(list().await.len(), 1);
    assert_eq!(aws.account().count("", "First", "removed"), 1);
}
