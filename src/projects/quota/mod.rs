//! Quotas and the ledger behind them: reserve at submit, settle when it is so, release at the end.

mod admin;
mod ledger;
mod line;
pub(super) mod model;

pub use admin::{
    add_quota, change_quota, ensure_quota, ledger_discrepancies, quota, quotas, record_quota_refusal, remove_quota,
};
pub use ledger::{
    change_hands, enter, give_back, holders, preview_change, preview_new, preview_start, release, reserve, reserved_by,
    settle, start, stop,
};
pub use line::{
    leave_line, line_up, line_up_start, next_in_line, place_behind, preview_waiting, stands_in, stay_in_line,
};
pub use model::{
    At, Cause, Demand, ENVIRONMENTS, Full, Holder, ListedQuota, NewQuota, QuotaChange, QuotaScope, QuotaTerms,
    QuotaUse, WhenFull,
};
