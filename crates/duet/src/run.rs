//! `cargo duet run`: plan → build → schedule → run → journal → analyse → report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wildmatch::WildMatch;

use crate::analysis::{RunResult, analyse};
use crate::block;
use crate::budget;
use crate::builds::{self, Workshop};
use crate::calibrate::calibrate;
use crate::conditions::Gates;
use crate::config::{Case, Config, MOST_BLOCKS, Suite, Variant};
use crate::container::Engine;
use crate::error::{Error, Result};
use crate::journal::Journal;
use crate::machine::Machine;
use crate::measure::{Purpose, measure};
use crate::pilot;
use crate::plan::{PLAN_SCHEMA, Plan, PlannedVariant, Surroundings};
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
    /// The suite; `quick` where absent, or what the budget allows.
    pub suite: Option<String>,
    /// The variants, the reference first.
    pub variants: Vec<String>,
    /// Compare what `[containers]` says.
    pub containers: bool,
    /// Globs over the cases' ids, of which one must match; none lets all through.
    pub cases: Vec<String>,
    /// What decides the number of blocks.
    pub amount: Amount,
    /// Builds of each variant; one where absent.
    pub builds: Option<usize>,
    /// The seed of the schedule.
    pub seed: Option<u32>,
    /// Drop no block for what else goes on.
    pub no_gates: bool,
    /// How the processes of a block share the machine; chosen for each case where absent.
    pub interleave: Option<Interleave>,
}

/// What decides the number of blocks a case.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Amount {
    /// The suite.
    #[default]
    Suite,
    /// The user.
    Blocks(usize),
    /// A pilot: as many as find this difference, a ratio minus one, in 80 % of runs.
    Detect(f64),
    /// The time that measuring may take, builds not included.
    Budget(Duration),
}

/// The most builds of a variant.
const MOST_BUILDS: usize = 16;

/// Runs a comparison and writes its results folder.
///
/// # Errors
/// Wrong input, a build that fails, a binary that is not what its variant claims, files that cannot be
/// written, an interrupt, or not one valid block.
pub fn run(request: &Request) -> Result<(Plan, RunResult, Results)> {
    let project = Project::find(request.config.as_deref())?;
    let (config, workspace) = (&project.config, &project.folder);
    let chosen = match request.containers {
        true => config.variants(&config.of_containers()?)?,
        false => config.variants(&request.variants)?,
    };
    let suites = suites(config, request)?;
    let builds = builds_of(config, request, &suites)?;

    if request.interleave == Some(Interleave::Concurrent) {
        check_concurrent(chosen.len())?;
    }

    let interrupted = catch_signals()?;
    let engine = engine(config, &chosen)?;
    toolchain::ensure_targets(workspace, &chosen)?;
    let created = now();
    let name = match suites.as_slice() {
        [suite] => &suite.name,
        _ => "budget",
    };
    let name = format!("{}-{name}", created.replace(':', "").trim_end_matches('Z'));
    let results = Results::create(&project.target.join("duet"), &name)?;
    let workshop = Workshop {
        workspace,
        target_folder: &project.target,
        kept: &results.binaries(),
        program: &config.program,
        engine: engine.as_ref(),
        containers: &config.containers,
        builds,
    };
    let prepare = || -> Result<(Plan, Journal, Stage)> {
        let mut variants = build(workshop, &chosen, &interrupted)?;
        builds::time_starts(&mut variants);
        let mut stage = Stage {
            surroundings: Surroundings {
                workspace: workspace.clone(),
                program: config.program.bin.clone(),
                fixtures: config.fixture.clone(),
            },
            reference: variants[0].binary.clone(),
            fixtures: BTreeMap::new(),
            interrupted: &interrupted,
        };
        // Before the plan: the journal takes the pilot, and its lock keeps a second run away.
        let mut journal = Journal::create(&results.journal())?;
        let draft = Plan {
            schema: PLAN_SCHEMA,
            created,
            suite: String::new(),
            seed: request.seed.unwrap_or_else(seed_from_clock),
            blocks: 0,
            margin: config.margin,
            gates: match request.no_gates {
                true => Gates::OPEN,
                false => config.gates,
            },
            builds,
            pilot: None,
            surroundings: stage.surroundings.clone(),
            variants,
            cases: Vec::new(),
            not_run: Vec::new(),
        };
        let plan = complete(draft, request, &suites, &mut journal, &mut stage)?;
        Ok((plan, journal, stage))
    };
    let (plan, mut journal, mut stage) = prepare().inspect_err(|_| results.discard())?;

    let machine = Machine::look(workspace).with_variants(&plan.variants);
    results::write(
        &results.machine(),
        &results::to_json(&results.machine(), &machine)?,
    )?;
    // The plan comes last: where it is, everything is that an interrupted run needs to go on.
    let text = toml::to_string(&plan)
        .map_err(|error| Error::io("write", &results.plan())(std::io::Error::other(error)))?;
    results::write(&results.plan(), &text)?;
    let mut blocks = Vec::new();
    let purpose = Purpose::Verdict(&results.folder);
    measure(&plan, purpose, &mut stage, &mut blocks, |block| {
        journal.append(block)
    })?;
    drop(stage);
    let result = analyse(&plan, &blocks);
    report::write(&plan, &machine, &blocks, &result, &results)?;
    Ok((plan, result, results))
}

/// The container engine, asked whether it is there, where one of the variants needs it.
fn engine(config: &Config, chosen: &[(String, Variant)]) -> Result<Option<Engine>> {
    match chosen
        .iter()
        .any(|(_, variant)| variant.container.is_some())
    {
        true => Engine::reach(&config.containers).map(Some),
        false => Ok(None),
    }
}

/// Builds the images of variants that run in containers, all of them where none is named: a table of them.
///
/// # Errors
/// As for building in [`run`], and a variant without a container.
pub fn images(config: Option<&Path>, names: &[String]) -> Result<String> {
    let project = Project::find(config)?;
    let (config, workspace) = (&project.config, &project.folder);
    let chosen: Vec<(String, Variant)> = config
        .variant
        .iter()
        .filter(|(name, variant)| match names.is_empty() {
            true => variant.container.is_some(),
            false => names.contains(name),
        })
        .map(|(name, variant)| (name.clone(), variant.clone()))
        .collect();
    let known = |name: &&String| {
        chosen
            .iter()
            .any(|(other, variant)| other == *name && variant.container.is_some())
    };
    if let Some(name) = names.iter().find(|name| !known(name)) {
        return Err(Error::Usage(format!(
            "there is no variant `{name}` with a `container` in {}",
            project.name()
        )));
    }
    if chosen.is_empty() {
        return Err(Error::Usage(format!(
            "no variant of {} has a `container`",
            project.name()
        )));
    }
    let interrupted = catch_signals()?;
    let engine = engine(config, &chosen)?;
    toolchain::ensure_targets(workspace, &chosen)?;
    let kept = project.target.join("duet-images");
    let workshop = Workshop {
        workspace,
        target_folder: &project.target,
        kept: &kept,
        program: &config.program,
        engine: engine.as_ref(),
        containers: &config.containers,
        builds: 1,
    };
    let mut table = format!(
        "{:<28} {:>12} {:>12} {:>6}  C library\n",
        "image", "bytes", "program", "layers"
    );
    for variant in build(workshop, &chosen, &interrupted)? {
        let (Some(contained), identity) = (&variant.container, &variant.identity) else {
            continue;
        };
        let image = &contained.image;
        let libc = format!(
            "{} {}, {}",
            identity.libc,
            identity.libc_version.as_deref().unwrap_or("?"),
            identity.linkage
        );
        let stand_in = image
            .stand_in
            .as_ref()
            .map_or(String::new(), |words| format!("; base: {words}"));
        table += &format!(
            "{:<28} {:>12} {:>12} {:>6}  {libc}{stand_in}\n",
            image.name, image.bytes, variant.binary_bytes, image.layers
        );
    }
    Ok(table)
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

/// A suite that may be run, with those of its cases that were asked for.
#[derive(Debug)]
struct ChosenSuite {
    name: String,
    settings: Suite,
    cases: Vec<Case>,
}

/// The suite that was asked for. With a budget and no suite: those to choose from, the largest first.
fn suites(config: &Config, request: &Request) -> Result<Vec<ChosenSuite>> {
    let names: Vec<&str> = match (&request.suite, request.amount) {
        (Some(name), _) => vec![name],
        (None, Amount::Budget(_)) => budget::SUITES.to_vec(),
        (None, _) => vec!["quick"],
    };
    let mut suites = Vec::new();
    let mut failure = None;
    for name in names {
        let settings = config.suite(name)?;
        match choose_cases(config, name, &request.cases) {
            Ok(cases) => suites.push(ChosenSuite {
                name: name.into(),
                settings,
                cases,
            }),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if suites.is_empty() => Err(error),
        _ => Ok(suites),
    }
}

/// The builds of each variant, checked against the blocks as far as these are known already.
fn builds_of(config: &Config, request: &Request, suites: &[ChosenSuite]) -> Result<usize> {
    let builds = request.builds.unwrap_or(1);
    if !(1..=MOST_BUILDS).contains(&builds) {
        return Err(Error::Usage(format!(
            "--builds takes 1 to {MOST_BUILDS}, not {builds}"
        )));
    }
    let blocks = match request.amount {
        Amount::Blocks(0) => return Err(Error::Usage("--blocks must be at least 1".into())),
        Amount::Blocks(blocks) if blocks > MOST_BLOCKS => {
            return Err(Error::Usage(format!(
                "--blocks {blocks} is more than a case can have, which is {MOST_BLOCKS}: with them a difference of \
                 0.1 % is found at a noise of 2.8 % a block. `--detect 1%` takes as many as it needs"
            )));
        }
        Amount::Blocks(blocks) => blocks,
        Amount::Suite => config.suite(&suites[0].name)?.blocks,
        // Both plan at least as many blocks as builds.
        Amount::Detect(_) | Amount::Budget(_) => return Ok(builds),
    };
    if blocks < builds {
        return Err(Error::Usage(format!(
            "{blocks} blocks cannot be spread over {builds} builds; ask for --blocks {} or more",
            builds * 2
        )));
    }
    if blocks % builds != 0 {
        say(format_args!(
            "{blocks} blocks are no multiple of {builds} builds: some builds have one block more than others."
        ));
    }
    Ok(builds)
}

/// Calibrates the cases and decides the number of blocks.
fn complete(
    draft: Plan,
    request: &Request,
    suites: &[ChosenSuite],
    journal: &mut Journal,
    stage: &mut Stage,
) -> Result<Plan> {
    let started = Instant::now();
    let (last, others) = suites.split_last().expect("there is at least one suite");
    for suite in others.iter().chain([last]) {
        let mut plan = Plan {
            suite: suite.name.clone(),
            blocks: suite.settings.blocks,
            ..draft.clone()
        };
        let is_last = suite.name == last.name;
        if let Amount::Budget(budget) = request.amount
            && !is_last
            && !budget::may_fit(
                budget,
                suite.cases.len() * plan.variants.len(),
                suite.settings,
            )
        {
            continue;
        }
        calibrate(
            &mut plan,
            &suite.cases,
            suite.settings,
            request.interleave,
            stage,
        )?;
        match request.amount {
            Amount::Suite => {}
            Amount::Blocks(blocks) => plan.blocks = blocks,
            Amount::Detect(effect) => pilot::plan_blocks(&mut plan, effect, journal, stage)?,
            Amount::Budget(budget) => {
                let left = budget.saturating_sub(started.elapsed());
                match budget::plan_blocks(&mut plan, left) {
                    Err(_) if !is_last => continue,
                    Err(message) => return Err(Error::Usage(message)),
                    Ok(()) if !is_last && plan.blocks < suite.settings.blocks => continue,
                    Ok(()) => budget::explain(&plan, budget),
                }
            }
        }
        warn_of_few(&plan);
        return Ok(plan);
    }
    unreachable!("the last suite is always taken or refused")
}

/// Says what so few blocks cannot say.
fn warn_of_few(plan: &Plan) {
    let cannot = match plan.blocks {
        _ if plan.cases.is_empty() => return,
        1 => "has no interval: no verdict is possible, and nothing tells chance from difference",
        2..5 => "have no interval of 90 or 95 %: no verdict is possible",
        5 => "have no interval of 95 %: nothing can be called faster or slower",
        _ => return,
    };
    let noun = if plan.blocks == 1 { "block" } else { "blocks" };
    say(format_args!(
        "{} {noun} a case {cannot}. A verdict takes 6.",
        plan.blocks
    ));
}

/// The cases of the suite that a glob lets through; each glob must find one.
fn choose_cases(config: &Config, suite: &str, wanted: &[String]) -> Result<Vec<Case>> {
    let of_suite: Vec<&Case> = config
        .cases
        .iter()
        .filter(|case| case.suites.iter().any(|name| name.get_ref() == suite))
        .collect();
    if of_suite.is_empty() {
        return Err(Error::Usage(format!(
            "the suite `{suite}` has no cases; add it to the `suites` of those that belong to it"
        )));
    }
    let globs: Vec<WildMatch> = wanted.iter().map(|glob| WildMatch::new(glob)).collect();
    let finds = |glob: &WildMatch, case: &Case| glob.matches(case.id.get_ref());
    for (glob, wanted) in globs.iter().zip(wanted) {
        if !of_suite.iter().any(|case| finds(glob, case)) {
            let ids: Vec<&str> = of_suite
                .iter()
                .map(|case| case.id.get_ref().as_str())
                .collect();
            return Err(Error::Usage(format!(
                "no case of the suite `{suite}` matches `{wanted}`; it has: {}",
                ids.join(", ")
            )));
        }
    }
    let is_chosen = |case: &&Case| globs.is_empty() || globs.iter().any(|glob| finds(glob, case));
    Ok(of_suite.into_iter().filter(is_chosen).cloned().collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: &[&str], expected: &[&str]) {
        let case = |id| format!("[[case]]\nid = \"{id}\"\nargs = [\"x\"]\nsuites = [\"quick\"]\n");
        let text = ["a/b/c", "a/b/d", "e/f/g"].map(case).concat();
        let text = format!("[variant.gnu]\ntarget = \"x86_64-unknown-linux-gnu\"\n{text}");
        let config = Config::parse(&text).expect("a good file");
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let chosen = choose_cases(&config, "quick", &wanted).expect("each glob finds a case");
        let ids: Vec<&str> = chosen.iter().map(|c| c.id.get_ref().as_str()).collect();
        assert_eq!(ids, expected);
    }

    #[test]
    fn a_case_is_run_once_where_any_glob_matches() {
        check(&[], &["a/b/c", "a/b/d", "e/f/g"]);
        check(&["a*"], &["a/b/c", "a/b/d"]);
        check(&["e*", "*/c"], &["a/b/c", "e/f/g"]);
        check(&["a/b/c", "*c"], &["a/b/c"]);
    }
}
