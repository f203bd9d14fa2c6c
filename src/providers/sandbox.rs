//! What the programs of templates see of this machine, where the kernel lets us choose.
//!
//! A program of a template runs as the worker's own user. Walled in, it gets a user and a mount
//! namespace of its own (the program `unshare` of util-linux). Paddock's data folder, with the key, the
//! private database and the other environments, is covered. All else can be read and not written, but
//! for the program's own workspace and the folders that its target or the worker's configuration opens
//! to it. The worker's memory and environment variables cannot be read through `/proc`, because it is
//! in another user namespace; nothing can gain privileges (`setpriv --no-new-privs`); and the number of
//! processes is limited, which counts by namespace. The network stays: templates talk to clouds.
//!
//! Tried out once at the start. Where the kernel or the container forbids it, or a part of it, programs
//! run with less, and the log and `paddock doctor` say so.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the system's own programs are.
const SYSTEM: [&str; 6] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/run/current-system/sw/bin"];
const SHELL: &str = "/bin/sh";

/// How many folders can stay open to a program: a shell has file descriptors of one digit.
pub const MOST_DOORS: usize = 6;

/// Covers `hidden`, closes everything to writing but for the doors, and goes on in `folder` as the user
/// and group that it was before. Every program is the next one's predecessor, never its parent: signals
/// arrive, and so does the end. The doors are held open by descriptors while their ways are covered.
const SCRIPT: &str = r#"set -e
hidden=$1 folder=$2 user=$3 group=$4 mount=$5 mkdir=$6 setpriv=$7 unshare=$8 prlimit=$9
shift 9
processes=$1 closed=$2 count=$3
shift 3
n=3 doors=
while [ "$count" -gt 0 ]; do
  eval "exec $n<\"\$1\"; door$n=\$1"
  n=$((n + 1)) count=$((count - 1))
  shift
done
last=$n n=3
"$mount" -t tmpfs -o mode=0755,size=1m paddock "$hidden"
while [ "$n" -lt "$last" ]; do
  eval "door=\$door$n"
  "$mkdir" -p "$door"
  "$mount" -c --rbind "/proc/self/fd/$n" "$door"
  eval "exec $n<&-"
  n=$((n + 1))
done
is_door() {
  n=3
  while [ "$n" -lt "$last" ]; do
    eval "door=\$door$n"
    case $1 in "$door" | "$door"/*) return 0 ;; esac
    n=$((n + 1))
  done
  return 1
}
is_mounted() {
  while read -r _ _ _ _ one _; do
    if [ "$one" = "$1" ]; then return 0; fi
  done < /proc/self/mountinfo
  return 1
}
if [ "$closed" = 1 ]; then
  if [ -d /dev/shm ]; then "$mount" -t tmpfs -o mode=1777,size=64m shm /dev/shm; fi
  mounts=$(while read -r line; do printf '%s\n' "$line"; done < /proc/self/mountinfo)
  while read -r _ _ _ _ raw options _; do
    case $options in rw*) ;; *) continue ;; esac
    at=$raw
    case $at in *\\*) at=$(printf "$at") ;; esac
    # The last step below writes the map of its own user there.
    if [ "$at" = /proc ] || [ "$at" = /dev/shm ] || is_door "$at"; then continue; fi
    if said=$("$mount" -c -o "remount,bind,ro${options#rw}" "$at" 2>&1); then continue; fi
    # Unmounting arrives here from outside: containers come and go.
    if is_mounted "$raw"; then printf '%s\n' "$said" >&2; exit 1; fi
  done <<MOUNTS
$mounts
MOUNTS
  for at in /proc/sys /proc/sysrq-trigger; do
    if [ -e "$at" ]; then "$mount" --bind "$at" "$at" && "$mount" -o remount,bind,ro "$at"; fi
  done
else
  "$mount" -o remount,bind,ro "$hidden"
fi
cd "$folder"
exec "$setpriv" --no-new-privs "$unshare" --user --map-user="$user" --map-group="$group" -- \
  "$prlimit" --nproc="$processes" -- "$@"
"#;

/// How programs are walled in on this machine.
#[derive(Debug, Clone)]
pub struct Sandbox {
    hidden: PathBuf,
    doors: Vec<PathBuf>,
    closed: bool,
    tools: Vec<PathBuf>,
}

/// One program behind the walls.
#[derive(Debug, Clone, Copy)]
pub struct Walled<'a> {
    /// The part of Paddock's data that it keeps: its workspace.
    pub kept: &'a Path,
    /// Further folders that it may write to.
    pub doors: &'a [PathBuf],
    /// Its working directory.
    pub folder: &'a Path,
    /// How many processes and threads it may have.
    pub processes: u64,
}

impl Sandbox {
    /// Tries it out: covers `hidden` but for `kept`, a folder in it, and closes the rest but for `doors`.
    /// All must be there. `Err`: why it does not work, in words.
    pub fn probe(hidden: &Path, kept: &Path, doors: &[PathBuf]) -> Result<Self, String> {
        let find = |name: &str| {
            let found = SYSTEM.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
            found.ok_or_else(|| format!("the program “{name}” is not here"))
        };
        let tools =
            ["mount", "mkdir", "setpriv", "unshare", "prlimit"].into_iter().map(find).collect::<Result<_, _>>()?;
        let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let (hidden, kept) = (real(hidden)?, real(kept)?);
        let doors = doors.iter().map(|door| real(door)).collect::<Result<_, _>>()?;
        let whole = Self { hidden, doors, closed: true, tools };
        let Err(why) = whole.try_out(&kept) else { return Ok(whole) };
        let part = Self { closed: false, ..whole };
        part.try_out(&kept).map_err(|_| why)?;
        Ok(part)
    }

    /// Whether everything else is closed to writing, too.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn try_out(&self, kept: &Path) -> Result<(), String> {
        let look = ["-c", "ls -A \"$1\"", "look"].map(OsString::from).into_iter();
        let look = look.chain([self.hidden.clone().into_os_string()]);
        let walled = Walled { kept, doors: &[], folder: kept, processes: 64 };
        let (program, args) = self.wrap(walled, Path::new(SHELL), look)?;
        let output = Command::new(program).args(args).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("unshare cannot be started: {error}"))?;
        let (said, words) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let inside = kept.strip_prefix(&self.hidden).ok().and_then(|rest| rest.components().next());
        let mut there: Vec<&OsStr> = said.lines().map(OsStr::new).collect();
        // The doors may be in it, too.
        there.retain(|name| !self.doors.iter().any(|door| door.starts_with(self.hidden.join(name))));
        match (output.status.success(), there.as_slice(), inside) {
            (true, [name], Some(inside)) if inside.as_os_str() == *name => Ok(()),
            (true, ..) => Err("the data folder could not be covered".to_owned()),
            (false, ..) => Err(words.lines().next().unwrap_or("unshare failed").to_owned()),
        }
    }

    /// The program that runs `program` walled in. `Err`: a folder that is to stay open cannot.
    pub fn wrap(
        &self,
        walled: Walled<'_>,
        program: &Path,
        args: impl IntoIterator<Item = OsString>,
    ) -> Result<(PathBuf, Vec<OsString>), String> {
        let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
        let mut doors = vec![real(walled.kept)?];
        for door in self.doors.iter().chain(walled.doors) {
            // Another machine may have it: nothing is opened, and the program says what it misses.
            let Ok(door) = door.canonicalize() else { continue };
            if self.hidden.starts_with(&door) {
                return Err(format!("{} holds Paddock's data and cannot be opened to programs", door.display()));
            }
            if !doors.contains(&door) {
                doors.push(door);
            }
        }
        if doors.len() > MOST_DOORS {
            return Err(format!("at most {MOST_DOORS} folders can be open to a program"));
        }
        let number = |number: u64| OsString::from(number.to_string());
        let mut all: Vec<OsString> =
            ["--user", "--map-root-user", "--mount", "--", SHELL, "-c", SCRIPT, "paddock-sandbox"]
                .map(OsString::from)
                .into();
        all.extend([self.hidden.as_path(), walled.folder].map(|path| path.as_os_str().to_owned()));
        all.push(number(rustix::process::geteuid().as_raw().into()));
        all.push(number(rustix::process::getegid().as_raw().into()));
        all.extend(self.tools.iter().map(|path| path.as_os_str().to_owned()));
        all.extend([number(walled.processes), number(self.closed.into()), number(doors.len() as u64)]);
        all.extend(doors.into_iter().map(PathBuf::into_os_string));
        all.push(program.as_os_str().to_owned());
        all.extend(args);
        let unshare = self.tools.iter().find(|tool| tool.ends_with("unshare")).ok_or("no unshare")?;
        Ok((unshare.clone(), all))
    }
}

/// Keeps other processes of the same user from reading this one's memory and variables, where the
/// keys are. What is started from here is not concerned.
pub fn close_to_others() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Walls for whose making something else is mounted, and at its turn `then` happens. Nothing where the
    /// kernel forbids walls.
    fn try_out_beside(then: &str) -> Option<Result<(), String>> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["data/work", "container"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        let mut sandbox = Sandbox::probe(&at("data"), &at("data/work"), &[]).ok().filter(Sandbox::is_closed)?;
        let (real, container) = (sandbox.tools[0].display(), at("container").canonicalize().unwrap());
        let container = container.display();
        let wrapper = format!(
            "#!/bin/sh\ncase \"$*\" in\n\
             *tmpfs*paddock*) {real} -t tmpfs container {container} || exit ;;\n\
             *remount*{container}) {then} ;;\n\
             esac\nexec {real} \"$@\"\n"
        );
        std::fs::write(at("mount"), wrapper).unwrap();
        std::fs::set_permissions(at("mount"), std::fs::Permissions::from_mode(0o755)).unwrap();
        sandbox.tools[0] = at("mount");
        Some(sandbox.try_out(&at("data/work")))
    }

    #[test]
    fn what_is_unmounted_meanwhile_need_not_be_closed() {
        let Some(result) = try_out_beside("umount \"$4\"") else { return };
        assert_eq!(result, Ok(()));
    }

    #[test]
    fn what_stays_open_is_a_failure() {
        let Some(result) = try_out_beside("echo 'it does not want to' >&2; exit 1") else { return };
        assert_eq!(result, Err("it does not want to".to_owned()));
    }
}
