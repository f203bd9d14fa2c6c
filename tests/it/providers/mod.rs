//! Providers against real targets: one suite that all of them pass, and what is special to each.

mod ade;
#[cfg(feature = "aws")]
pub mod cloudformation;
#[cfg(feature = "aws")]
mod cloudformation_faults;
#[cfg(feature = "aws")]
mod cloudformation_instance;
#[cfg(feature = "aws")]
mod cloudformation_moto;
#[cfg(feature = "aws")]
mod cloudformation_review;
mod command;
pub mod conformance;
mod container;
mod drift;
pub mod host;
pub mod machine;
pub mod postgres;
mod postgres_shared;
pub mod simulated;
mod ssh;
mod ssh_target;
mod targets;
mod terraform;
mod terraform_lab;
mod terraform_plan;
mod terraform_state;
mod terraform_whole;
mod victim;
mod walls;
mod webhook;
mod webhook_ways;
