//! Requests: what holds under a crowd, who may approve, and what the database itself refuses.

mod accrued;
mod actions;
mod approval;
mod budgets;
mod costs;
mod crowd;
mod delegation;
mod exceptions;
mod groups;
mod guards;
mod line;
mod places;
mod plans;
mod quotas;
mod read_only;
mod records;
mod refusals;
mod reminders;
mod schedules;
mod secrets;
mod several;
mod suggestions;
mod verdicts;
