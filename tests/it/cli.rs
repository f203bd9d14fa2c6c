//! The verbs of the real program: what they refuse and in which words, and how servers stop.

use std::process::Output;

use rustix::process::Signal;

use crate::support::TestDatabase;
use crate::support::program::{Program, command};

fn fails(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let Output { status, stderr, .. } =
        command(arguments).envs(settings.iter().copied()).output().expect("the program runs");
    let text = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{text}");
    text
}

const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none";

#[test]
fn wrong_settings_are_told_in_words_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").display().to_string();
    let cases: [(&[&str], &[(&str, &str)], &str); 8] = [
        (&["up", "--demo", "--listen", "0.0.0.0:0"], &[], "listens on a loopback address only"),
        (&["serve"], &[], "DATABASE_URL is not set"),
        (&["serve"], &[("DATABASE_URL", "mysql://x")], "must start with postgres://"),
        (&["serve"], &[("DATABASE_URL", NOWHERE)], "no encryption key: set PADDOCK_KEY_FILE"),
        (&["worker"], &[("DATABASE_URL", NOWHERE), ("PADDOCK_KEY", "short")], "64 hex digits"),
        (&["serve"], &[("DATABASE_URL", NOWHERE), ("PADDOCK_KEY_FILE", "/nowhere")], "cannot read /nowhere"),
        (&["up", "--public-url", "http://portal.example"], &[], "must start with https://"),
        (&["up", "--session-idle", "48h", "--session-max", "24h"], &[], "idle no longer than max"),
    ];
    for (arguments, settings, words) in cases {
        let text = fails(arguments, &[settings, &[("PADDOCK_DATA_DIR", data.as_str())]].concat());
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
    assert!(!folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn a_database_that_does_not_answer_is_the_first_thing_told() {
    let text = fails(&["serve", "--listen", "127.0.0.1:0"], &[("DATABASE_URL", NOWHERE), ("PADDOCK_KEY", KEY)]);
    assert!(text.contains("does not answer") && text.contains("refused"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_wants_the_migrations_and_migrate_makes_them() {
    let database = TestDatabase::empty().await;
    let url = database.url();
    let settings = [("DATABASE_URL", url.as_str()), ("PADDOCK_KEY", KEY)];
    let text = fails(&["serve", "--listen", "127.0.0.1:0"], &settings);
    assert!(text.contains("run `paddock migrate` first"), "{text}");
    for words in ["Applied", "up to date"] {
        let output = command(&["migrate"]).envs(settings).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_and_workers_share_a_database_and_stop_when_told() {
    let database = TestDatabase::new().await;
    let start = |arguments: &[&str]| {
        let mut command = command(arguments);
        command.env("DATABASE_URL", database.url()).env("PADDOCK_KEY", KEY);
        Program::start(command)
    };
    let mut servers = [start(&["serve", "--listen", "127.0.0.1:0"]), start(&["serve", "--listen", "127.0.0.1:0"])];
    let mut worker = start(&["worker"]);
    let mut addresses = Vec::new();
    for server in &mut servers {
        let line = server.wait_for("Paddock is ready: ");
        addresses.push(line.rsplit(' ').next().unwrap().to_owned());
        assert!(server.said().contains("admin setup-code"), "{}", server.said());
    }
    worker.wait_for("this worker waits for runs");
    assert_ne!(addresses[0], addresses[1]);
    for address in &addresses {
        let output = command(&["doctor", "--live", address]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // As in a container: by the setting that the server has.
        let listen = address.trim_start_matches("http://").trim_end_matches('/');
        let output = command(&["doctor", "--live"]).env("PADDOCK_LISTEN", listen).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let [first, second] = &mut servers;
    for (program, signal) in [(first, Signal::TERM), (second, Signal::INT), (&mut worker, Signal::TERM)] {
        program.signal(signal);
        assert!(program.wait().success(), "{}", program.said());
    }
    let output = command(&["doctor", "--live", &addresses[0]]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "nobody is there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_makes_people_and_tokens() {
    let database = TestDatabase::new().await;
    let url = database.url();
    let run = |arguments: &[&str]| {
        let output = command(arguments).env("DATABASE_URL", &url).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), text)
    };
    let (_, text) = run(&["admin", "token", "--user", "ada"]);
    assert!(text.contains("no person with the login name ada"), "{text}");
    let weak = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(weak.path(), "short\n").unwrap();
    let (done, text) = run(&["admin", "user", "ada", "--password-file", weak.path().to_str().unwrap()]);
    assert!(!done && text.contains("password: "), "{text}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "Zebra-lamp-47-quietly\n").unwrap();
    let password = file.path().to_str().unwrap();
    let (done, text) = run(&["admin", "user", "ada", "--role", "admin", "--password-file", password]);
    assert!(done && text.contains("ada is admin on the whole platform"), "{text}");
    let (done, text) = run(&["admin", "token", "--user", "ada", "--scopes", "read,admin", "--ttl", "2d"]);
    assert!(done && text.contains("pdkp_"), "{text}");
    let (done, text) = run(&["admin", "setup-code"]);
    assert!(!done && text.contains("an admin exists already"), "{text}");
}

#[test]
fn lint_tells_the_place_of_a_problem_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("broken")).unwrap();
    std::fs::write(folder.path().join("broken/paddock.yaml"), "name: [\n").unwrap();
    let output = command(&["catalog", "lint"]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("broken/paddock.yaml:") && text.contains("1 errors"), "{text}");
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog");
    let output = command(&["catalog", "lint", sample]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
