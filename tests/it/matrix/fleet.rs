//! The processes of a test's own Paddock: how one is started, and workers that are killed and come back.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::program::command;

/// Workers that ended otherwise than by SIGKILL, with what is known of it. Nobody replaces them.
#[derive(Debug, Clone, Default)]
pub struct Deserters(Arc<Mutex<Vec<String>>>);

impl Deserters {
    fn add(&self, why: String) {
        self.0.lock().unwrap().push(why);
    }

    /// Fails when there are any: what they should do is left undone.
    #[track_caller]
    pub fn assert_none(&self) {
        let all = self.0.lock().unwrap().clone();
        assert!(all.is_empty(), "a worker ended by itself: {all:?}");
    }
}

/// What all processes of one world share.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub url: String,
    /// Paddock's data folder.
    pub data: PathBuf,
    /// What programs of templates may write to.
    pub made: PathBuf,
    /// The failpoints' log.
    pub log: PathBuf,
    /// Policies instead of the built-in ones.
    pub policies: Option<PathBuf>,
    /// The address at which others reach Paddock.
    pub public_url: String,
    /// The failpoints that are armed.
    pub arms: String,
    pub connections: u32,
}

impl Recipe {
    /// The verb with these settings.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = command(&[verb, "--database-connections", &self.connections.to_string()]);
        command
            .env("DATABASE_URL", &self.url)
            .env("PADDOCK_KEY", "42".repeat(32))
            .env("PADDOCK_DATA_DIR", &self.data)
            .env("PADDOCK_PROGRAM_FOLDERS", &self.made)
            // Each environment has its moment of the day: the tests ask for checks themselves.
            .env("PADDOCK_DRIFT_EVERY", "0s")
            .env("PADDOCK_FAILPOINT", &self.arms)
            .env("PADDOCK_FAILPOINT_LOG", &self.log);
        // A server tells the address that it listens on itself.
        if verb == "worker" {
            command.env("PADDOCK_PUBLIC_URL", &self.public_url);
        }
        if let Some(policies) = &self.policies {
            command.env("PADDOCK_POLICIES", policies);
        }
        command
    }
}

/// How the workers of a fleet are started.
pub struct Order {
    pub recipe: Recipe,
    /// Where their words go.
    pub said: PathBuf,
    pub deserters: Deserters,
}

impl Order {
    fn spawn(&self) -> std::io::Result<Child> {
        let said = OpenOptions::new().create(true).append(true).open(&self.said)?;
        let mut command = self.recipe.command("worker");
        command.args(["--worker-runs", "1", "--lease", "2s"]).stdout(Stdio::null()).stderr(said).spawn()
    }
}

/// Worker processes that come back when they were killed. They end with the value.
pub struct Fleet {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    deserters: Deserters,
}

impl Fleet {
    pub fn start(count: usize, order: Order) -> Self {
        let (stop, order) = (Arc::new(AtomicBool::new(false)), Arc::new(order));
        let threads = (0..count)
            .map(|_| {
                let (order, stop) = (Arc::clone(&order), Arc::clone(&stop));
                std::thread::spawn(move || match keep(&order, &stop) {
                    Ok(None) => {}
                    Ok(Some(status)) => order.deserters.add(status.to_string()),
                    Err(error) => order.deserters.add(error.to_string()),
                })
            })
            .collect();
        Self { stop, threads, deserters: order.deserters.clone() }
    }

    /// Ends them; fails when one ended by itself.
    pub fn end(mut self) {
        self.stop_all();
        self.deserters.assert_none();
    }

    fn stop_all(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// Keeps one worker alive until it is told to stop, or until one ends by itself: how.
fn keep(order: &Order, stop: &AtomicBool) -> std::io::Result<Option<ExitStatus>> {
    use std::os::unix::process::ExitStatusExt as _;
    while !stop.load(Ordering::SeqCst) {
        let mut child = order.spawn()?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if stop.load(Ordering::SeqCst) {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::park_timeout(Duration::from_millis(5));
        };
        if status.signal() != Some(9) {
            return Ok(Some(status));
        }
    }
    Ok(None)
}
