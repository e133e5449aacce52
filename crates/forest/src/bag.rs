//! Which rows a tree is grown on.

use crate::random::Random;

/// How the rows of trees are drawn.
#[derive(Debug, Clone)]
pub(crate) struct Bagging {
    pub(crate) n_samples: usize,
    /// The rows that have a weight, where not all do: the others are not there.
    pub(crate) weighty: Option<Vec<u32>>,
    /// Rows to draw with replacement; `None` takes every row once.
    pub(crate) draws: Option<usize>,
}

impl Bagging {
    /// For every row how often it is in the tree of this seed.
    pub(crate) fn counts(&self, tree_seed: u64) -> Vec<u32> {
        let mut counts = vec![0; self.n_samples];
        match (self.draws, &self.weighty) {
            (None, None) => counts.fill(1),
            (None, Some(rows)) => rows.iter().for_each(|&row| counts[row as usize] = 1),
            (Some(draws), _) => self.draw(draws, tree_seed, |row| counts[row] += 1),
        }
        counts
    }

    /// Draws so many rows for the tree of this seed.
    fn draw(&self, draws: usize, tree_seed: u64, mut each: impl FnMut(usize)) {
        // The tree's own seed is for its root.
        let mut random = Random::nth(tree_seed, 1);
        match &self.weighty {
            None => (0..draws).for_each(|_| each(random.below(self.n_samples))),
            Some(rows) => {
                let mut draw = || rows[random.below(rows.len())] as usize;
                (0..draws).for_each(|_| each(draw()));
            }
        }
    }

    /// The rows that the trees of these seeds have between them, ascending; nothing where that may be
    /// nearly all.
    pub(crate) fn drawn(&self, tree_seeds: &[u64]) -> Option<Vec<u32>> {
        let draws = self.draws.unwrap_or(usize::MAX);
        // Of more draws hardly a third of the rows is left, which is not worth it.
        if draws.saturating_mul(tree_seeds.len()) > self.n_samples {
            return self.weighty.clone();
        }
        let mut is_drawn = vec![false; self.n_samples];
        for &seed in tree_seeds {
            self.draw(draws, seed, |row| is_drawn[row] = true);
        }
        let rows = (0..).zip(is_drawn).filter(|&(_, is_drawn)| is_drawn);
        Some(rows.map(|(row, _)| row).collect())
    }

    /// The rows that are not in the tree of this seed.
    pub(crate) fn out_of_bag(&self, tree_seed: u64) -> RowSet {
        let mut words = vec![0; self.n_samples.div_ceil(64)];
        for (word, counts) in words.iter_mut().zip(self.counts(tree_seed).chunks(64)) {
            for (bit, &n) in counts.iter().enumerate() {
                *word |= u64::from(n == 0) << bit;
            }
        }
        RowSet(words)
    }
}

/// A set of rows, one bit a row.
pub(crate) struct RowSet(Vec<u64>);

impl RowSet {
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_sample_draws_as_many_rows_as_asked_for() {
        for draws in [1000, 300] {
            let bagging = Bagging {
                n_samples: 1000,
                weighty: None,
                draws: Some(draws),
            };
            let counts = bagging.counts(1);
            assert_eq!(counts.iter().sum::<u32>(), draws as u32);
            // The expected share of rows that are left out is (1 - 1/n)^draws, about exp(-draws/n).
            let left_out = counts.iter().filter(|&&n| n == 0).count() as f64;
            let expected = 1000.0 * (-(draws as f64) / 1000.0).exp();
            assert!((left_out - expected).abs() < 50.0, "{left_out}");
            let out_of_bag = bagging.out_of_bag(1);
            for (row, &n) in counts.iter().enumerate() {
                assert_eq!(out_of_bag.contains(row), n == 0);
            }
            assert_ne!(counts, bagging.counts(2));
        }
    }

    #[test]
    fn rows_without_weight_are_never_drawn() {
        let mut bagging = Bagging {
            n_samples: 4,
            weighty: Some(vec![1, 3]),
            draws: Some(2),
        };
        for seed in 0..20 {
            let counts = bagging.counts(seed);
            assert_eq!((counts[0], counts[1] + counts[3], counts[2]), (0, 2, 0));
        }
        bagging.draws = None;
        assert_eq!(bagging.counts(0), [0, 1, 0, 1]);
    }

    #[test]
    fn without_bootstrap_every_row_is_drawn_once() {
        let bagging = Bagging {
            n_samples: 3,
            weighty: None,
            draws: None,
        };
        assert_eq!(bagging.counts(1), [1, 1, 1]);
        assert!((0..3).all(|row| !bagging.out_of_bag(1).contains(row)));
    }

    #[test]
    fn rows_that_no_tree_has_are_left_out() {
        let mut bagging = Bagging {
            n_samples: 1000,
            weighty: None,
            draws: Some(300),
        };
        for seeds in [&[1][..], &[1, 2, 3]] {
            let counts: Vec<_> = seeds.iter().map(|&seed| bagging.counts(seed)).collect();
            let is_drawn = |row: &u32| counts.iter().any(|counts| counts[*row as usize] > 0);
            let expected: Vec<u32> = (0..1000).filter(is_drawn).collect();
            assert_eq!(bagging.drawn(seeds), Some(expected));
        }
        assert_eq!(bagging.drawn(&[1, 2, 3, 4]), None);
        bagging.draws = None;
        assert_eq!(bagging.drawn(&[1]), None);
        bagging.weighty = Some(vec![1, 3]);
        assert_eq!(bagging.drawn(&[1]), Some(vec![1, 3]));
    }
}
