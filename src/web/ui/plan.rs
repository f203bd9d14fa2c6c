//! A plan as a table: create, change, replace; what is destroyed stands alone, in red, last.
#![allow(missing_docs, reason = "display values, named as the page shows them")]

use super::Look;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanSign {
    Create,
    Change,
    Replace,
    Destroy,
}

impl PlanSign {
    /// The word at the end of the row.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Replace => "replace",
            Self::Destroy => "destroy",
        }
    }

    /// The icon at its start.
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Create => "plus",
            Self::Change => "pencil",
            Self::Replace => "refresh-cw",
            Self::Destroy => "minus",
        }
    }

    /// Its colour family.
    pub const fn look(self) -> Look {
        match self {
            Self::Create => Look::Go,
            Self::Change => Look::Busy,
            Self::Replace => Look::Wait,
            Self::Destroy => Look::Bad,
        }
    }
}

#[derive(Debug, Clone)]
pub struct PlanRow {
    pub sign: PlanSign,
    pub resource: String,
    /// What changes, in words.
    pub what: String,
}

#[derive(Debug, Clone)]
pub struct Plan {
    /// "2 create, 1 change".
    pub summary: String,
    /// "approved as shown", or where it comes from.
    pub aside: String,
    pub rows: Vec<PlanRow>,
    pub destroys: Vec<PlanRow>,
}
