//! The plan: everything that is decided before the first block, and written down then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use probe::Identity;
use serde::{Deserialize, Serialize};

use crate::conditions::Gates;
use crate::config::{Fixture, MOST_BLOCKS, Variant};
use crate::container::{Engine, Image};
use crate::pilot::Pilot;
use crate::schedule::{balanced_order, balanced_orders, generator};
use crate::turns::can_be_stopped;
pub use crate::turns::{Interleave, Turns};

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
    /// Builds of each variant, which differ in the order of their functions; block b runs build b modulo
    /// this number.
    #[serde(default = "one")]
    pub builds: usize,
    /// What was to be found, and the pilot that the number of blocks comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pilot: Option<Pilot>,
    /// What has to stand around the processes, so that an interrupted run can go on.
    #[serde(default)]
    pub surroundings: Surroundings,
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

fn one() -> usize {
    1
}

/// What has to stand around the processes of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Surroundings {
    /// The folder that fixtures are started in.
    pub workspace: PathBuf,
    /// The name of the program's binary, which stands for the reference in a fixture's command.
    pub program: String,
    /// The fixtures that cases need, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fixtures: BTreeMap<String, Fixture>,
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
    /// Seconds that building it took; absent where cargo had some of it already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_seconds: Option<f64>,
    /// Wall time of starts that only print what the binary is, nanoseconds; the starts of the variants
    /// took turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_ns: Option<Vec<u64>>,
    /// The container engine and the image that it runs in, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Contained>,
    /// The builds after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_builds: Vec<Build>,
    /// What the running binary says of itself.
    pub identity: Identity,
    /// How it is built and run.
    pub settings: Variant,
}

/// The engine and the image of a variant that runs in containers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contained {
    /// The engine, and what each container may use.
    pub engine: Engine,
    /// The image.
    pub image: Image,
}

impl PlannedVariant {
    /// Whether the process that the tool starts is the program itself, so that a stop reaches it and its time is the
    /// program's.
    pub fn is_direct(&self) -> bool {
        self.container.is_none() && can_be_stopped(&self.settings.runner)
    }
}

/// A further build of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The binary that is run.
    pub binary: PathBuf,
    /// SHA-256 of the binary, hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub binary_bytes: u64,
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
    /// Blocks of this case, where the pilot chose them for each; the plan's number where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<usize>,
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

impl PlannedCase {
    /// The case with as much work, shared and cut in another way.
    pub fn shared(&self, interleave: Interleave) -> Self {
        let iterations = self.turns as f64 * self.iterations_per_turn as f64;
        let seconds = iterations * self.calibrated_seconds;
        let turns = Turns::new(interleave, self.calibrated_seconds, seconds);
        Self {
            interleave,
            iterations_per_turn: turns.iterations_per_turn,
            warmup_turns: turns.warmup_turns,
            turns: turns.turns,
            ..self.clone()
        }
    }
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
    /// Checks what the types do not say, for plans that are read back.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), String> {
        if !(2..=8).contains(&self.variants.len()) {
            return Err(format!(
                "a plan has 2 to 8 variants, not {}",
                self.variants.len()
            ));
        }
        if self.blocks == 0 || self.cases.iter().any(|case| case.blocks == Some(0)) {
            return Err("a plan has at least 1 block a case".into());
        }
        let most = self.cases.iter().filter_map(|case| case.blocks).max();
        if most.unwrap_or(0).max(self.blocks) > MOST_BLOCKS {
            return Err(format!("a plan has at most {MOST_BLOCKS} blocks a case"));
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Err(format!("margin = {} must lie between 0 and 1", self.margin));
        }
        let builds = |variant: &PlannedVariant| 1 + variant.more_builds.len();
        match self.variants.iter().find(|v| builds(v) != self.builds) {
            None => Ok(()),
            Some(variant) => Err(format!(
                "builds = {}, but variant `{}` has {}",
                self.builds,
                variant.name,
                builds(variant)
            )),
        }
    }

    /// The binary of a variant's build.
    ///
    /// # Panics
    /// For a variant or build that the plan does not have.
    pub fn binary(&self, variant: usize, build: usize) -> &Path {
        let variant = &self.variants[variant];
        match build.checked_sub(1) {
            None => &variant.binary,
            Some(further) => &variant.more_builds[further].binary,
        }
    }

    /// The build that a block runs, of every variant: the blocks are spread over the builds evenly.
    pub fn build_of_block(&self, block: usize) -> usize {
        block % self.builds.max(1)
    }

    /// The blocks of a case.
    pub fn blocks_of(&self, case: &PlannedCase) -> usize {
        case.blocks.unwrap_or(self.blocks)
    }

    /// The order in which the variants of a case are started in a block.
    pub fn start_order(&self, case: &str, block: usize) -> Vec<usize> {
        balanced_order(
            self.seed.into(),
            &["start", case],
            self.variants.len(),
            block,
        )
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

    /// Every block of the run in the order in which they are run: a case's index and the block's number.
    ///
    /// A round has at most one block of each case, in random order. The blocks of a case that has fewer
    /// than others are spread evenly over the rounds.
    pub fn sequence(&self) -> Vec<(usize, usize)> {
        let blocks: Vec<usize> = self.cases.iter().map(|case| self.blocks_of(case)).collect();
        let rounds = blocks.iter().copied().max().unwrap_or(0);
        let mut next = vec![0; blocks.len()];
        let mut sequence = Vec::with_capacity(blocks.iter().sum());
        for round in 0..rounds {
            for case in self.case_order(round) {
                if next[case] < blocks[case] && next[case] * rounds / blocks[case] == round {
                    sequence.push((case, next[case]));
                    next[case] += 1;
                }
            }
        }
        sequence
    }

    /// The comparisons of the run: one per case and variant other than the reference.
    pub fn comparisons(&self) -> usize {
        self.cases.len() * self.variants.len().saturating_sub(1)
    }

    /// Bytes of environment padding of a process: 0 to 4095, because the size of the environment
    /// shifts the stack, and with it alignment.
    pub fn padding_bytes(&self, case: &str, block: usize, attempt: usize, variant: usize) -> usize {
        use rand_xoshiro::rand_core::RngCore;
        let numbers = [block, attempt, variant].map(|number| number.to_string());
        let purpose = ["padding", case, &numbers[0], &numbers[1], &numbers[2]];
        (generator(self.seed.into(), &purpose).next_u64() % 4096) as usize
    }

    /// Seconds that a block of a case takes, as far as its calibration tells.
    pub fn block_seconds(&self, case: &PlannedCase) -> f64 {
        let turns = (case.warmup_turns + case.turns) as f64;
        let work = turns * case.iterations_per_turn as f64 * case.calibrated_seconds;
        let in_turn = match case.interleave {
            Interleave::Concurrent => 1,
            _ => self.variants.len(),
        };
        self.variants.len() as f64 * case.setup_seconds + in_turn as f64 * work
    }
}
