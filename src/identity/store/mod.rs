//! All SQL of identity.

pub(super) mod bindings;
pub(super) mod elevations;
pub(super) mod external;
pub(super) mod local;
pub(super) mod people;
pub(super) mod roles;
pub(super) mod sessions;
pub(super) mod tokens;
