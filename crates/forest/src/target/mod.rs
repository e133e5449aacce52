//! What trees learn, in the form that nodes work on: the targets of rows with their weights, and how
//! thresholds are judged.

mod binary;
mod classes;
mod numbers;

pub(crate) use binary::Binary;
pub(crate) use classes::{Classes, Entropy, Gini};
pub(crate) use numbers::Numbers;

/// What one tree learns. A *decrease* is that of the impurity of a node by a split, times the weight of
/// the node.
pub(crate) trait Target: Sync {
    /// What a node knows of a row: its target and its weight, which is above 0.
    type Item: Copy + Default + Send + Sync;
    /// What a node knows of all of its rows.
    type Totals: Default + Send + Sync;
    /// Memory that judging thresholds takes.
    type Scratch: Default + Send;

    /// Values of a leaf that has some.
    fn n_values(&self) -> usize;

    /// What is known of a row that was drawn so often.
    fn item(&self, row: usize, times: u32) -> Self::Item;

    /// Sums up a node.
    fn sum(&self, items: &[Self::Item], totals: &mut Self::Totals);

    /// The weight of all rows.
    fn weight(&self, totals: &Self::Totals) -> f64;

    /// Whether all rows have the same target.
    fn is_pure(&self, totals: &Self::Totals) -> bool;

    /// The decrease by a split whose left side has these rows.
    fn decrease(&self, totals: &Self::Totals, left: &Self::Totals) -> f64;

    /// The best of the thresholds of sorted rows, of equally good ones the first. Those that do not decrease
    /// the impurity by more than `to_beat` may be left out.
    fn best_cut(
        &self,
        sorted: &[Self::Item],
        cuts: Cuts,
        totals: &Self::Totals,
        limits: &SideLimits,
        to_beat: f64,
        scratch: &mut Self::Scratch,
    ) -> Option<Cut>;

    /// What a leaf predicts. Its values are added to those of the tree.
    fn leaf(&self, totals: &Self::Totals, values: &mut Vec<f64>) -> Leaf;

    /// The class of a row and how often it was drawn, where the target is that simple.
    #[cfg(feature = "linfa")]
    fn counted_class(&self, item: Self::Item) -> Option<(usize, u32)>;
}

/// What a leaf predicts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Leaf {
    /// One class for certain.
    Class(u32),
    /// Values, the shares of all classes or a mean: those of the leaf of this number, counting leaves that
    /// have some.
    Values(u32),
}

/// Where sorted rows may be cut in two.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cuts<'a> {
    /// Between any two rows: all values differ.
    Everywhere,
    /// After these numbers of rows, ascending; the last is that of all rows.
    After(&'a [u32]),
}

/// A way to cut sorted rows in two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    pub(crate) decrease: f64,
    /// Rows on the left side.
    pub(crate) left: usize,
}

/// What either side of a split needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SideLimits {
    pub(crate) rows: usize,
    pub(crate) weight: f64,
}

/// A walk along sorted rows.
trait Sweep<Item> {
    /// Moves the next row from the right to the left side.
    fn step(&mut self, item: Item);

    /// Judges the cut after so many rows.
    fn judge(&mut self, left: usize);

    /// Moves several rows at once where none of the cuts after them is better than the best so far; else
    /// does nothing, and returns `false`.
    #[inline(always)]
    fn skip(&mut self, _items: &[Item; SKIP]) -> bool {
        false
    }
}

/// Rows that may be skipped together.
const SKIP: usize = 8;

/// Walks along sorted rows and judges all cuts that leave enough rows on both sides.
#[inline(always)]
fn sweep<Item: Copy>(
    sorted: &[Item],
    cuts: Cuts,
    limits: &SideLimits,
    walk: &mut impl Sweep<Item>,
) {
    let first = limits.rows.max(1);
    let Some(last) = sorted.len().checked_sub(first) else {
        return;
    };
    match cuts {
        Cuts::Everywhere => {
            let (groups, rest) = sorted[..last].as_chunks();
            for (start, group) in (0..).step_by(SKIP).zip(groups) {
                if !walk.skip(group) {
                    walk_along(group, start, first, walk);
                }
            }
            walk_along(rest, last - rest.len(), first, walk);
        }
        Cuts::After(ends) => {
            let mut start = 0;
            for end in ends.iter().map(|&end| end as usize) {
                if end > last {
                    break;
                }
                for &item in &sorted[start..end] {
                    walk.step(item);
                }
                start = end;
                if end >= first {
                    walk.judge(end);
                }
            }
        }
    }
}

/// Walks on where all rows differ, after so many rows.
#[inline(always)]
fn walk_along<Item: Copy>(items: &[Item], start: usize, first: usize, walk: &mut impl Sweep<Item>) {
    for (left, &item) in (start + 1..).zip(items) {
        walk.step(item);
        if left >= first {
            walk.judge(left);
        }
    }
}

#[cfg(test)]
mod tests;
