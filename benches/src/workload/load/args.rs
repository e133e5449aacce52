//! The arguments of a load run, and the plan that they describe.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use benches::dbload::DbloadArgs;
use benches::size;
use clap::{Args, ValueEnum};
use dbload::{
    Arrivals, DatasetConfig, Length, LoadModel, LoadPlan, Mix, Operation, PoolConfig, Ramp,
    ThinkTime,
};

use crate::failure::Failure;

/// The clients of an open loop, where the command line does not say.
const OPEN_LOOP_CLIENTS: u32 = 16;

const DEFAULT_DURATION: Duration = Duration::from_secs(30);

/// What a load run has besides the arguments that it shares with cases.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Load run")]
// Of the group and not of `--mix` alone: clap forgets that an option requires `--mix` where that is in conflict.
#[group(
    id = "load_run",
    multiple = true,
    conflicts_with_all = ["operation", "iterations", "warmup", "timeline", "paced", "slowdown", "only"]
)]
pub struct LoadRunArgs {
    /// Run a load of this mix: origin, read, read-write, the name of an operation, or a file of TOML with the
    /// weights of operations
    #[arg(long, value_name = "NAME|FILE")]
    pub mix: Option<String>,
    /// Open loop: operations arrive at this rate a second, and their latency counts from the scheduled arrival;
    /// without it a closed loop, in which each client waits for its answer
    #[arg(
        long,
        value_name = "PER SECOND",
        requires = "mix",
        conflicts_with = "think",
        allow_negative_numbers = true
    )]
    rate: Option<f64>,
    /// How arrivals are spaced
    #[arg(long, value_enum, default_value = "poisson", requires = "rate")]
    arrivals: ArrivalsArg,
    /// Drop (and count) arrivals that have waited for a client longer than this
    #[arg(long, value_name = "TIME", requires = "rate", value_parser = humantime::parse_duration)]
    max_lag: Option<Duration>,
    /// Closed loop: the pause of a client between an answer and its next question
    #[arg(long, value_name = "TIME", requires = "mix", value_parser = humantime::parse_duration)]
    think: Option<Duration>,
    /// Whether pauses are all the same, or drawn with that mean
    #[arg(long, value_enum, default_value = "fixed", requires = "think")]
    think_spread: ThinkSpread,
    /// Start at this rate (or with this many clients) and change to --rate (or --clients) over this time, counted
    /// from the start of the run: 0:20s
    #[arg(long, value_name = "FROM:TIME", requires = "mix", allow_hyphen_values = true, value_parser = parse_ramp)]
    ramp: Option<(f64, Duration)>,
    /// How long to measure; --operations N instead measures so many [default: 30s]
    #[arg(
        long,
        value_name = "TIME",
        requires = "mix",
        conflicts_with = "operations",
        value_parser = humantime::parse_duration
    )]
    duration: Option<Duration>,
    /// What comes before and is in no figure: a time, or a number of operations
    #[arg(long, value_name = "TIME|N", requires = "mix", value_parser = parse_length)]
    warm_up: Option<Length>,
    /// How many threads serve the clients [default: in a closed loop as many as there are processors, in an open loop and
    /// without a pool one for each client]
    #[arg(
        long,
        value_name = "N",
        requires = "mix",
        conflicts_with = "no_pool",
        allow_negative_numbers = true
    )]
    threads: Option<u32>,
    /// Connections of the pool [default: one for each client]; with several sizes a run for each, and the knee
    #[arg(long, value_name = "N,…", requires = "mix", value_delimiter = ',', allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pool: Vec<u32>,
    /// No pool: every operation opens a connection of its own and closes it again
    #[arg(long, requires = "mix", conflicts_with = "pool")]
    no_pool: bool,
    /// How long an operation waits for a connection of the pool
    #[arg(long, value_name = "TIME", requires = "mix", default_value = "10s", value_parser = humantime::parse_duration)]
    pool_timeout: Duration,
    /// When the server gives up on a statement [default: 60s]
    #[arg(long, value_name = "TIME", requires = "mix", value_parser = humantime::parse_duration)]
    statement_timeout: Option<Duration>,
    /// How long a statement waits for a lock [default: as long as the statement may take]
    #[arg(long, value_name = "TIME", requires = "mix", value_parser = humantime::parse_duration)]
    lock_timeout: Option<Duration>,
    /// End early when the server has not answered anything for this long, though it was asked
    #[arg(long, value_name = "TIME", requires = "mix", default_value = "30s", value_parser = humantime::parse_duration)]
    give_up_after: Duration,
    /// The schema for the tables, of this program's own
    #[arg(long, value_name = "NAME", requires = "mix", default_value = "dbload")]
    schema: String,
    /// Write a row for each second to this file, as CSV
    #[arg(long, value_name = "FILE", requires = "mix")]
    pub csv: Option<PathBuf>,
    /// Write the latencies of each second to this file, as an HdrHistogram interval log
    #[arg(long, value_name = "FILE", requires = "mix")]
    pub hdr: Option<PathBuf>,
    /// Show no progress
    #[arg(long, requires = "mix")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ArrivalsArg {
    /// Exponential gaps, as of many users who know nothing of each other.
    Poisson,
    /// Equal gaps.
    Fixed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ThinkSpread {
    /// All the same.
    Fixed,
    /// Exponentially distributed.
    Exponential,
}

impl LoadRunArgs {
    /// The plan of every run.
    pub fn plan(&self, shared: &DbloadArgs) -> Result<LoadPlan, Failure> {
        let clients = self.clients(shared);
        let model = match self.rate {
            Some(rate) => LoadModel::Open {
                rate: match self.ramp {
                    Some((from, over)) => Ramp {
                        from,
                        to: rate,
                        over,
                    },
                    None => Ramp::steady(rate),
                },
                arrivals: match self.arrivals {
                    ArrivalsArg::Poisson => Arrivals::Poisson,
                    ArrivalsArg::Fixed => Arrivals::Fixed,
                },
                clients,
                max_lag: self.max_lag,
            },
            None => LoadModel::Closed {
                clients: match self.ramp {
                    Some((from, over)) => Ramp {
                        from: whole(from)?,
                        to: clients,
                        over,
                    },
                    None => Ramp::steady(clients),
                },
                think: match (self.think, self.think_spread) {
                    (None, _) => ThinkTime::None,
                    (Some(pause), ThinkSpread::Fixed) => ThinkTime::Fixed(pause),
                    (Some(mean), ThinkSpread::Exponential) => ThinkTime::Exponential(mean),
                },
            },
        };
        let length = match shared.operations {
            Some(count) => Length::Operations(count.into()),
            None => Length::Duration(self.duration.unwrap_or(DEFAULT_DURATION)),
        };
        let mut plan = LoadPlan::new(self.read_mix()?, model, length);
        plan.seed = shared.seed.into();
        plan.give_up_after = self.give_up_after;
        plan.threads = self.threads;
        if let Some(warm_up) = self.warm_up {
            plan.warm_up = warm_up;
        }
        plan.check()
            .map_err(|error| Failure::usage(error.to_string()))?;
        Ok(plan)
    }

    /// The sizes of the pool, a run for each; `None` stands for no pool.
    pub fn pools(&self, shared: &DbloadArgs) -> Vec<Option<u32>> {
        match self.pool.as_slice() {
            [] if self.no_pool => vec![None],
            [] => vec![Some(self.clients(shared))],
            sizes => sizes.iter().copied().map(Some).collect(),
        }
    }

    /// The settings of every pool but its size.
    pub fn pool_config(&self, plan: &LoadPlan) -> PoolConfig {
        let mut config = PoolConfig {
            checkout_timeout: self.pool_timeout,
            lock_timeout: self.lock_timeout,
            operations: plan.mix.operations().collect(),
            ..PoolConfig::default()
        };
        if self.statement_timeout.is_some() {
            config.statement_timeout = self.statement_timeout;
        }
        config
    }

    pub fn dataset(&self, shared: &DbloadArgs) -> DatasetConfig {
        DatasetConfig {
            users: shared.users,
            seed: shared.seed.into(),
            schema: self.schema.clone(),
        }
    }

    fn clients(&self, shared: &DbloadArgs) -> u32 {
        let default = if self.rate.is_some() {
            OPEN_LOOP_CLIENTS
        } else {
            1
        };
        shared.clients.unwrap_or(default)
    }

    fn read_mix(&self) -> Result<Mix, Failure> {
        let name = self.mix.as_deref().unwrap_or_default();
        if Mix::BUILTIN.contains(&name) {
            return Mix::builtin(name).map_err(|error| Failure::failed(error.to_string()));
        }
        if let Ok(operation) = name.parse::<Operation>() {
            return Mix::new([(operation, 1)]).map_err(|error| Failure::failed(error.to_string()));
        }
        let text = fs::read_to_string(name).map_err(|error| {
            let built_in = Mix::BUILTIN.join(", ");
            let operations = Operation::ALL.map(Operation::as_str).join(", ");
            Failure::usage(format!(
                "--mix {name} is no built-in mix ({built_in}), no operation ({operations}), and no file that can \
                 be read: {error}"
            ))
        })?;
        Mix::parse(&text).map_err(|error| Failure::usage(format!("{name}: {error}")))
    }
}

fn whole(clients: f64) -> Result<u32, Failure> {
    let fits = clients.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&clients);
    fits.then_some(clients as u32).ok_or_else(|| {
        // A number of very many digits is shown as it is usually typed.
        Failure::usage(match clients.abs() < 1e15 {
            true => format!("--ramp {clients}: clients are whole numbers"),
            false => format!("--ramp {clients:e}: clients are at most {}", u32::MAX),
        })
    })
}

fn parse_ramp(text: &str) -> Result<(f64, Duration), String> {
    let (from, over) = text
        .split_once(':')
        .ok_or("write a level and a time, such as 0:20s")?;
    let from = from
        .parse::<f64>()
        .map_err(|error| format!("{from:?} is no number: {error}"))?;
    let over = humantime::parse_duration(over).map_err(|error| error.to_string())?;
    Ok((from, over))
}

/// Digits alone are a number of operations, so that `5m` is minutes.
fn parse_length(text: &str) -> Result<Length, String> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'_')
    {
        let count = size::parse(text)?;
        return Ok(Length::Operations(count as u64));
    }
    humantime::parse_duration(text)
        .map(Length::Duration)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_times_or_numbers() {
        assert_eq!(parse_length("200"), Ok(Length::Operations(200)));
        let minutes = Length::Duration(Duration::from_secs(300));
        assert_eq!(parse_length("5m"), Ok(minutes));
        assert!(parse_length("5 apples").is_err());
        assert!(parse_length("").is_err());
    }

    #[test]
    fn ramps_are_a_level_and_a_time() {
        assert_eq!(parse_ramp("0:20s"), Ok((0.0, Duration::from_secs(20))));
        assert_eq!(parse_ramp("2.5:1m"), Ok((2.5, Duration::from_secs(60))));
        assert!(parse_ramp("20s").is_err());
        assert!(parse_ramp("x:20s").is_err());
        assert!(parse_ramp("1:20").is_err());
        assert!(whole(3.0).is_ok() && whole(2.5).is_err() && whole(-1.0).is_err());
    }
}
