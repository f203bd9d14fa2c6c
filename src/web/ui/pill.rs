//! The state pill: icon + word + colour, the same everywhere a state is shown.

use std::borrow::Cow;

/// The colour family of a state. Never shown without a word beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Done well, allowed.
    Go,
    /// Something works on it now.
    Busy,
    /// It waits for a person.
    Wait,
    /// At rest, or gone.
    Off,
    /// It went wrong.
    Bad,
    /// A mark beside the state, not the state.
    Mark,
}

impl Look {
    /// The value of `data-look`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Busy => "busy",
            Self::Wait => "wait",
            Self::Off => "off",
            Self::Bad => "bad",
            Self::Mark => "mark",
        }
    }
}

/// A state as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pill {
    /// Colour family.
    pub look: Look,
    /// Name of the icon in the sprite.
    pub icon: &'static str,
    /// The word.
    pub word: Cow<'static, str>,
}

const fn pill(look: Look, icon: &'static str, word: &'static str) -> Pill {
    Pill { look, icon, word: Cow::Borrowed(word) }
}

impl Pill {
    /// The pill of a stored state (`awaiting_approval`), an outcome of a decision, or a step's state.
    /// An unknown word is shown as it is, in grey: a page never hides a state.
    pub fn of(state: &str) -> Self {
        match state {
            "ready" => pill(Look::Go, "circle-check", "Ready"),
            "succeeded" => pill(Look::Go, "circle-check", "Succeeded"),
            "allowed" => pill(Look::Go, "circle-check", "Allowed"),
            "approved" => pill(Look::Go, "circle-check", "Approved"),
            "published" => pill(Look::Go, "circle-check", "Published"),
            "queued" => pill(Look::Busy, "clock", "Queued"),
            "provisioning" => pill(Look::Busy, "loader-circle", "Provisioning"),
            "updating" => pill(Look::Busy, "loader-circle", "Updating"),
            "starting" => pill(Look::Busy, "loader-circle", "Starting"),
            "stopping" => pill(Look::Busy, "loader-circle", "Stopping"),
            "running" => pill(Look::Busy, "loader-circle", "Running"),
            "requested" => pill(Look::Wait, "user-round-check", "Requested"),
            "awaiting_approval" => pill(Look::Wait, "user-round-check", "Awaiting approval"),
            "awaiting_quota" => pill(Look::Wait, "clock", "Waiting in line"),
            "needs_approval" => pill(Look::Wait, "user-round-check", "Needs approval"),
            "draft" => pill(Look::Off, "pencil", "Draft"),
            "deprecated" => pill(Look::Wait, "triangle-alert", "Deprecated"),
            "retired" => pill(Look::Off, "ban", "Retired"),
            "stopped" => pill(Look::Off, "circle-pause", "Stopped"),
            "deleting" => pill(Look::Off, "trash-2", "Deleting"),
            "deleted" => pill(Look::Off, "trash-2", "Deleted"),
            "canceled" => pill(Look::Off, "ban", "Canceled"),
            "withdrawn" => pill(Look::Off, "ban", "Withdrawn"),
            "lapsed" => pill(Look::Off, "timer-off", "Lapsed"),
            "failed" => pill(Look::Bad, "circle-x", "Failed"),
            "denied" => pill(Look::Bad, "circle-x", "Denied"),
            "rejected" => pill(Look::Bad, "circle-x", "Rejected"),
            "faulted" => pill(Look::Bad, "triangle-alert", "Faulted"),
            "pending" | "waiting" => pill(Look::Off, "circle-dashed", "Not started"),
            "skipped" => pill(Look::Off, "minus", "Skipped"),
            other => Self { look: Look::Off, icon: "circle-dashed", word: Cow::Owned(other.replace('_', " ")) },
        }
    }

    /// The mark of an environment that is not as its last run left it.
    pub fn drifted() -> Self {
        pill(Look::Mark, "git-compare-arrows", "Drifted")
    }

    /// A place where policy allows something that cannot be made there until somebody sets it up.
    pub fn not_yet() -> Self {
        pill(Look::Off, "circle-dashed", "Not yet")
    }

    /// The mark of an environment whose owner is gone.
    pub fn owner_gone() -> Self {
        pill(Look::Mark, "user-round", "Owner gone")
    }

    /// The mark of a newer template version, beside the state.
    pub fn newer_version(version: &str) -> Self {
        Self { look: Look::Mark, icon: "arrow-up", word: Cow::Owned(version.to_owned()) }
    }

    /// The same look with other words: "Needs one approval".
    #[must_use]
    pub fn saying(mut self, word: impl Into<Cow<'static, str>>) -> Self {
        self.word = word.into();
        self
    }

    /// Whether the icon turns (only where the viewer did not ask for less motion).
    pub fn turns(&self) -> bool {
        self.icon == "loader-circle"
    }
}
