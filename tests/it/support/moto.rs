//! moto, an emulator of AWS that others wrote: the wire as they read it. Started once for the whole test
//! binary; it ends with this process.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use super::program;

static MOTO: LazyLock<Moto> = LazyLock::new(Moto::start);

/// The running server.
pub struct Moto {
    port: u16,
    // Its input stays open until this process ends.
    _child: Child,
}

impl Moto {
    /// Where it listens.
    pub fn url() -> String {
        format!("http://127.0.0.1:{}", MOTO.port)
    }

    fn start() -> Self {
        let folder = program::tools().join("moto");
        assert!(folder.is_dir(), "{} is not there: run scripts/setup test", folder.display());
        let mut child = Command::new("python3")
            .arg("tests/tools/moto.py")
            .arg(folder)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("moto did not start: “{line}”"));
        Self { port, _child: child }
    }
}
