//! Trees together: leaves of rows and means over trees.

use rayon::prelude::*;

use crate::accelerate::accelerated;
use crate::bag::RowSet;
use crate::float::all_finite;
use crate::packed::{PackedRows, PackedTree};
use crate::tree::{Descent, Leaf, Tree};
use crate::{Float, ForestError, Samples};

/// Bytes of neighbouring rows that are asked about together as they are: about half a second-level cache.
const UNPACKED: usize = 1 << 18;

/// What every kind of forest is made of.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Forest<F> {
    pub(crate) trees: Vec<Tree<F>>,
    /// The seeds of the trees, which tell the rows that these were grown on, too.
    pub(crate) seeds: Vec<u64>,
    pub(crate) n_features: usize,
    /// Values that a tree gives a row: one for each class, or a mean.
    pub(crate) n_values: usize,
}

/// What is asked of the trees.
#[derive(Clone, Copy, Default)]
pub(crate) struct Question<'a> {
    /// For every tree the rows that it may speak of, if not all.
    pub(crate) only: Option<&'a [RowSet]>,
    /// A feature whose values are to be taken from other rows, and these rows.
    pub(crate) permuted: Option<(usize, &'a [u32])>,
}

impl<F: Float> Forest<F> {
    /// Rows that are asked about together, of so many: of those that stay in the second-level cache few enough for
    /// every thread to have some.
    fn block_len(&self, n_rows: usize, packed: bool) -> usize {
        let longest = match packed {
            true => PackedRows::<F>::block_len(self.n_features),
            false => UNPACKED / (self.n_features * size_of::<F>()),
        };
        let share = n_rows.div_ceil(4 * rayon::current_num_threads());
        longest.min(share).clamp(16, 1 << 12).next_multiple_of(16)
    }

    pub(crate) fn check(&self, samples: &Samples<F>) -> Result<(), ForestError> {
        self.check_width(samples.n_features())?;
        samples.check_finite()
    }

    pub(crate) fn check_width(&self, n_features: usize) -> Result<(), ForestError> {
        if n_features == self.n_features {
            Ok(())
        } else {
            Err(ForestError::FeatureCount {
                expected: self.n_features,
                found: n_features,
            })
        }
    }

    /// Writes something about every row to `out`, which has as many places. `write` gets the place, the sums
    /// of the values of all trees that may speak of the row, and how many these are.
    ///
    /// # Errors
    /// Rows of another width, and a value that is NaN or infinite.
    pub(crate) fn ask<O: Send>(
        &self,
        samples: Samples<F>,
        question: Question,
        out: &mut [O],
        write: impl Fn(&mut O, &[f64], usize) + Sync,
    ) -> Result<(), ForestError> {
        self.check_width(samples.n_features())?;
        let packed = PackedTree::all(&self.trees, self.n_features, out.len());
        let block_len = self.block_len(out.len(), packed.is_some());
        let blocks = out.par_chunks_mut(block_len).enumerate();
        let asked = blocks.map(|(block, out)| {
            accelerated!(|| {
                let first = block * block_len;
                let mut permuted = Vec::new();
                let rows = self.rows(samples, first, out.len(), question, &mut permuted);
                // Values are checked when they are read for another purpose or have been, because they are in the
                // cache then: here, or below.
                let packed = match &packed {
                    Some(trees) => match PackedRows::new(rows, self.n_features) {
                        Some(rows) => Some((trees, rows)),
                        None => return false,
                    },
                    None => None,
                };
                let mut numbers: Vec<u32> = (0..out.len() as u32).collect();
                let mut leaves = vec![0; out.len()];
                let mut sums = vec![0.0; out.len() * self.n_values];
                let mut voters = vec![0; out.len()];
                for (index, tree) in self.trees.iter().enumerate() {
                    if let Some(sets) = question.only {
                        let all = 0..out.len() as u32;
                        numbers.clear();
                        numbers
                            .extend(all.filter(|&row| sets[index].contains(first + row as usize)));
                    }
                    for &row in &numbers {
                        voters[row as usize] += 1;
                    }
                    let leaves = &mut leaves[..numbers.len()];
                    if let Some((trees, rows)) = &packed {
                        trees[index].fetch(numbers.len());
                        let packed = trees[index].with(rows);
                        self.add_up(tree, &packed, &numbers, leaves, &mut sums);
                    } else {
                        let plain = (tree, rows, self.n_features);
                        self.add_up(tree, &plain, &numbers, leaves, &mut sums);
                    }
                }
                if packed.is_none() && !all_finite(rows) {
                    return false;
                }
                let sums = sums.chunks_exact(self.n_values);
                for ((out, sums), voters) in out.iter_mut().zip(sums).zip(voters) {
                    write(out, sums, voters);
                }
                true
            })
        });
        if asked.reduce(|| true, |a, b| a & b) {
            Ok(())
        } else {
            samples.check_finite()
        }
    }

    /// Adds what a tree says of the rows of these numbers to their sums.
    #[inline(always)]
    fn add_up(
        &self,
        tree: &Tree<F>,
        descent: &impl Descent,
        numbers: &[u32],
        leaves: &mut [u32],
        sums: &mut [f64],
    ) {
        descent.leaves_of(numbers, leaves);
        for (&row, &leaf) in numbers.iter().zip(&*leaves) {
            let sums = &mut sums[row as usize * self.n_values..][..self.n_values];
            match descent.leaf(leaf) {
                Leaf::Class(class) => sums[class as usize] += 1.0,
                Leaf::Values(number) => {
                    let values = tree.values_of(number, self.n_values);
                    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
                }
            }
        }
    }

    /// The values of neighbouring rows, with one column from other rows where that is asked for.
    fn rows<'a>(
        &self,
        samples: Samples<'a, F>,
        first: usize,
        n_rows: usize,
        question: Question,
        permuted: &'a mut Vec<F>,
    ) -> &'a [F] {
        let n_features = self.n_features;
        let rows = &samples.values()[first * n_features..][..n_rows * n_features];
        let Some((feature, others)) = question.permuted else {
            return rows;
        };
        permuted.extend_from_slice(rows);
        let other = others[first..].iter();
        for (row, &other) in permuted.chunks_exact_mut(n_features).zip(other) {
            row[feature] = samples.row(other as usize)[feature];
        }
        permuted
    }

    /// The leaf of every row in every tree, `n_samples` × `n_trees`.
    pub(crate) fn apply(&self, samples: Samples<F>) -> Vec<u32> {
        let n_trees = self.trees.len();
        let mut all = vec![0; samples.n_samples() * n_trees];
        let block_len = self.block_len(samples.n_samples(), false);
        let blocks = all.par_chunks_mut(block_len * n_trees).enumerate();
        blocks.for_each(|(block, out)| {
            let n_rows = out.len() / n_trees;
            let start = block * block_len * self.n_features;
            let rows = &samples.values()[start..][..n_rows * self.n_features];
            let numbers: Vec<u32> = (0..n_rows as u32).collect();
            let mut leaves = vec![0; n_rows];
            for (index, tree) in self.trees.iter().enumerate() {
                (tree, rows, self.n_features).leaves_of(&numbers, &mut leaves);
                for (out, &leaf) in out.chunks_exact_mut(n_trees).zip(&leaves) {
                    out[index] = leaf;
                }
            }
        });
        all
    }

    /// The mean of the importances of all trees that have splits, with the sum 1; all zero where no tree
    /// has.
    pub(crate) fn importances(&self) -> Vec<f64> {
        let mut sums = vec![0.0; self.n_features];
        for tree in &self.trees {
            sums.iter_mut()
                .zip(&tree.importances)
                .for_each(|(sum, x)| *sum += x);
        }
        let all: f64 = sums.iter().sum();
        if all > 0.0 {
            sums.iter_mut().for_each(|sum| *sum /= all);
        }
        sums
    }

    /// Adds the trees of another forest.
    pub(crate) fn merge(&mut self, other: Forest<F>) -> Result<(), ForestError> {
        self.check_width(other.n_features)?;
        self.trees.extend(other.trees);
        self.seeds.extend(other.seeds);
        Ok(())
    }

    pub(crate) fn tree(&self, index: usize) -> Result<&Tree<F>, ForestError> {
        self.trees.get(index).ok_or(ForestError::NoSuchTree {
            index,
            n_trees: self.trees.len(),
        })
    }
}

/// The place of the largest share, of equal ones the first.
pub(crate) fn largest(shares: &[f64]) -> u32 {
    let mut best = 0;
    for (place, share) in shares.iter().enumerate() {
        if *share > shares[best] {
            best = place;
        }
    }
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_shares_the_first_is_largest() {
        assert_eq!(largest(&[1.0]), 0);
        assert_eq!(largest(&[0.25, 0.5, 0.25]), 1);
        assert_eq!(largest(&[0.2, 0.4, 0.4]), 1);
        assert_eq!(largest(&[0.0, 0.0]), 0);
    }
}
