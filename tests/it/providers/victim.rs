//! A worker that is killed: this test binary once more, as a process of its own that runs one
//! apply. As a test it does nothing; with its variable set it is the victim.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use paddock::providers::{Job, Provider};

use super::host::RecordingHost;
use crate::support::server::Server;

const VARIABLE: &str = "PADDOCK_TEST_VICTIM";

/// Starts a process that applies the job named `case` with the host state in `folder`.
pub fn start(case: &str, folder: &Path) -> Victim {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "providers::victim::victim", "--nocapture"])
        .env(VARIABLE, format!("{case} {}", folder.display()))
        // Our server, not another one of its own.
        .env("DATABASE_URL", Server::get().url("postgres"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Victim(child)
}

pub struct Victim(Child);

impl Victim {
    /// `kill -9`.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Victim {
    /// A signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn victim() {
    let Ok(order) = std::env::var(VARIABLE) else { return };
    let (case, folder) = order.split_once(' ').unwrap();
    let folder = Path::new(folder);
    let (provider, job): (Box<dyn Provider>, Job) = match case {
        "postgres" => super::postgres::victim(folder),
        "terraform-lab" => super::terraform_lab::victim(folder),
        "terraform" => super::terraform::victim(folder),
        "command" => super::command::victim(folder),
        "container" => super::container::victim(folder),
        "ssh" => super::ssh::victim(folder),
        other => panic!("no case {other}"),
    };
    let result = provider.apply(&job, &RecordingHost::new(folder).of(&job)).await;
    panic!("the victim was to be killed, but ended with {result:?}");
}
