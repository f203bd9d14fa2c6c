//! The walls around programs of templates, and what they may take. Where a kernel forbids namespaces,
//! `paddock doctor` says so, and these tests have nothing to look at; the limits hold everywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use paddock::providers::{
    CommandProvider, Job, Limits, Provider, Sandbox, Settings, Target, TemplateFile, TerraformProvider,
};
use serde_json::json;

use super::conformance;
use super::host::RecordingHost;
use super::machine::settings;
use super::terraform::template;

fn script(text: &str) -> Job {
    let file = |path: &str, text: &str| TemplateFile {
        path: path.into(),
        executable: true,
        content: format!("#!/bin/sh\n{text}\n").into_bytes(),
    };
    Job {
        files: Arc::new(vec![file("up.sh", text), file("down.sh", "true")]),
        config: json!({"deploy": "up.sh", "delete": "down.sh"}),
        ..conformance::job()
    }
}

/// This machine with walls around `folder/data`.
fn walled(folder: &Path, doors: &[PathBuf]) -> Option<Settings> {
    let data = folder.join("data");
    std::fs::create_dir_all(data.join("work")).unwrap();
    std::fs::write(data.join("key"), "the key").unwrap();
    let sandbox = match Sandbox::probe(&data, &data.join("work"), doors) {
        Ok(sandbox) => sandbox,
        Err(why) => {
            assert!(!why.is_empty());
            return None;
        }
    };
    let is_linux = Path::new("/proc/self/mountinfo").exists();
    assert_eq!(sandbox.is_closed(), is_linux, "namespaces work here, so closing the rest must, too");
    Some(Settings { sandbox: Some(sandbox), ..settings(&data) })
}

#[tokio::test]
async fn a_script_writes_to_its_own_folders_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["open", "targets", "data/targets", "other"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let Some(settings) = walled(folder.path(), &[folder.path().join("open")]) else { return };
    let root = folder.path().display();
    let mut job = script(&format!(
        "try() {{ if echo x 2>/dev/null > \"$1\"; then echo \"can $2\"; else echo \"cannot $2\"; fi; }}
         try here workspace; try $PADDOCK_STORAGE/x storage; try $HOME/x home; try $TMPDIR/x tmp
         try {root}/open/x open; try {root}/targets/x target; try {root}/data/targets/x inner
         try {root}/other/x other; try /etc/paddock-test etc; try /usr/paddock-test usr; try {root}/data/x data
         try /proc/sys/kernel/hostname kernel; try /dev/null null; try /dev/shm/paddock-test shm
         echo key $(cat {root}/data/key 2>/dev/null); echo environ $(cat /proc/{}/environ 2>/dev/null | wc -c)
         env | cut -d= -f1 | sort | tr '\\n' ' '; grep NoNewPrivs /proc/self/status",
        std::process::id()
    ));
    let targets = json!([folder.path().join("targets"), folder.path().join("data/targets")]);
    job.target = Some(Target { settings: json!({"writable_folders": targets}), ..Target::default() });
    let host = RecordingHost::new(folder.path());
    let provider = CommandProvider::new(settings);
    provider.apply(&job, &host).await.unwrap();
    let text = host.text();
    for place in ["workspace", "storage", "home", "tmp", "open", "target", "inner", "null", "shm"] {
        assert!(text.contains(&format!("can {place}")), "{place}: {text}");
    }
    for place in ["other", "etc", "usr", "data", "kernel"] {
        assert!(text.contains(&format!("cannot {place}")), "{place}: {text}");
    }
    assert!(text.contains("key\n") && text.contains("environ 0"), "{text}");
    assert!(text.contains("NoNewPrivs:    1"), "{text}");
    assert!(!text.contains("DATABASE_URL") && !text.contains("PADDOCK_KEY"), "{text}");
    assert!(folder.path().join("open/x").exists() && folder.path().join("data/targets/x").exists());
    assert!(!Path::new("/dev/shm/paddock-test").exists(), "that was its own");

    // A target cannot open what holds Paddock's data.
    let wide = Target { settings: json!({"writable_folders": ["/"]}), ..Target::default() };
    let error = provider.apply(&Job { target: Some(wide), ..script("true") }, &host).await.unwrap_err().to_string();
    assert!(error.contains("/ holds Paddock's data and cannot be opened to programs"), "{error}");
}

/// Takes memory until there is no more, in a process of its own below the shell.
const HOG: &str = "x=0123456789abcdef; while :; do x=$x$x; done";

#[tokio::test]
async fn a_program_that_takes_too_much_memory_is_killed_and_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { memory: 64 * 1024 * 1024, ..Limits::default() };
    let limit = Duration::from_secs(120);
    let settings = Settings { limits, limit, ..settings(folder.path()) };
    let host = RecordingHost::new(folder.path());
    // Many that each take little, and hold it: the sum counts.
    let many = "x=$(head -c 12000000 /dev/zero | tr '\\0' x)
        for i in 1 2 3 4 5 6 7 8 9 10 11 12; do (y=$x$x; echo $i; exec 9<>fifo; read z <&9) & done; wait";
    let job = script(&format!("mkfifo fifo; {many}"));
    let error = CommandProvider::new(settings.clone()).apply(&job, &host).await.unwrap_err().to_string();
    let words =
        "the program took more than 64 MiB of memory and was killed; its worker allows no more (--program-memory)";
    assert_eq!(error, words);

    // One that is faster than any look at it is stopped by the kernel.
    let error = CommandProvider::new(settings.clone()).apply(&script(HOG), &host).await.unwrap_err().to_string();
    assert!(error == words || error.to_lowercase().contains("memory"), "{error}");

    // Terraform's own plugins and provisioners count to it.
    let settings = Settings { limits: Limits { memory: 300 * 1024 * 1024, ..limits }, ..settings };
    let job = template(&format!(
        "resource \"terraform_data\" \"x\" {{\n  provisioner \"local-exec\" {{ command = {:?} }}\n}}",
        "mkfifo f; for i in $(seq 24); do (y=$(head -c 30000000 /dev/zero | tr '\\0' x); exec 9<>f; read z <&9) & done; wait"
    ));
    let other = tempfile::tempdir().unwrap();
    let host = RecordingHost::new(other.path());
    let error = TerraformProvider::new(settings).apply(&job, &host).await.unwrap_err().to_string();
    assert!(error.starts_with("the program took more than 300 MiB of memory and was killed"), "{error}");
    assert!(error.contains("cut off while it made terraform_data.x"), "{error}");
}

#[tokio::test]
async fn a_program_that_starts_too_many_processes_is_killed_and_told_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { processes: 20, ..Limits::default() };
    let settings = Settings { limits, ..settings(folder.path()) };
    let host = RecordingHost::new(folder.path());
    let job = script("mkfifo f; for i in $(seq 40); do (exec 9<>f; read z <&9) & done; wait");
    let error = CommandProvider::new(settings).apply(&job, &host).await.unwrap_err().to_string();
    assert!(error.starts_with("the program started more than 20 processes and was killed"), "{error}");
}
