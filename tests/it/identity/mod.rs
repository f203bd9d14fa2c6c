//! People, roles, sessions, tokens and sign-in against a real Postgres.

mod access;
mod fixture;
mod local;
mod oidc;
mod sessions;
mod setup;
mod tokens;
