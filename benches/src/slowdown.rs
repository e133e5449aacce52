//! A slowdown of known size, for testing instruments: a comparison that does not find it is not to be trusted.

use crate::session::WorkloadError;

/// The largest share: eleven times as long says nothing that twice as long does not.
const LARGEST_SHARE: f64 = 10.0;

/// Makes iterations longer by a given share of their own duration, by spinning on the calling thread.
///
/// Wall time grows by the share, and so does the CPU time of a workload of one thread; of one with more threads
/// the CPU time grows by less, because only one of them spins. Durations are taken from the monotonic clock: where
/// another process stops this one in the middle of an iteration, the time in which it stood still counts as its
/// duration. What one spin takes too long is taken off the next, so that the sum is right for short iterations, too.
#[derive(Clone, Copy, Debug)]
pub struct Slowdown {
    share: f64,
    /// What is still to be spun; below 0 after a spin that took too long.
    owed_ns: f64,
}

impl Slowdown {
    /// A slowdown by this share: 0.03 for 3 %.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] for a share that is not a number from 0 to 10.
    pub fn by(share: f64) -> Result<Slowdown, WorkloadError> {
        if !(0.0..=LARGEST_SHARE).contains(&share) {
            return Err(WorkloadError::Input(format!(
                "--slowdown {share} must lie between 0 and {LARGEST_SHARE}; 0.03 makes every iteration 3 % longer"
            )));
        }
        Ok(Slowdown {
            share,
            owed_ns: 0.0,
        })
    }

    /// Spins for the share of an iteration that began at `started_ns` on the monotonic clock and ends now.
    pub(crate) fn follow(&mut self, started_ns: u64) {
        let ended_ns = probe::monotonic_ns();
        self.owed_ns += self.share * ended_ns.saturating_sub(started_ns) as f64;
        let mut spun_ns = 0.0;
        while spun_ns < self.owed_ns {
            std::hint::spin_loop();
            spun_ns = probe::monotonic_ns().saturating_sub(ended_ns) as f64;
        }
        self.owed_ns -= spun_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Run;
    use crate::session::{Outcome, Session};

    /// Two phases, of which the first takes 100 µs and the second nothing, and the sum of what they took.
    struct Busy {
        phases: &'static [&'static str],
    }

    impl Session for Busy {
        fn phases(&self) -> &[&'static str] {
            self.phases
        }

        fn run(&mut self, phase: usize) -> Result<(), WorkloadError> {
            let started_ns = probe::monotonic_ns();
            while phase == 0 && probe::monotonic_ns() < started_ns + 100_000 {}
            Ok(())
        }

        fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
            Ok(Outcome::default())
        }
    }

    /// Milliseconds of 50 iterations of 100 µs with a slowdown, at the best of tries until they are as few as
    /// `enough`: a machine that is busy otherwise can only add.
    fn milliseconds(phases: &'static [&'static str], share: f64, enough: f64) -> f64 {
        let slowdown = Slowdown::by(share).expect("a good share");
        let of_one_try = || {
            let mut run = Run::new("test/busy/1", Box::new(Busy { phases }));
            run.slow_down(slowdown);
            let turn = run.turn(50).expect("it cannot fail");
            assert!(turn.counters.wall_ns == turn.end_ns - turn.start_ns);
            turn.counters.wall_ns as f64 / 1e6
        };
        let mut best = f64::INFINITY;
        for _ in 0..500 {
            best = best.min(of_one_try());
            if best < enough {
                break;
            }
        }
        best
    }

    #[test]
    fn a_turn_takes_longer_by_the_share() {
        for phases in [&["only"][..], &["first", "second"]] {
            for (share, expected) in [(0.0, 5.0), (0.03, 5.15), (0.5, 7.5), (1.0, 10.0)] {
                let most = expected * 1.02;
                let took = milliseconds(phases, share, most);
                assert!(took >= expected * 0.999, "{share}: {took} ms");
                assert!(took < most, "{share}: {took} ms");
            }
        }
    }

    #[test]
    fn a_share_that_makes_no_sense_is_refused() {
        for share in [-0.01, 10.5, f64::NAN, f64::INFINITY] {
            let error = Slowdown::by(share).expect_err("refused").to_string();
            assert!(error.contains("between 0 and 10"), "{error}");
        }
    }
}
