//! The provider of the simulated cloud: the suite of all providers, and each of its lies.

use std::collections::BTreeMap;
use std::path::Path;

use paddock::providers::{Job, PlanAction, Provider, ProviderError, SimulatedProvider};
use serde_json::{Value, json};

use super::conformance::{self, actions, inputs, next_attempt, next_run};
use super::host::{MortalHost, RecordingHost};
use crate::support::ledger::{Account, LIES, account};

fn job(faults: Value) -> Job {
    Job {
        config: json!({"objects": ["network", "disk", "server"], "timeout_ms": 20, "faults": faults}),
        inputs: inputs(json!({"size": "small"})),
        ..conformance::job()
    }
}

fn of(folder: &Path, job: &Job) -> Account {
    account(&folder.join("default.ledger"), &job.environment.to_string())
}

#[tokio::test]
async fn lives_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    conformance::lives_and_ends(&provider, &job(json!([])), &RecordingHost::new(folder.path())).await;
}

#[tokio::test]
async fn stops_without_lease() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    let job = job(json!([]));
    conformance::stops_without_lease(&provider, &job, &RecordingHost::new(folder.path())).await;
    assert!(of(folder.path(), &job).effects.is_empty());
}

#[tokio::test]
async fn survives_a_crash_at_every_call() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    conformance::survives_a_crash_at_every_call(&provider, || job(json!([]))).await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_clouds_words() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    let job = job(json!([{"kind": "refuse", "object": "server", "message": "QuotaExceeded: 0 servers left"}]));
    let host = RecordingHost::new(folder.path());
    let words = "QuotaExceeded: 0 servers left";
    conformance::fails_with_the_first_real_error(&provider, &job, &host, words).await;
    let account = of(folder.path(), &job);
    assert_eq!(account.effects.get(&("disk".into(), "made".into())), Some(&1), "two were made before the refusal");
    assert!(account.there.is_empty());
}

/// Somebody removes an object in the cloud itself. The token that made it makes nothing any more, and an
/// answer to it is no object: only a new token brings a new one.
#[tokio::test]
async fn what_somebody_else_removed_is_made_anew_with_a_new_token() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    let host = RecordingHost::new(folder.path());
    let job = job(json!([]));
    provider.apply(&job, &host).await.unwrap();
    let before = of(folder.path(), &job).there;
    let ledger = folder.path().join("default.ledger");
    let mut book = std::fs::read_to_string(&ledger).unwrap();
    let lines: Vec<Value> = book.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let made = |line: &&Value| line["object"] == "disk" && line["effect"]["effect"] == "made";
    let mut removal = lines.iter().find(made).expect("the disk was made").clone();
    removal["verb"] = json!("delete");
    removal["effect"] = json!({"effect": "removed"});
    removal["number"] = json!(lines.iter().filter_map(|line| line["number"].as_u64()).max().unwrap() + 1);
    book.push_str(&format!("{removal}\n"));
    std::fs::write(&ledger, book).unwrap();
    assert!(!of(folder.path(), &job).there.contains_key("disk"));

    provider.apply(&next_run(&job, "update"), &host).await.unwrap();
    let after = of(folder.path(), &job);
    assert_eq!(after.effects.get(&("disk".into(), "made".into())), Some(&2));
    assert_ne!(after.there["disk"], before["disk"], "another disk");
    assert_eq!((&after.there["server"], &after.there["network"]), (&before["server"], &before["network"]));
}

/// Each fault in each call where it can be: the end is the same as without, and each thing was
/// done once.
#[tokio::test]
async fn no_lie_is_believed_and_nothing_is_made_twice() {
    for kind in LIES {
        for verb in ["create", "update", "delete"] {
            let folder = tempfile::tempdir().unwrap();
            let provider = SimulatedProvider::new(folder.path().to_owned());
            let host = RecordingHost::new(folder.path());
            let job = job(json!([{"kind": kind, "verb": verb, "object": "disk", "reads": 9}]));
            provider.apply(&job, &host).await.unwrap_or_else(|error| panic!("{kind} {verb}: {error}"));
            let (outputs, resources) = provider.collect(&job, &host).await.unwrap();
            let account = of(folder.path(), &job);
            let ids: BTreeMap<String, String> =
                resources.into_iter().map(|one| (one.address, one.provider_id.unwrap())).collect();
            assert_eq!(ids, account.there, "{kind} {verb}: what is told is what is there");
            let disk = outputs.iter().find(|output| output.name == "disk_id").unwrap();
            assert_eq!(disk.value, json!(account.there["disk"]));

            let mut update = next_run(&job, "update");
            update.inputs.insert("size".into(), json!("large"));
            provider.apply(&update, &host).await.unwrap_or_else(|error| panic!("{kind} {verb}: {error}"));
            assert!(provider.plan(&update, &host).await.unwrap().changes.is_empty(), "{kind} {verb}: as wished");

            let away = next_run(&update, "delete");
            provider.destroy(&away, &host).await.unwrap_or_else(|error| panic!("{kind} {verb}: {error}"));
            assert_eq!(provider.read_back(&away, &host).await.unwrap(), [], "{kind} {verb}");
            let account = of(folder.path(), &job);
            assert!(account.there.is_empty(), "{kind} {verb}");
            for object in ["network", "disk", "server"] {
                for effect in ["made", "removed"] {
                    assert_eq!(account.effects[&(object.into(), effect.into())], 1, "{kind} {verb}: {object} {effect}");
                }
            }
            let hit = account.faults.get(kind).copied().unwrap_or(0);
            assert!(hit > 0, "{kind} {verb} never hit: {account:?}");
        }
    }
}

/// A run that failed half-way, and then an update that wants fewer and more objects.
#[tokio::test]
async fn a_half_made_environment_is_finished_and_can_shrink_and_grow() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    let host = RecordingHost::new(folder.path());
    let mut job = job(json!([{"kind": "refuse", "object": "object-3", "times": 1}]));
    job.inputs.insert("objects".into(), json!(4));
    let error = provider.apply(&job, &host).await.unwrap_err();
    assert!(matches!(error, ProviderError::Failed { .. }), "{error:?}");
    provider.apply(&next_attempt(&job), &host).await.unwrap();

    for count in [1, 3] {
        job = next_run(&job, "update");
        job.inputs.insert("objects".into(), json!(count));
        let plan = provider.plan(&job, &host).await.unwrap();
        let action = if count == 1 { PlanAction::Destroy } else { PlanAction::Create };
        assert!(actions(&plan).iter().all(|(_, found)| *found == action), "{plan:?}");
        provider.apply(&job, &host).await.unwrap();
        assert_eq!(of(folder.path(), &job).there.len(), count);
    }
    assert_eq!(of(folder.path(), &job).effects[&("object-2".into(), "made".into())], 2, "made again after its removal");
}

/// The same seed goes wrong in the same way, and every seed ends well.
#[tokio::test]
async fn chance_is_repeatable() {
    let mut histories = Vec::new();
    for seed in [1, 1, 2, 3, 4, 5, 6, 7] {
        let folder = tempfile::tempdir().unwrap();
        let provider = SimulatedProvider::new(folder.path().to_owned());
        let host = RecordingHost::new(folder.path());
        let mut job = job(json!([]));
        job.inputs.insert("chaos_percent".into(), json!(60));
        job.inputs.insert("seed".into(), json!(seed));
        provider.apply(&job, &host).await.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", host.text()));
        provider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
        let account = of(folder.path(), &job);
        assert!(account.there.is_empty());
        assert!(account.effects.iter().all(|((_, effect), count)| effect == "changed" || *count == 1), "{account:?}");
        histories.push(host.text());
    }
    assert_eq!(histories[0], histories[1]);
    assert!(histories[2..].iter().any(|history| *history != histories[0]));
}

/// An attempt that another one has replaced changes nothing.
#[tokio::test]
async fn a_replaced_attempt_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let provider = SimulatedProvider::new(folder.path().to_owned());
    let host = RecordingHost::new(folder.path());
    let zombie = job(json!([]));
    provider.apply(&next_attempt(&zombie), &host).await.unwrap();
    let mut changed = zombie.clone();
    changed.inputs.insert("size".into(), json!("huge"));
    assert!(matches!(provider.apply(&changed, &host).await, Err(ProviderError::LeaseLost)));
    assert!(matches!(provider.destroy(&zombie, &host).await, Err(ProviderError::LeaseLost)));
    let account = of(folder.path(), &zombie);
    assert_eq!((account.there.len(), account.stale), (3, 2));
}

/// An object that no read finds, made by an attempt that died before it heard of it: the intent, which
/// is older than the call, is what a later delete knows it by.
#[tokio::test]
async fn what_nobody_sees_is_removed_after_a_crash() {
    let mut orphans = 0;
    // The intent is saved, "Creating network" is said, and then the cloud is called.
    for turn in 2..=4 {
        let folder = tempfile::tempdir().unwrap();
        let provider = SimulatedProvider::new(folder.path().to_owned());
        let host = RecordingHost::new(folder.path());
        let job = job(json!([{"kind": "invisible", "reads": 1000}]));
        let mortal = MortalHost::new(&host, turn);
        tokio::select! {
            result = provider.apply(&job, &mortal) => panic!("it did not die: {result:?}"),
            () = mortal.death() => {}
        }
        orphans += of(folder.path(), &job).there.len();
        provider.destroy(&next_run(&job, "delete"), &host).await.unwrap();
        assert!(of(folder.path(), &job).there.is_empty(), "death {turn}: an orphan is left");
    }
    assert!(orphans > 0, "nothing was made before a death");
}
