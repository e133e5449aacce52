//! The elementary functions.

use std::hint::black_box;

use datasets::RandomState;

use crate::hash::rounded;
use crate::session::{Outcome, Session, WorkloadError};

const INPUTS: usize = 4096;
const ROUNDS: usize = 100;

/// sin, exp and ln over tables of inputs, one function after the other.
pub(super) struct Math {
    angles: Vec<f64>,
    exponents: Vec<f64>,
    positives: Vec<f64>,
    /// The means of sin, exp and ln over the tables.
    means: Option<[f64; 3]>,
}

impl Math {
    pub(super) fn new(seed: u32) -> Self {
        let mut random = RandomState::new(seed);
        let mut table = |low, high| (0..INPUTS).map(|_| random.uniform(low, high)).collect();
        Math {
            // Several turns to either side: the reduction of the angle is part of the work.
            angles: table(-100.0, 100.0),
            exponents: table(-10.0, 10.0),
            positives: table(1e-3, 1e3),
            means: None,
        }
    }
}

impl Session for Math {
    fn phases(&self) -> &[&'static str] {
        &["math"]
    }

    fn run(&mut self, _phase: usize) -> Result<(), WorkloadError> {
        for _ in 0..ROUNDS {
            self.means = black_box(Some([
                mean(&self.angles, f64::sin),
                mean(&self.exponents, f64::exp),
                mean(&self.positives, f64::ln),
            ]));
        }
        Ok(())
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        let Some(means) = self.means else {
            self.run(0)?;
            return self.outcome();
        };
        let [sin, exp, ln] = means.map(rounded);
        Ok(Outcome::default()
            .result("calls_per_iteration", ROUNDS * INPUTS * 3)
            .fingerprint("mean_sin", sin)
            .fingerprint("mean_exp", exp)
            .fingerprint("mean_ln", ln))
    }
}

/// Sums in the order of the inputs, which is the same everywhere.
fn mean(inputs: &[f64], function: impl Fn(f64) -> f64) -> f64 {
    black_box(inputs).iter().map(|&x| function(x)).sum::<f64>() / inputs.len() as f64
}
