//! The catalog against Postgres and real folders.

mod fixture;
mod sync;
