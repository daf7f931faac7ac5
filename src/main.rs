//! The `keng` program.
fn main() {}
