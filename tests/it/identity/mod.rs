//! People, roles, sessions, tokens and sign-in against a real Postgres.

mod access;
mod fixture;
mod sessions;
mod tokens;
