//! The full form: real processes on this host.
//!
//! One build serves for every variant: a copy of it is the other variant of an A/A comparison, and the same build
//! with `--slowdown SHARE` one that is slower by a known share. The program must have that option; the workspace's own
//! `workload` has.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::check::{Check, Count};
use super::clock::Clock;
use super::interleaving::Interleaving;
use super::series::Series;
use crate::analysis::{Comparison, RatioInterval};
use crate::block::Block;
use crate::builds::Workshop;
use crate::calibrate::calibrate;
use crate::conditions::Gates;
use crate::config::{Case, Config, Suite};
use crate::disturbance::Disturbance;
use crate::error::{Error, Result};
use crate::fixture::Environment;
use crate::plan::{Interleave, PLAN_SCHEMA, Plan, PlannedVariant, Surroundings};
use crate::stage::Stage;
use crate::stats::{self, Verdict};
use crate::terminal::{duration, say};

/// The suite whose cases are run; the first cases of the quick suite where no case belongs to it.
const SUITE: &str = "verify";

/// Cases that are taken from the quick suite.
const CASES: usize = 4;

/// Blocks of an A/A comparison, and of a pilot: as few as can have an interval, so that there are many of them.
const BLOCKS: usize = 6;

/// The slowdown that the pilot's number of blocks is for, and the power that it promises.
const WANTED: (f64, f64) = (0.03, 0.8);

/// The injected slowdowns.
const EFFECTS: [f64; 4] = [0.01, 0.02, 0.03, 0.05];

/// The ways to interleave that are compared with running one after the other.
const MODES: [Interleave; 1] = [Interleave::Lockstep];

/// The shares of the time for identical variants, injected slowdowns, and the ways to interleave without and with a
/// disturbance.
const SHARES: [f64; 4] = [0.4, 0.3, 0.15, 0.15];

/// What real processes gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Real {
    /// How long they took.
    pub minutes: f64,
    /// The variant whose build was run.
    pub variant: String,
    /// The rate of A/A comparisons of all cases that were called different; absent where there were none.
    pub false_positive_rate: Option<f64>,
    /// The share of comparisons that found an injected slowdown of 3 % at the number of blocks chosen for it, likewise.
    pub found_rate: Option<f64>,
    /// Identical variants.
    pub same: Vec<Same>,
    /// Injected slowdowns.
    pub injected: Vec<Injected>,
    /// The ways to interleave.
    pub modes: Vec<Mode>,
    /// What interleaving gives: on this host as it is, and under a disturbance that the test brings.
    pub interleaving: Vec<Interleaving>,
    /// What the time was too short for.
    pub not_measured: Vec<String>,
}

/// A/A comparisons of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Same {
    /// The case's id.
    pub case: String,
    /// How the plan interleaves it.
    pub interleave: String,
    /// Comparisons of six blocks that were called faster or slower.
    pub called_different: Count,
    /// The standard deviation of the log-ratios of all blocks.
    pub block_sd: Option<f64>,
}

/// Comparisons of a case with a slowed-down copy of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Injected {
    /// The case's id.
    pub case: String,
    /// The slowdown as a ratio minus one.
    pub effect: f64,
    /// Blocks of each comparison, which a pilot of six chose for 3 %; absent where it chose no number.
    pub blocks: Option<usize>,
    /// Comparisons with the verdict `slower`.
    pub found: Count,
    /// The power at the standard deviation that these blocks turned out to have.
    pub predicted: Option<f64>,
    /// The median ratio over all blocks.
    pub median_ratio: Option<f64>,
}

/// Identical variants of a case under a way to interleave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// The case's id.
    pub case: String,
    /// The way to interleave.
    pub interleave: String,
    /// Whether the test brought a disturbance of its own.
    pub disturbed: bool,
    /// Blocks.
    pub blocks: usize,
    /// The standard deviation of their log-ratios.
    pub block_sd: Option<f64>,
    /// The same as a share of that of processes that run one after the other.
    pub of_sequential: Option<f64>,
    /// The median ratio; 1 but for chance and bias.
    pub ratio: f64,
    /// Its interval.
    pub interval_95: Option<RatioInterval>,
    /// The sign test of "no bias".
    pub p: f64,
}

/// What a test with real processes needs.
pub struct Bench<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The folder of the workspace.
    pub workspace: &'a Path,
    /// Cargo's target folder.
    pub target_folder: &'a Path,
    /// Where the binary is kept.
    pub folder: &'a Path,
    /// How long the processes may take, the build not included.
    pub seconds: f64,
    /// The seed of the schedule.
    pub seed: u64,
    /// Set when the user interrupts.
    pub interrupted: &'a AtomicBool,
}

impl Bench<'_> {
    /// Builds the program and makes every experiment.
    ///
    /// # Errors
    /// No case that can be run, a program that cannot be built, an interrupt.
    pub fn run(&self) -> Result<(Real, Vec<Check>)> {
        let (cases, suite) = self.cases()?;
        let (name, settings) = self.config.variants(&[])?.swap_remove(0);
        say(format_args!("Building {name} ({})", settings.target));
        let program = &self.config.program;
        let workshop = Workshop {
            workspace: self.workspace,
            target_folder: self.target_folder,
            kept: self.folder,
            program,
            // The instrument is tested on the program itself, also where the variant has a container.
            engine: None,
            containers: &self.config.containers,
            builds: 1,
        };
        let built = workshop.build(&name, &settings)?;
        let plan = self.plan(&built, &cases, suite)?;
        say(format_args!(
            "Real processes: {} cases, {}",
            plan.cases.len(),
            duration(self.seconds)
        ));
        let clock = Clock::start(self.seconds);
        let (same, pilots) = self.same(&plan, &clock)?;
        let injected = self.injected(&plan, &pilots, &clock)?;
        let mut modes = self.modes(&plan, &clock, false)?;
        {
            let _disturbance = Disturbance::start(self.seed);
            modes.extend(self.modes(&plan, &clock, true)?);
        }
        let chosen = |id: &str| {
            let mut cases = plan.cases.iter();
            cases.find(|case| case.id == id).map(|case| case.interleave)
        };
        let interleaving: Vec<Interleaving> = [false, true]
            .into_iter()
            .filter_map(|disturbed| Interleaving::of(&modes, disturbed, chosen))
            .collect();
        let seconds = clock.finish();
        let called_different = total(same.iter().map(|row| row.called_different));
        let wanted = injected.iter().filter(|row| row.effect == WANTED.0);
        let found = total(wanted.map(|row| row.found));
        let mut checks = Vec::new();
        let mut not_measured = Vec::new();
        let mut check =
            |what: &str, count: Count, check: fn(String, Count, f64) -> Check, limit| {
                if count.of == 0 {
                    not_measured.push(format!("{what}: the time was too short for one comparison"));
                } else {
                    checks.push(check(format!("real processes: {what}"), count, limit));
                }
            };
        check(
            "identical variants called different",
            called_different,
            Check::at_most,
            0.05,
        );
        check(
            "3 % found at the pilot's n",
            found,
            Check::at_least,
            WANTED.1,
        );
        checks.push(bias(&modes));
        checks.extend(interleaving.iter().filter_map(Interleaving::check));
        let real = Real {
            minutes: seconds / 60.0,
            variant: name,
            false_positive_rate: known(called_different),
            found_rate: known(found),
            same,
            injected,
            modes,
            interleaving,
            not_measured,
        };
        Ok((real, checks))
    }

    /// The cases of the suite `verify`, or the first of the quick one.
    fn cases(&self) -> Result<(Vec<Case>, Suite)> {
        let of = |suite: &str| -> Vec<Case> {
            let of_suite = |case: &&Case| case.suites.iter().any(|name| name.get_ref() == suite);
            let free = |case: &&Case| case.needs().is_empty();
            self.config
                .cases
                .iter()
                .filter(of_suite)
                .filter(free)
                .cloned()
                .collect()
        };
        let mut cases = of(SUITE);
        if cases.is_empty() {
            cases = of("quick");
            cases.truncate(CASES);
        }
        if cases.is_empty() {
            return Err(Error::Usage(format!(
                "no case can be run: give some that need no fixture the suite `{SUITE}`, as in suites = [\"{SUITE}\"]"
            )));
        }
        Ok((cases, self.config.suite(SUITE)?))
    }

    /// A plan of two copies of the build, with the cases calibrated.
    fn plan(&self, built: &PlannedVariant, cases: &[Case], suite: Suite) -> Result<Plan> {
        let mut plan = Plan {
            schema: PLAN_SCHEMA,
            created: String::new(),
            suite: SUITE.into(),
            seed: self.seed as u32,
            blocks: BLOCKS,
            margin: self.config.margin,
            // Noise is what is looked for.
            gates: Gates::OPEN,
            builds: 1,
            pilot: None,
            surroundings: Surroundings {
                workspace: self.workspace.into(),
                program: self.config.program.bin.clone(),
                fixtures: self.config.fixture.clone(),
            },
            variants: vec![built.clone(), variant(built, "copy", &[])],
            cases: Vec::new(),
            not_run: Vec::new(),
        };
        let mut stage = Stage {
            surroundings: plan.surroundings.clone(),
            reference: built.binary.clone(),
            fixtures: BTreeMap::new(),
            interrupted: self.interrupted,
        };
        calibrate(&mut plan, cases, suite, None, &mut stage)?;
        match plan.cases.is_empty() {
            true => Err(Error::NothingMeasured(
                "no case can be run; the reasons are above".into(),
            )),
            false => Ok(plan),
        }
    }

    /// Identical variants, and the log-ratios of each case's first blocks as its pilot.
    fn same(&self, plan: &Plan, clock: &Clock) -> Result<(Vec<Same>, Vec<Vec<f64>>)> {
        let mut series = Vec::new();
        for case in &plan.cases {
            series.push(Series::new(plan, case.clone()));
        }
        clock.rounds(SHARES[0], || self.round(&mut series, clock))?;
        let mut rows = Vec::new();
        let mut pilots = Vec::new();
        for case in &series {
            let different: Vec<bool> = case
                .comparisons(BLOCKS, 0)
                .iter()
                .map(is_different)
                .collect();
            let log_ratios = case.log_ratios(0);
            rows.push(Same {
                case: case.case.id.clone(),
                interleave: name(case.case.interleave),
                called_different: Count::of(&different),
                block_sd: stats::standard_deviation(&log_ratios),
            });
            pilots.push(log_ratios.into_iter().take(BLOCKS).collect());
        }
        Ok((rows, pilots))
    }

    /// Slowed-down copies beside the plain build, in one block, in lock-step: what a slowdown is in a process that is
    /// stopped in between, only lock-step can say.
    fn injected(&self, plan: &Plan, pilots: &[Vec<f64>], clock: &Clock) -> Result<Vec<Injected>> {
        let mut slowed = plan.clone();
        let plain = plan.variants[0].clone();
        slowed.variants = std::iter::once(0.0)
            .chain(EFFECTS)
            .map(|effect| {
                variant(
                    &plain,
                    &format!("slowed-{effect}"),
                    &["--slowdown", &effect.to_string()],
                )
            })
            .collect();
        let mut series = Vec::new();
        let mut chosen = Vec::new();
        for (case, pilot) in slowed.cases.iter().zip(pilots) {
            let (effect, power) = WANTED;
            chosen.push(stats::pilot_blocks(pilot, effect.ln_1p(), 0.05, power));
            series.push(Series::new(&slowed, case.shared(Interleave::Lockstep)));
        }
        clock.rounds(SHARES[1], || self.round(&mut series, clock))?;
        let mut rows = Vec::new();
        for (case, blocks) in series.iter().zip(chosen) {
            for (index, effect) in EFFECTS.into_iter().enumerate() {
                let slower = |comparison: &Comparison| comparison.verdict == Verdict::Slower;
                let comparisons = blocks.map_or(Vec::new(), |n| case.comparisons(n, index));
                let found: Vec<bool> = comparisons.iter().map(slower).collect();
                let log_ratios = case.log_ratios(index);
                let sd = stats::standard_deviation(&log_ratios);
                let predicted = |(n, sd)| stats::power(n, 0.05, sd, effect.ln_1p());
                rows.push(Injected {
                    case: case.case.id.clone(),
                    effect,
                    blocks,
                    found: Count::of(&found),
                    predicted: blocks.zip(sd).map(predicted),
                    median_ratio: stats::median(&log_ratios).map(f64::exp),
                });
            }
        }
        Ok(rows)
    }

    /// Identical variants under each way to interleave, a block of each in turn.
    fn modes(&self, plan: &Plan, clock: &Clock, disturbed: bool) -> Result<Vec<Mode>> {
        let mut series = Vec::new();
        for case in &plan.cases {
            // Slices where the plan chose them: iterations that are long enough for some.
            let sliced = Some(Interleave::Sliced).filter(|sliced| case.interleave == *sliced);
            for interleave in std::iter::once(Interleave::Sequential)
                .chain(MODES)
                .chain(sliced)
            {
                series.push(Series::new(plan, case.shared(interleave)));
            }
        }
        let share = SHARES[2 + usize::from(disturbed)];
        clock.rounds(share, || self.round(&mut series, clock))?;
        let mut rows = Vec::new();
        let mut sequential = None;
        for case in &series {
            let Some(comparison) = case.comparisons(case.done.len(), 0).into_iter().next() else {
                continue;
            };
            let wall = comparison.wall;
            if case.case.interleave == Interleave::Sequential {
                sequential = wall.block_sd;
            }
            let share = wall
                .block_sd
                .zip(sequential)
                .filter(|(_, sequential)| *sequential > 0.0);
            rows.push(Mode {
                case: case.case.id.clone(),
                interleave: name(case.case.interleave),
                disturbed,
                blocks: wall.blocks,
                block_sd: wall.block_sd,
                of_sequential: share.map(|(sd, sequential)| sd / sequential),
                ratio: wall.ratio,
                interval_95: wall.interval_95,
                p: wall.p,
            });
        }
        Ok(rows)
    }

    /// Runs a block of each series.
    fn round(&self, series: &mut [Series], clock: &Clock) -> Result<()> {
        for series in series.iter_mut() {
            let environment = Environment::new();
            let block = Block {
                plan: &series.plan,
                case: &series.case,
                number: series.number,
                attempt: 0,
                environment: &environment,
                interrupted: self.interrupted,
            };
            let Some(outcome) = block.run() else {
                return Err(Error::Interrupted("interrupted; nothing was stored".into()));
            };
            series.number += 1;
            match outcome.dropped {
                Some(reason) => series.drop_block(&reason, clock)?,
                None => series.add(outcome.processes),
            }
            clock.show(&series.case.id);
        }
        Ok(())
    }
}

/// The same build under another name, with further arguments.
fn variant(built: &PlannedVariant, name: &str, args: &[&str]) -> PlannedVariant {
    let mut variant = built.clone();
    variant.name = name.into();
    variant
        .settings
        .args
        .extend(args.iter().map(ToString::to_string));
    variant
}

/// The word for a way to interleave, as the files have it.
pub(super) fn name(interleave: Interleave) -> String {
    match serde_json::to_value(interleave) {
        Ok(serde_json::Value::String(word)) => word,
        _ => format!("{interleave:?}"),
    }
}

fn is_different(comparison: &Comparison) -> bool {
    matches!(comparison.verdict, Verdict::Faster | Verdict::Slower)
}

fn known(count: Count) -> Option<f64> {
    (count.of > 0).then(|| count.rate())
}

fn total(counts: impl Iterator<Item = Count>) -> Count {
    counts.fold(Count::default(), |sum, count| Count {
        hits: sum.hits + count.hits,
        of: sum.of + count.of,
    })
}

/// Identical binaries must not differ under any way to interleave, Holm's correction over all of them.
fn bias(modes: &[Mode]) -> Check {
    let p: Vec<f64> = modes.iter().map(|mode| mode.p).collect();
    let smallest = stats::holm(&p).into_iter().fold(1.0, f64::min);
    let blocks = modes.iter().map(|mode| mode.blocks).sum();
    Check::within(
        "real processes: smallest p of a bias of a way to interleave",
        smallest,
        0.05,
        1.0,
        blocks,
    )
}
