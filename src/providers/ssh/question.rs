//! Short questions to a host that are no part of a run: what is there, and what a check wants to know.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::link::Link;
use super::order::Order;
use crate::providers::process::plain;
use crate::providers::{ProviderError, address};

/// What the host said, word by word: each line without the token.
pub async fn ask(client: &Path, link: &Link, order: &Order, within: Duration) -> Result<Vec<String>, ProviderError> {
    address::refuse_special(&link.host, link.port).await?;
    // Private to this user, and gone with the value.
    let folder = tempfile::Builder::new().prefix("paddock-ssh").tempdir().map_err(ProviderError::internal)?;
    let (command, input) = order.input(&[]);
    let mut ssh = Command::new(client);
    ssh.args(link.equip(folder.path())?).arg(command).env_clear().env("LANG", "C.UTF-8").kill_on_drop(true);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = ssh.spawn().map_err(ProviderError::internal)?;
    let stdin = child.stdin.take();
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A client that is refused does not read it.
            let _ = stdin.write_all(&input).await;
        }
    };
    let Ok((output, ())) = timeout(within, async { tokio::join!(child.wait_with_output(), feed) }).await else {
        let seconds = within.as_secs();
        return Err(ProviderError::retryable(format!("{} did not answer within {seconds} s", link.host)));
    };
    let output = output.map_err(ProviderError::internal)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(plain).collect::<Vec<_>>();
    let token = format!("{} ", order.token);
    let said: Vec<String> =
        text(&output.stdout).iter().filter_map(|line| line.strip_prefix(&token)).map(str::to_owned).collect();
    if let Some(words) = said.iter().find_map(|line| line.strip_prefix("problem ")) {
        return Err(ProviderError::failed(format!("{}: {words}", link.host)));
    }
    if said.iter().any(|line| line == "busy") {
        return Err(ProviderError::retryable(format!("something on {} does not end", link.host)));
    }
    if said.iter().any(|line| line.starts_with("ended")) {
        return Ok(said);
    }
    if !output.status.success() {
        return Err(link.refusal(&text(&output.stderr)));
    }
    Err(ProviderError::failed(format!("{} lets {} in, and does not run what it is told", link.host, link.user)))
}
