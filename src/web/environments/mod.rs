//! Environments: the list, one environment, and its end.

pub mod view;
