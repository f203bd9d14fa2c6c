//! The gate: sign-in, sign-out, the first visit.

pub mod oidc;
pub mod set_up;
pub mod sign_in;
pub mod view;
