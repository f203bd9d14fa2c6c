//! The `paddock` binary: parse the arguments, start telemetry, run the verb.

fn main() {}
