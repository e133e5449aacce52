//! The command line.

use std::path::PathBuf;

use benches::case::WorkloadArgs;
use benches::dbload::DbloadArgs;
use benches::forest::ForestArgs;
use benches::kmeans::KmeansArgs;
use benches::libc::LibcArgs;
use clap::{Args, Parser, Subcommand};

use crate::load::LoadRunArgs;
use crate::watch::WatchArgs;

/// The operations of each client in one iteration, where the command line does not say: all four queries then take half a minute.
pub const ONE_SHOT_OPERATIONS: u32 = 200;

/// Run a workload once and say what it cost: time, CPU, memory, and the result.
#[derive(Parser)]
#[command(
    name = "workload",
    version,
    after_help = "RAYON_NUM_THREADS sets the threads of kmeans and forest (default: all CPUs).\n\
                  Exit status: 0 fine, 1 the workload failed, 2 wrong usage or input."
)]
pub struct CommandLine {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// K-means clustering of blobs, or of the rows of a file
    Kmeans(With<KmeansArgs>),
    /// A random forest: training and prediction
    Forest(With<ForestArgs>),
    /// Queries and loads of a PostgreSQL database: DATABASE_URL, else a temporary server
    #[command(
        after_help = "Without --mix, one case as any other workload. With --mix, a load run: its clients, rates and \
                            lengths are described in docs/load.md."
    )]
    Dbload(DbloadCommand),
    /// Allocating, copying and elementary functions of the C library
    Libc(With<LibcArgs>),
    /// Say which C library, linkage and allocator this program runs with
    Identity {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Run or attach to any program and say what it costs: CPU, memory and threads over time
    Watch(WatchArgs),
    /// Start a temporary PostgreSQL server, print DATABASE_URL=… and `ready`, and stay until standard
    /// input ends or a signal to terminate comes
    ServePostgres,
    /// List the cases of a configuration: name, suites, arguments
    Cases {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = "duet.toml")]
        config: PathBuf,
    },
}

/// A workload's own arguments with those that all workloads have.
#[derive(Args)]
pub struct With<A: Args> {
    #[command(flatten)]
    workload: A,
    #[command(flatten)]
    options: RunOptions,
}

/// A case of the database, or a load run.
#[derive(Args)]
pub struct DbloadCommand {
    #[command(flatten)]
    case: With<DbloadArgs>,
    #[command(flatten)]
    load: LoadRunArgs,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Running")]
pub struct RunOptions {
    /// Measured iterations
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub iterations: u64,
    /// Iterations before those that are measured
    #[arg(long, default_value_t = 0)]
    pub warmup: u64,
    /// Print the observation, one JSON object a case, instead of the log
    #[arg(long)]
    pub json: bool,
    /// Write CPU and memory every 100 ms to this file, as CSV
    #[arg(long, value_name = "FILE")]
    pub timeline: Option<PathBuf>,
    /// Let another program set the pace: `{"ready":true}` after the set-up, then a turn of N iterations for
    /// each line `go N` on standard input, and the observation after `end`
    #[arg(long, conflicts_with_all = ["iterations", "timeline", "only"])]
    pub paced: bool,
    /// For testing instruments only: make every iteration longer by this share, by spinning; 0.03 is 3 %
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    pub slowdown: Option<f64>,
    /// Run only the case at this position, counted from 0; how a process per case is started
    #[arg(long, hide = true)]
    pub only: Option<usize>,
}

/// What the command line asks for.
pub enum Task {
    Run(WorkloadArgs, RunOptions),
    Load {
        shared: DbloadArgs,
        load: LoadRunArgs,
        json: bool,
    },
    Identity {
        json: bool,
    },
    Watch(WatchArgs),
    ServePostgres,
    Cases {
        config: PathBuf,
    },
}

impl From<Command> for Task {
    fn from(command: Command) -> Task {
        match command {
            Command::Kmeans(with) => Task::Run(WorkloadArgs::Kmeans(with.workload), with.options),
            Command::Forest(with) => Task::Run(WorkloadArgs::Forest(with.workload), with.options),
            Command::Dbload(DbloadCommand { case, load }) if load.mix.is_some() => Task::Load {
                shared: case.workload,
                load,
                json: case.options.json,
            },
            Command::Dbload(DbloadCommand { case, .. }) => {
                Task::Run(WorkloadArgs::Dbload(case.workload), case.options)
            }
            Command::Libc(with) => Task::Run(WorkloadArgs::Libc(with.workload), with.options),
            Command::Identity { json } => Task::Identity { json },
            Command::Watch(args) => Task::Watch(args),
            Command::ServePostgres => Task::ServePostgres,
            Command::Cases { config } => Task::Cases { config },
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        CommandLine::command().debug_assert();
    }
}
