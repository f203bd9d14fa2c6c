//! Home: what is mine, what waits for me, what ends soon.

pub mod view;
