//! Taking memory and giving it back.

use std::hint::black_box;
use std::thread;

use datasets::RandomState;

use super::MallocPattern;
use crate::hash::Fnv;
use crate::session::{Outcome, Session, WorkloadError};

pub(super) const MAX_THREADS: usize = 256;

/// Blocks that stay allocated for as long as the case lives, per thread. An allocator that walks over an
/// empty heap is not what programs meet: with about 27 MB in use its free lists are as scattered as theirs.
const RESIDENT_BLOCKS: usize = 20_000;
const CHURN_STEPS: usize = 50_000;
const LARGE_STEPS: usize = 32;

/// Each thread goes through the same list of steps in every iteration, on blocks of its own.
pub(super) struct Malloc {
    pattern: MallocPattern,
    heaps: Vec<Heap>,
}

struct Heap {
    blocks: Vec<Vec<u8>>,
    steps: Vec<Step>,
    /// What the last iteration found in the blocks that it gave back.
    checksum: Option<u64>,
}

/// One step: a new block of `bytes` takes the place of the one in `slot`.
struct Step {
    slot: usize,
    bytes: usize,
}

impl Malloc {
    pub(super) fn new(pattern: MallocPattern, threads: usize, seed: u32) -> Self {
        let mut random = RandomState::new(seed);
        let heaps = (0..threads)
            .map(|_| match pattern {
                MallocPattern::Churn => Heap::for_churn(&mut random),
                MallocPattern::Large => Heap::for_large_buffers(&mut random),
            })
            .collect();
        Malloc { pattern, heaps }
    }

    fn threads(&self) -> usize {
        self.heaps.len()
    }
}

impl Session for Malloc {
    fn phases(&self) -> &[&'static str] {
        &["malloc"]
    }

    fn run(&mut self, _phase: usize) -> Result<(), WorkloadError> {
        let work = match self.pattern {
            MallocPattern::Churn => Heap::churn,
            MallocPattern::Large => Heap::take_and_give_back,
        };
        match self.heaps.as_mut_slice() {
            // On the main thread: with any other, the process would not be single-threaded.
            [heap] => work(heap),
            heaps => thread::scope(|scope| {
                for heap in heaps {
                    let thread = thread::Builder::new().name("malloc".to_owned());
                    thread
                        .spawn_scoped(scope, move || work(heap))
                        .map_err(WorkloadError::Thread)?;
                }
                Ok::<(), WorkloadError>(())
            })?,
        }
        Ok(())
    }

    fn must_be_alone(&self) -> bool {
        self.threads() == 1
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        if self.heaps.iter().any(|heap| heap.checksum.is_none()) {
            self.run(0)?;
        }
        let steps = self
            .heaps
            .iter()
            .map(|heap| heap.steps.len())
            .sum::<usize>();
        let checksums = self.heaps.iter().filter_map(|heap| heap.checksum);
        Ok(Outcome::default()
            .result("threads", self.threads())
            .result("allocations_per_iteration", steps)
            .fingerprint("checksum", checksums.fold(Fnv::new(), Fnv::number).hex()))
    }
}

impl Heap {
    fn for_churn(random: &mut RandomState) -> Heap {
        let blocks = (0..RESIDENT_BLOCKS)
            .map(|slot| block(small_size(random), slot as u8))
            .collect();
        let steps = (0..CHURN_STEPS)
            .map(|_| Step {
                slot: random.interval(RESIDENT_BLOCKS as u32 - 1) as usize,
                bytes: small_size(random),
            })
            .collect();
        Heap {
            blocks,
            steps,
            checksum: None,
        }
    }

    fn for_large_buffers(random: &mut RandomState) -> Heap {
        let steps = (0..LARGE_STEPS)
            .map(|_| Step {
                slot: 0,
                bytes: (random.interval(31) as usize + 1) * 128 * 1024,
            })
            .collect();
        Heap {
            blocks: Vec::new(),
            steps,
            checksum: None,
        }
    }

    fn churn(&mut self) {
        let mut checksum = 0;
        for step in &self.steps {
            let new = black_box(block(step.bytes, step.slot as u8));
            let old = std::mem::replace(&mut self.blocks[step.slot], new);
            checksum += u64::from(old[0]);
            drop(black_box(old));
        }
        self.checksum = Some(checksum);
    }

    fn take_and_give_back(&mut self) {
        let mut checksum = 0_u64;
        for (number, step) in self.steps.iter().enumerate() {
            // As numeric programs do it; and a loop of its own, because no C library has a function
            // that fills memory with anything longer than a byte.
            let buffer = black_box(vec![number as f64 + 0.5; step.bytes / size_of::<f64>()]);
            let last = buffer[buffer.len() - 1].to_bits();
            checksum = last.wrapping_add(checksum).rotate_left(7) ^ buffer.len() as u64;
            drop(buffer);
        }
        self.checksum = Some(checksum);
    }
}

/// A block of its own whose first byte says where it belongs, so that blocks which overlap are noticed.
fn block(bytes: usize, tag: u8) -> Vec<u8> {
    let mut block = Vec::with_capacity(bytes);
    block.push(tag);
    block
}

/// 16 bytes to 8 KiB, every power of two as likely as the others.
fn small_size(random: &mut RandomState) -> usize {
    let power = 1_u32 << (4 + random.interval(8));
    (power + random.interval(power - 1)) as usize
}
