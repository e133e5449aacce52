//! Two single-threaded processes at the same time, each on a CPU of its own; the CPUs are swapped from
//! block to block.

use std::time::{Duration, Instant};

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::Block;
use crate::journal::ProcessEntry;
use crate::process::{Failure, Process, TURN, Turn};
use crate::schedule::balanced_order;

/// How long one process is waited for before the other one is looked at.
const GLANCE: Duration = Duration::from_millis(100);

impl Block<'_> {
    /// Both at the same time, a turn at a time.
    pub(super) fn concurrent(
        &self,
        order: &[usize],
        entries: &mut [ProcessEntry],
    ) -> Result<(), (usize, Failure)> {
        let cpus = two_cpus().map_err(|complaint| (0, Failure::Process(complaint)))?;
        let purpose = ["cpus", &self.case.id];
        let places = balanced_order(self.plan.seed.into(), &purpose, 2, self.number);
        let mut alive: Vec<Option<Process>> = order.iter().map(|_| None).collect();
        for &variant in order {
            let cpu = cpus[places[variant]];
            let process = self.start_on(variant, |process| pin(process.pid(), cpu));
            alive[variant] = Some(process.map_err(|failure| (variant, failure))?);
        }
        let mut processes: Vec<Process> = alive.into_iter().flatten().collect();
        for turn_order in self.plan.turn_orders(self.case, self.number) {
            for &variant in &turn_order {
                let told = processes[variant].go(self.case.iterations_per_turn);
                told.map_err(|failure| (variant, failure))?;
            }
            for (entry, turn) in entries.iter_mut().zip(both(&mut processes)?) {
                entry.turns.push(turn);
            }
        }
        for (variant, mut process) in processes.into_iter().enumerate() {
            entries[variant].timeline = process.timeline();
            let observation = process.finish().map_err(|failure| (variant, failure))?;
            entries[variant].observation = Some(observation);
        }
        Ok(())
    }
}

/// Waits until all have answered.
fn both(processes: &mut [Process]) -> Result<Vec<Turn>, (usize, Failure)> {
    let started = Instant::now();
    let mut turns: Vec<Option<Turn>> = vec![None; processes.len()];
    while turns.iter().any(Option::is_none) {
        for (variant, process) in processes.iter_mut().enumerate() {
            if turns[variant].is_none() {
                let turn = process.turn_within(GLANCE);
                turns[variant] = turn.map_err(|failure| (variant, failure))?;
                match turns[variant] {
                    Some(turn) => process.has_run(turn.wall_ns()),
                    None if started.elapsed() > process.timeout() => {
                        return Err((variant, process.hung(TURN)));
                    }
                    None => process.look(started.elapsed()),
                }
            }
        }
    }
    Ok(turns.into_iter().flatten().collect())
}

/// Two CPUs that this process may use, of two cores where it may use two.
///
/// # Errors
/// Fewer than two.
pub fn two_cpus() -> Result<[usize; 2], String> {
    let allowed = sched_getaffinity(None)
        .map_err(|error| format!("the CPUs that may be used cannot be asked for: {error}"))?;
    let allowed: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    choose_two(&allowed, &|cpu| {
        std::fs::read_to_string(format!(
            "/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
        ))
        .ok()
    })
    .ok_or_else(|| {
        format!(
            "running both at the same time takes two CPUs, and this process may use {} (CPU {})",
            allowed.len(),
            allowed
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        )
    })
}

/// The first CPU and the first that does not share its core, else the second.
fn choose_two(allowed: &[usize], siblings: &dyn Fn(usize) -> Option<String>) -> Option<[usize; 2]> {
    let (&first, rest) = allowed.split_first()?;
    let core = siblings(first);
    let other = rest
        .iter()
        .find(|cpu| core.is_some() && siblings(**cpu) != core);
    Some([first, *other.or(rest.first())?])
}

fn pin(pid: u32, cpu: usize) -> Result<(), String> {
    let mut only = CpuSet::new();
    only.set(cpu);
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    sched_setaffinity(pid, &only)
        .map_err(|error| format!("it could not be put on CPU {cpu}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(allowed: &[usize], siblings: &[&str], expected: Option<[usize; 2]>) {
        let found = choose_two(allowed, &|cpu| siblings.get(cpu).map(ToString::to_string));
        assert_eq!(found, expected);
    }

    #[test]
    fn two_cores_are_better_than_two_threads_of_one() {
        check(&[0, 1, 2, 3], &["0-1", "0-1", "2-3", "2-3"], Some([0, 2]));
        check(&[0, 1, 2, 3], &["0,2", "1,3", "0,2", "1,3"], Some([0, 1]));
        check(&[0, 1], &["0-1", "0-1"], Some([0, 1]));
        check(&[5, 7], &[], Some([5, 7]));
        check(&[3], &[], None);
        check(&[], &[], None);
    }
}
