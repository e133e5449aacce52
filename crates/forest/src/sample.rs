//! Which rows a tree is grown on.

use ndarray_rand::rand::Rng;

/// The rows of one tree: for every row of the records how often it was drawn.
pub(crate) struct Sample(Vec<u32>);

impl Sample {
    /// Draws as many rows as there are, with replacement.
    pub(crate) fn bootstrap(n_samples: usize, random: &mut impl Rng) -> Self {
        let mut counts = vec![0; n_samples];
        for _ in 0..n_samples {
            counts[random.gen_range(0..n_samples)] += 1;
        }
        Self(counts)
    }

    /// Every row once.
    pub(crate) fn all(n_samples: usize) -> Self {
        Self(vec![1; n_samples])
    }

    /// How often a row was drawn.
    pub(crate) fn count(&self, row: u32) -> u32 {
        self.0[row as usize]
    }

    /// The rows that were drawn, each once, ascending.
    pub(crate) fn rows(&self) -> Vec<u32> {
        let counted = (0..).zip(&self.0);
        counted
            .filter(|(_, n)| **n > 0)
            .map(|(row, _)| row)
            .collect()
    }

    /// The rows that were not drawn.
    pub(crate) fn out_of_bag(&self) -> RowSet {
        let mut words = vec![0; self.0.len().div_ceil(64)];
        for (row, _) in self.0.iter().enumerate().filter(|(_, n)| **n == 0) {
            words[row / 64] |= 1 << (row % 64);
        }
        RowSet(words)
    }
}

/// A set of rows, one bit a row: a forest keeps one of these for each tree while it is fitted.
pub(crate) struct RowSet(Vec<u64>);

impl RowSet {
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.0[row / 64] >> (row % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray_rand::rand::SeedableRng;
    use rand_xoshiro::Xoshiro256Plus;

    #[test]
    fn a_bootstrap_sample_draws_as_many_rows_as_there_are() {
        let sample = Sample::bootstrap(1000, &mut Xoshiro256Plus::seed_from_u64(1));
        let rows = sample.rows();
        let drawn: u32 = rows.iter().map(|&row| sample.count(row)).sum();
        assert_eq!(drawn, 1000);
        // The expected share is 1 - 1/e, with a standard deviation of about 0.01.
        assert!((580..680).contains(&rows.len()), "{}", rows.len());
        let out_of_bag = sample.out_of_bag();
        for row in 0..1000 {
            assert_ne!(rows.contains(&row), out_of_bag.contains(row as usize));
        }
    }

    #[test]
    fn without_bootstrap_every_row_is_drawn_once() {
        let sample = Sample::all(3);
        assert_eq!(sample.rows(), [0, 1, 2]);
        assert!((0..3).all(|row| sample.count(row) == 1));
        assert!((0..3).all(|row| !sample.out_of_bag().contains(row)));
    }
}
