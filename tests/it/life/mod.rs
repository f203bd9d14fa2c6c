//! Life after ready: drift, orphans, owners who are gone.

mod drift;
mod handover;
mod orphans;
