//! The probe: pgbench with a script.

use std::process::Command;

use crate::{CLIENTS, SPAN};

/// Transactions a second of `script` against `url`.
pub fn rate(url: &str, script: &str) -> f64 {
    let file = tempfile::Builder::new().suffix(".sql").tempfile().unwrap();
    std::fs::write(file.path(), script).unwrap();
    let output = Command::new(program())
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2"])
        .args(["--client", &CLIENTS.to_string(), "--time", &SPAN.as_secs().to_string()])
        .arg("--file")
        .arg(file.path())
        .arg(url)
        .output()
        .expect("pgbench");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find(|line| line.starts_with("tps = "));
    let line = line.unwrap_or_else(|| panic!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr)));
    line.split_whitespace().nth(2).unwrap().parse().unwrap()
}

fn program() -> std::path::PathBuf {
    let beside = Command::new("pg_config").arg("--bindir").output().ok().filter(|output| output.status.success());
    let folder = beside.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let places = folder.into_iter().chain((15..=18).rev().map(|major| format!("/usr/lib/postgresql/{major}/bin")));
    places
        .map(|place| std::path::Path::new(&place).join("pgbench"))
        .find(|path| path.exists())
        .unwrap_or("pgbench".into())
}
