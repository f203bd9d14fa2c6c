//! The kill matrix: the real worker, killed at every failpoint, goes on where it was, loses nothing
//! and does nothing twice.

mod cases;
mod estate;
pub mod fleet;
mod kill;
pub mod oracle;
mod orphans;
mod points;
pub mod subject;
pub mod world;
