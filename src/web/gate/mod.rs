//! Before anyone is signed in: sign-in and set-up.

pub mod view;
