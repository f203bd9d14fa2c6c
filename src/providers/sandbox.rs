//! What the programs of templates see of Paddock itself, where the kernel lets us choose.
//!
//! A program of a template runs as the worker's own user. Walled in, it gets a user and a mount
//! namespace of its own (the program `unshare` of util-linux): Paddock's data folder, with the key,
//! the private database and the other environments, is covered but for the program's own workspace;
//! the worker's memory and environment variables cannot be read through `/proc`, because it is in
//! another user namespace; and nothing can gain privileges (`setpriv --no-new-privs`). The rest of
//! the machine stays as it is: templates use its files and its network.
//!
//! Tried out once at the start; where it does not work, programs run as they did before.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the system's own programs are.
const SYSTEM: [&str; 6] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/run/current-system/sw/bin"];
const SHELL: &str = "/bin/sh";

/// Covers `$1` but for `$2`, and goes on in `$3` as the user and group that it was before. Every
/// program is the next one's predecessor, never its parent: signals arrive, and so does the end.
const SCRIPT: &str = r#"set -e
hidden=$1 kept=$2 folder=$3 user=$4 group=$5 mount=$6 mkdir=$7 setpriv=$8 unshare=$9
shift 9
exec 9<"$kept"
"$mount" -t tmpfs -o mode=0755,size=1m paddock "$hidden"
"$mkdir" -p "$kept"
"$mount" -c --bind /proc/self/fd/9 "$kept"
exec 9<&-
"$mount" -o remount,bind,ro "$hidden"
cd "$folder"
exec "$setpriv" --no-new-privs "$unshare" --user --map-user="$user" --map-group="$group" -- "$@"
"#;

/// How programs are walled in on this machine.
#[derive(Debug, Clone)]
pub struct Sandbox {
    hidden: PathBuf,
    mount: PathBuf,
    mkdir: PathBuf,
    setpriv: PathBuf,
    unshare: PathBuf,
}

impl Sandbox {
    /// Tries it out: covers `hidden` but for `kept`, a folder directly in it. Both must be there.
    /// `Err`: why it does not work, in words.
    pub fn probe(hidden: &Path, kept: &Path) -> Result<Self, String> {
        let find = |name: &str| {
            let found = SYSTEM.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
            found.ok_or_else(|| format!("the program “{name}” is not here"))
        };
        let hidden = hidden.canonicalize().map_err(|error| format!("{}: {error}", hidden.display()))?;
        let kept = kept.canonicalize().map_err(|error| format!("{}: {error}", kept.display()))?;
        let sandbox = Self {
            hidden: hidden.clone(),
            mount: find("mount")?,
            mkdir: find("mkdir")?,
            setpriv: find("setpriv")?,
            unshare: find("unshare")?,
        };
        let look = ["-c", "ls -A \"$1\"", "look"].map(OsString::from).into_iter().chain([hidden.into_os_string()]);
        let (program, args) = sandbox.wrap(&kept, &kept, Path::new(SHELL), look);
        let output = Command::new(program).args(args).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("unshare cannot be started: {error}"))?;
        let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let alone = kept.file_name().is_some_and(|name| OsStr::new(said.trim_end()) == name);
        match (output.status.success(), alone) {
            (true, true) => Ok(sandbox),
            (true, false) => Err("the data folder could not be covered".to_owned()),
            (false, _) => Err(words.lines().next().unwrap_or("unshare failed").to_owned()),
        }
    }

    /// The program that runs `program` in `folder` walled in, with `kept` to itself.
    pub fn wrap(
        &self,
        kept: &Path,
        folder: &Path,
        program: &Path,
        args: impl IntoIterator<Item = OsString>,
    ) -> (PathBuf, Vec<OsString>) {
        let number = |id: u32| OsString::from(id.to_string());
        let mut all: Vec<OsString> =
            ["--user", "--map-root-user", "--mount", "--", SHELL, "-c", SCRIPT, "paddock-sandbox"]
                .map(OsString::from)
                .into();
        all.extend([self.hidden.as_path(), kept, folder].map(|path| path.as_os_str().to_owned()));
        all.push(number(rustix::process::geteuid().as_raw()));
        all.push(number(rustix::process::getegid().as_raw()));
        all.extend([&self.mount, &self.mkdir, &self.setpriv, &self.unshare].map(|path| path.as_os_str().to_owned()));
        all.push(program.as_os_str().to_owned());
        all.extend(args);
        (self.unshare.clone(), all)
    }
}

/// Keeps other processes of the same user from reading this one's memory and variables, where the
/// keys are. What is started from here is not concerned.
pub fn close_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
