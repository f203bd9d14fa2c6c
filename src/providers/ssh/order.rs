//! What the host is told: the shell script that Paddock runs there, with its orders in front of it.
//!
//! Nothing of a template or of a person stands on a command line. The command is the same for all: it reads
//! the script from its input, by its length, and goes on with it. What a script of a template gets comes
//! after it, as an archive.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

use crate::base::Digest;
use crate::providers::Job;
use crate::providers::scripts::Variables;

/// What runs on the host.
const REMOTE: &str = include_str!("remote.sh");

/// What the host is asked to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// The verb of `remote.sh`.
    pub verb: &'static str,
    /// Where Paddock keeps everything there.
    pub folder: String,
    /// Whose work it is; empty where it is nobody's.
    pub environment: String,
    /// Orders attempts: microseconds, and the number of the attempt.
    pub turn: (i64, i32),
    /// What is equal for all attempts at the same work.
    pub work: String,
    /// Whether the script only looks.
    pub looks: bool,
    /// How many seconds a script has to stop.
    pub grace: u64,
    /// Begins the lines that are for Paddock.
    pub token: String,
}

impl Order {
    /// A question that is nobody's work.
    pub fn question(verb: &'static str, folder: &str, environment: String) -> Self {
        let (folder, token) = (folder.to_owned(), "paddock".to_owned());
        Self { verb, folder, environment, turn: (0, 0), work: String::new(), looks: false, grace: 5, token }
    }

    /// Part of the work that `job` asks for. What the host says is told apart from what scripts print by a
    /// word that nobody can guess.
    pub fn of(verb: &'static str, folder: &str, job: &Job, looks: bool, grace: u64) -> Self {
        let mut secret = job.seed.to_vec();
        secret.extend(format!("{} {} {verb} {looks}", job.run, job.attempt).into_bytes());
        let token: String = Digest::of(&secret).to_string().chars().filter(char::is_ascii_hexdigit).take(32).collect();
        Self {
            environment: job.environment.to_string(),
            turn: (job.turn().0, job.turn().1),
            work: format!("{} {}", job.run, job.operation),
            looks,
            grace,
            token: format!("paddock-{token}"),
            ..Self::question(verb, folder, String::new())
        }
    }

    /// The command for the host, and the input that it begins with. `archive` follows it there.
    pub fn input(&self, archive: &[u8]) -> (OsString, Vec<u8>) {
        let mut script = String::new();
        for (name, value) in [
            ("verb", self.verb),
            ("folder", &self.folder),
            ("environment", &self.environment),
            ("since", &self.turn.0.to_string()),
            ("attempt", &self.turn.1.to_string()),
            ("work", &self.work),
            ("looks", if self.looks { "1" } else { "0" }),
            ("grace", &self.grace.to_string()),
            ("size", &archive.len().to_string()),
            ("token", &self.token),
        ] {
            // Writing to a text cannot fail.
            let _ = writeln!(script, "{name}={}", quoted(OsStr::new(value)));
        }
        script.push_str(REMOTE);
        let mut input = script.into_bytes();
        let command = format!("/bin/sh -c 'exec /bin/sh -c \"$(dd bs=1 count={} 2>/dev/null)\" paddock'", input.len());
        input.extend_from_slice(archive);
        (command.into(), input)
    }
}

/// The script that gives a template's script its variables and becomes it. Its arguments are the folder of
/// the workspace, that of the environment, and that of all.
pub fn launch(variables: Variables, folder: &Path, script: &Path) -> String {
    let mut text = "_room=$1 _root=$2 _base=$3\n\
         _stat=$(cat \"/proc/$$/stat\")\n\
         set -- ${_stat##*) }\n\
         printf '%s %s\\n' \"$$\" \"${20}\" > \"$_root/running.new\" && mv \"$_root/running.new\" \"$_root/running\" || exit 1\n\
         set --\n\
         export PADDOCK_HOST_FOLDER=\"$_root/keep\" PADDOCK_SHARED_FOLDER=\"$_base/shared\"\n"
        .to_owned();
    let place = |path: &Path| format!("\"$_room\"/{}", quoted(path.as_os_str()));
    if variables.with_bin {
        text.push_str("export PATH=\"$_room/bin:$PATH\"\n");
    }
    for (name, path) in &variables.places {
        // The home on a host is that of its user: what is set up there counts.
        if *name != "HOME" {
            let _ = writeln!(text, "export {name}={}", place(Path::new(path)));
        }
    }
    for (name, value) in variables.texts.into_vec() {
        let _ = writeln!(text, "export {}={}", name.display(), quoted(&value));
    }
    let _ = write!(text, "cd {} || exit 1\nexec {}\n", place(folder), place(script));
    text
}

/// As one word of a shell, whatever is in it.
pub fn quoted(text: &OsStr) -> String {
    format!("'{}'", text.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_takes_every_text_as_it_is() {
        let hostile = "a'b\"c $(touch /tmp/x) `id` \\ \n;exit 1 # é";
        let script = format!("printf '%s' {}", quoted(OsStr::new(hostile)));
        let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), hostile);
    }

    #[test]
    fn the_command_line_has_nothing_of_anybody() {
        let order =
            Order { work: "'; rm -rf /".to_owned(), ..Order::question("list", "/srv/it's here", "env_1".into()) };
        let (command, input) = order.input(b"archive");
        let command = command.into_string().unwrap();
        assert_eq!(
            command,
            format!("/bin/sh -c 'exec /bin/sh -c \"$(dd bs=1 count={} 2>/dev/null)\" paddock'", input.len() - 7)
        );
        assert!(input.ends_with(b"archive"));
    }
}
