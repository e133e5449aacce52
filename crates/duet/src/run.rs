//! `cargo duet run`: plan → build → schedule → run → journal → analyse → report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wildmatch::WildMatch;

use crate::analysis::{RunResult, analyse};
use crate::block::{Block, Outcome};
use crate::builds::{self, Workshop};
use crate::calibrate::calibrate;
use crate::config::{Case, Config, Variant};
use crate::error::{Error, Result};
use crate::journal::{BlockEntry, Entry, Journal};
use crate::machine::Machine;
use crate::plan::{PLAN_SCHEMA, Plan, PlannedCase, PlannedVariant, Surroundings};
use crate::report;
use crate::results::{self, Results};
use crate::stage::Stage;
use crate::terminal::{Progress, duration, say};
use crate::toolchain;

/// What to run; everything that is absent comes from the configuration.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The configuration file; `duet.toml` of this folder or the nearest above it where absent.
    pub config: Option<PathBuf>,
    /// The suite.
    pub suite: String,
    /// The variants, the reference first.
    pub variants: Vec<String>,
    /// A glob over the cases' ids.
    pub cases: Option<String>,
    /// Blocks a case.
    pub blocks: Option<usize>,
    /// The seed of the schedule.
    pub seed: Option<u32>,
}

/// Blocks that a case may lose, replacement included, before it is given up.
const LOST_BLOCKS_ALLOWED: usize = 2;

/// Runs a comparison and writes its results folder.
///
/// # Errors
/// Wrong input, a build that fails, a binary that is not what its variant claims, files that cannot be
/// written, an interrupt, or not one valid block.
pub fn run(request: &Request) -> Result<(Plan, RunResult, Results)> {
    let path = match &request.config {
        Some(path) => path.clone(),
        None => find_config()?,
    };
    let config = Config::read(&path)?;
    let suite = config.suite(&request.suite)?;
    let chosen = config.variants(&request.variants)?;
    let cases = choose_cases(&config, request)?;
    if request.blocks == Some(0) {
        return Err(Error::Usage("--blocks must be at least 1".into()));
    }

    let folder = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let workspace =
        std::path::absolute(folder.unwrap_or(Path::new("."))).map_err(Error::io("find", &path))?;
    let interrupted = catch_signals()?;
    toolchain::ensure_targets(&workspace, &chosen)?;
    let target_folder = target_folder(&workspace)?;
    let created = now();
    let name = format!(
        "{}-{}",
        created.replace(':', "").trim_end_matches('Z'),
        request.suite
    );
    let results = Results::create(&target_folder.join("duet"), &name)?;
    let workshop = Workshop {
        workspace: &workspace,
        target_folder: &target_folder,
        kept: &results.binaries(),
        program: &config.program,
        builds: 1,
    };
    let variants = build(workshop, &chosen, &interrupted).inspect_err(|_| results.discard())?;

    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        created,
        suite: request.suite.clone(),
        seed: request.seed.unwrap_or_else(seed_from_clock),
        blocks: request.blocks.unwrap_or(suite.blocks),
        margin: config.margin,
        builds: workshop.builds,
        pilot: None,
        surroundings: Surroundings {
            workspace: workspace.clone(),
            program: config.program.bin.clone(),
            fixtures: config.fixture.clone(),
        },
        variants,
        cases: Vec::new(),
        not_run: Vec::new(),
    };
    let mut stage = Stage {
        config: &config,
        workspace: &workspace,
        reference: plan.variants[0].binary.clone(),
        fixtures: BTreeMap::new(),
        interrupted: &interrupted,
    };
    calibrate(&mut plan, &cases, suite, &mut stage)?;
    let text = toml::to_string(&plan)
        .map_err(|error| Error::io("write", &results.plan())(std::io::Error::other(error)))?;
    results::write(&results.plan(), &text)?;
    let machine = Machine::look(&workspace);
    results::write(
        &results.machine(),
        &results::to_json(&results.machine(), &machine)?,
    )?;
    let entries = run_blocks(&plan, &results, &mut stage)?;
    drop(stage);
    let result = analyse(&plan, &entries);
    report::write(&plan, &machine, &result, &results)?;
    Ok((plan, result, results))
}

/// The nearest `duet.toml` upwards from the current folder.
pub(crate) fn find_config() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(Error::io("find", Path::new(".")))?;
    here.ancestors()
        .map(|folder| folder.join("duet.toml"))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::Usage(format!(
                "there is no duet.toml in {} or above it; give one with --config FILE",
                here.display()
            ))
        })
}

/// The cases of the suite that the glob lets through.
fn choose_cases(config: &Config, request: &Request) -> Result<Vec<Case>> {
    let glob = request.cases.as_deref().map(WildMatch::new);
    let suite = &request.suite;
    let of_suite: Vec<&Case> = config
        .cases
        .iter()
        .filter(|case| case.suites.iter().any(|name| name.get_ref() == suite))
        .collect();
    let chosen: Vec<Case> = of_suite
        .iter()
        .filter(|case| {
            glob.as_ref()
                .is_none_or(|glob| glob.matches(case.id.get_ref()))
        })
        .map(|case| (*case).clone())
        .collect();
    if chosen.is_empty() {
        let ids: Vec<&str> = of_suite
            .iter()
            .map(|case| case.id.get_ref().as_str())
            .collect();
        return Err(Error::Usage(match &request.cases {
            Some(glob) => format!(
                "no case of the suite `{suite}` matches `{glob}`; it has: {}",
                ids.join(", ")
            ),
            None => format!("the suite `{suite}` has no cases"),
        }));
    }
    Ok(chosen)
}

/// A flag that SIGINT and SIGTERM set; a second signal ends the process at once.
pub(crate) fn catch_signals() -> Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupted))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupted)))
            .map_err(Error::io("handle signals of", Path::new("this process")))?;
    }
    Ok(interrupted)
}

pub(crate) fn target_folder(workspace: &Path) -> Result<PathBuf> {
    let mut metadata = cargo_metadata::MetadataCommand::new();
    metadata.current_dir(workspace).no_deps();
    match metadata.exec() {
        Ok(metadata) => Ok(metadata.target_directory.into_std_path_buf()),
        Err(error) => Err(Error::Usage(format!(
            "{} is not the folder of a cargo workspace: {error}",
            workspace.display()
        ))),
    }
}

fn build(
    workshop: Workshop,
    chosen: &[(String, Variant)],
    interrupted: &AtomicBool,
) -> Result<Vec<PlannedVariant>> {
    let mut variants = Vec::new();
    for (name, settings) in chosen {
        say(format_args!("Building {name} ({})", settings.target));
        let started = Instant::now();
        let result = workshop.build(name, settings);
        if interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted(
                "interrupted while building; nothing was measured".into(),
            ));
        }
        let variant = result?;
        let identity = &variant.identity;
        say(format_args!(
            "  {} {}, {}, allocator {}, {:.1} MB, built in {}",
            identity.libc,
            identity
                .libc_version
                .as_deref()
                .unwrap_or("of unknown version"),
            identity.linkage,
            identity.allocator,
            variant.binary_bytes as f64 / 1e6,
            duration(started.elapsed().as_secs_f64())
        ));
        variants.push(variant);
    }
    builds::time_starts(&mut variants);
    Ok(variants)
}

/// The time in UTC to the second, RFC 3339.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// A seed that differs from run to run; it is written into the plan.
fn seed_from_clock() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    (since.as_nanos() ^ u128::from(std::process::id()) << 16) as u32
}

/// Runs every block of the plan and journals it.
fn run_blocks(plan: &Plan, results: &Results, stage: &mut Stage) -> Result<Vec<Entry>> {
    let mut journal = Journal::create(&results.journal())?;
    if plan.cases.is_empty() {
        return Ok(Vec::new());
    }
    let total = plan.blocks * plan.cases.len();
    let seconds: f64 = plan
        .cases
        .iter()
        .map(|case| plan.estimated_seconds(case))
        .sum();
    say(format_args!(
        "Measuring {} cases × {} blocks × {} variants, about {}; results in {}",
        plan.cases.len(),
        plan.blocks,
        plan.variants.len(),
        duration(seconds),
        results.folder.display()
    ));
    let progress = Progress::new("blocks", total);
    let mut done = 0;
    let mut entries = Vec::new();
    let mut lost = vec![0; plan.cases.len()];
    for number in 0..plan.blocks {
        for index in plan.case_order(number) {
            let case = &plan.cases[index];
            progress.begin(&case.id);
            if lost[index] < LOST_BLOCKS_ALLOWED {
                let Some(written) = run_block(plan, case, number, stage, &mut journal, &progress)?
                else {
                    return Err(interruption(results, done, total));
                };
                lost[index] += usize::from(!written.iter().any(is_valid_end));
                if lost[index] == LOST_BLOCKS_ALLOWED {
                    progress.say(format_args!(
                        "GIVEN UP {}: too many blocks were dropped",
                        case.id
                    ));
                }
                entries.extend(written);
            }
            progress.end();
            done += 1;
        }
        progress.milestone();
    }
    progress.finish();
    Ok(entries)
}

fn interruption(results: &Results, done: usize, total: usize) -> Error {
    Error::Interrupted(format!(
        "interrupted; {done} of {total} blocks are in the journal. See what they say with: \
         cargo duet report {}",
        results.folder.display()
    ))
}

fn is_valid_end(entry: &Entry) -> bool {
    matches!(entry, Entry::Block(block) if block.dropped.is_none())
}

/// Runs a block, and once more if it must be dropped. `None` if the user interrupts it.
fn run_block(
    plan: &Plan,
    case: &PlannedCase,
    number: usize,
    stage: &mut Stage,
    journal: &mut Journal,
    progress: &Progress,
) -> Result<Option<Vec<Entry>>> {
    let mut written = Vec::new();
    for attempt in 0..2 {
        let outcome = match stage.environment(&case.needs) {
            Ok(environment) => {
                let interrupted = stage.interrupted;
                Block {
                    plan,
                    case,
                    number,
                    attempt,
                    environment: &environment,
                    interrupted,
                }
                .run()
            }
            Err(reason) => Some(Outcome {
                processes: Vec::new(),
                dropped: Some(reason),
            }),
        };
        let Some(outcome) = outcome else {
            return Ok(None);
        };
        let dropped = outcome.dropped.clone();
        let mut entries: Vec<Entry> = outcome
            .processes
            .into_iter()
            .map(|entry| Entry::Process(Box::new(entry)))
            .collect();
        entries.push(Entry::Block(BlockEntry {
            case: case.id.clone(),
            block: number,
            attempt,
            ended: now(),
            dropped: outcome.dropped,
        }));
        journal.append(&entries)?;
        written.extend(entries);
        match dropped {
            Some(reason) => {
                progress.say(format_args!(
                    "DROPPED block {number} of {}: {reason}",
                    case.id
                ));
            }
            None => break,
        }
    }
    Ok(Some(written))
}
