//! How the program ends when something went wrong.

use std::io::{self, Write};

use benches::paced::PacedError;
use benches::session::WorkloadError;
use dbload::DbloadError;

/// The workload failed.
pub const FAILED: u8 = 1;
/// The arguments or the commands are wrong.
pub const USAGE: u8 = 2;

/// An exit status, and the message that explains it unless somebody has printed one already.
#[derive(Debug)]
pub struct Failure {
    status: u8,
    message: Option<String>,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::with_status(USAGE, message)
    }

    pub fn failed(message: impl Into<String>) -> Failure {
        Failure::with_status(FAILED, message)
    }

    pub fn with_status(status: u8, message: impl Into<String>) -> Failure {
        Failure {
            status,
            message: Some(message.into()),
        }
    }

    /// A process that has printed its message itself.
    pub fn reported(status: u8) -> Failure {
        Failure {
            status,
            message: None,
        }
    }

    /// Prints the message and gives the status.
    pub fn tell(self) -> u8 {
        if let Some(message) = self.message {
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(io::stderr(), "workload: {message}");
        }
        self.status
    }
}

impl From<WorkloadError> for Failure {
    fn from(error: WorkloadError) -> Failure {
        match error {
            WorkloadError::Input(_)
            | WorkloadError::Data(_)
            | WorkloadError::Database(
                DbloadError::Parameter { .. } | DbloadError::Mix { .. } | DbloadError::Url { .. },
            ) => Failure::usage(error.to_string()),
            WorkloadError::Database(DbloadError::OtherContent {
                replaceable: true, ..
            }) => Failure::failed(format!("{error} (--recreate loads it anew)")),
            _ => Failure::failed(error.to_string()),
        }
    }
}

impl From<PacedError> for Failure {
    fn from(error: PacedError) -> Failure {
        match error {
            PacedError::Workload(error) => error.into(),
            PacedError::Command(_) => Failure::usage(error.to_string()),
            PacedError::Pipe(_) | PacedError::Json(_) => Failure::failed(error.to_string()),
        }
    }
}

/// Only standard output is written without a path to name.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            // Such as `workload cases | head`: the reader has what it wanted.
            io::ErrorKind::BrokenPipe => Failure::reported(FAILED),
            _ => Failure::failed(format!("cannot write to standard output: {error}")),
        }
    }
}
