//! Failpoints: places where a test kills, stops or fails this process, to prove that nothing is lost
//! and nothing happens twice (`tests/it/matrix`). Only debug builds have them; in a release every
//! function here is empty.
//!
//! `PADDOCK_FAILPOINT` arms them: `name[@n][#scope]:action`, several with `;` between. `n` is the n-th
//! time that somebody comes by (from 1), `scope` the run's label, for example `Create orders-db`.
//! Actions: `kill` and `stop` send SIGKILL and SIGSTOP to the process itself; `fail` and `twice` are for
//! [`injected`]. Each fires once. With `PADDOCK_FAILPOINT_LOG`, a file, every place that is reached and
//! every one that fires is written down, and what is counted is counted over all processes with that file.

/// Every failpoint. `tests/it/matrix` proves that each is reached, and that no other name is used.
pub const POINTS: &[&str] = &[
    // orchestrator: claim, steps, end
    "claim.look",
    "claim.taken",
    "claim.committed",
    "step.intent",
    "step.begun",
    "step.call",
    "step.answered",
    "step.recorded",
    "log.written",
    "end.open",
    "end.ended",
    "end.settled",
    "end.audited",
    "end.committed",
    "release.released",
    "release.audited",
    "release.committed",
    "reap.released",
    "reap.audited",
    "reap.committed",
    // environments: calls of providers, their state, the last transaction
    "provider.call",
    "provider.answered",
    "state.sealed",
    "state.written",
    "state.saved",
    "lock.take",
    "lock.taken",
    "lock.release",
    "lock.released",
    "environment.moved",
    "request.told",
    // providers
    "process.started",
    "process.ended",
    "postgres.fenced",
    "postgres.role",
    "postgres.role_made",
    "postgres.database",
    "postgres.database_made",
    "postgres.database_opened",
    "postgres.extension",
    "postgres.extension_made",
    "postgres.database_drop",
    "postgres.database_dropped",
    "postgres.role_drop",
    "postgres.role_dropped",
    "postgres.rotation",
    "postgres.rotation_kept",
    "postgres.password",
    "postgres.password_set",
    "script.begin",
    "script.begun",
    "script.ended",
    "script.done",
    "script.closed",
    "webhook.intent",
    "webhook.ask",
    "webhook.asked",
    "webhook.done",
    "webhook.recorded",
    "ssh.answered",
    "ssh.forget",
    "ssh.forgotten",
    "simulated.call",
    "simulated.effect",
    "simulated.answered",
    "cloudformation.plan",
    "cloudformation.planned",
    "cloudformation.execute",
    "cloudformation.executed",
    "cloudformation.made",
    "cloudformation.remove",
    "cloudformation.removing",
    "cloudformation.removed",
    "terraform.opened",
    "terraform.initialized",
    "terraform.planned",
    "terraform.stamped",
    "terraform.applying",
    "terraform.accounted",
    "terraform.applied",
    "terraform.destroying",
    "terraform.destroyed",
    "terraform.closed",
];

/// What a test wants of a place that can do more than be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// Nothing: go on.
    Nothing,
    /// Fail here, in a way that may be tried again.
    Fail,
    /// Do it twice.
    Twice,
}

#[cfg(debug_assertions)]
pub use armed::{injected, reach, reach_for, within};
#[cfg(not(debug_assertions))]
pub use empty::{injected, reach, reach_for, within};

#[cfg(not(debug_assertions))]
mod empty {
    //! Nothing, in a release.

    use super::Injected;

    /// Nothing.
    #[inline]
    pub fn reach(_name: &str) {}

    /// Nothing.
    #[inline]
    pub fn reach_for(_name: &str, _scope: &str) {}

    /// Nothing.
    #[inline]
    pub fn injected(_name: &str) -> Injected {
        Injected::Nothing
    }

    /// The work itself.
    #[inline]
    pub fn within<F: Future>(_scope: String, work: F) -> F {
        work
    }
}

#[cfg(debug_assertions)]
mod armed {
    //! The real thing.

    use std::fs::OpenOptions;
    use std::io::Write as _;
    use std::path::PathBuf;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::Injected;

    tokio::task_local! {
        static SCOPE: String;
    }

    static PLAN: LazyLock<Plan> = LazyLock::new(Plan::of_the_environment);

    /// Says that the process came by here; a test may have it killed or stopped.
    pub fn reach(name: &'static str) {
        injected(name);
    }

    /// The same about a run that is not the one being executed here.
    pub fn reach_for(name: &'static str, scope: &str) {
        PLAN.reach(name, scope);
    }

    /// [`reach`], and what the test wants to happen here.
    pub fn injected(name: &'static str) -> Injected {
        SCOPE.try_with(|scope| PLAN.reach(name, scope)).unwrap_or_else(|_| PLAN.reach(name, ""))
    }

    /// Does `work` with all its failpoints in `scope`.
    pub fn within<F: Future>(scope: String, work: F) -> impl Future<Output = F::Output> {
        SCOPE.scope(scope, work)
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Action {
        Kill,
        Stop,
        Inject(Injected),
    }

    /// One armed failpoint.
    #[derive(Debug)]
    pub(super) struct Arm {
        pub(super) text: String,
        pub(super) name: String,
        pub(super) scope: Option<String>,
        pub(super) nth: u32,
        pub(super) action: Action,
        seen: AtomicU32,
    }

    impl Arm {
        pub(super) fn parse(text: &str) -> Option<Self> {
            let (place, action) = text.rsplit_once(':')?;
            let action = match action {
                "kill" => Action::Kill,
                "stop" => Action::Stop,
                "fail" => Action::Inject(Injected::Fail),
                "twice" => Action::Inject(Injected::Twice),
                _ => return None,
            };
            let (place, scope) = match place.split_once('#') {
                Some((place, scope)) => (place, Some(scope.to_owned())),
                None => (place, None),
            };
            let (name, nth) = match place.split_once('@') {
                Some((name, nth)) => (name, nth.parse().ok()?),
                None => (place, 1),
            };
            let (text, name) = (text.to_owned(), name.to_owned());
            Some(Self { text, name, scope, nth, action, seen: AtomicU32::new(0) })
        }

        /// Whether it is its turn, by what this process has seen, or by what all have written.
        pub(super) fn fires(&self, name: &str, scope: &str, written: impl FnOnce() -> Option<String>) -> bool {
            if self.name != name || self.scope.as_deref().is_some_and(|wanted| wanted != scope) {
                return false;
            }
            let Some(written) = written() else {
                return self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.nth;
            };
            let here = |line: &&str| {
                let mut parts = line.split('\t');
                (parts.next(), parts.next()) == (Some("reached"), Some(name))
                    && self.scope.as_deref().is_none_or(|wanted| parts.next() == Some(wanted))
            };
            let fired = |line: &str| line.strip_prefix("fired\t") == Some(self.text.as_str());
            !written.lines().any(fired) && written.lines().filter(here).count() >= self.nth as usize
        }
    }

    /// All that is armed in this process.
    struct Plan {
        arms: Vec<Arm>,
        log: Option<PathBuf>,
    }

    impl Plan {
        #[allow(clippy::disallowed_methods, reason = "no setting of the product: debug builds have it for tests")]
        fn of_the_environment() -> Self {
            let armed = std::env::var("PADDOCK_FAILPOINT").unwrap_or_default();
            let log = std::env::var_os("PADDOCK_FAILPOINT_LOG").map(PathBuf::from);
            Self { arms: armed.split(';').filter_map(Arm::parse).collect(), log }
        }

        fn reach(&self, name: &'static str, scope: &str) -> Injected {
            self.write(&format!("reached\t{name}\t{scope}\n"));
            let written = || self.log.as_ref().map(|path| std::fs::read_to_string(path).unwrap_or_default());
            let Some(arm) = self.arms.iter().find(|arm| arm.fires(name, scope, written)) else {
                return Injected::Nothing;
            };
            self.write(&format!("fired\t{}\n", arm.text));
            let signal = match arm.action {
                Action::Inject(what) => return what,
                Action::Kill => Signal::KILL,
                Action::Stop => Signal::STOP,
            };
            let _ = kill_process(getpid(), signal);
            // The signal is for the process: this thread must not get any further until it is felt.
            std::thread::sleep(Duration::from_millis(200));
            Injected::Nothing
        }

        /// One write per line, so that the lines of several processes do not mix.
        fn write(&self, line: &str) {
            let Some(path) = &self.log else { return };
            if let Ok(mut log) = OpenOptions::new().append(true).create(true).open(path) {
                let _ = log.write_all(line.as_bytes());
            }
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::armed::{Action, Arm};
    use super::*;

    #[test]
    fn arms_are_read() {
        let arm = Arm::parse("step.call@3#Create a: b:kill").unwrap();
        assert_eq!((arm.name.as_str(), arm.nth, arm.action), ("step.call", 3, Action::Kill));
        assert_eq!(arm.scope.as_deref(), Some("Create a: b"));
        let arm = Arm::parse("end.open:twice").unwrap();
        assert_eq!((arm.nth, arm.scope, arm.action), (1, None, Action::Inject(Injected::Twice)));
        for bad in ["", "end.open", "end.open:explode", "end.open@x:kill"] {
            assert!(Arm::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_arm_fires_at_its_turn_in_its_scope() {
        let arm = Arm::parse("end.open@2#Create a:kill").unwrap();
        let alone = || None;
        assert!(!arm.fires("end.open", "Create b", alone));
        assert!(!arm.fires("end.open", "Create a", alone));
        assert!(!arm.fires("end.ended", "Create a", alone));
        assert!(arm.fires("end.open", "Create a", alone));
        assert!(!arm.fires("end.open", "Create a", alone), "once");
    }

    #[test]
    fn what_other_processes_wrote_counts() {
        let arm = Arm::parse("end.open@2#Create a:kill").unwrap();
        let fires = |written: &str| arm.fires("end.open", "Create a", || Some(written.to_owned()));
        let once = "reached\tend.open\tCreate a\n";
        assert!(!fires(once));
        assert!(!fires(&format!("{once}reached\tend.open\tCreate b\nreached\tend.ended\tCreate a\n")));
        assert!(fires(&once.repeat(2)));
        assert!(!fires(&format!("{}fired\tend.open@2#Create a:kill\n", once.repeat(2))), "once");
    }
}
