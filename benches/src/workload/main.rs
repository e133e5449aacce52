//! The program `workload`: runs one case of a workload and says what it cost.

mod cli;
mod failure;
mod identity;
mod load;
mod log;
mod one_shot;
mod progress;
mod serve_postgres;
mod sweep;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use benches::case::Case;
use benches::run::Run;
use benches::slowdown::Slowdown;
use benches::{paced, registry};
use clap::Parser;

use crate::cli::{CommandLine, RunOptions, Task};
use crate::failure::Failure;

fn main() -> ExitCode {
    let line = CommandLine::parse();
    match execute(line.command.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.tell()),
    }
}

fn execute(task: Task) -> Result<(), Failure> {
    match task {
        Task::Run(workload, options) => {
            let mut cases = workload.cases()?;
            if options.paced {
                return pace(&cases, &options);
            }
            for case in &mut cases {
                case.default_operations(cli::ONE_SHOT_OPERATIONS);
            }
            match (cases.as_slice(), options.only) {
                ([case], None) => one_shot::run(case, &options),
                (cases, Some(index)) => match cases.get(index) {
                    Some(case) => one_shot::run(case, &options),
                    None => Err(Failure::usage(format!("there is no case {index}"))),
                },
                (cases, None) => sweep::run(cases, &options),
            }
        }
        Task::Load { shared, load, json } => load::run(&shared, &load, json),
        Task::Identity { json } => identity::print(json),
        Task::ServePostgres => serve_postgres::serve(),
        Task::Watch(args) => watch::run(&args),
        Task::Cases { config } => {
            let mut out = io::stdout().lock();
            for entry in registry::read(&config)? {
                let (suites, args) = (entry.suites.join(","), entry.args.join(" "));
                writeln!(out, "{}\t{suites}\t{args}", entry.id)?;
            }
            Ok(())
        }
    }
}

/// A case that is set up, with the slowdown that the options ask for.
fn prepare(case: &Case, options: &RunOptions) -> Result<Run, Failure> {
    // The option is checked first: a set-up can take minutes.
    let slowdown = options.slowdown.map(Slowdown::by).transpose()?;
    let mut run = Run::prepare(case)?;
    if let Some(slowdown) = slowdown {
        run.slow_down(slowdown);
    }
    Ok(run)
}

fn pace(cases: &[Case], options: &RunOptions) -> Result<(), Failure> {
    let [case] = cases else {
        return Err(Failure::usage(format!(
            "--paced runs exactly one case, but these arguments describe {}",
            cases.len()
        )));
    };
    let mut run = prepare(case, options)?;
    run.warm_up(options.warmup)?;
    paced::serve(run, io::stdin().lock(), io::stdout().lock())?;
    Ok(())
}
