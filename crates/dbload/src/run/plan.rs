//! What a load run does: its mix, its model, its length.

use std::thread;
use std::time::Duration;

use super::ramp::Ramp;
use crate::DbloadError;
use crate::mix::Mix;
use crate::pool::Pool;

/// The most clients of one run.
pub const MAX_CLIENTS: u32 = 1_024;

/// The highest rate of arrivals, a second.
pub const MAX_RATE: f64 = 1_000_000.0;

/// The longest duration of anything in a plan: a thousand hours.
const LONGEST: Duration = Duration::from_secs(3_600_000);

/// A load run: which operations, who asks them when, and for how long.
///
/// What is asked follows from [`seed`](Self::seed) and the number of the operation in the run alone,
/// whichever client takes it: two runs of equally many operations ask the same.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadPlan {
    /// The operations and their weights.
    pub mix: Mix,
    /// Who asks, and when.
    pub model: LoadModel,
    /// What comes before the measured part and is in no figure; none by default.
    pub warm_up: Length,
    /// The length of the measured part. An operation that was started before the end is finished and
    /// counts.
    pub length: Length,
    /// The seed of what is asked, of arrivals and of think times; 42 by default.
    pub seed: u64,
    /// How long the server may give no answer at all, while operations fail or wait for one, before the
    /// run ends early ([`Ended::GaveUp`](crate::Ended)); 30 s by default. Within that time the run goes
    /// on, through as many restarts of the server as there are. It should be longer than the slowest
    /// answer.
    pub give_up_after: Duration,
    /// In how many threads the clients are, at most as many as there are clients; `None` (the default) for
    /// what suits the model. In a closed loop that is as many as the process may use processors: the
    /// clients of a thread wait together, which saves switching between threads, though one may wait while another's
    /// answer is decoded. In an open loop it is a thread for each client, so that no arrival waits for that.
    ///
    /// Without a pool, and with one that tests connections, each client needs a thread for itself.
    pub threads: Option<u32>,
}

/// When operations are started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LoadModel {
    /// Each client waits for an answer, thinks, and asks again: a fixed number of users.
    ///
    /// A slow answer keeps its client from asking, so that what would have been late is not asked and
    /// not seen (coordinated omission). For latencies under a given load take the open loop.
    Closed {
        /// How many clients; at most [`MAX_CLIENTS`].
        clients: Ramp<u32>,
        /// The time between an answer and the next question.
        think: ThinkTime,
    },
    /// Operations arrive at a rate, whether or not earlier ones were answered: many independent users.
    ///
    /// The latency of an operation counts from its scheduled arrival, so that what waits behind a
    /// slow answer is seen to be late.
    Open {
        /// Arrivals a second, more than 0 and at most [`MAX_RATE`].
        rate: Ramp<f64>,
        /// How arrivals are spaced.
        arrivals: Arrivals,
        /// How many operations can be under way at once; at most [`MAX_CLIENTS`]. Arrivals beyond that wait.
        clients: u32,
        /// Arrivals that waited longer than this are dropped and counted as such; `None`, the usual
        /// choice, for all to be started until the run ends.
        max_lag: Option<Duration>,
    },
}

/// The pause of a client of a closed loop between an answer and its next question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThinkTime {
    /// No pause.
    #[default]
    None,
    /// Always the same.
    Fixed(Duration),
    /// Exponentially distributed with this mean, drawn anew for each pause.
    Exponential(Duration),
}

/// How the arrivals of an open loop are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrivals {
    /// A Poisson process, as of many users who know nothing of each other: exponential gaps, drawn
    /// from the seed. With a ramp, the process is made by inversion of the integrated rate (Çinlar,
    /// "Introduction to Stochastic Processes", 1975, section 4.7).
    #[default]
    Poisson,
    /// Equal gaps, the first arrival at the start.
    Fixed,
}

/// How long a part of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A time.
    Duration(Duration),
    /// A number of operations, of all clients together.
    Operations(u64),
}

impl Length {
    /// No part at all.
    pub const NONE: Self = Self::Operations(0);
}

impl LoadPlan {
    /// A plan without warm-up, of seed 42, which gives a server up after 30 s.
    pub fn new(mix: Mix, model: LoadModel, length: Length) -> Self {
        Self {
            mix,
            model,
            warm_up: Length::NONE,
            length,
            seed: 42,
            give_up_after: Duration::from_secs(30),
            threads: None,
        }
    }

    /// How many clients there are at most.
    pub(super) fn clients(&self) -> u32 {
        match self.model {
            LoadModel::Closed { clients, .. } => clients.most(),
            LoadModel::Open { clients, .. } => clients,
        }
    }

    /// How many threads the plan is run in with this pool.
    pub(super) fn threads_with(&self, pool: &Pool) -> Result<u32, DbloadError> {
        let clients = self.clients();
        match (self.threads, self.model) {
            (None, _) if pool.keeps_threads() => Ok(clients),
            (Some(threads), _) if pool.keeps_threads() && threads < clients => refuse(
                "threads",
                format!(
                    "without a pool, or with one that tests connections, {clients} clients need as many, not {threads}"
                ),
            ),
            (Some(threads), _) => Ok(threads),
            (None, LoadModel::Open { .. }) => Ok(clients),
            (None, LoadModel::Closed { .. }) => {
                let processors = thread::available_parallelism().map_or(1, usize::from);
                Ok(clients.min(u32::try_from(processors).unwrap_or(u32::MAX)))
            }
        }
    }

    /// Whether the plan can be run; a run checks it by itself.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] for what is out of range.
    pub fn check(&self) -> Result<(), DbloadError> {
        let clients = self.clients();
        if !(1..=MAX_CLIENTS).contains(&clients) {
            return refuse("clients", format!("{clients} is not in 1 to {MAX_CLIENTS}"));
        }
        if let Some(threads) = self.threads
            && !(1..=clients).contains(&threads)
        {
            let reason = format!("{threads} is not in 1 to {clients}, the number of clients");
            return refuse("threads", reason);
        }
        let mut durations = vec![("give-up time", self.give_up_after)];
        if self.give_up_after.is_zero() {
            return refuse("give-up time", "0 would end the run at the first failure");
        }
        match self.length {
            Length::Duration(Duration::ZERO) | Length::Operations(0) => {
                return refuse("length", "0 leaves nothing to measure");
            }
            Length::Duration(length) => durations.push(("length", length)),
            Length::Operations(_) => (),
        }
        if let Length::Duration(warm_up) = self.warm_up {
            durations.push(("warm-up", warm_up));
        }
        match self.model {
            LoadModel::Closed { clients, think } => {
                durations.push(("ramp", clients.over));
                if let ThinkTime::Fixed(time) | ThinkTime::Exponential(time) = think {
                    durations.push(("think time", time));
                }
                self.check_ramp_down(clients.to == 0)?;
            }
            LoadModel::Open { rate, max_lag, .. } => {
                for rate in [rate.from, rate.to] {
                    if !(0.0..=MAX_RATE).contains(&rate) {
                        return refuse("rate", out_of_range(rate));
                    }
                }
                if rate.from == 0.0 && rate.to == 0.0 {
                    return refuse("rate", "0 leaves nothing to do");
                }
                durations.push(("ramp", rate.over));
                durations.extend(max_lag.map(|lag| ("largest lag", lag)));
                self.check_ramp_down(rate.to == 0.0)?;
            }
        }
        for (parameter, duration) in durations {
            if duration > LONGEST {
                let hours = LONGEST.as_secs() / 3_600;
                return refuse(
                    parameter,
                    format!("{duration:?} is longer than {hours} hours"),
                );
            }
        }
        Ok(())
    }

    /// A count of operations may never be reached once nobody asks any more.
    fn check_ramp_down(&self, to_nothing: bool) -> Result<(), DbloadError> {
        let counted = [self.warm_up, self.length]
            .iter()
            .any(|length| matches!(length, Length::Operations(1..)));
        if to_nothing && counted {
            return refuse(
                "ramp",
                "one that ends at 0 needs a duration, not a number of operations",
            );
        }
        Ok(())
    }
}

/// A number of very many digits is shown as it is usually typed.
fn out_of_range(rate: f64) -> String {
    match rate.abs() < 1e15 || !rate.is_finite() {
        true => format!("{rate} is not in 0 to {MAX_RATE}"),
        false => format!("{rate:e} is not in 0 to {MAX_RATE}"),
    }
}

fn refuse<T>(parameter: &'static str, reason: impl Into<String>) -> Result<T, DbloadError> {
    Err(DbloadError::parameter(parameter, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Operation;

    fn closed(from: u32, to: u32) -> LoadModel {
        LoadModel::Closed {
            clients: Ramp {
                from,
                to,
                over: Duration::from_secs(1),
            },
            think: ThinkTime::None,
        }
    }

    fn open(from: f64, to: f64, clients: u32) -> LoadModel {
        LoadModel::Open {
            rate: Ramp {
                from,
                to,
                over: Duration::from_secs(1),
            },
            arrivals: Arrivals::Fixed,
            clients,
            max_lag: None,
        }
    }

    fn plan(model: LoadModel, length: Length) -> LoadPlan {
        let mix = Mix::new([(Operation::UserByName, 1)]).expect("a mix");
        LoadPlan::new(mix, model, length)
    }

    #[track_caller]
    fn check_refused(plan: &LoadPlan, message: &str) {
        let error = plan.check().expect_err("a bad plan").to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn bad_plans_are_refused() {
        let second = Length::Duration(Duration::from_secs(1));
        assert!(plan(closed(0, 3), second).check().is_ok());
        assert!(
            plan(open(0.0, 3.0, 1), Length::Operations(9))
                .check()
                .is_ok()
        );
        check_refused(
            &plan(closed(0, 0), second),
            "clients: 0 is not in 1 to 1024",
        );
        check_refused(&plan(closed(1, 1_025), second), "clients: 1025");
        check_refused(&plan(open(1.0, 1.0, 0), second), "clients: 0");
        check_refused(&plan(closed(1, 1), Length::Operations(0)), "invalid length");
        check_refused(
            &plan(closed(1, 1), Length::Duration(Duration::ZERO)),
            "invalid length",
        );
        check_refused(&plan(open(0.0, 0.0, 1), second), "rate: 0 leaves");
        check_refused(&plan(open(-1.0, 1.0, 1), second), "rate: -1 is not in");
        check_refused(&plan(open(f64::NAN, 1.0, 1), second), "rate: NaN is not in");
        check_refused(
            &plan(open(1.0, f64::INFINITY, 1), second),
            "rate: inf is not in",
        );
        check_refused(
            &plan(open(1.0, 1e300, 1), second),
            "rate: 1e300 is not in 0 to 1000000",
        );
        check_refused(
            &plan(open(5.0, 0.0, 1), Length::Operations(9)),
            "ramp: one that ends at 0",
        );
        check_refused(
            &plan(closed(5, 0), Length::Operations(9)),
            "ramp: one that ends at 0",
        );
        let long = Length::Duration(LONGEST + Duration::from_secs(1));
        check_refused(&plan(closed(1, 1), long), "longer than 1000 hours");
        let impatient = LoadPlan {
            give_up_after: Duration::ZERO,
            ..plan(closed(1, 1), second)
        };
        check_refused(&impatient, "give-up time");
        let in_threads = |threads| LoadPlan {
            threads: Some(threads),
            ..plan(open(1.0, 1.0, 3), second)
        };
        assert!(in_threads(1).check().is_ok() && in_threads(3).check().is_ok());
        check_refused(&in_threads(0), "threads: 0 is not in 1 to 3, the number");
        check_refused(&in_threads(4), "threads: 4 is not in 1 to 3");
    }
}
