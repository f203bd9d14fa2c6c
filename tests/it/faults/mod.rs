//! What goes wrong around a worker: its death, its network, its database, its clock, its hints, its
//! cloud. The real processes, the oracle of the kill matrix, and for each fault its own criterion.

mod clock;
mod deaths;
mod door;
mod drain;
mod fences;
mod hints;
mod late;
mod lies;
mod network;
mod peers;
mod practice;
mod restarts;
mod skew;
mod targets;
