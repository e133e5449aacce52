//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::analysis::{RunResult, analyse};
use crate::error::{Error, Result};
use crate::merge::{Member, merge};
use crate::plan::Plan;
use crate::results::{self, Loaded, Results};
use crate::resume::resume;
use crate::run::{self, Amount, Request};
use crate::terminal::{self, print, say, tell};
use crate::turns::Interleave;
use crate::units::{parse_difference, parse_duration, parse_share};
use crate::{container, doctor, gate, journal, report, verify};

/// Compares builds of a program, interleaved process by process: faster, slower, equivalent?
#[derive(Debug, Parser)]
#[command(
    name = "cargo duet",
    bin_name = "cargo duet",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "The options are those of `run`: `cargo duet` is `cargo duet run --suite quick`.
Before a long run, or where something looks wrong: `cargo duet doctor`.

Exit codes: 0 fine, 1 regression found by `gate`, 2 wrong usage or input, 3 nothing valid measured,
4 inconclusive under `gate --strict`, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
    /// Say nothing but the result and errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build, measure and compare the variants
    Run(RunArgs),
    /// Analyse a results folder again, finished or interrupted, and write its report
    Report(ReportArgs),
    /// Test the instrument itself: false positives, coverage, power; with --full on this host
    Verify(VerifyArgs),
    /// For CI: fail if a variant is slower than allowed; prints a summary in Markdown
    Gate(GateArgs),
    /// Look for what would spoil a measurement on this machine, and say what to do
    Doctor(DoctorArgs),
    /// Build the images of the variants that run in containers, for compose.yaml and for people
    Images(ImagesArgs),
    /// Remove the containers of a tool that was killed: what its guardian does
    #[command(name = container::SWEEP_COMMAND, hide = true)]
    SweepContainers {
        /// The engine's client
        client: String,
        /// The label's value
        label: String,
    },
    /// Keep a CPU busy for some seconds: what the doctor stops and continues
    #[command(name = doctor::SPIN_COMMAND, hide = true)]
    Spin,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The suite: quick (the default), standard, origin, …
    #[arg(long, value_name = "NAME")]
    suite: Option<String>,
    /// The variants to compare, the reference first
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    variants: Vec<String>,
    /// Debian against Alpine, each in containers with capped CPUs and memory, as [containers] of duet.toml says
    #[arg(long, conflicts_with = "variants")]
    containers: bool,
    /// Only the cases whose id matches one of these
    #[arg(long, value_delimiter = ',', value_name = "GLOB,…")]
    cases: Vec<String>,
    /// Blocks a case; the suite's number by default
    #[arg(long, value_name = "N", allow_negative_numbers = true, conflicts_with_all = ["detect", "budget"])]
    blocks: Option<usize>,
    /// As many blocks as find this difference, such as 2%, by a pilot
    #[arg(long, value_name = "SIZE", value_parser = parse_difference, conflicts_with = "budget")]
    detect: Option<f64>,
    /// As many blocks as fit into this time, such as 20m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    budget: Option<Duration>,
    /// Builds of each variant, with the functions in different orders
    #[arg(long, value_name = "N")]
    builds: Option<usize>,
    /// The seed of the schedule; from the clock by default
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u32>,
    /// The configuration; the nearest duet.toml upwards by default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// lockstep, sliced or sequential; the finest that a case allows by default
    #[arg(long, value_name = "MODE", hide_possible_values = true)]
    interleave: Option<Interleave>,
    /// Run both at the same time on two CPUs: two variants, single-threaded cases
    #[arg(long, conflicts_with = "interleave")]
    concurrent: bool,
    /// Drop no block for what else goes on, whatever [gates] of duet.toml says
    #[arg(long)]
    no_gates: bool,
    /// Go on with an interrupted run, under its own plan
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Print result.json on standard output
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    fn amount(&self) -> Amount {
        match (self.blocks, self.detect, self.budget) {
            (Some(blocks), _, _) => Amount::Blocks(blocks),
            (_, Some(effect), _) => Amount::Detect(effect),
            (_, _, Some(time)) => Amount::Budget(time),
            _ => Amount::Suite,
        }
    }
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The results folder; several are shown side by side, each machine for itself
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// Where the report of several folders is written; a new folder beside the first by default
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Print result.json (of several folders merged.json) on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// Real processes on this host, too, not only made-up runs
    #[arg(long)]
    full: bool,
    /// How long the real processes of --full may take
    #[arg(long, value_name = "M", default_value_t = 30.0, requires = "full")]
    minutes: f64,
    /// The seed of everything
    #[arg(long, default_value_t = verify::USUAL_SEED)]
    seed: u64,
    /// The configuration; the nearest duet.toml upwards by default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print verify.json on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct GateArgs {
    /// The results folders
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The largest slowdown that passes
    #[arg(long, default_value = "5%", value_name = "SHARE", value_parser = parse_share, allow_hyphen_values = true)]
    max_slowdown: f64,
    /// Fail, with 4, also where a slowdown above the limit cannot be excluded
    #[arg(long)]
    strict: bool,
    /// Print the findings as JSON instead of Markdown
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ImagesArgs {
    /// The variants; all that have a `container` by default
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    variants: Vec<String>,
    /// The configuration; as for `run`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// The configuration; as for `run`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the findings as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// Runs the tool with the arguments of the process and returns its exit code: 0 fine, 1 regression found by
/// `gate`, 2 wrong usage or input, 3 nothing valid measured, 4 inconclusive under `gate --strict`,
/// 130 interrupted.
pub fn main() -> u8 {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    refuse_misplaced(&matches);
    refuse_beside_resume(&matches);
    if cli.quiet {
        terminal::be_quiet();
    }
    match dispatch(cli.command.unwrap_or(Command::Run(cli.run))) {
        Ok(code) => code,
        Err(error) => {
            tell(format_args!("error: {error}"));
            error.exit_code()
        }
    }
}

/// Ends the process where an option of `run` stands before another command, where it would mean nothing.
/// `--quiet` may stand anywhere.
fn refuse_misplaced(matches: &ArgMatches) {
    let Some(command) = matches.subcommand_name() else {
        return;
    };
    if let Some(option) = given(matches, &["quiet"]) {
        refuse(format!(
            "the option --{option} stands before the command, where it means nothing; put it behind, if \
             `{command}` has it"
        ));
    }
}

/// Ends the process where something is asked of a run that goes on, whose plan is fixed.
fn refuse_beside_resume(matches: &ArgMatches) {
    let run = match matches.subcommand() {
        None => matches,
        Some(("run", run)) => run,
        Some(_) => return,
    };
    if run.contains_id("resume")
        && let Some(option) = given(run, &["quiet", "json", "resume"])
    {
        refuse(format!(
            "--resume goes on under the plan in that folder, of which --{option} cannot change anything; leave \
             --{option} out, or start a new run without --resume"
        ));
    }
}

/// The first option of `run` that stands on the command line, but for these.
fn given(matches: &ArgMatches, but: &[&str]) -> Option<String> {
    Cli::command().get_arguments().find_map(|argument| {
        let id = argument.get_id().as_str();
        let is_given =
            !but.contains(&id) && matches.value_source(id) == Some(ValueSource::CommandLine);
        let long = is_given.then(|| argument.get_long()).flatten();
        long.map(str::to_owned)
    })
}

fn refuse(message: String) -> ! {
    Cli::command()
        .error(ErrorKind::ArgumentConflict, message)
        .exit()
}

fn dispatch(command: Command) -> Result<u8> {
    match command {
        Command::Run(args) => {
            let (plan, result, results) = match &args.resume {
                Some(folder) => resume(folder)?,
                None => run::run(&Request {
                    amount: args.amount(),
                    config: args.config,
                    suite: args.suite,
                    variants: args.variants,
                    containers: args.containers,
                    cases: args.cases,
                    builds: args.builds,
                    seed: args.seed,
                    no_gates: args.no_gates,
                    interleave: match args.concurrent {
                        true => Some(Interleave::Concurrent),
                        false => args.interleave,
                    },
                })?,
            };
            show(&plan, &result, &results, args.json)
        }
        Command::Report(args) => report_again(args),
        Command::Verify(args) => test_instrument(&args),
        Command::Gate(args) => pass_gate(args),
        Command::Doctor(args) => doctor::run(args.config.as_deref(), args.json),
        Command::Images(args) => {
            let table = run::images(args.config.as_deref(), &args.variants)?;
            print(table.trim_end());
            Ok(0)
        }
        Command::SweepContainers { client, label } => {
            container::sweep(&client, &label);
            Ok(0)
        }
        Command::Spin => {
            doctor::spin();
            Ok(0)
        }
    }
}

/// Tests the instrument.
fn test_instrument(args: &VerifyArgs) -> Result<u8> {
    let verification = verify::verify(&verify::Request {
        full: args.full,
        minutes: args.minutes,
        seed: args.seed,
        config: args.config.clone(),
    })?;
    if args.json {
        print(results::to_json(Path::new("verify.json"), &verification)?.trim_end());
    }
    let failed: Vec<&str> = verification
        .failed()
        .map(|check| check.name.as_str())
        .collect();
    match failed.as_slice() {
        [] => Ok(0),
        failed => Err(Error::Unfit(format!(
            "the instrument does not pass its own test: {}",
            failed.join("; ")
        ))),
    }
}

fn pass_gate(args: GateArgs) -> Result<u8> {
    let mut analysed = Vec::new();
    for folder in args.folders {
        let results = Results { folder };
        let (_, result) = analyse_again(&results)?;
        analysed.push((results.folder.display().to_string(), result));
    }
    let gate = gate::judge(&analysed, args.max_slowdown, args.strict);
    let summary = gate::markdown(&gate);
    gate::append_summary(&summary);
    match args.json {
        true => print(results::to_json("gate".as_ref(), &gate)?.trim_end()),
        false => print(summary.trim_end()),
    }
    Ok(gate.exit_code)
}

/// The report of one results folder, or of several side by side.
fn report_again(args: ReportArgs) -> Result<u8> {
    if let [folder] = args.folders.as_slice() {
        if args.output.is_some() {
            return Err(Error::Usage(
                "--output is for the report of several folders; that of one is written into the folder".into(),
            ));
        }
        let results = Results {
            folder: folder.clone(),
        };
        let (loaded, result) = analyse_again(&results)?;
        let Loaded {
            plan,
            machine,
            journal,
        } = &loaded;
        report::write(plan, machine, &journal.blocks, &result, &results)?;
        return show(plan, &result, &results, args.json);
    }
    let mut members = Vec::new();
    for folder in &args.folders {
        let results = Results {
            folder: folder.clone(),
        };
        let (loaded, result) = analyse_again(&results)?;
        members.push(Member {
            folder: folder.clone(),
            plan: loaded.plan,
            machine: loaded.machine,
            result,
        });
    }
    let merged = merge(&members)?;
    let folder = match args.output {
        Some(folder) => folder,
        None => beside(&args.folders[0])?,
    };
    let page = report::write_merged(&merged, &folder)?;
    tell(report::merged_table(&merged));
    tell(format_args!("Report: {}", page.display()));
    if args.json {
        print(results::to_json(&page, &merged)?.trim_end());
    }
    Ok(0)
}

/// A new folder for a merged report, beside the first of the folders.
fn beside(folder: &Path) -> Result<PathBuf> {
    let folder = folder.canonicalize().map_err(Error::io("find", folder))?;
    let name = format!(
        "merged-{}",
        run::now().replace(':', "").trim_end_matches('Z')
    );
    let parent = folder.parent().unwrap_or(&folder);
    Ok(Results::create(parent, &name)?.folder)
}

/// Reads a results folder and analyses it.
fn analyse_again(results: &Results) -> Result<(Loaded, RunResult)> {
    let loaded = results.load()?;
    let journal = &loaded.journal;
    if journal::is_being_written(&results.journal()) {
        say("The run goes on; this is what its journal holds so far.");
    } else if journal.torn || journal.unfinished > 0 {
        tell(
            "The journal ends in the middle of a block (a torn or missing last line, as a kill or a full disk \
             leaves it); what follows its last whole block is left out.",
        );
    }
    let result = analyse(&loaded.plan, &journal.blocks);
    Ok((loaded, result))
}

/// Shows a result to the person, and as data to a program that asked for it.
fn show(plan: &Plan, result: &RunResult, results: &Results, json: bool) -> Result<u8> {
    // Who wants only the result and wants it as data gets it once.
    if !(json && terminal::is_quiet()) {
        tell(report::table(plan, result, terminal::has_colours()));
        tell(format_args!("Report: {}", results.html().display()));
    }
    if json {
        print(results::to_json(&results.result(), result)?.trim_end());
    }
    if result.comparisons.is_empty() {
        return Err(Error::NothingMeasured(format!(
            "not one valid block was measured; the reasons are above and in {}",
            results.html().display()
        )));
    }
    Ok(0)
}
