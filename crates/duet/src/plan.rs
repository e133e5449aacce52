//! The plan: everything that is decided before the first block, and written down then.

use std::collections::BTreeMap;
use std::path::PathBuf;

use probe::Identity;
use serde::{Deserialize, Serialize};

use crate::conditions::Gates;
use crate::config::Variant;
use crate::schedule::{balanced_orders, generator};
pub use crate::turns::Interleave;

/// The version of `plan.toml`.
pub const PLAN_SCHEMA: u32 = 1;

/// A run as it was planned; `plan.toml` in the results folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of this format: [`PLAN_SCHEMA`].
    pub schema: u32,
    /// When the plan was made, RFC 3339.
    pub created: String,
    /// The suite's name.
    pub suite: String,
    /// The seed of every order and of the environment padding.
    pub seed: u32,
    /// Blocks a case: the n of the statistics, fixed here.
    pub blocks: usize,
    /// The margin of equivalence as a ratio minus one.
    pub margin: f64,
    /// The disturbances from which a block is dropped.
    #[serde(default)]
    pub gates: Gates,
    /// The variants, the reference first.
    pub variants: Vec<PlannedVariant>,
    /// The cases in the order of the configuration.
    #[serde(default)]
    pub cases: Vec<PlannedCase>,
    /// Cases that were chosen and cannot be run.
    #[serde(default)]
    pub not_run: Vec<NotRun>,
}

/// A variant, built and asked what it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedVariant {
    /// Its name in the configuration.
    pub name: String,
    /// The binary that is run.
    pub binary: PathBuf,
    /// SHA-256 of the binary, hexadecimal.
    pub sha256: String,
    /// Its size in bytes, debug line tables included.
    pub binary_bytes: u64,
    /// What the running binary says of itself.
    pub identity: Identity,
    /// How it is built and run.
    pub settings: Variant,
}

/// A case with the length of its blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCase {
    /// `workload/phase/size`.
    pub id: String,
    /// The program's arguments.
    pub args: Vec<String>,
    /// How the processes of a block share the machine.
    pub interleave: Interleave,
    /// Iterations in one turn.
    pub iterations_per_turn: u64,
    /// Turns set aside at the start of each process: first touch of memory, cold caches.
    pub warmup_turns: usize,
    /// Turns measured in each process.
    pub turns: usize,
    /// Seconds of one iteration when the case was calibrated, for the time estimate only.
    pub calibrated_seconds: f64,
    /// Seconds from the start of a process until it was ready, and from its last turn until it had ended,
    /// likewise.
    pub setup_seconds: f64,
    /// Seconds without an answer after which a process is taken for hung.
    pub timeout_seconds: u64,
    /// The relative tolerance of `expect`.
    pub tolerance: f64,
    /// The fixtures that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// What the case shows, in a line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub analysis: String,
    /// Results that every observation must report.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, f64>,
}

/// A case that was chosen and could not be run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotRun {
    /// The case.
    pub case: String,
    /// Why not, and what to do.
    pub reason: String,
}

impl Plan {
    /// The order in which the variants of a case are started in a block.
    pub fn start_order(&self, case: &str, block: usize) -> Vec<usize> {
        let mut rng = generator(self.seed.into(), &["start", case]);
        balanced_orders(&mut rng, self.variants.len(), block + 1).remove(block)
    }

    /// The orders of the turns in a block: one a turn, warm-up included.
    pub fn turn_orders(&self, case: &PlannedCase, block: usize) -> Vec<Vec<usize>> {
        let mut rng = generator(self.seed.into(), &["turns", &case.id, &block.to_string()]);
        let mut orders = balanced_orders(&mut rng, self.variants.len(), case.warmup_turns);
        orders.extend(balanced_orders(&mut rng, self.variants.len(), case.turns));
        orders
    }

    /// The order of the cases in a round of blocks: each round has every case once, so that what
    /// drifts over the run is spread over all of them.
    pub fn case_order(&self, block: usize) -> Vec<usize> {
        use rand::seq::SliceRandom;
        let mut order: Vec<usize> = (0..self.cases.len()).collect();
        order.shuffle(&mut generator(
            self.seed.into(),
            &["cases", &block.to_string()],
        ));
        order
    }

    /// Bytes of environment padding of a process: 0 to 4095, because the size of the environment
    /// shifts the stack, and with it alignment.
    pub fn padding_bytes(&self, case: &str, block: usize, attempt: usize, variant: usize) -> usize {
        use rand_xoshiro::rand_core::RngCore;
        let numbers = [block, attempt, variant].map(|number| number.to_string());
        let purpose = ["padding", case, &numbers[0], &numbers[1], &numbers[2]];
        (generator(self.seed.into(), &purpose).next_u64() % 4096) as usize
    }

    /// Seconds that the blocks of a case take, as far as its calibration tells.
    pub fn estimated_seconds(&self, case: &PlannedCase) -> f64 {
        let turns = (case.warmup_turns + case.turns) as f64;
        let work = turns * case.iterations_per_turn as f64 * case.calibrated_seconds;
        let in_turn = match case.interleave {
            Interleave::Concurrent => 1,
            _ => self.variants.len(),
        };
        let setup = self.variants.len() as f64 * case.setup_seconds;
        self.blocks as f64 * (setup + in_turn as f64 * work)
    }
}
