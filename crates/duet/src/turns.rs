//! How the processes of a block share the machine, and how their work is cut into turns.

use serde::{Deserialize, Serialize};

/// How the processes of a block share the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Interleave {
    /// All alive at once; each runs a turn of a few milliseconds when told, in changing order.
    Lockstep,
    /// All at work at once, but only one of them is let run: the others are stopped, in slices of some
    /// milliseconds and in changing order.
    Sliced,
    /// One after the other.
    Sequential,
    /// Two single-threaded processes at the same time, each on a CPU of its own.
    #[value(skip)]
    Concurrent,
}

impl Interleave {
    /// What people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Lockstep => "lock-step",
            Self::Sliced => "time-sliced",
            Self::Sequential => "one after the other",
            Self::Concurrent => "at the same time",
        }
    }
}

/// What decides how the processes of a case can share the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shape {
    /// Seconds of one iteration.
    pub iteration_seconds: f64,
    /// Whether work goes on while the process is stopped, as that of a database server does.
    pub works_elsewhere: bool,
    /// Whether stopping the started process stops the program, for every variant.
    pub can_be_stopped: bool,
}

/// The length of a turn that lock-step aims at. Shorter turns cancel more of a shared host's noise
/// (docs/methodology.md), but each costs a wake-up of the process.
const LOCKSTEP_TURN_SECONDS: f64 = 0.004;

/// Iterations up to this length take turns in lock-step. On a noisy host turns of 20 ms still cancel most
/// of what short ones do; longer ones lose it fast, above all where memory is the bottleneck.
const LONGEST_LOCKSTEP_ITERATION_SECONDS: f64 = 0.02;

/// The same where slices cannot be had: turns of this length cancel little, and longer ones nothing.
const LONGEST_UNSLICED_LOCKSTEP_ITERATION_SECONDS: f64 = 0.1;

/// The length of a turn that time slices aim at: one iteration, of those that are long enough for slices, and eight
/// of the shortest slices of others. Slices cancel what changes slowly. What comes in bursts of some milliseconds
/// meets one of the two processes and makes a turn wrong; many turns have a median that such turns do not move.
const SLICED_TURN_SECONDS: f64 = 0.04;

/// Turns of two processes at the same time: long beside the moment by which one starts before the other.
const CONCURRENT_TURN_SECONDS: f64 = 0.02;

/// Warm-up of a process; at least one turn.
const WARMUP_SECONDS: f64 = 0.05;

/// The longest and the default length of a slice. The second length in a block is twice this one.
const LONGEST_SLICE_NS: f64 = 20e6;

/// The shortest slice: stopping and continuing take 0.1 to 0.2 ms.
const SHORTEST_SLICE_NS: f64 = 5e6;

/// Slices in a turn that short iterations are given shorter slices for.
const SLICES_PER_TURN: f64 = 8.0;

/// Runners that replace themselves by the program, so that a signal to the started process reaches it.
const RUNNERS_THAT_EXEC: [&str; 12] = [
    "chroot", "chrt", "env", "ionice", "nice", "nohup", "numactl", "prlimit", "setarch", "setpriv",
    "stdbuf", "taskset",
];

/// Whether a signal to a process that is started with this runner reaches the program itself. A container
/// engine's client does not pass a stop on.
pub fn can_be_stopped(runner: &[String]) -> bool {
    let Some(first) = runner.first() else {
        return true;
    };
    let name = first.rsplit('/').next().unwrap_or(first);
    // The dynamic loader as the runner maps the program into its own process.
    RUNNERS_THAT_EXEC.contains(&name) || name.starts_with("ld-")
}

impl Interleave {
    /// The way that cancels most of a shared host's noise among those that the case allows.
    pub fn for_shape(shape: &Shape) -> Self {
        let seconds = shape.iteration_seconds;
        if seconds <= LONGEST_LOCKSTEP_ITERATION_SECONDS || shape.works_elsewhere {
            // A server's work goes on while its client is stopped: slices would give it away for
            // nothing. A turn that is too long for lock-step is still the best that can be had.
            Self::Lockstep
        } else if shape.can_be_stopped {
            Self::Sliced
        } else if seconds <= LONGEST_UNSLICED_LOCKSTEP_ITERATION_SECONDS {
            Self::Lockstep
        } else {
            Self::Sequential
        }
    }
}

/// How one process of a case is cut into turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turns {
    /// Iterations in one turn.
    pub iterations_per_turn: u64,
    /// Turns set aside.
    pub warmup_turns: usize,
    /// Turns measured.
    pub turns: usize,
}

impl Turns {
    /// The turns that make about `seconds` of measured work from iterations of `iteration_seconds`.
    pub fn new(interleave: Interleave, iteration_seconds: f64, seconds: f64) -> Self {
        let iteration_seconds = iteration_seconds.max(1e-9);
        let aim = match interleave {
            Interleave::Lockstep | Interleave::Sequential => LOCKSTEP_TURN_SECONDS,
            Interleave::Sliced => SLICED_TURN_SECONDS,
            Interleave::Concurrent => CONCURRENT_TURN_SECONDS,
        };
        let iterations_per_turn = (aim / iteration_seconds).round().max(1.0);
        let turn_seconds = iterations_per_turn * iteration_seconds;
        let turns = seconds / turn_seconds;
        // An even number, so that of two variants each comes first equally often and of two slice
        // lengths each is used equally often.
        let even = (turns / 2.0).round() as usize * 2;
        Self {
            iterations_per_turn: iterations_per_turn as u64,
            warmup_turns: (WARMUP_SECONDS / turn_seconds).ceil().max(1.0) as usize,
            turns: match interleave {
                Interleave::Lockstep | Interleave::Concurrent => even.max(2),
                // One iteration may be long: it is not doubled for the sake of balance.
                Interleave::Sliced => even.max(1),
                Interleave::Sequential => turns.round().max(1.0) as usize,
            },
        }
    }
}

/// The length of the shorter slices for turns of `turn_seconds`, nanoseconds: 20 ms, or a twelfth of the
/// turn where that is less, but at least 5 ms.
pub fn slice_ns(turn_seconds: f64) -> u64 {
    (turn_seconds * 1e9 / SLICES_PER_TURN).clamp(SHORTEST_SLICE_NS, LONGEST_SLICE_NS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use Interleave::{Concurrent, Lockstep, Sequential, Sliced};

    #[track_caller]
    fn check(
        interleave: Interleave,
        iteration: f64,
        seconds: f64,
        (iterations_per_turn, warmup_turns, turns): (u64, usize, usize),
    ) {
        let expected = Turns {
            iterations_per_turn,
            warmup_turns,
            turns,
        };
        assert_eq!(Turns::new(interleave, iteration, seconds), expected);
    }

    #[test]
    fn turns_fit_the_length_of_an_iteration() {
        check(Lockstep, 1e-6, 1.0, (4000, 13, 250));
        check(Lockstep, 0.004, 1.0, (1, 13, 250));
        check(Lockstep, 0.1, 1.0, (1, 1, 10));
        check(Lockstep, 0.2, 0.1, (1, 1, 2));
        check(Lockstep, 0.0, 0.001, (4_000_000, 13, 2));
        check(Sliced, 0.025, 2.0, (2, 1, 40));
        check(Sliced, 0.1, 1.0, (1, 1, 10));
        check(Sliced, 0.3, 1.0, (1, 1, 4));
        check(Sliced, 0.025, 0.1, (2, 1, 2));
        check(Sliced, 0.4, 1.0, (1, 1, 2));
        check(Sliced, 20.0, 1.0, (1, 1, 1));
        check(Sliced, 20.0, 0.0, (1, 1, 1));
        check(Sequential, 0.3, 1.0, (1, 1, 3));
        check(Sequential, 1e-6, 1.0, (4000, 13, 250));
        check(Sequential, 20.0, 0.0, (1, 1, 1));
        check(Concurrent, 0.001, 1.0, (20, 3, 50));
    }

    #[track_caller]
    fn check_choice(
        iteration_seconds: f64,
        works_elsewhere: bool,
        stop: bool,
        expected: Interleave,
    ) {
        let shape = Shape {
            iteration_seconds,
            works_elsewhere,
            can_be_stopped: stop,
        };
        assert_eq!(Interleave::for_shape(&shape), expected);
    }

    #[test]
    fn the_choice_is_the_finest_that_the_case_allows() {
        check_choice(1e-6, false, true, Lockstep);
        check_choice(0.02, false, true, Lockstep);
        check_choice(0.021, false, true, Sliced);
        check_choice(60.0, false, true, Sliced);
        check_choice(0.05, false, false, Lockstep);
        check_choice(0.11, false, false, Sequential);
        check_choice(10.0, true, true, Lockstep);
        check_choice(10.0, true, false, Lockstep);
    }

    #[track_caller]
    fn check_runner(runner: &str, expected: bool) {
        let runner: Vec<String> = runner.split_whitespace().map(String::from).collect();
        assert_eq!(can_be_stopped(&runner), expected, "{runner:?}");
    }

    #[test]
    fn runners_that_stay_in_between_cannot_be_stopped() {
        check_runner("", true);
        check_runner("/usr/bin/taskset -c 1", true);
        check_runner("nice -n 5", true);
        check_runner("/lib/ld-musl-x86_64.so.1", true);
        check_runner("docker run --rm image", false);
        check_runner("sh -c", false);
    }

    #[test]
    fn slices_are_short_beside_their_turn_and_long_beside_a_stop() {
        assert_eq!(slice_ns(0.24), 20_000_000);
        assert_eq!(slice_ns(60.0), 20_000_000);
        assert_eq!(slice_ns(0.12), 15_000_000);
        assert_eq!(slice_ns(0.08), 10_000_000);
        assert_eq!(slice_ns(0.01), 5_000_000);
    }
}
