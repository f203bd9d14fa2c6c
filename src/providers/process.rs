//! The worker's side of [`super::guard`]: runs a program under the guard, line by line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::guard::{self, Limits, Stop};
use super::sandbox::Walled;
use super::{Engine, ProviderError, Sandbox, Stream};
use crate::base::failpoint::reach;

/// How much of one log line is kept, in bytes.
const LONGEST_LINE: usize = 8 * 1024;

/// What the providers that run programs need to know about this machine; from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for workspaces; private to the worker's user.
    pub work_root: PathBuf,
    /// The `paddock` executable, which is also the guard.
    pub guard: PathBuf,
    /// The `PATH` that programs see.
    pub path: OsString,
    /// The Terraform or OpenTofu executable; looked for on `path` without it.
    pub terraform: Option<PathBuf>,
    /// More lines for Terraform's own CLI configuration, for example a provider mirror.
    pub terraform_config: Option<String>,
    /// Walls around the programs of templates, where this machine can have them.
    pub sandbox: Option<Sandbox>,
    /// What runs images, where this machine has one.
    pub engine: Option<Engine>,
    /// What a program and all that it starts may take.
    pub limits: Limits,
    /// How long what was made may take until it can be seen, and what was destroyed until it cannot.
    pub read_back: Duration,
    /// How long a program may take to stop when asked to.
    pub grace: Duration,
    /// How long a program may run.
    pub limit: Duration,
}

impl Settings {
    /// The usual times: 10 s grace, one hour limit.
    pub fn new(work_root: PathBuf, guard: PathBuf, path: OsString) -> Self {
        Self {
            work_root,
            guard,
            path,
            terraform: None,
            terraform_config: None,
            sandbox: None,
            engine: None,
            limits: Limits::default(),
            read_back: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            limit: Duration::from_hours(1),
        }
    }

    /// The first of `names` that is on the path.
    pub fn find_program(&self, names: &[&str]) -> Option<PathBuf> {
        let folders: Vec<PathBuf> = std::env::split_paths(&self.path).collect();
        names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path)))
    }
}

/// Whether `path` is a file that somebody may execute.
pub fn is_executable(path: &std::path::Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// A program to run.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its working directory.
    pub folder: PathBuf,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The file whose lock is held while it runs.
    pub lock: PathBuf,
    /// Whose it is; stands beside its end in that file.
    pub mark: String,
    /// How it is asked to stop.
    pub stop: Stop,
    /// Its workspace: all that it keeps of Paddock's data, where there is a sandbox.
    pub kept: PathBuf,
    /// Further folders that it may write to there: those that its target opens.
    pub doors: Vec<PathBuf>,
}

/// Hears what a program prints.
#[async_trait]
pub trait Watcher: Send {
    /// One line, without its end, in full length.
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError>;
}

/// Runs `program` to its end and returns its exit code. When the run is canceled, or the watcher
/// fails, the program is stopped first. A dropped call stops it too, behind its back.
pub async fn run(
    settings: &Settings,
    program: &Program,
    cancel: &CancellationToken,
    watcher: &mut dyn Watcher,
) -> Result<i32, ProviderError> {
    if cancel.is_cancelled() {
        return Err(ProviderError::Canceled);
    }
    let mut child = spawn(settings, program)?;
    reach("process.started");
    // Closing it is the order to stop.
    let mut control = child.stdin.take();
    let mut out = child.stdout.take().map(Lines::new);
    let mut err = child.stderr.take().map(Lines::new);
    let deadline = Instant::now() + settings.limit;
    let mut problem: Option<ProviderError> = None;
    while out.is_some() || err.is_some() {
        let heard = tokio::select! {
            line = next(&mut out) => heard(watcher, Stream::Stdout, line, &mut out).await,
            line = next(&mut err) => heard(watcher, Stream::Stderr, line, &mut err).await,
            () = cancel.cancelled(), if problem.is_none() => Err(ProviderError::Canceled),
            // What it did until then may be there (I9), whatever it says of its own end.
            () = sleep_until(deadline), if problem.is_none() => Err(ProviderError::unknown(format!(
                "the program did not end within {} and was stopped; its worker gives it no more time (--program-time)",
                in_words(settings.limit)
            ))),
        };
        if let Err(error) = heard {
            drop(control.take());
            problem.get_or_insert(error);
        }
    }
    let status = child.wait().await.map_err(ProviderError::internal)?;
    reach("process.ended");
    match (problem, status.code()) {
        (None | Some(ProviderError::Canceled), Some(0)) => Ok(0),
        (Some(error), _) => Err(error),
        (None, Some(code)) if code == i32::from(guard::BUSY) => {
            Err(ProviderError::retryable("an earlier attempt's program has not stopped yet"))
        }
        (None, Some(code)) if code == i32::from(guard::TOO_LARGE) => Err(ProviderError::failed(format!(
            "the program took more than {} MiB of memory and was killed; its worker allows no more (--program-memory)",
            settings.limits.memory / 1024 / 1024
        ))),
        (None, Some(code)) if code == i32::from(guard::TOO_MANY) => Err(ProviderError::failed(format!(
            "the program started more than {} processes and was killed; its worker allows no more \
             (--program-processes)",
            settings.limits.processes
        ))),
        (None, Some(code)) => Ok(code),
        (None, None) => Err(ProviderError::unknown("the program was killed from outside")),
    }
}

/// A time in whole minutes, if it is that, else in seconds.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds > 60 && seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}

fn spawn(settings: &Settings, program: &Program) -> Result<Child, ProviderError> {
    let (path, args) = match &settings.sandbox {
        Some(sandbox) => {
            let processes = settings.limits.processes;
            let walled = Walled { kept: &program.kept, doors: &program.doors, folder: &program.folder, processes };
            let wrapped = sandbox.wrap(walled, &program.path, program.args.clone());
            wrapped.map_err(|why| ProviderError::failed(format!("the program cannot be walled in: {why}")))?
        }
        None => (program.path.clone(), program.args.clone()),
    };
    Command::new(&settings.guard)
        .arg(guard::VERB)
        .arg("--lock")
        .arg(&program.lock)
        .args(["--mark", &program.mark])
        .args(["--memory", &settings.limits.memory.to_string()])
        .args(["--processes", &settings.limits.processes.to_string()])
        .args(["--cpu", &settings.limits.cpu.to_string()])
        .args(["--stop", program.stop.as_str(), "--grace", &settings.grace.as_secs().to_string(), "--"])
        .arg(path)
        .args(args)
        .current_dir(&program.folder)
        .env_clear()
        .envs(program.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // An interrupt from the terminal is for the worker, which then drains.
        .process_group(0)
        .spawn()
        .map_err(|error| ProviderError::internal(format!("{} cannot be started: {error}", settings.guard.display())))
}

async fn next<R: AsyncRead + Unpin>(lines: &mut Option<Lines<R>>) -> Option<String> {
    match lines {
        Some(lines) => lines.next().await,
        None => std::future::pending().await,
    }
}

async fn heard<R>(
    watcher: &mut dyn Watcher,
    stream: Stream,
    line: Option<String>,
    from: &mut Option<Lines<R>>,
) -> Result<(), ProviderError> {
    if let Some(line) = line {
        return watcher.line(stream, &line).await;
    }
    *from = None;
    Ok(())
}

/// Splits a stream into lines; cancel-safe, and without trust in their length.
struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    searched: usize,
}

impl<R> Lines<R> {
    /// More than a plan of a large stack as one line of JSON.
    const LONGEST: usize = 32 * 1024 * 1024;

    fn new(from: R) -> Self {
        Self { from, buffer: Vec::new(), searched: 0 }
    }

    fn take(&mut self, count: usize) -> String {
        let rest = self.buffer.split_off(count);
        let line = std::mem::replace(&mut self.buffer, rest);
        self.searched = 0;
        String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned()
    }
}

impl<R: AsyncRead + Unpin> Lines<R> {
    async fn next(&mut self) -> Option<String> {
        loop {
            let fresh = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                return Some(self.take(self.searched + end + 1));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() >= Self::LONGEST {
                return Some(self.take(Self::LONGEST));
            }
            match self.from.read_buf(&mut self.buffer).await {
                Ok(1..) => {}
                Ok(0) | Err(_) if self.buffer.is_empty() => return None,
                Ok(0) | Err(_) => return Some(self.take(self.buffer.len())),
            }
        }
    }
}

/// A line for people: without terminal colours and other control characters, and not endless.
pub fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // A control sequence ends with a byte from @ to ~ (ECMA-48, 5.4).
            if chars.next_if_eq(&'[').is_some() {
                for c in chars.by_ref() {
                    if ('@'..='~').contains(&c) {
                        break;
                    }
                }
            }
        } else if c == '\t' {
            out.push_str("    ");
        } else if !c.is_control() {
            out.push(c);
        }
    }
    if out.len() > LONGEST_LINE {
        let mut end = LONGEST_LINE;
        while !out.is_char_boundary(end) {
            end -= 1;
        }
        out.truncate(end);
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn streams_become_lines() {
        let mut lines = Lines::new(&b"one\r\n\ntwo\xff\nno end"[..]);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await {
            all.push(line);
        }
        assert_eq!(all, ["one", "", "two\u{fffd}", "no end"]);
    }

    #[test]
    fn lines_for_people_have_no_colours() {
        assert_eq!(plain("\u{1b}[1;31mred\u{1b}[0m\tand\u{7} plain"), "red    and plain");
        assert_eq!(plain(&"é".repeat(LONGEST_LINE)).len(), LONGEST_LINE + '…'.len_utf8());
    }
}
