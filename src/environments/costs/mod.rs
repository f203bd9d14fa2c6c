//! What environments have cost: their intervals, what their templates say they took in each, and the prices of that
//! time.
//!
//! An interval is a time in which an environment ran, or was stopped, made of one template version with one set of
//! inputs. The database writes them, in the transaction of the change (migration 31). Nothing here is stored: the
//! same past gives the same numbers, whoever asks. Everything is told for a calendar month (UTC), but for one
//! environment, which is also told as a whole.

mod focus;
mod lines;
mod model;
mod report;

pub use focus::{COLUMNS, FocusRow};
pub use lines::{Lines, UsedLine, Wanted, lines_of_month};
pub use model::{Accrued, Alike, EnvironmentCost, Interval, MonthCosts, Phase, Span, Subject};
pub use report::{EnvironmentAccrued, ProjectTotal, accrued, month, project_total};
