//! The `keng` program; everything is in the library.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match keng::cli::run(keng::cli::Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("keng: {error:#}");
            ExitCode::FAILURE
        }
    }
}
