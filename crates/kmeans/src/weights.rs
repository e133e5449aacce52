//! Rows drawn by their weight.

use crate::random::Random;
use crate::{Float, Samples};

/// Rows drawn with a probability proportional to their weight.
pub(crate) struct Weights {
    n_samples: usize,
    /// The running sum of the weights, where there are any.
    running: Vec<f64>,
}

impl Weights {
    pub(crate) fn new<F: Float>(samples: &Samples<F>) -> Self {
        let add = |sum: &mut f64, weight: &F| {
            *sum += weight.widen();
            Some(*sum)
        };
        let weights = samples.weights().unwrap_or_default();
        Weights {
            n_samples: samples.n_samples(),
            running: weights.iter().scan(0.0, add).collect(),
        }
    }

    /// A row; never one of weight 0.
    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        let Some(total) = self.running.last() else {
            return random.below(self.n_samples);
        };
        let at = random.unit() * total;
        let row = self.running.partition_point(|&sum| sum <= at);
        // Rounding may give the total itself.
        let last = || self.running.partition_point(|&sum| sum < *total);
        if row < self.n_samples { row } else { last() }
    }

    /// `count` different rows, in the order in which they were drawn. Rows of weight 0 are drawn
    /// only when there are no others left.
    pub(crate) fn draw_different(&self, count: usize, random: &mut Random) -> Vec<usize> {
        let weight = |row: usize| match row.checked_sub(1) {
            _ if self.running.is_empty() => 1.0,
            None => self.running[0],
            Some(before) => self.running[row] - self.running[before],
        };
        // The smallest of independent exponential variables, each with a weight as its rate, are
        // distributed like draws without replacement (P. S. Efraimidis and P. G. Spirakis, 2006).
        let mut keys: Vec<(f64, usize)> = (0..self.n_samples)
            .map(|row| (-libm::log(1.0 - random.unit()) / weight(row), row))
            .collect();
        keys.sort_by(|a, b| a.0.total_cmp(&b.0));
        keys.truncate(count);
        keys.into_iter().map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_drawn_in_proportion_to_their_weight() {
        let values = [0.0; 4];
        let weights = [1.0, 0.0, 3.0, 0.0];
        let samples = Samples::new(&values, 1).unwrap();
        let rows = Weights::new(&samples.with_weights(&weights).unwrap());
        let mut random = Random::new(1);
        let mut counts = [0; 4];
        for _ in 0..10_000 {
            counts[rows.draw(&mut random)] += 1;
        }
        assert_eq!((counts[1], counts[3]), (0, 0));
        // Four standard deviations.
        assert!((counts[2] - 7500_i32).abs() < 174, "{counts:?}");

        let mut first = [0; 4];
        for _ in 0..10_000 {
            let drawn = rows.draw_different(2, &mut random);
            assert!(drawn == [0, 2] || drawn == [2, 0], "{drawn:?}");
            first[drawn[0]] += 1;
        }
        assert!((first[2] - 7500_i32).abs() < 174, "{first:?}");
        let mut all = Weights::new(&samples).draw_different(4, &mut random);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
    }
}
