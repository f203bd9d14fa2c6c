//! Hears what a host says: lines of the template's script, which go on to the log, and those of Paddock's own
//! script between them.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::link::Link;
use crate::providers::process::{Watcher, plain};
use crate::providers::{ProviderError, Stream};

/// The longest text that comes back, in bytes: 64 MiB as Base64, above what `remote.sh` sends.
const LONGEST: usize = 96 * 1024 * 1024;
/// How many lines of the client are kept for its refusal.
const MOST_LINES: usize = 50;

/// How the conversation ended, by the last word of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    /// With the exit code of the script, where there is one.
    Ended(Option<i32>),
    /// A later attempt was there.
    Late,
    /// An earlier one did not stop in time.
    Busy,
    /// The script was asked to stop before it ended.
    Stopped,
    /// It left too much.
    Large,
    /// The host cannot do it, in words.
    Problem(String),
}

/// Listens to one conversation.
pub struct Ears<'a> {
    inner: &'a mut dyn Watcher,
    token: &'a str,
    begun: bool,
    back: Option<String>,
    end: Option<End>,
    refused: Vec<String>,
}

impl<'a> Ears<'a> {
    /// Lines that begin with `token` are for Paddock; all others go to `inner`.
    pub fn new(inner: &'a mut dyn Watcher, token: &'a str) -> Self {
        Self { inner, token, begun: false, back: None, end: None, refused: Vec::new() }
    }

    /// Whether the script may have begun.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// What it came to: the exit code, if there is one, and the archive of what was left.
    pub fn outcome(self, link: &Link) -> Result<(Option<i32>, Option<Vec<u8>>), ProviderError> {
        let host = &link.host;
        match self.end {
            Some(End::Ended(code)) => {
                let back = self.back.map(|text| STANDARD.decode(text));
                let back = back.transpose().map_err(|_| {
                    ProviderError::unknown(format!("what {host} sent back is not whole; nobody knows what it did"))
                })?;
                Ok((code, back))
            }
            Some(End::Late) => Err(ProviderError::LeaseLost),
            Some(End::Busy) => {
                Err(ProviderError::retryable(format!("an earlier attempt's program has not stopped yet on {host}")))
            }
            Some(End::Large) => Err(ProviderError::failed("the storage folder holds more than 16 MiB")),
            Some(End::Problem(words)) => Err(ProviderError::failed(format!("{host}: {words}"))),
            Some(End::Stopped) => {
                Err(ProviderError::unknown(format!("the script was stopped on {host} before its end")))
            }
            None if self.begun => {
                Err(ProviderError::unknown(format!("the connection to {host} was lost before the script's end")))
            }
            None => Err(link.refusal(&self.refused)),
        }
    }

    fn hear(&mut self, said: &str) -> Result<(), ProviderError> {
        let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
        match word {
            "begun" => self.begun = true,
            "back" => self.back = Some(String::new()),
            "ended" => self.end = Some(End::Ended(rest.parse().ok())),
            "late" => self.end = Some(End::Late),
            "busy" => self.end = Some(End::Busy),
            "stopped" => self.end = Some(End::Stopped),
            "large" => self.end = Some(End::Large),
            "problem" => self.end = Some(End::Problem(plain(rest))),
            _ => return Err(ProviderError::failed("the host answers in words that Paddock does not know")),
        }
        Ok(())
    }
}

#[async_trait]
impl Watcher for Ears<'_> {
    async fn line(&mut self, stream: Stream, line: &str) -> Result<(), ProviderError> {
        let ours = line.strip_prefix(self.token).and_then(|rest| rest.strip_prefix(' '));
        match (stream, ours, &mut self.back) {
            (Stream::Stdout, Some(said), _) => self.hear(said),
            (Stream::Stdout, None, Some(back)) if self.end.is_none() => {
                if back.len() + line.len() > LONGEST {
                    return Err(ProviderError::failed("the storage folder holds more than 16 MiB"));
                }
                back.push_str(line.trim());
                Ok(())
            }
            // Before the script only the client has something to say.
            (Stream::Stderr, ..) if !self.begun => {
                if self.refused.len() < MOST_LINES {
                    self.refused.push(plain(line));
                }
                Ok(())
            }
            _ => self.inner.line(stream, line).await,
        }
    }
}
