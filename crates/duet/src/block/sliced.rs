//! Time slices: the processes of a block work all at once, but only one at a time is let run.
//!
//! Each is stopped (`SIGSTOP` to its process group) and known to stand before the next is continued. A
//! ledger on the monotonic clock says who was let run when, and a process's active time is the overlap of
//! its slices with the section that it reports. The ledger counts from before a process is continued until
//! it is known to stand, so that time can be missing from no one.
//!
//! A process that is through with its turn leaves the others to themselves. They go on in slices, with
//! nobody in between, so that the tail of the turn costs what the rest did. In that tail nothing is
//! cancelled; it is as long as the processes differ, and at most a slice of identical ones.

use std::path::Path;
use std::time::Duration;

use probe::monotonic_ns;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Block;
use crate::journal::ProcessEntry;
use crate::process::{Failure, Process, TURN, Turn};
use crate::schedule::{balanced_orders, generator};
use crate::slices::{Ledger, Section, Slice, Slices};
use crate::turns::slice_ns;

/// CPU time may exceed active time times threads by this factor and this much before the ledger is not
/// believed: kernels may count CPU time in ticks of 10 ms.
const CPU_TOLERANCE: (f64, f64) = (1.01, 10e6);

impl Block<'_> {
    /// All at work at once, one at a time let run.
    pub(super) fn sliced(
        &self,
        order: &[usize],
        entries: &mut [ProcessEntry],
    ) -> Result<(), (usize, Failure)> {
        // Slices shall end when they are due, and not up to 50 µs later for the sake of saving power.
        // Where that is refused they end later.
        let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
        let mut alive: Vec<Option<Process>> = order.iter().map(|_| None).collect();
        for &variant in order {
            let failed = |failure| (variant, failure);
            let mut process = self.start(variant).map_err(failed)?;
            let settings = &self.plan.variants[variant];
            if !settings.settings.runner.is_empty() {
                check_program(&mut process, &settings.binary).map_err(failed)?;
            }
            process.stop().map_err(failed)?;
            alive[variant] = Some(process);
        }
        let mut processes: Vec<Process> = alive.into_iter().flatten().collect();
        let mut ledgers = Vec::new();
        for (number, length) in self.slice_lengths().into_iter().enumerate() {
            let iterations = self.case.iterations_per_turn;
            let mut rng = self.generator("slices", number);
            let (ledger, turns) = turn_in_slices(&mut processes, iterations, length, &mut rng)?;
            for (entry, turn) in entries.iter_mut().zip(turns) {
                entry.turns.push(turn);
            }
            ledgers.push(ledger);
        }
        for (variant, entry) in entries.iter_mut().enumerate() {
            let turns = entry.turns.iter().zip(&ledgers);
            let sections: Vec<Section> = turns
                .skip(self.case.warmup_turns)
                .map(|(turn, ledger)| Section {
                    start_ns: turn.start_ns,
                    end_ns: turn.end_ns,
                    active_ns: turn.wall_ns(),
                    ledger,
                })
                .collect();
            entry.slices = Slices::of(variant, &sections);
        }
        for (variant, mut process) in processes.into_iter().enumerate() {
            entries[variant].timeline = process.timeline();
            let observation = process.resume().and_then(|()| process.finish());
            entries[variant].observation = Some(observation.map_err(|failure| (variant, failure))?);
        }
        Ok(())
    }

    /// The length of the slices of each turn, nanoseconds. Of each pair of measured turns one has slices of
    /// twice the length, by chance the first or the second.
    fn slice_lengths(&self) -> Vec<u64> {
        let turn_seconds = self.case.iterations_per_turn as f64 * self.case.calibrated_seconds;
        let short = slice_ns(turn_seconds);
        let mut rng = self.generator("slice lengths", 0);
        let pairs = balanced_orders(&mut rng, 2, self.case.turns / 2).concat();
        let mut lengths = vec![short; self.case.warmup_turns];
        lengths.extend(pairs.into_iter().map(|which| short << which));
        lengths.resize(self.case.warmup_turns + self.case.turns, short);
        lengths
    }

    fn generator(&self, purpose: &str, turn: usize) -> Xoshiro256PlusPlus {
        let numbers = [self.number, turn].map(|number| number.to_string());
        let purpose = [purpose, &self.case.id, &numbers[0], &numbers[1]];
        generator(self.plan.seed.into(), &purpose)
    }
}

/// Runs a turn of all processes, which stand stopped before and after it, in slices of `slice_ns`: the slices
/// and, in the order of the processes, the turns.
///
/// # Errors
/// The process that failed, and how; or the user's interrupt.
pub(crate) fn turn_in_slices(
    processes: &mut [Process],
    iterations: u64,
    slice_ns: u64,
    rng: &mut Xoshiro256PlusPlus,
) -> Result<(Ledger, Vec<Turn>), (usize, Failure)> {
    let mut ledger = Ledger {
        slices: Vec::new(),
        slice_ns,
    };
    let mut turns: Vec<Option<Turn>> = vec![None; processes.len()];
    // The words wait in the pipes until their readers are let run.
    for (variant, process) in processes.iter_mut().enumerate() {
        let told = process.go(iterations);
        told.map_err(|failure| (variant, failure))?;
    }
    while turns.iter().any(Option::is_none) {
        // Whole Williams squares of orders: every process comes first, and after every other, equally
        // often.
        for order in balanced_orders(rng, processes.len(), 2 * processes.len()) {
            for variant in order {
                if turns[variant].is_none() {
                    let turn = slice(&mut processes[variant], variant, &mut ledger);
                    turns[variant] = turn.map_err(|failure| (variant, failure))?;
                }
            }
        }
    }
    Ok((ledger, turns.into_iter().flatten().collect()))
}

/// Whether the runner put the program in its own place, so that a stop reaches it.
fn check_program(process: &mut Process, binary: &Path) -> Result<(), Failure> {
    let Ok(runs) = std::fs::read_link(format!("/proc/{}/exe", process.pid())) else {
        return Ok(());
    };
    let name = runs.file_name();
    // Run through its dynamic loader the program is a file that the loader has mapped.
    let is_loader = name.is_some_and(|name| name.to_string_lossy().starts_with("ld-"));
    if is_loader || name == binary.file_name() {
        return Ok(());
    }
    Err(process.failure(&format!(
        "its runner put {} between the tool and the program, which a stop would not reach; give the case \
         interleave = \"sequential\", or use --interleave sequential",
        runs.display()
    )))
}

/// Lets a process run for a slice, at most until it has answered.
fn slice(
    process: &mut Process,
    variant: usize,
    ledger: &mut Ledger,
) -> Result<Option<Turn>, Failure> {
    let from_ns = monotonic_ns();
    process.resume()?;
    let turn = process.turn_within(Duration::from_nanos(ledger.slice_ns))?;
    let asked_ns = monotonic_ns();
    process.stop()?;
    ledger.slices.push(Slice {
        process: variant,
        from_ns,
        asked_ns,
        to_ns: monotonic_ns(),
    });
    let ran = ledger.slices.last().map_or(0, Slice::length_ns);
    process.has_run(ran);
    process.most_threads();
    if turn.is_none() && u128::from(process.ran_in_turn_ns()) > process.timeout().as_nanos() {
        return Err(process.hung(TURN));
    }
    turn.map(|turn| active(process, variant, turn, ledger))
        .transpose()
}

/// The turn with its active time, held against its CPU time.
fn active(
    process: &mut Process,
    variant: usize,
    turn: Turn,
    ledger: &Ledger,
) -> Result<Turn, Failure> {
    let active_ns = ledger
        .active_ns(variant, turn.start_ns, turn.end_ns)
        .map_err(|complaint| process.failure(&complaint))?;
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
    let threads = process.most_threads().unwrap_or(cpus).min(cpus);
    let most = (active_ns * threads) as f64 * CPU_TOLERANCE.0 + CPU_TOLERANCE.1;
    if turn.cpu_ns() as f64 > most {
        return Err(process.failure(&format!(
            "it used {:.1} ms of CPU time in {:.1} ms for which its {threads} threads were let run: somebody \
             else continued it, or its clocks are wrong",
            turn.cpu_ns() as f64 / 1e6,
            active_ns as f64 / 1e6
        )));
    }
    Ok(Turn {
        active_ns: Some(active_ns),
        ..turn
    })
}
