//! Copying memory.

use std::hint::black_box;

use datasets::RandomState;

use crate::hash::Fnv;
use crate::session::{Outcome, Session, WorkloadError};

/// The largest copy that is measured.
pub const MAX_BYTES: usize = 64 << 20;

/// What one iteration copies in total, in as many calls as it takes.
const BYTES_PER_ITERATION: usize = 256 << 20;
/// Small copies are dominated by the call, not by the bytes.
const MAX_CALLS: usize = 2_000_000;
const LINE: usize = 64;
const PAGE: usize = 4096;

/// Copies between two buffers of its own, from and to every offset within a cache line in turn.
///
/// The offsets matter: C libraries take other paths for aligned operands, and a source and a destination
/// at the same place of their pages disturb each other in the processor. So the buffers' bases are made
/// the same in every allocator, half a page apart, and one iteration goes through the offsets.
pub(super) struct Memcpy {
    bytes: usize,
    calls: usize,
    source: Buffer,
    destination: Buffer,
    has_copied: bool,
}

/// Memory whose `base` has the wanted place within its page.
struct Buffer {
    memory: Vec<u8>,
    base: usize,
}

impl Buffer {
    /// With room for `bytes` behind every offset from the base.
    fn new(bytes: usize, place_in_page: usize) -> Self {
        let memory = vec![0; PAGE + place_in_page + LINE + bytes];
        let base = memory.as_ptr().align_offset(PAGE) + place_in_page;
        Buffer { memory, base }
    }
}

impl Memcpy {
    pub(super) fn new(bytes: usize, seed: u32) -> Self {
        let mut random = RandomState::new(seed);
        // A pattern is repeated: drawing every byte would take longer than the case.
        let pattern: Vec<u8> = (0..PAGE + 1).map(|_| random.interval(255) as u8).collect();
        let mut source = Buffer::new(bytes, 0);
        for (byte, pattern) in source.memory[source.base..]
            .iter_mut()
            .zip(pattern.iter().cycle())
        {
            *byte = *pattern;
        }
        Memcpy {
            bytes,
            calls: (BYTES_PER_ITERATION / bytes).clamp(1, MAX_CALLS),
            source,
            destination: Buffer::new(bytes, PAGE / 2),
            has_copied: false,
        }
    }
}

impl Session for Memcpy {
    fn phases(&self) -> &[&'static str] {
        &["memcpy"]
    }

    fn run(&mut self, _phase: usize) -> Result<(), WorkloadError> {
        // Seen through `black_box`, the length is not known when compiling and the call stays a call.
        let bytes = black_box(self.bytes);
        for call in 0..self.calls {
            // 7 has no factor in common with 64, and the other offset falls behind by one a line: pairs
            // of offsets come up evenly.
            let from = self.source.base + (7 * call) % LINE;
            let to = self.destination.base + (call + call / LINE) % LINE;
            let source = black_box(&self.source.memory[from..from + bytes]);
            self.destination.memory[to..to + bytes].copy_from_slice(source);
            black_box(&mut self.destination.memory);
        }
        self.has_copied = true;
        Ok(())
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        if !self.has_copied {
            self.run(0)?;
        }
        let Buffer { memory, base } = &self.destination;
        let copied = &memory[*base..base + self.bytes];
        Ok(Outcome::default()
            .result("bytes_per_call", self.bytes)
            .result("calls_per_iteration", self.calls)
            .fingerprint("checksum", Fnv::new().bytes(copied).hex()))
    }
}
