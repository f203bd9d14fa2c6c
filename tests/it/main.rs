//! The integration tests: one binary, a database of its own for every test.

mod identity;
