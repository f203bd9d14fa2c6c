//! What is sent to a receiver: its id, and its body.

use serde_json::{Map, Value, json};

use super::config::Config;
use super::record::Record;
use crate::providers::{CallBack, Job};

/// The id of the request for the work of a run. It is the same for all attempts, so a receiver that has
/// it knows that this is nothing new.
pub fn id_of(job: &Job) -> String {
    // The signed text has full stops between its parts, so an id has none.
    format!("{}_{}_{}", job.run, job.generation, job.operation)
}

/// What is asked for, by the operation.
pub fn kind_of(job: &Job) -> &'static str {
    match job.operation {
        "create" | "update" => "environment.deploy",
        "delete" => "environment.delete",
        _ => "environment.action",
    }
}

/// The body of a request for work.
pub fn work(job: &Job, config: &Config, record: &Record, back: &CallBack, now: jiff::Timestamp) -> Value {
    use secrecy::ExposeSecret as _;
    let mut data = about(job, config);
    data.insert("operation".to_owned(), json!(job.operation));
    data.insert("inputs".to_owned(), json!(job.inputs));
    if let Some(action) = &job.action {
        let action = json!({"name": action.name, "run": action.run, "inputs": action.inputs});
        data.insert("action".to_owned(), action);
    }
    let open = record.outputs().into_iter().filter(|output| !output.sensitive);
    let outputs: Value = open.map(|output| (output.name, output.value)).collect();
    let told = record.told();
    let resources: Vec<Value> =
        told.iter().map(|one| json!({"address": one.address, "type": one.r#type, "id": one.provider_id})).collect();
    let previous = json!({"outputs": outputs, "resources": resources, "keep": record.keep});
    data.insert("previous".to_owned(), previous);
    let back = json!({"url": back.url.expose_secret(), "expires_at": back.expires_at});
    data.insert("callback".to_owned(), back);
    whole(kind_of(job), now, &data)
}

/// The body of a request to stop the work of that id.
pub fn cancel(job: &Job, config: &Config, id: &str, now: jiff::Timestamp) -> Value {
    let mut data = about(job, config);
    data.insert("cancels".to_owned(), json!(id));
    whole("environment.cancel", now, &data)
}

/// The body of a question how an environment is, and how far the work of that id.
pub fn status(job: &Job, config: &Config, id: Option<&str>, now: jiff::Timestamp) -> Value {
    let mut data = about(job, config);
    data.insert("stopped".to_owned(), json!(job.stopped));
    data.insert("of".to_owned(), json!(id));
    whole("environment.status", now, &data)
}

/// The body of a question whether anybody is there.
pub fn ping(now: jiff::Timestamp) -> Value {
    whole("paddock.ping", now, &Map::new())
}

fn whole(kind: &str, now: jiff::Timestamp, data: &Map<String, Value>) -> Value {
    json!({"type": kind, "timestamp": now, "data": data})
}

fn about(job: &Job, config: &Config) -> Map<String, Value> {
    let environment = json!({
        "id": job.environment, "name": job.environment_name, "type": job.environment_type, "project": job.project,
    });
    let all = [
        ("environment", environment),
        ("run", json!(job.run)),
        ("attempt", json!(job.attempt)),
        ("generation", json!(job.generation)),
        ("parameters", json!(config.parameters)),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
