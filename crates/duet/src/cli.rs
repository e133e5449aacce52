//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::analysis::{RunResult, analyse};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::results::{self, Loaded, Results};
use crate::resume::resume;
use crate::run::{self, Amount, Request};
use crate::terminal::{print, say};
use crate::{journal, report, verify};

/// Compares builds of a program, interleaved process by process: faster, slower, equivalent?
#[derive(Debug, Parser)]
#[command(
    name = "cargo duet",
    bin_name = "cargo duet",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Without a command: run --suite quick.

Exit codes: 0 fine, 2 wrong usage or input, 3 nothing valid measured, 130 interrupted."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build, measure and compare the variants
    Run(RunArgs),
    /// Analyse a results folder again, finished or interrupted, and write its report
    Report(ReportArgs),
    /// Test the instrument itself: false positives, coverage, power; with --full on this host
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The suite: quick (the default), standard, origin, or one of duet.toml
    #[arg(long)]
    suite: Option<String>,
    /// The variants to compare, the reference first
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    variants: Vec<String>,
    /// Only the cases whose id matches
    #[arg(long, value_name = "GLOB")]
    cases: Option<String>,
    /// Blocks a case; the suite's number by default
    #[arg(long, value_name = "N", conflicts_with_all = ["detect", "budget"])]
    blocks: Option<usize>,
    /// As many blocks as find this difference, such as 2%, by a pilot
    #[arg(long, value_name = "SIZE", value_parser = percent, conflicts_with = "budget")]
    detect: Option<f64>,
    /// As many blocks as fit into this time, such as 20m
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    budget: Option<Duration>,
    /// Builds of each variant, with the functions in different orders
    #[arg(long, value_name = "N")]
    builds: Option<usize>,
    /// The seed of the schedule; from the clock by default
    #[arg(long)]
    seed: Option<u32>,
    /// The configuration; the nearest duet.toml upwards by default
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Go on with an interrupted run, under its own plan
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "suite", "variants", "cases", "blocks", "detect", "budget", "builds", "seed", "config",
    ])]
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

/// A difference such as `2%` as a ratio minus one.
fn percent(text: &str) -> std::result::Result<f64, String> {
    let number = text
        .strip_suffix('%')
        .map(|number| number.trim().parse::<f64>());
    match number {
        Some(Ok(percent)) if percent > 0.0 && percent < 100.0 => Ok(percent / 100.0),
        _ => Err("not a difference between 0% and 100%, such as 2%".into()),
    }
}

#[derive(Debug, Args)]
struct ReportArgs {
    /// The results folder
    folder: PathBuf,
    /// Print result.json on standard output
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

/// Runs the tool with the arguments of the process and returns its exit code: 0 fine, 2 wrong usage or
/// input, 3 nothing valid measured, 130 interrupted.
pub fn main() -> u8 {
    let cli = Cli::parse();
    match dispatch(cli.command.unwrap_or(Command::Run(cli.run))) {
        Ok(()) => 0,
        Err(error) => {
            say(format_args!("error: {error}"));
            error.exit_code()
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Run(args) => {
            let (plan, result, results) = match &args.resume {
                Some(folder) => resume(folder)?,
                None => run::run(&Request {
                    amount: args.amount(),
                    config: args.config,
                    suite: args.suite,
                    variants: args.variants,
                    cases: args.cases,
                    builds: args.builds,
                    seed: args.seed,
                })?,
            };
            show(&plan, &result, &results, args.json)
        }
        Command::Report(args) => {
            let results = Results {
                folder: args.folder,
            };
            let (plan, result) = analyse_again(&results)?;
            show(&plan, &result, &results, args.json)
        }
        Command::Verify(args) => test_instrument(&args),
    }
}

/// Tests the instrument.
fn test_instrument(args: &VerifyArgs) -> Result<()> {
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
        [] => Ok(()),
        failed => Err(Error::NothingMeasured(format!(
            "the instrument does not pass its own test: {}",
            failed.join("; ")
        ))),
    }
}

/// Reads a results folder, analyses it and writes its report.
fn analyse_again(results: &Results) -> Result<(Plan, RunResult)> {
    let Loaded {
        plan,
        machine,
        journal,
    } = results.load()?;
    if journal::is_being_written(&results.journal()) {
        say("The run goes on; this is what its journal holds so far.");
    } else if journal.torn || journal.unfinished > 0 {
        say(
            "The journal ends in the middle of a block (a torn or missing last line, as a kill or a full disk \
             leaves it); what follows its last whole block is left out.",
        );
    }
    let result = analyse(&plan, &journal.entries);
    report::write(&plan, &machine, &result, results)?;
    Ok((plan, result))
}

/// Shows a result to the person, and as data to a program that asked for it.
fn show(plan: &Plan, result: &RunResult, results: &Results, json: bool) -> Result<()> {
    say(report::table(plan, result));
    say(format_args!("Report: {}", results.report().display()));
    if json {
        print(results::to_json(&results.result(), result)?.trim_end());
    }
    if result.comparisons.is_empty() {
        return Err(Error::NothingMeasured(format!(
            "not one valid block was measured; the reasons are above and in {}",
            results.report().display()
        )));
    }
    Ok(())
}
