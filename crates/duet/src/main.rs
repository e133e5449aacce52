//! The program behind `cargo duet`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(duet::cli::main())
}
