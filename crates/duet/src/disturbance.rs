//! A disturbance that a test of the instrument brings itself: other work on the same CPUs that comes and goes.
//!
//! What interleaving cancels is what changes slowly. A host that happens to be quiet has nothing of it, and cannot show
//! what interleaving is for. This makes a host of the other kind, in a way that can be repeated: on each CPU a thread
//! works and rests in turn, for times that are drawn from a recorded seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::Rng;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::schedule::generator;

/// The shortest and the longest burst of work, and pause, in seconds. Their logarithms are uniform: as many last from
/// 0.05 to 0.15 s as from 1 to 3 s.
const SECONDS: (f64, f64) = (0.05, 3.0);

/// How often a thread looks whether it shall end.
const LOOK_UP: Duration = Duration::from_millis(10);

/// Other work on all CPUs that this process may use; it ends when this is dropped.
#[derive(Debug)]
pub struct Disturbance {
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Disturbance {
    /// Begins. The same seed gives the same bursts and pauses on each CPU.
    pub fn start(seed: u64) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let allowed = sched_getaffinity(None).ok();
        let cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_some_and(|of| of.is_set(*cpu)));
        let threads = cpus.map(|cpu| {
            let ends = Arc::clone(&ends);
            thread::spawn(move || {
                let mut only = CpuSet::new();
                only.set(cpu);
                // Where that is refused it goes where there is room, which disturbs as well.
                let _ = sched_setaffinity(None, &only);
                disturb(cpu, seed, &ends);
            })
        });
        Self {
            threads: threads.collect(),
            ends,
        }
    }
}

impl Drop for Disturbance {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot panic, and if it did it would disturb no more.
            let _ = thread.join();
        }
    }
}

/// Works and rests until told to end.
fn disturb(cpu: usize, seed: u64, ends: &AtomicBool) {
    for (number, length) in lengths(cpu, seed).enumerate() {
        let deadline = Instant::now() + length;
        let is_pause = number % 2 == 1;
        while Instant::now() < deadline {
            if ends.load(Ordering::Relaxed) {
                return;
            }
            match is_pause {
                true => thread::sleep(LOOK_UP.min(deadline - Instant::now())),
                false => drop(std::hint::black_box((0..50_000_u64).sum::<u64>())),
            }
        }
    }
}

/// The lengths of bursts and pauses, in turn.
fn lengths(cpu: usize, seed: u64) -> impl Iterator<Item = Duration> {
    let mut rng = generator(seed, &["disturbance", &cpu.to_string()]);
    let (shortest, longest) = SECONDS;
    std::iter::repeat_with(move || {
        let place: f64 = rng.gen_range(0.0..1.0);
        Duration::from_secs_f64(shortest * (longest / shortest).powf(place))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_are_those_of_the_seed() {
        let some = |cpu, seed| lengths(cpu, seed).take(300).collect::<Vec<_>>();
        assert_eq!(some(0, 1), some(0, 1));
        assert_ne!(some(0, 1), some(1, 1), "each CPU has its own");
        assert_ne!(some(0, 1), some(0, 2));
        let seconds: Vec<f64> = some(0, 1).iter().map(Duration::as_secs_f64).collect();
        assert!(seconds.iter().all(|s| (0.05..=3.0).contains(s)));
        let short = seconds.iter().filter(|s| **s < 0.387).count();
        assert!(
            (110..190).contains(&short),
            "half of them below the middle: {short}"
        );
    }

    #[test]
    fn it_uses_cpu_time_and_ends() {
        let before = probe::Usage::now();
        let disturbance = Disturbance::start(1);
        thread::sleep(Duration::from_millis(300));
        drop(disturbance);
        let used = probe::Usage::now().since(&before).cpu_ns();
        assert!(used > 20_000_000, "{used} ns");
    }
}
