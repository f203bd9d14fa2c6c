//! Telling people what takes long: a line when it starts, a line with the time it took.

use std::time::Instant;

use serde::{Deserialize, Serialize};

/// Where the lines go: the terminal for verbs, nowhere in tests.
pub trait Reporter: Send + Sync {
    /// One line for people.
    fn line(&self, text: &str);
}

/// A step under way.
pub struct Step<'a> {
    reporter: &'a dyn Reporter,
    what: String,
    started: Instant,
}

impl<'a> Step<'a> {
    /// Says that `what` begins, for example “Making the database cluster”.
    pub fn start(reporter: &'a dyn Reporter, what: impl Into<String>) -> Self {
        let what = what.into();
        reporter.line(&format!("{what} …"));
        Self { reporter, what, started: Instant::now() }
    }

    /// Says that it is done, and how long it took.
    pub fn done(self) {
        self.reporter.line(&format!("{}: done in {:.1} s", self.what, self.started.elapsed().as_secs_f64()));
    }

    /// Says how it ended otherwise.
    pub fn ended(self, how: &str) {
        self.reporter.line(&format!("{}: {how} ({:.1} s)", self.what, self.started.elapsed().as_secs_f64()));
    }
}

/// What the keeper tells, one JSON object a line on its standard output.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub(super) enum Report {
    /// The server takes connections.
    Ready { port: u16 },
    /// For people.
    Line { text: String },
    /// The keeper gives up.
    Failed { message: String },
}
