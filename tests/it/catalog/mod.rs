//! The catalog against Postgres, real folders, real Git repositories and bad input.

mod cloudformation;
mod corpus;
mod fixture;
mod folders;
#[cfg(feature = "git")]
mod git;
mod sync;
