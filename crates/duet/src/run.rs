//! `cargo duet run`: plan → build → schedule → run → journal → analyse → report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use wildmatch::WildMatch;

use crate::analysis::{RunResult, analyse};
use crate::block::{self, Block, Outcome};
use crate::builds;
use crate::calibrate::calibrate;
use crate::config::{Case, Config, Variant};
use crate::error::{Error, Result};
use crate::journal::{BlockEntry, Entry, Journal};
use crate::machine::Machine;
use crate::plan::{PLAN_SCHEMA, Plan, PlannedCase, PlannedVariant};
use crate::progress::{Progress, so_far};
use crate::project::Project;
use crate::report;
use crate::results::{self, Results};
use crate::stage::Stage;
use crate::terminal::{duration, say};
use crate::toolchain;
use crate::turns::Interleave;

/// What to run; everything that is absent comes from the configuration.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The configuration file; `duet.toml` of this folder or the nearest above it where absent, or else the built-in one.
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
    /// How the processes of a block share the machine; chosen for each case where absent.
    pub interleave: Option<Interleave>,
}

/// Blocks that a case may lose to its own processes, replacement included, before it is given up.
const LOST_BLOCKS_ALLOWED: usize = 2;

/// Blocks that a case may lose to what else goes on, as a share of those planned: beyond that the host is
/// not fit for its limits.
const DISTURBED_SHARE_ALLOWED: f64 = 0.5;

/// Runs a comparison and writes its results folder.
///
/// # Errors
/// Wrong input, a build that fails, a binary that is not what its variant claims, files that cannot be
/// written, an interrupt, or not one valid block.
pub fn run(request: &Request) -> Result<(Plan, RunResult, Results)> {
    let project = Project::find(request.config.as_deref())?;
    let (config, workspace) = (&project.config, &project.folder);
    let suite = config.suite(&request.suite)?;
    let chosen = config.variants(&request.variants)?;
    let cases = choose_cases(config, request)?;
    if request.blocks == Some(0) {
        return Err(Error::Usage("--blocks must be at least 1".into()));
    }
    if request.interleave == Some(Interleave::Concurrent) {
        check_concurrent(chosen.len())?;
    }

    let interrupted = catch_signals()?;
    toolchain::ensure_targets(workspace, &chosen)?;
    let created = now();
    let name = format!(
        "{}-{}",
        created.replace(':', "").trim_end_matches('Z'),
        request.suite
    );
    let results = Results::create(&project.target.join("duet"), &name)?;
    let variants = build(
        config,
        workspace,
        &results.binaries(),
        &chosen,
        &interrupted,
    )
    .inspect_err(|_| results.discard())?;

    let mut plan = Plan {
        schema: PLAN_SCHEMA,
        created,
        suite: request.suite.clone(),
        seed: request.seed.unwrap_or_else(seed_from_clock),
        blocks: request.blocks.unwrap_or(suite.blocks),
        margin: config.margin,
        gates: config.gates,
        variants,
        cases: Vec::new(),
        not_run: Vec::new(),
    };
    let mut stage = Stage {
        config,
        workspace,
        reference: plan.variants[0].binary.clone(),
        fixtures: BTreeMap::new(),
        interrupted: &interrupted,
    };
    calibrate(&mut plan, &cases, suite, request.interleave, &mut stage)?;
    let text = toml::to_string(&plan)
        .map_err(|error| Error::io("write", &results.plan())(std::io::Error::other(error)))?;
    results::write(&results.plan(), &text)?;
    let machine = Machine::look(workspace).with_variants(&plan.variants);
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

/// Whether two processes can run at the same time, each on a CPU of its own.
fn check_concurrent(variants: usize) -> Result<()> {
    if variants != 2 {
        return Err(Error::Usage(format!(
            "--concurrent compares two variants, not {variants}; choose them with --variants a,b"
        )));
    }
    block::two_cpus()
        .map(|_| ())
        .map_err(|complaint| Error::Usage(format!("--concurrent: {complaint}")))
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
            None => format!(
                "the suite `{suite}` has no cases; add it to the `suites` of those that belong to it"
            ),
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

fn build(
    config: &Config,
    workspace: &Path,
    folder: &Path,
    chosen: &[(String, Variant)],
    interrupted: &AtomicBool,
) -> Result<Vec<PlannedVariant>> {
    let mut variants = Vec::new();
    for (name, settings) in chosen {
        say(format_args!("Building {name} ({})", settings.target));
        let started = Instant::now();
        let result = builds::build(workspace, folder, &config.program, name, settings);
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
    let progress = Progress::new("blocks", total, seconds);
    let mut done = 0;
    let mut entries = Vec::new();
    let mut lost = vec![0; plan.cases.len()];
    let mut disturbed = vec![0; plan.cases.len()];
    let disturbed_allowed =
        ((plan.blocks as f64 * DISTURBED_SHARE_ALLOWED) as usize).max(LOST_BLOCKS_ALLOWED);
    for number in 0..plan.blocks {
        for index in plan.case_order(number) {
            let case = &plan.cases[index];
            progress.begin(&case.id);
            if lost[index] < LOST_BLOCKS_ALLOWED && disturbed[index] < disturbed_allowed {
                let Some((written, was_disturbed)) =
                    run_block(plan, case, number, stage, &mut journal, &progress)?
                else {
                    return Err(interruption(results, done, total));
                };
                let is_lost = !written.iter().any(is_valid_end);
                if is_lost && was_disturbed {
                    disturbed[index] += 1;
                    if disturbed[index] == disturbed_allowed {
                        progress.say(format_args!(
                            "GIVEN UP {}: {disturbed_allowed} of its {} blocks were disturbed, and so were \
                             their replacements. `cargo duet doctor` shows what goes on here; [gates] in \
                             duet.toml sets the limits, and 1.0 there lets everything through",
                            case.id, plan.blocks
                        ));
                    }
                } else if is_lost {
                    lost[index] += 1;
                    if lost[index] == LOST_BLOCKS_ALLOWED {
                        progress.say(format_args!(
                            "GIVEN UP {}: too many blocks were dropped",
                            case.id
                        ));
                    }
                }
                entries.extend(written);
                progress.show(|| so_far(plan, case, &entries));
            }
            progress.end(plan.estimated_seconds(case) / plan.blocks as f64);
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

/// Runs a block, and once more if it must be dropped: what was journaled, and whether the last attempt was
/// dropped for what else went on. `None` if the user interrupts it.
fn run_block(
    plan: &Plan,
    case: &PlannedCase,
    number: usize,
    stage: &mut Stage,
    journal: &mut Journal,
    progress: &Progress,
) -> Result<Option<(Vec<Entry>, bool)>> {
    let mut written = Vec::new();
    let mut disturbed = false;
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
            Err(reason) => Some(Outcome::not_begun(reason)),
        };
        let Some(outcome) = outcome else {
            return Ok(None);
        };
        let dropped = outcome.dropped.clone();
        disturbed = outcome.disturbed;
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
            conditions: outcome.conditions,
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
    Ok(Some((written, disturbed)))
}
