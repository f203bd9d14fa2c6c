//! The pages over HTTP, without a browser: the gate, the guard, the form, approvals.

mod approvals;
mod catalog;
mod environments;
mod form;
mod gate;
mod guard;
