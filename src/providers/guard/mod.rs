//! `paddock exec-guard`: the small process between a worker and a program that it runs.
//!
//! A program such as Terraform must not outlive its worker unseen, and must not be cut off in the
//! middle of writing its state. The guard starts it in a process group of its own, passes its
//! output on, and watches its own standard input: the end of it means that the worker wants the
//! program to stop, or died, even by `kill -9`. Then the program is asked to stop, and after a
//! grace its whole group is killed. Nothing that it started outlives the guard.
//!
//! An exclusive lock on a file is held from before the start until everything is gone. The program
//! inherits it, so that not even the guard's own death frees it too early. In that file stands what
//! became of the last program ([`End`]): one that was killed may have done more than it told.
//!
//! Output goes through the guard because a program whose reader is gone is killed by SIGPIPE at its
//! next line, before any grace.

mod family;

use std::ffi::OsString;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The hidden verb.
pub const VERB: &str = "exec-guard";

/// Exit code when the lock did not become free in time.
pub const BUSY: u8 = 246;
/// Exit code when the guard itself cannot do its work.
pub const BROKEN: u8 = 247;
/// Exit code when the program and what it started took more memory than it may.
pub const TOO_LARGE: u8 = 245;
/// Exit code when it started more processes than it may.
pub const TOO_MANY: u8 = 244;

/// The largest file that a program may write, in bytes.
const LARGEST_FILE: u64 = 16 * 1024 * 1024 * 1024;
/// How much later than Paddock itself programs get the processor.
const NICER: i32 = 5;
/// How many files a program may have open.
const MOST_FILES: u64 = 65_536;

/// How often memory and processes are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

const LOCK_POLL: Duration = Duration::from_millis(50);
/// How long killed processes may take to be gone.
pub const BURIAL: Duration = Duration::from_secs(5);

/// Runs the guard; `args` are those behind the verb. Blocks until the program is gone.
pub fn guard_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let outcome = Order::parse(args.into_iter()).and_then(|order| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| format!("no runtime: {error}"))?.block_on(watch(&order))
    });
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            say(&message);
            ExitCode::from(BROKEN)
        }
    }
}

/// Nobody may be listening any more.
fn say(message: &str) {
    let _ = writeln!(std::io::stderr(), "paddock {VERB}: {message}");
}

/// How a program is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT to the program alone: Terraform then writes its state.
    Interrupt,
    /// SIGTERM to the whole group: a shell does not pass it on to what it waits for.
    Terminate,
}

impl Stop {
    /// The word on the guard's command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Terminate => "terminate",
        }
    }
}

/// What became of the last program under a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Whose it was, as its worker said.
    pub mark: String,
    /// Whether it came to its end by itself. Not when it was killed, nor when nobody saw its end.
    pub by_itself: bool,
}

impl End {
    /// What stands in the file of a lock.
    pub fn read(lock: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(lock).ok()?;
        let (mark, how) = text.rsplit_once(' ')?;
        Some(Self { mark: mark.to_owned(), by_itself: how == "ended" })
    }

    /// Notes that what its own account of the last program says does not count: it was not used.
    pub fn doubt(lock: &Path) -> std::io::Result<()> {
        let Some(Self { mark, .. }) = Self::read(lock) else { return Ok(()) };
        Self::write(&File::options().write(true).open(lock)?, &mark, "doubted")
    }

    fn write(mut file: &File, mark: &str, how: &str) -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(format!("{mark} {how}").as_bytes())
    }
}

/// What a program and all that it starts may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, all processes together. Looked at [`LOOK_EVERY`]; against a single process that
    /// is faster the kernel holds twice as much (`RLIMIT_DATA`). Not `RLIMIT_AS`: Go reserves far more
    /// address space than it uses.
    pub memory: u64,
    /// Processes at a time.
    pub processes: u64,
    /// Seconds of processor time of one process.
    pub cpu: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 4 * 1024 * 1024 * 1024, processes: 1024, cpu: 4 * 60 * 60 }
    }
}

#[derive(Debug)]
struct Order {
    lock: PathBuf,
    mark: String,
    limits: Limits,
    wait: Duration,
    grace: Duration,
    stop: Stop,
    program: OsString,
    args: Vec<OsString>,
}

impl Order {
    fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let (mut lock, mut wait, mut grace, mut stop) =
            (None, Duration::from_mins(1), Duration::from_secs(10), Stop::Terminate);
        let (mut mark, mut limits) = (String::new(), Limits::default());
        while let Some(flag) = args.next() {
            if flag == "--" {
                let program = args.next().ok_or("no program given")?;
                let lock = lock.ok_or("no --lock given")?;
                return Ok(Self { lock, mark, limits, wait, grace, stop, program, args: args.collect() });
            }
            let value = args.next().ok_or("a value is missing")?;
            let number = || value.to_str().and_then(|text| text.parse::<u64>().ok());
            let seconds = || number().map(Duration::from_secs);
            match flag.to_str() {
                Some("--lock") => lock = Some(PathBuf::from(value)),
                Some("--mark") => mark = value.to_string_lossy().into_owned(),
                Some("--memory") => limits.memory = number().ok_or("--memory takes bytes")?,
                Some("--processes") => limits.processes = number().ok_or("--processes takes a number")?,
                Some("--cpu") => limits.cpu = number().ok_or("--cpu takes seconds")?,
                Some("--wait") => wait = seconds().ok_or("--wait takes seconds")?,
                Some("--grace") => grace = seconds().ok_or("--grace takes seconds")?,
                Some("--stop") if value == "interrupt" => stop = Stop::Interrupt,
                Some("--stop") if value == "terminate" => stop = Stop::Terminate,
                _ => return Err(format!("{} is not known", flag.display())),
            }
        }
        Err("no program given".to_owned())
    }
}

/// Runs the order and returns the exit code of the guard.
async fn watch(order: &Order) -> Result<u8, String> {
    let words = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    let mut signals = Signals::new().map_err(words("no signal handler"))?;
    let mut child_changed = signal(SignalKind::child()).map_err(words("no signal handler"))?;
    // What the program starts and leaves behind becomes a child of the guard.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));

    let control = duplicate(std::io::stdin())?;
    let mut stopped = pin!(end_of(receiver(&control)?));
    let lock = tokio::select! {
        lock = take_lock(order) => lock?,
        () = &mut stopped => return Ok(BUSY),
        () = signals.any() => return Ok(BUSY),
    };
    let Some(lock) = lock else {
        say("another program still works in this workspace");
        return Ok(BUSY);
    };
    // A guard that was slow to start may have lost its worker, and a later one may have begun.
    if rustix::io::read(&control, &mut [0_u8; 8]) == Ok(0) {
        return Ok(BUSY);
    }

    limit(order.limits);
    End::write(&lock, &order.mark, "begun").map_err(words("lock"))?;
    let (mut child, group) = start(order, &lock)?;
    let (out, err) = outputs(&mut child).map_err(words("no output"))?;
    let (to_out, to_err) = (sender(std::io::stdout())?, sender(std::io::stderr())?);
    let mut forwarded = pin!(async { tokio::join!(forward(out, to_out), forward(err, to_err)) });
    let mut all_forwarded = false;
    let mut kill_at = None;
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut beyond = None;
    loop {
        // Asked before waiting, because the signal may have come before its handler was polled.
        if has_ended(group) {
            break;
        }
        let far = Instant::now() + Duration::from_hours(1);
        tokio::select! {
            () = &mut stopped, if kill_at.is_none() => kill_at = Some(ask_to_stop(order, group)),
            () = signals.any(), if kill_at.is_none() => kill_at = Some(ask_to_stop(order, group)),
            () = sleep_until(kill_at.unwrap_or(far)) => if kill_at.is_some() { kill(group) },
            _ = child_changed.recv() => {}
            _ = look.tick(), if beyond.is_none() => {
                beyond = family::exceeds(&order.limits);
                if beyond.is_some() {
                    kill(group);
                }
            }
            _ = &mut forwarded, if !all_forwarded => all_forwarded = true,
        }
    }
    // Not reaped yet: until then the group's number cannot belong to anybody else.
    kill(group);
    let code = child.wait().map_err(words("no exit code"))?;
    bury_the_rest().await;
    End::write(&lock, &order.mark, if code.code().is_some() { "ended" } else { "killed" }).map_err(words("lock"))?;
    if !all_forwarded {
        let _ = timeout(BURIAL, forwarded).await;
    }
    drop(lock);
    Ok(beyond.unwrap_or_else(|| exit_code(code)))
}

type Outputs = (Option<tokio::process::ChildStdout>, Option<tokio::process::ChildStderr>);

fn outputs(child: &mut Child) -> std::io::Result<Outputs> {
    let out = child.stdout.take().map(tokio::process::ChildStdout::from_std).transpose()?;
    let err = child.stderr.take().map(tokio::process::ChildStderr::from_std).transpose()?;
    Ok((out, err))
}

fn kill(group: Pid) {
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
}

/// What a terminal, a service manager or a person sends.
struct Signals([tokio::signal::unix::Signal; 3]);

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self([signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?]))
    }

    async fn any(&mut self) {
        let [terminate, interrupt, hang_up] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
    }
}

fn start(order: &Order, lock: &File) -> Result<(Child, Pid), String> {
    // Inherited by the program: the guard has one thread and one child, so by nothing else.
    rustix::io::fcntl_setfd(lock, FdFlags::empty()).map_err(|error| format!("lock: {error}"))?;
    let child = Command::new(&order.program)
        .args(&order.args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("{} cannot be started: {error}", order.program.display()))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
    Ok((child, group))
}

async fn take_lock(order: &Order) -> Result<Option<File>, String> {
    let file = File::options().create(true).truncate(false).write(true).open(&order.lock);
    let file = file.map_err(|error| format!("{}: {error}", order.lock.display()))?;
    let until = Instant::now() + order.wait;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => sleep(LOCK_POLL).await,
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(format!("{}: {error}", order.lock.display())),
        }
    }
}

/// Limits for the guard, which the program inherits and cannot lift.
fn limit(limits: Limits) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // A core file would hold secrets. No file of a stack is as large as the second one.
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Fsize, LARGEST_FILE),
        (Resource::Nofile, MOST_FILES),
        (Resource::Data, limits.memory.saturating_mul(2)),
        (Resource::Cpu, limits.cpu),
    ] {
        let most = getrlimit(resource).maximum.map_or(most, |maximum| maximum.min(most));
        let _ = setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    }
    // The worker's heart must go on beating beside them.
    let _ = rustix::process::nice(NICER);
}

fn ask_to_stop(order: &Order, group: Pid) -> Instant {
    let _ = match order.stop {
        Stop::Interrupt => rustix::process::kill_process(group, Signal::INT),
        Stop::Terminate => rustix::process::kill_process_group(group, Signal::TERM),
    };
    Instant::now() + order.grace
}

fn has_ended(child: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    matches!(rustix::process::waitid(WaitId::Pid(child), options), Ok(Some(_)) | Err(_))
}

/// Kills and reaps what left the group but not the guard's family.
async fn bury_the_rest() {
    let until = Instant::now() + BURIAL;
    while Instant::now() < until {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                // No children at all.
                Err(_) => return,
            }
        }
        for child in family::children() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt as _;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(BROKEN)
}

fn duplicate(stream: impl AsFd) -> Result<OwnedFd, String> {
    stream.as_fd().try_clone_to_owned().map_err(|error| format!("no standard stream: {error}"))
}

fn receiver(control: &OwnedFd) -> Result<pipe::Receiver, String> {
    let control = duplicate(control)?;
    pipe::Receiver::from_owned_fd(control).map_err(|_| "is started by Paddock itself, with a pipe as input".to_owned())
}

fn sender(stream: impl AsFd) -> Result<Option<pipe::Sender>, String> {
    let stream = duplicate(stream)?;
    pipe::Sender::from_owned_fd(stream).map(Some).map_err(|_| "its output must be a pipe".to_owned())
}

async fn end_of(mut control: pipe::Receiver) {
    let mut bytes = [0; 64];
    while !matches!(control.read(&mut bytes).await, Ok(0) | Err(_)) {}
}

/// Copies until the end, and goes on reading when nobody takes it any more.
async fn forward(from: Option<impl AsyncRead + Unpin>, mut to: Option<pipe::Sender>) {
    let Some(mut from) = from else { return };
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if let (Some(sender), Some(bytes)) = (&mut to, bytes.get(..count))
            && sender.write_all(bytes).await.is_err()
        {
            to = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Order, String> {
        Order::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn the_command_line_is_read_up_to_the_program() {
        let order = parse(&["--lock", "/l", "--grace", "3", "--stop", "interrupt", "--", "terraform", "--", "x"]);
        let order = order.unwrap();
        assert_eq!((order.grace, order.stop), (Duration::from_secs(3), Stop::Interrupt));
        assert_eq!((order.program, order.args), (OsString::from("terraform"), vec!["--".into(), "x".into()]));
        assert!(parse(&["--lock", "/l"]).is_err());
        assert!(parse(&["--", "true"]).is_err());
        assert!(parse(&["--lock", "/l", "--grace", "soon", "--", "true"]).is_err());
    }
}
