//! `cargo duet verify`: the instrument's own test.
//!
//! The quick form puts made-up runs, whose truth is known ([`mod@synthetic`]), through the analysis that gives the
//! verdicts. The full form ([`mod@real`]) adds real processes on this host: copies of one build, injected slowdowns, and
//! what each way to interleave gives. Each figure has the range in which it must lie ([`mod@check`]).

pub mod check;
mod clock;
pub mod interleaving;
pub mod laboratory;
pub(crate) mod noise;
pub mod real;
mod series;
mod show;
pub mod synthetic;

use std::path::{Path, PathBuf};

use probe::Host;
use serde::{Deserialize, Serialize};

pub use check::{Check, Count};
pub use laboratory::{Analyse, Laboratory};
pub use noise::Noise;
pub use real::Real;
pub use synthetic::{Repetitions, Synthetic};

use crate::analysis::analyse_for_verdicts;
use crate::error::{Error, Result};
use crate::project::Project;
use crate::results;
use crate::run::{catch_signals, now};
use crate::terminal::say;

/// The version of `verify.json`; documented in `docs/verify.md`.
pub const VERIFY_SCHEMA: u32 = 1;

/// The seed where none is given: the quick form then says the same of the same program every time.
pub const USUAL_SEED: u64 = 1;

/// What to verify.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Real processes, too.
    pub full: bool,
    /// How long the real processes may take.
    pub minutes: f64,
    /// The seed of everything.
    pub seed: u64,
    /// The configuration file; the nearest `duet.toml` upwards where absent. The quick form needs none.
    pub config: Option<PathBuf>,
}

/// What the instrument's test found; `verify.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// The version of this format: [`VERIFY_SCHEMA`].
    pub schema: u32,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The version of the tool.
    pub duet_version: String,
    /// The hardware and the kernel.
    pub host: Host,
    /// The seed.
    pub seed: u64,
    /// Whether every figure lies in its range.
    pub passed: bool,
    /// The rate of A/A comparisons of 20 blocks that were called different, of made-up runs.
    pub false_positive_rate: f64,
    /// The highest rate of suites of 20 identical cases in which a difference was claimed.
    pub family_wise_error_rate: f64,
    /// The lowest coverage of the 95 % interval over all shapes of noise and numbers of blocks.
    pub coverage: f64,
    /// The rate of differences of exactly the margin, of 20 blocks, that were taken for smaller.
    pub false_equivalence_rate: f64,
    /// The power curves.
    pub power: Vec<synthetic::PowerPoint>,
    /// Every figure that has a range.
    pub checks: Vec<Check>,
    /// All of the made-up runs.
    pub synthetic: Synthetic,
    /// All of the real processes; absent in the quick form.
    pub real: Option<Real>,
}

impl Verification {
    /// Puts the figures together.
    fn of(seed: u64, synthetic: Synthetic, real: Option<Real>, checks: Vec<Check>) -> Self {
        let highest = |rates: &mut dyn Iterator<Item = f64>| rates.fold(0.0, f64::max);
        Self {
            schema: VERIFY_SCHEMA,
            created: now(),
            duet_version: env!("CARGO_PKG_VERSION").into(),
            host: Host::read(),
            seed,
            passed: checks.iter().all(|check| check.passed),
            false_positive_rate: usual(synthetic.false_positives.iter().map(|rate| rate.all)),
            family_wise_error_rate: highest(
                &mut synthetic.family_wise_errors.iter().map(|r| r.rate),
            ),
            coverage: synthetic
                .coverage
                .iter()
                .map(|c| c.at.rate)
                .fold(1.0, f64::min),
            false_equivalence_rate: usual(synthetic.false_equivalences.iter().copied()),
            power: synthetic.power.clone(),
            checks,
            synthetic,
            real,
        }
    }

    /// The figures outside their range.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed)
    }
}

/// The rate at the usual number of blocks; NaN, in JSON null, where the experiment was not made.
fn usual(mut rates: impl Iterator<Item = synthetic::AtBlocks>) -> f64 {
    let rate = rates.find(|rate| rate.blocks == synthetic::USUAL_BLOCKS);
    rate.map_or(f64::NAN, |rate| rate.rate)
}

/// Makes the experiments on made-up runs.
///
/// # Errors
/// None in practice: only where plan or journal no longer have the form that is written here.
pub fn synthetic(
    analyse: Analyse,
    seed: u64,
    times: Repetitions,
) -> Result<(Synthetic, Vec<Check>)> {
    let laboratory = Laboratory::new(analyse, seed, 0.03).map_err(|error| {
        Error::Unfit(format!(
            "the made-up runs have another form than real ones: {error}"
        ))
    })?;
    Ok(synthetic::experiments(&laboratory, times))
}

/// Runs the test, shows it, and stores it as `verify.json` in the folder `duet` of the workspace's target folder.
///
/// # Errors
/// Wrong input, a program that cannot be built or run, a file that cannot be written, an interrupt.
pub fn verify(request: &Request) -> Result<Verification> {
    if !(request.minutes.is_finite() && request.minutes > 0.0) {
        return Err(Error::Usage(format!(
            "--minutes {} must be above 0",
            request.minutes
        )));
    }
    let project = match Project::find(request.config.as_deref()) {
        Ok(project) => Some(project),
        // The quick form needs no workspace.
        Err(_) if !request.full && request.config.is_none() => None,
        Err(error) => return Err(error),
    };
    let target = project.as_ref().map(|project| project.target.as_path());
    let folder = target.unwrap_or(Path::new("target")).join("duet");
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let started = std::time::Instant::now();
    let (made, mut checks) = synthetic(analyse_for_verdicts, request.seed, Repetitions::USUAL)?;
    say(format_args!(
        "Made-up runs: {:.0} s",
        started.elapsed().as_secs_f64()
    ));
    let real = match (&project, request.full) {
        (Some(project), true) => {
            let interrupted = catch_signals()?;
            let host = real::Bench {
                config: &project.config,
                workspace: &project.folder,
                target_folder: &project.target,
                // Not among the results folders, of which it is none.
                folder: &folder.with_file_name("duet-verify"),
                seconds: request.minutes * 60.0,
                seed: request.seed,
                interrupted: &interrupted,
            };
            let (real, more) = host.run()?;
            checks.extend(more);
            Some(real)
        }
        _ => None,
    };
    let verification = Verification::of(request.seed, made, real, checks);
    let path = folder.join("verify.json");
    results::write(&path, &results::to_json(&path, &verification)?)?;
    say(show::text(&verification));
    say(format_args!("Stored: {}", path.display()));
    Ok(verification)
}

#[cfg(test)]
mod tests;
