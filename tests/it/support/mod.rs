//! What tests share: one Postgres for the whole binary, one database per test, the real program.

pub mod app;
#[cfg(feature = "aws")]
pub mod aws;
pub mod busy;
pub mod catalog;
pub mod cluster;
pub mod database;
pub mod http;
pub mod ledger;
#[cfg(feature = "aws")]
pub mod moto;
pub mod pages;
pub mod program;
pub mod proxy;
pub mod receiver;
pub mod server;
pub mod sshd;
pub mod wait;
pub mod workspace;

pub use database::TestDatabase;
