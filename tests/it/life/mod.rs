//! Life after ready: drift, orphans, owners who are gone; and the receiver of the documentation, from create to delete.

mod drift;
mod handover;
mod orphans;
mod receiver;
