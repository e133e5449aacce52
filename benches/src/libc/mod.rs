//! Small cases that each use one thing of the C library, to explain what the large ones show:
//! allocating, copying, and the elementary functions.

mod malloc;
mod math;
mod memcpy;

use crate::session::{Session, WorkloadError};
use crate::size;

pub use memcpy::MAX_BYTES;

/// The arguments of `workload libc`, and the case that they describe.
#[derive(Clone, Debug, clap::Args)]
pub struct LibcArgs {
    /// Which part of the C library
    #[arg(long, value_enum)]
    pub operation: LibcOperation,
    /// With malloc: churn = blocks of 16 bytes to 8 KiB come and go in a resident heap; large = buffers of
    /// 128 KiB to 4 MiB are taken, filled and given back [default: churn]
    #[arg(long, value_enum)]
    pub pattern: Option<MallocPattern>,
    /// With malloc: the threads that allocate at the same time [default: 1]
    #[arg(long, value_parser = size::parse_positive)]
    pub threads: Option<usize>,
    /// With memcpy: the bytes of one copy, at most 64 MiB [default: 4096]
    #[arg(long, value_parser = size::parse_positive)]
    pub bytes: Option<usize>,
    /// Seed of sizes, orders and inputs
    #[arg(long, default_value_t = 42)]
    pub seed: u32,
}

/// The part of the C library that a case uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LibcOperation {
    /// Taking and giving back memory.
    Malloc,
    /// Copying memory.
    Memcpy,
    /// The functions sin, exp and ln.
    Math,
}

/// The order and the sizes in which memory is taken and given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum MallocPattern {
    /// Small blocks in a heap that stays full.
    Churn,
    /// Buffers above the size at which allocators ask the kernel for pages of their own.
    Large,
}

impl LibcArgs {
    /// The case's name.
    pub fn id(&self) -> String {
        let mut id = match self.operation {
            LibcOperation::Malloc => match self.pattern() {
                MallocPattern::Churn => "libc/malloc/churn".to_owned(),
                MallocPattern::Large => "libc/malloc/large".to_owned(),
            },
            LibcOperation::Memcpy => format!("libc/memcpy/{}", byte_count(self.bytes())),
            LibcOperation::Math => "libc/math/sin-exp-ln".to_owned(),
        };
        if self.threads() > 1 {
            id.push_str(&format!("-t{}", self.threads()));
        }
        if self.seed != 42 {
            id.push_str(&format!("-seed{}", self.seed));
        }
        id
    }

    /// Fills the heap, the buffers or the tables.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] for an option that does not go with the operation or is too large.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        self.check()?;
        Ok(match self.operation {
            LibcOperation::Malloc => Box::new(malloc::Malloc::new(
                self.pattern(),
                self.threads(),
                self.seed,
            )),
            LibcOperation::Memcpy => Box::new(memcpy::Memcpy::new(self.bytes(), self.seed)),
            LibcOperation::Math => Box::new(math::Math::new(self.seed)),
        })
    }

    fn pattern(&self) -> MallocPattern {
        self.pattern.unwrap_or(MallocPattern::Churn)
    }

    fn threads(&self) -> usize {
        self.threads.unwrap_or(1)
    }

    fn bytes(&self) -> usize {
        self.bytes.unwrap_or(4096)
    }

    fn check(&self) -> Result<(), WorkloadError> {
        let options = [
            ("--pattern", self.pattern.is_some(), LibcOperation::Malloc),
            ("--threads", self.threads.is_some(), LibcOperation::Malloc),
            ("--bytes", self.bytes.is_some(), LibcOperation::Memcpy),
        ];
        for (option, given, operation) in options {
            if given && operation != self.operation {
                return Err(WorkloadError::Input(format!(
                    "{option} goes with --operation {} only; leave it out",
                    format!("{operation:?}").to_lowercase()
                )));
            }
        }
        if self.threads() > malloc::MAX_THREADS {
            return Err(WorkloadError::Input(format!(
                "--threads {} is too many; at most {}",
                self.threads(),
                malloc::MAX_THREADS
            )));
        }
        if self.bytes() > MAX_BYTES {
            return Err(WorkloadError::Input(format!(
                "--bytes {} is too large; at most {MAX_BYTES} (64 MiB)",
                self.bytes()
            )));
        }
        Ok(())
    }
}

/// A number of bytes in binary units where it is round: `64`, `4kib`, `1mib`.
fn byte_count(bytes: usize) -> String {
    match bytes {
        n if n % (1 << 20) == 0 => format!("{}mib", n >> 20),
        n if n % (1 << 10) == 0 => format!("{}kib", n >> 10),
        n => n.to_string(),
    }
}
