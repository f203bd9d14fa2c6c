//! The kill matrix: the real worker, killed at every failpoint, goes on where it was, loses nothing
//! and does nothing twice.

mod kill;
mod network;
mod oracle;
mod peers;
mod points;
mod subject;
mod world;
mod zombie;
