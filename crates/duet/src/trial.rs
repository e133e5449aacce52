//! A binary against itself: what a way of sharing the machine gives on this host.
//!
//! Both sides are the same file, so whatever differs is noise, and the standard deviation of the blocks'
//! log-ratios says how small a difference that way can find.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::analysis::analyse_for_verdicts;
use crate::block::{Block, paced_launch, turn_in_slices};
use crate::calibrate::{TryOut, try_out};
use crate::conditions::Gates;
use crate::config::Variant;
use crate::disturbance::Disturbance;
use crate::fixture::Environment;
use crate::journal::{BlockEntry, Entry, KeptBlock, keep};
use crate::plan::{PLAN_SCHEMA, Plan, PlannedCase, PlannedVariant, Surroundings};
use crate::process::{Failure, Process};
use crate::schedule::{balanced_orders, generator};
use crate::slices::Slices;
use crate::stats;
use crate::turns::{Interleave, Turns};

/// The turns and the slices by which the cost of slices is measured.
const SLICED_COST_SECONDS: f64 = 0.25;
const SLICED_COST_NS: u64 = 20_000_000;

/// A case of a program that is put on trial.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The program, which speaks the paced protocol.
    pub binary: PathBuf,
    /// Its arguments, without those of the protocol.
    pub args: Vec<String>,
    /// Seconds of measured work in each process.
    pub seconds: f64,
    /// The seed of all orders.
    pub seed: u32,
    /// Seconds without an answer after which a process is taken for hung.
    pub timeout_seconds: u64,
    /// Whether the trial brings a disturbance of its own, from the same seed.
    pub disturbed: bool,
}

/// What one way gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// How the two processes of a block shared the machine.
    pub interleave: Interleave,
    /// The log-ratio of each block that counts.
    pub log_ratios: Vec<f64>,
    /// Their standard deviation; absent below two.
    pub block_sd: Option<f64>,
    /// Why blocks do not count.
    pub dropped: Vec<String>,
    /// Seconds that a block took, on average, from start to end.
    pub block_seconds: f64,
    /// What running in slices cost, for each process that did.
    pub slices: Vec<Slices>,
}

impl Trial {
    /// Runs `blocks` blocks in each of `ways`, alternately, so that all of them meet the same noise.
    ///
    /// # Errors
    /// A program that cannot be run so, in its own words, or the user's interrupt.
    pub fn compare(
        &self,
        ways: &[Interleave],
        blocks: usize,
        interrupted: &AtomicBool,
    ) -> Result<Vec<Found>, String> {
        let found = self.try_out(interrupted)?;
        let _disturbance = self.disturbed.then(|| Disturbance::start(self.seed.into()));
        let plans: Vec<Plan> = ways.iter().map(|way| self.plan(&found, *way, 2)).collect();
        let mut done: Vec<Vec<KeptBlock>> = vec![Vec::new(); ways.len()];
        let mut seconds = vec![0.0; ways.len()];
        let environment = Environment::new();
        let orders = balanced_orders(
            &mut generator(self.seed.into(), &["ways"]),
            ways.len(),
            blocks,
        );
        for (number, order) in orders.into_iter().enumerate() {
            for way in order {
                let block = Block {
                    plan: &plans[way],
                    case: &plans[way].cases[0],
                    number,
                    attempt: 0,
                    environment: &environment,
                    interrupted,
                };
                let started = Instant::now();
                let outcome = block.run().ok_or("interrupted")?;
                seconds[way] += started.elapsed().as_secs_f64();
                let end = Entry::Block(BlockEntry {
                    case: found.case.clone(),
                    block: number,
                    attempt: 0,
                    ended: String::new(),
                    conditions: outcome.conditions,
                    disturbed: outcome.disturbed,
                    dropped: outcome.dropped,
                });
                let processes = outcome.processes.into_iter().map(Box::new);
                let entries: Vec<Entry> = processes.map(Entry::Process).chain([end]).collect();
                done[way].extend(keep(&entries));
            }
        }
        let found = plans.iter().zip(done).zip(seconds);
        Ok(found
            .map(|((plan, done), seconds)| summarise(plan, &done, seconds / blocks as f64))
            .collect())
    }

    /// What stopping and continuing alone adds to a turn's active time: the log-ratios of turns in slices of
    /// 20 ms over turns at one stretch, of one process that is by itself, in `pairs` pairs of turns in random
    /// balanced order.
    ///
    /// # Errors
    /// As for [`Trial::compare`].
    pub fn cost_of_slices(
        &self,
        pairs: usize,
        interrupted: &AtomicBool,
    ) -> Result<Vec<f64>, String> {
        let found = self.try_out(interrupted)?;
        let plan = self.plan(&found, Interleave::Sliced, 1);
        let case = &plan.cases[0];
        let command = paced_launch(&plan, case, (0, 0), &Environment::new());
        let timeout = Duration::from_secs(self.timeout_seconds);
        let mut process = Process::start(command, timeout, interrupted).map_err(words)?;
        process.wait_until_ready().map_err(words)?;
        // A dozen slices in a turn, however short the case's own turns are.
        let seconds = found.iteration_seconds.max(1e-9);
        let iterations = (SLICED_COST_SECONDS / seconds).round().max(1.0) as u64;
        process.turn(iterations).map_err(words)?;
        process.stop().map_err(words)?;
        let mut alone = [process];
        let mut rng = generator(self.seed.into(), &["cost of slices"]);
        let mut log_ratios = Vec::new();
        for order in balanced_orders(&mut rng, 2, pairs) {
            let mut pair = [0.0; 2];
            for way in order {
                // A slice that never ends is a turn at one stretch.
                let length = if way == 0 { u64::MAX } else { SLICED_COST_NS };
                let turn = turn_in_slices(&mut alone, iterations, length, &mut rng);
                let (_, turns) = turn.map_err(|(_, failure)| words(failure))?;
                pair[way] = turns.iter().map(crate::process::Turn::seconds).sum();
            }
            log_ratios.push((pair[1] / pair[0]).ln());
        }
        Ok(log_ratios)
    }

    fn try_out(&self, interrupted: &AtomicBool) -> Result<TryOut, String> {
        let mut command = std::process::Command::new(&self.binary);
        command.args(&self.args).args(["--json", "--paced"]);
        let timeout = Duration::from_secs(self.timeout_seconds);
        try_out(command, timeout, interrupted)
    }

    fn plan(&self, found: &TryOut, interleave: Interleave, variants: usize) -> Plan {
        let turns = Turns::new(interleave, found.iteration_seconds, self.seconds);
        let variant = |name: &str| PlannedVariant {
            name: name.into(),
            binary: self.binary.clone(),
            sha256: String::new(),
            binary_bytes: 0,
            build_seconds: None,
            startup_ns: None,
            container: None,
            more_builds: Vec::new(),
            identity: found.identity.clone(),
            settings: Variant::default(),
        };
        Plan {
            schema: PLAN_SCHEMA,
            created: String::new(),
            suite: "trial".into(),
            seed: self.seed,
            blocks: usize::MAX,
            margin: 0.03,
            builds: 1,
            pilot: None,
            surroundings: Surroundings::default(),
            // Noise is what is looked for.
            gates: Gates::OPEN,
            variants: ["a", "b"].into_iter().take(variants).map(variant).collect(),
            cases: vec![PlannedCase {
                id: found.case.clone(),
                args: self.args.clone(),
                interleave,
                iterations_per_turn: turns.iterations_per_turn,
                warmup_turns: turns.warmup_turns,
                turns: turns.turns,
                blocks: None,
                calibrated_seconds: found.iteration_seconds,
                setup_seconds: found.setup_seconds,
                timeout_seconds: self.timeout_seconds,
                tolerance: 1e-9,
                needs: Vec::new(),
                analysis: String::new(),
                expect: Default::default(),
            }],
            not_run: Vec::new(),
        }
    }
}

fn words(failure: Failure) -> String {
    match failure {
        Failure::Process(message) => message,
        Failure::Interrupted => "interrupted".into(),
    }
}

fn summarise(plan: &Plan, blocks: &[KeptBlock], block_seconds: f64) -> Found {
    let result = analyse_for_verdicts(plan, blocks);
    let log_ratios = result
        .comparisons
        .into_iter()
        .flat_map(|comparison| comparison.wall.log_ratios)
        .collect::<Vec<f64>>();
    let processes = blocks.iter().flat_map(|block| &block.processes);
    let slices = processes.filter_map(|process| process.slices.as_deref().copied());
    let dropped = blocks.iter().filter_map(|block| block.dropped.as_deref());
    Found {
        interleave: plan.cases[0].interleave,
        block_sd: stats::standard_deviation(&log_ratios),
        log_ratios,
        dropped: dropped.map(String::from).collect(),
        block_seconds,
        slices: slices.collect(),
    }
}
