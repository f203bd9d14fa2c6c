//! The receiver of docs/WEBHOOKS.md, as it stands there, with the library that the specification's authors
//! wrote: real workers ask it, it verifies their signatures, and calls back.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use paddock::environments::State;
use serde_json::{Value, json};

use crate::matrix::subject::{Environments, Subject};
use crate::matrix::world::World;
use crate::support::program::tools;
use crate::support::receiver::SECRET;
use crate::support::wait::until;

static PYTHON: LazyLock<Python> = LazyLock::new(Python::start);

/// The receiver of the documentation.
struct Python {
    port: u16,
    _child: Child,
}

impl Python {
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = std::fs::read_to_string(root.join("docs/WEBHOOKS.md")).unwrap();
        let code = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
        let library = tools().join("webhooks");
        assert!(library.is_dir(), "{} is not there: run scripts/setup test", library.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // It ends with this process: its parent is a shell that waits for our end of the pipe.
        let child = Command::new("sh")
            .args(["-c", "python3 -c \"$0\" \"$@\" & read -r end; kill $!", code, &port.to_string(), SECRET])
            .env("PYTHONPATH", library)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("the receiver listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, _child: child }
    }
}

static SUBJECT: Subject = Subject {
    name: "webhook",
    template: "documented",
    files: &[(
        "paddock.yaml",
        "name: Documented\nprovider: webhook\nconfig: {timeout: 5m, status: /status}\n\
         inputs: {type: object, properties: {size: {type: string, enum: [small, large]}}}\n",
    )],
    create: |_| json!({"size": "small"}),
    update: || json!({"size": "large"}),
    target: Some(|| (json!({"url": format!("http://127.0.0.1:{}/", PYTHON.port)}), json!(SECRET))),
    twice: true,
    is_like: None,
    actions: &[],
    without: &[],
    audit: |_: &World, _: &Environments| Vec::new(),
};

#[tokio::test]
async fn the_documented_receiver_makes_changes_and_removes() {
    let world = World::new(&SUBJECT).await;
    let fleet = world.workers(1, &[]);
    let id = world.create("orders").await;
    world.test.until_state(id, State::Ready).await;
    let url: Value = sqlx::query_scalar("SELECT value FROM environment_output WHERE name = 'url'")
        .fetch_one(world.test.app.db.pool())
        .await
        .unwrap();
    assert_eq!(url, "https://orders.example.com");
    assert_eq!(world.number("SELECT count(*) FROM environment_output WHERE sensitive AND value IS NULL").await, 1);
    world.update(id).await;
    world.rest().await;
    assert!(world.test.log(id).await.contains("orders is large"), "{}", world.test.log(id).await);
    world.delete(id).await;
    world.test.until_state(id, State::Deleted).await;
    assert_eq!(world.number("SELECT count(*) FROM audit_record WHERE action = 'callback.taken'").await, 3);
    fleet.end();
}

/// What is not signed with the secret is refused by the library itself: the signatures above were looked at.
#[tokio::test]
async fn the_documented_receiver_refuses_another_signature() {
    let url = format!("http://127.0.0.1:{}/", PYTHON.port);
    let other = paddock::providers::Target {
        settings: json!({"url": url}),
        secret: Some("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into()),
        ..paddock::providers::Target::default()
    };
    let provider = paddock::providers::WebhookProvider::new(std::sync::Arc::new(paddock::base::SystemClock));
    let check = async |target| {
        let findings = paddock::providers::Provider::check_target(&provider, &target).await;
        format!("{findings:?}")
    };
    let found = check(other.clone()).await;
    assert!(found.contains("It refuses the signature") && found.contains("No matching signature"), "{found}");
    // While the secret is replaced, either side may be ahead.
    let both = paddock::providers::Target { next_secret: Some(SECRET.into()), ..other };
    let found = check(both).await;
    assert!(found.contains("It takes signed requests"), "{found}");
}
