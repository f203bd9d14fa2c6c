//! The providers of the matrix: a template for each, how it is created and changed, and what its
//! target must hold at the end. A new provider joins by one entry here and one line in `kill.rs`.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::LazyLock;

use paddock::base::id::EnvironmentId;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::world::World;
#[cfg(feature = "aws")]
use crate::support::aws::Aws;
use crate::support::ledger::account;
use crate::support::receiver::{Receiver, SECRET, Way};
use crate::support::server::Server;
use crate::support::sshd::Sshd;
use crate::support::wait::lines;

/// What was asked for with success, in order: `create`, `update`, `delete`, an action.
pub type History = Vec<&'static str>;

pub struct Subject {
    pub name: &'static str,
    /// The template's slug and files; without files it is one of the sample catalog.
    pub template: &'static str,
    pub files: &'static [(&'static str, &'static str)],
    pub create: fn(&World) -> Value,
    pub update: fn() -> Value,
    /// Settings and credential of the target that its environments need, beside those of every test.
    pub target: Option<fn() -> (Value, Value)>,
    /// Whether a step may be done twice by one attempt. Terraform's plan is for one apply: its steps are
    /// repeated by the next attempt only, which every death after an answer leads to.
    pub twice: bool,
    /// The provider that it shares most of its way with: a fifth of the seeds is enough.
    pub is_like: Option<&'static str>,
    /// The power operations and actions that the template declares.
    pub actions: &'static [&'static str],
    /// How the failpoints begin that nobody comes by who works with this provider, beside those of others.
    pub without: &'static [&'static str],
    /// What is wrong at the target.
    pub audit: fn(&World, &Environments) -> Vec<String>,
}

/// The environments with their names and histories.
pub type Environments = BTreeMap<EnvironmentId, (String, History)>;

/// Compares what was found of each environment with what its history tells.
fn compare<T: PartialEq + Debug>(
    environments: &Environments,
    expected: impl Fn(&History) -> T,
    found: impl Fn(&EnvironmentId) -> T,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (id, (name, history)) in environments {
        let (expected, found) = (expected(history), found(id));
        if found != expected {
            wrong.push(format!("{name} after {history:?}: {found:?}, not {expected:?}"));
        }
    }
    wrong
}

/// The lines that the programs of an environment left.
fn left_behind(world: &World, id: &EnvironmentId) -> Vec<String> {
    lines(&world.made.join(id.to_string()))
}

pub static POSTGRES: Subject = Subject {
    name: "postgres",
    template: "lab-postgres",
    files: &[(
        "paddock.yaml",
        "name: Lab\nprovider: postgres\n\
         config: {extensions: [hstore], sizes: {small: {connection_limit: 10}, medium: {connection_limit: 40}}}\n\
         actions: {rotate-password: {run: rotate_password}}\n\
         inputs: {type: object, properties: {size: {type: string}}}\n",
    )],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "medium"}),
    target: Some(|| {
        let url = url::Url::parse(&Server::get().url("postgres")).unwrap();
        let (settings, password) = paddock::providers::postgres_target(&url).unwrap();
        let mut settings = Value::Object(settings);
        settings["extensions"] = json!(["hstore"]);
        let password = password.map(|password| password.expose_secret().to_owned());
        (settings, json!({"password": password}))
    }),
    twice: true,
    is_like: None,
    actions: &["rotate-password"],
    without: &["process.", "lock.", "script."],
    audit: |_, environments| {
        let environments = environments.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(databases(&environments))
        })
        .join()
        .unwrap()
    },
};

async fn databases(environments: &Environments) -> Vec<String> {
    let mut server = PgConnection::connect_with(&Server::get().options("postgres")).await.unwrap();
    let mut wrong = Vec::new();
    for (id, (name, history)) in environments {
        let text = id.to_string();
        // The provider ends names with the last digits of the environment's id, and marks with the whole.
        let databases: Vec<(String, bool, bool)> = sqlx::query_as(
            "SELECT datname::text, datallowconn, coalesce(shobj_description(oid, 'pg_database') = $2, false)
             FROM pg_database WHERE datname LIKE '%' || $1",
        )
        .bind(&text[text.len() - 12..])
        .bind(format!("paddock:{id}"))
        .fetch_all(&mut server)
        .await
        .unwrap();
        let roles: Vec<i32> = sqlx::query_scalar("SELECT rolconnlimit FROM pg_roles WHERE rolname LIKE '%' || $1")
            .bind(&text[text.len() - 12..])
            .fetch_all(&mut server)
            .await
            .unwrap();
        let expected = match history.iter().rev().find(|verb| **verb != "rotate-password") {
            Some(&"create") => vec![10],
            Some(&"update") => vec![40],
            _ => Vec::new(),
        };
        let whole = databases.iter().all(|(_, open, marked)| *open && *marked);
        let mut installed = 0;
        for (database, _, _) in &databases {
            let mut inside = PgConnection::connect_with(&Server::get().options(database)).await.unwrap();
            let count = "SELECT count(*) FROM pg_extension WHERE extname = 'hstore'";
            installed += sqlx::query_scalar::<_, i64>(count).fetch_one(&mut inside).await.unwrap();
        }
        let whole = whole && usize::try_from(installed) == Ok(expected.len());
        if roles != expected || databases.len() != expected.len() || !whole {
            wrong.push(format!("{name} after {history:?}: databases {databases:?}, connection limits {roles:?}"));
        }
    }
    wrong
}

/// One line is written whole or not at all: the effect of these scripts.
const UP: &str = "#!/bin/sh\nset -e\nstep=$PADDOCK_STORAGE/seen\necho x >> \"$step\"\n\
                   echo \"up $PADDOCK_IDEMPOTENCY_KEY\" >> \"$MADE/$PADDOCK_ENVIRONMENT_ID\"\n\
                   printf '{\"outputs\": {\"size\": {\"type\": \"string\", \"value\": \"%s\"}}}' \"$PADDOCK_INPUT_SIZE\" > \"$PADDOCK_OUTPUTS\"\n";
const DOWN: &str = "#!/bin/sh\necho \"down $PADDOCK_IDEMPOTENCY_KEY\" >> \"$MADE/$PADDOCK_ENVIRONMENT_ID\"\n";
/// Twice is like once.
const ACT: &str = "#!/bin/sh\nfile=$MADE/$PADDOCK_ENVIRONMENT_ID\nline=\"$PADDOCK_ACTION $PADDOCK_IDEMPOTENCY_KEY\"\n\
                   test \"$(tail -n 1 \"$file\")\" = \"$line\" || echo \"$line\" >> \"$file\"\n";
/// Is it there? By the last line: this run's own, whichever way; for a check for drift, any run's.
const LOOK: &str = "#!/bin/sh\nlast=$(tail -n 1 \"$MADE/$PADDOCK_ENVIRONMENT_ID\" 2>/dev/null)\n\
                     case \"$PADDOCK_OPERATION $last\" in\n\
                     \"delete down $PADDOCK_IDEMPOTENCY_KEY\") exit 1;;\n\
                     delete*) exit 0;;\n\
                     \"drift up \"*) exit 0;;\n\
                     *\"up $PADDOCK_IDEMPOTENCY_KEY\") exit 0;;\n\
                     *) exit 1;;\n\
                     esac\n";

/// What the lines that [`UP`] and the others left say, against what was asked for.
fn compare_scripts(world: &World, environments: &Environments) -> Vec<String> {
    let word = |line: &String| line.split(' ').next().unwrap().to_owned();
    compare(
        environments,
        |history| {
            let word = |verb: &&str| match *verb {
                "create" | "update" => "up".to_owned(),
                "delete" => "down".to_owned(),
                action => action.to_owned(),
            };
            history.iter().map(word).collect()
        },
        |id| left_behind(world, id).iter().map(word).collect::<Vec<String>>(),
    )
}

pub static COMMAND: Subject = Subject {
    name: "command",
    template: "lab-command",
    files: &[
        (
            "paddock.yaml",
            "name: Lab\nprovider: command\nconfig: {deploy: up.sh, delete: down.sh, probe: look.sh, repeat: probe}\n\
             actions: {stop: {run: act.sh}, start: {run: act.sh}}\n\
             inputs: {type: object, properties: {size: {type: string}}}\n",
        ),
        ("up.sh", UP),
        ("down.sh", DOWN),
        ("act.sh", ACT),
        ("look.sh", LOOK),
    ],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: None,
    twice: true,
    is_like: None,
    actions: &["stop", "start"],
    without: &["lock."],
    audit: compare_scripts,
};

/// The runner host of the matrix.
static HOST: LazyLock<Sshd> = LazyLock::new(Sshd::start);

pub static SSH: Subject = Subject {
    name: "ssh",
    template: "lab-ssh",
    files: &[
        (
            "paddock.yaml",
            "name: Lab\nprovider: ssh\nconfig: {deploy: up.sh, delete: down.sh, probe: look.sh, repeat: probe}\n\
             actions: {stop: {run: act.sh}, start: {run: act.sh}}\n\
             inputs: {type: object, properties: {size: {type: string}}}\n",
        ),
        ("up.sh", UP),
        ("down.sh", DOWN),
        ("act.sh", ACT),
        ("look.sh", LOOK),
    ],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: Some(|| (HOST.settings(), json!(HOST.key()))),
    twice: true,
    is_like: Some("command"),
    actions: &["stop", "start"],
    without: &["lock."],
    audit: compare_scripts,
};

pub static TERRAFORM: Subject = Subject {
    name: "terraform",
    template: "lab-terraform",
    files: &[
        (
            "paddock.yaml",
            "name: Lab\nprovider: terraform\ninputs: {type: object, properties: {size: {type: string}, file: {type: string}}}\n",
        ),
        (
            "main.tf",
            r#"
variable "size" { type = string }
resource "terraform_data" "base" { input = var.size }
resource "terraform_data" "effect" {
  depends_on       = [terraform_data.base]
  input            = var.size
  triggers_replace = [var.size]
  provisioner "local-exec" { command = "echo up ${var.size} >> $MADE/$(basename $(dirname $PWD))" }
  provisioner "local-exec" {
    when    = destroy
    command = "echo down ${self.input} >> $MADE/$(basename $(dirname $PWD))"
  }
}
output "size" { value = terraform_data.effect.input }
"#,
        ),
    ],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: None,
    twice: false,
    is_like: None,
    actions: &[],
    without: &["script."],
    audit: |world, environments| {
        let expected = |history: &History| {
            let mut expected: Vec<String> = Vec::new();
            let mut size = "small";
            for operation in history {
                match *operation {
                    "create" => expected.push("up small".into()),
                    "update" => {
                        expected.push(format!("down {size}"));
                        size = "large";
                        expected.push("up large".into());
                    }
                    _ => expected.push(format!("down {size}")),
                }
            }
            expected
        };
        compare(environments, expected, |id| left_behind(world, id))
    },
};

pub static SIMULATED: Subject = Subject {
    name: "simulated",
    template: "lab-simulated",
    files: &[(
        "paddock.yaml",
        "name: Lab\nprovider: simulated\nconfig: {objects: [network, disk, server], timeout_ms: 50}\n\
         actions: {stop: {run: 'off'}, start: {run: 'on'}}\n\
         inputs: {type: object, properties: {size: {type: string}, faults: {type: array}, seed: {type: integer}, \
         chaos_percent: {type: integer}, timeout_ms: {type: integer}}}\n",
    )],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: None,
    twice: true,
    is_like: None,
    actions: &["stop", "start"],
    without: &["process.", "lock.", "script."],
    audit: |world, environments| {
        let expected = |history: &History| {
            let mut expected = BTreeMap::new();
            for object in ["network", "disk", "server"] {
                for operation in history {
                    let effect = match *operation {
                        "create" => "made",
                        "delete" => "removed",
                        _ => "changed",
                    };
                    *expected.entry((object.to_owned(), effect.to_owned())).or_insert(0) += 1;
                }
            }
            expected
        };
        let book = world.data.join("work/simulated/default.ledger");
        compare(environments, expected, |id| account(&book, &id.to_string()).effects)
    },
};

/// The receiver that all workers of the matrix ask: in one way for one work, in another for the next.
static RECEIVER: LazyLock<Receiver> = LazyLock::new(|| Receiver::start(Way::Each));

pub static WEBHOOK: Subject = Subject {
    name: "webhook",
    template: "lab-webhook",
    files: &[(
        "paddock.yaml",
        "name: Lab\nprovider: webhook\nconfig: {status: /status, parameters: {pipeline: lab}}\n\
         actions: {stop: {run: 'off'}, start: {run: 'on'}}\n\
         inputs: {type: object, properties: {size: {type: string}}}\n",
    )],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: Some(|| (RECEIVER.settings(), json!(SECRET))),
    twice: true,
    is_like: None,
    actions: &["stop", "start"],
    without: &["process.", "lock.", "script."],
    audit: |_, environments| {
        let expected = |history: &History| {
            let kind = |verb: &&str| match *verb {
                "create" | "update" => "environment.deploy".to_owned(),
                "delete" => "environment.delete".to_owned(),
                _ => "environment.action".to_owned(),
            };
            history.iter().map(kind).collect::<Vec<String>>()
        };
        let mut wrong = compare(environments, expected, |id| RECEIVER.effects(&id.to_string()));
        wrong.extend(RECEIVER.asked_again_without_a_look());
        wrong
    },
};

/// The double that all workers of the matrix ask.
#[cfg(feature = "aws")]
static AWS: LazyLock<Aws> = LazyLock::new(Aws::start);

#[cfg(feature = "aws")]
pub static CLOUDFORMATION: Subject = Subject {
    name: "cloudformation",
    template: "lab-cloudformation",
    files: &[
        ("paddock.yaml", "name: Lab\nprovider: cloudformation\nconfig: {template: stack.json}\n"),
        (
            "stack.json",
            r#"{"Parameters": {"size": {"Type": "String"}},
                "Resources": {
                    "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"Size": {"Ref": "size"}}},
                    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Size": {"Ref": "size"}}}},
                "Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}"#,
        ),
    ],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: Some(|| (AWS.settings(), json!({"access_key_id": "AKIAGOOD", "secret_access_key": "the-key"}))),
    twice: true,
    is_like: None,
    actions: &[],
    without: &["process.", "state.", "lock.", "script."],
    audit: |_, environments| {
        let account = AWS.account();
        let effects = ["made", "changed", "removed", "replaced"];
        let expected = |history: &History| {
            let count = |verb| history.iter().filter(|operation| **operation == verb).count();
            ["Queue", "Topic"].map(|_| [count("create"), count("update"), count("delete"), 0])
        };
        compare(environments, expected, |id| {
            let stack = id.0.simple().to_string();
            ["Queue", "Topic"].map(|resource| effects.map(|effect| account.count(&stack, resource, effect)))
        })
    },
};
