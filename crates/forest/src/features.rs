//! How a node is split along one feature.

use crate::random::Random;
use crate::sort::{Sorted, Sorter};
use crate::table::{Compaction, Table, Values};
use crate::target::{SideLimits, Target};
use crate::{Float, Samples, accelerate::accelerated, float::halfway};

/// A node as it is when features are tried.
pub(crate) struct View<'a, T: Target> {
    pub(crate) rows: &'a [u32],
    pub(crate) items: &'a [T::Item],
    pub(crate) totals: &'a T::Totals,
    pub(crate) target: &'a T,
    pub(crate) limits: &'a SideLimits,
    /// The seed of the node.
    pub(crate) seed: u64,
}

/// What came of trying a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tried<B> {
    /// All rows of the node have the same value.
    Constant,
    /// There are different values, but no split that the limits allow.
    Nothing,
    /// The best split: the rows up to the bound go left.
    Split { decrease: f64, bound: B },
}

/// Memory for trying features.
pub(crate) struct Trial<T: Target> {
    sorter: Sorter<T::Item>,
    scratch: T::Scratch,
    left: Vec<T::Item>,
    left_totals: T::Totals,
}

impl<T: Target> Default for Trial<T> {
    fn default() -> Self {
        Trial {
            sorter: Sorter::default(),
            scratch: T::Scratch::default(),
            left: Vec::new(),
            left_totals: T::Totals::default(),
        }
    }
}

/// The columns that trees are grown on, and the way to find splits along them.
pub(crate) trait Features<F: Float, T: Target>: Sync {
    /// What divides the sides of a split.
    type Bound: Copy + Send + Sync;

    /// The rows of the samples that its rows are, where these are only a part.
    fn of(&self) -> Option<&[u32]> {
        None
    }

    /// Finds the best split along a feature; a split that is worse than `to_beat` may be reported as
    /// nothing.
    fn try_feature(
        &self,
        feature: usize,
        view: &View<T>,
        to_beat: f64,
        trial: &mut Trial<T>,
    ) -> Tried<Self::Bound>;

    /// Brings the rows that go left to the front, keeping the order on both sides; returns how many there are.
    fn part(
        &self,
        feature: usize,
        bound: Self::Bound,
        rows: &mut [u32],
        spill: &mut Vec<u32>,
    ) -> usize;

    /// Makes a table of ranks of these rows only; `false` where there are no ranks.
    fn compact(
        &self,
        _rows: &[u32],
        _compaction: &mut Compaction,
        _small: &mut Table<false>,
    ) -> bool {
        false
    }

    /// The threshold between two sides.
    fn threshold(&self, feature: usize, bound: Self::Bound, left: &[u32], right: &[u32]) -> F;
}

/// Brings the rows of which `is_left` holds to the front; returns how many there are.
#[inline(always)]
fn part_by(rows: &mut [u32], spill: &mut Vec<u32>, is_left: impl Fn(u32) -> bool) -> usize {
    if spill.len() < rows.len() {
        spill.resize(rows.len(), 0);
    }
    let (mut left, mut right) = (0, 0);
    for index in 0..rows.len() {
        let row = rows[index];
        // Both are written, and one of them again, which takes less time than a wrong guess.
        rows[left] = row;
        spill[right] = row;
        let goes_left = usize::from(is_left(row));
        left += goes_left;
        right += 1 - goes_left;
    }
    rows[left..].copy_from_slice(&spill[..right]);
    left
}

/// Ranks of the samples, or of a part of their rows: finds the best of all thresholds.
pub(crate) struct Ranked<'a, F, const WIDE: bool> {
    pub(crate) table: &'a Table<WIDE>,
    pub(crate) samples: Samples<'a, F>,
    /// The rows of the samples that the rows of the table are, where these are only a part.
    pub(crate) of: Option<&'a [u32]>,
}

impl<F: Float, T: Target, const WIDE: bool> Features<F, T> for Ranked<'_, F, WIDE> {
    type Bound = u32;

    fn of(&self) -> Option<&[u32]> {
        self.of
    }

    fn try_feature(
        &self,
        feature: usize,
        view: &View<T>,
        to_beat: f64,
        trial: &mut Trial<T>,
    ) -> Tried<u32> {
        let (column, n_ranks) = self.table.column(feature);
        accelerated!(|| {
            let sorter = &mut trial.sorter;
            let Sorted::Items(items, cuts) = sorter.sort(column, n_ranks, view.rows, view.items)
            else {
                return Tried::Constant;
            };
            let (target, totals, limits) = (view.target, view.totals, view.limits);
            let scratch = &mut trial.scratch;
            match target.best_cut(items, cuts, totals, limits, to_beat, scratch) {
                Some(cut) if cut.decrease > to_beat => Tried::Split {
                    decrease: cut.decrease,
                    bound: trial.sorter.greatest_rank(cut.left),
                },
                _ => Tried::Nothing,
            }
        })
    }

    fn part(&self, feature: usize, bound: u32, rows: &mut [u32], spill: &mut Vec<u32>) -> usize {
        let (column, _) = self.table.column(feature);
        part_by(rows, spill, |row| column.rank(row) <= bound)
    }

    fn compact(&self, rows: &[u32], compaction: &mut Compaction, small: &mut Table<false>) -> bool {
        compaction.compact(self.table, rows, small);
        true
    }

    fn threshold(&self, feature: usize, _bound: u32, left: &[u32], right: &[u32]) -> F {
        let (column, _) = self.table.column(feature);
        let rank = |row: u32| column.rank(row);
        // Of the ranks, which are near, instead of the values, which are not.
        let low = left.iter().copied().max_by_key(|&row| rank(row));
        let high = right.iter().copied().min_by_key(|&row| rank(row));
        let value = |row: Option<u32>| {
            let row = row.expect("both sides of a split have rows") as usize;
            self.samples.row(self.of.map_or(row, |of| of[row] as usize))[feature]
        };
        halfway(value(low), value(high))
    }
}

/// Values of the samples: draws one threshold a feature.
pub(crate) struct RandomThresholds<F> {
    pub(crate) values: Values<F>,
}

impl<F: Float, T: Target> Features<F, T> for RandomThresholds<F> {
    type Bound = F;

    fn try_feature(
        &self,
        feature: usize,
        view: &View<T>,
        to_beat: f64,
        trial: &mut Trial<T>,
    ) -> Tried<F> {
        let column = self.values.column(feature);
        let first = column[view.rows[0] as usize];
        let (mut low, mut high) = (first, first);
        for &row in view.rows {
            let value = column[row as usize];
            low = if value < low { value } else { low };
            high = if value > high { value } else { high };
        }
        if low >= high {
            return Tried::Constant;
        }
        // A number of its own for every node and feature, whichever order features are tried in.
        let share = Random::nth(view.seed, feature as u64).unit();
        let drawn = F::narrow(low.widen() * (1.0 - share) + high.widen() * share);
        // Rounding may lead to an end, or out.
        let bound = if drawn >= low && drawn < high {
            drawn
        } else {
            low
        };

        trial.left.clear();
        let rows = view.rows.iter().zip(view.items);
        let is_left = |row: u32| column[row as usize] <= bound;
        trial.left.extend(
            rows.filter(|(row, _)| is_left(**row))
                .map(|(_, item)| *item),
        );
        let target = view.target;
        target.sum(&trial.left, &mut trial.left_totals);
        let weight = target.weight(&trial.left_totals);
        let (fewer, lighter) = (
            trial.left.len().min(view.rows.len() - trial.left.len()),
            weight.min(target.weight(view.totals) - weight),
        );
        let decrease = target.decrease(view.totals, &trial.left_totals);
        if fewer < view.limits.rows || lighter < view.limits.weight || decrease <= to_beat {
            return Tried::Nothing;
        }
        Tried::Split { decrease, bound }
    }

    fn part(&self, feature: usize, bound: F, rows: &mut [u32], spill: &mut Vec<u32>) -> usize {
        let column = self.values.column(feature);
        part_by(rows, spill, |row| column[row as usize] <= bound)
    }

    fn threshold(&self, _feature: usize, bound: F, _left: &[u32], _right: &[u32]) -> F {
        bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_parted_and_keep_their_order() {
        let mut spill = Vec::new();
        let mut rows = [9, 4, 7, 2, 8, 1];
        assert_eq!(part_by(&mut rows, &mut spill, |row| row < 5), 3);
        assert_eq!(rows, [4, 2, 1, 9, 7, 8]);
        assert_eq!(part_by(&mut rows, &mut spill, |_| true), 6);
        assert_eq!(rows, [4, 2, 1, 9, 7, 8]);
        assert_eq!(part_by(&mut rows, &mut spill, |_| false), 0);
        assert_eq!(rows, [4, 2, 1, 9, 7, 8]);
    }
}
