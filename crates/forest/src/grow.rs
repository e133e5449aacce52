//! Growing one tree.

use std::collections::BTreeMap;

use linfa::{Float, Label};
use ndarray_rand::rand::SeedableRng;
use ndarray_rand::rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256Plus;

use crate::sample::{RowSet, Sample};
use crate::training::Training;
use crate::tree::{Node, Tree};
use crate::{Engine, ForestError, RandomForestValidParams, linfa_engine};

/// A split of the rows of a node: those whose rank in column `feature` is at most `rank`, and the
/// others. Neither side is empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    pub(crate) feature: usize,
    pub(crate) rank: f32,
}

/// A node that is still to be grown.
struct Pending {
    /// Where its rows begin and end among the rows of the tree.
    begin: usize,
    end: usize,
    depth: usize,
    /// The split whose right child it is.
    right_of: Option<usize>,
}

/// Grows the tree with this seed; returns the rows that it has not seen, too.
///
/// Nodes wait on a list instead of the call stack, because a tree may be as deep as there are rows.
pub(crate) fn grow<F: Float, L: Label>(
    params: &RandomForestValidParams<F, L>,
    training: &Training<F>,
    features_per_split: usize,
    seed: u64,
) -> Result<(Tree<F>, RowSet), ForestError> {
    let mut random = Xoshiro256Plus::seed_from_u64(seed);
    let sample = if params.bootstrap() {
        Sample::bootstrap(training.classes.len(), &mut random)
    } else {
        Sample::all(training.classes.len())
    };
    let mut rows = sample.rows();
    let mut features: Vec<usize> = (0..training.ranks.nrows()).collect();
    let mut nodes = Vec::new();
    let mut pending = vec![Pending {
        begin: 0,
        end: rows.len(),
        depth: 0,
        right_of: None,
    }];
    while let Some(node) = pending.pop() {
        let index = nodes.len();
        if let Some(Node::Split { right, .. }) = node.right_of.map(|parent| &mut nodes[parent]) {
            *right = index as u32;
        }
        let rows = &mut rows[node.begin..node.end];
        let (class, is_pure) = modal_class(training, &sample, rows);
        let may_split = !is_pure
            && rows.len() >= params.min_samples_split()
            && params.max_depth().is_none_or(|limit| node.depth < limit);
        let mut split = None;
        // As in scikit-learn, further features are tried as long as those drawn separate nothing.
        let mut untried = &mut features[..];
        while may_split && split.is_none() && !untried.is_empty() {
            let (drawn, rest) = untried.partial_shuffle(&mut random, features_per_split);
            split = match params.engine() {
                Engine::Linfa => linfa_engine::best_split(params, training, &sample, rows, drawn)?,
            };
            untried = rest;
        }
        let Some(split) = split else {
            nodes.push(Node::Leaf { class });
            continue;
        };
        let (middle, threshold) = apply(split, training, rows);
        nodes.push(Node::Split {
            threshold,
            feature: split.feature as u32,
            // Filled in when the right child gets its place.
            right: 0,
        });
        let child = |begin, end, right_of| Pending {
            begin,
            end,
            depth: node.depth + 1,
            right_of,
        };
        let middle = node.begin + middle;
        pending.push(child(middle, node.end, Some(index)));
        pending.push(child(node.begin, middle, None));
    }
    Ok((Tree::new(nodes), sample.out_of_bag()))
}

/// The most frequent class of some rows, of equally frequent ones the smallest, and whether it is the
/// only one.
fn modal_class<F>(training: &Training<F>, sample: &Sample, rows: &[u32]) -> (u32, bool) {
    let mut frequencies = BTreeMap::new();
    for &row in rows {
        let class = training.classes[row as usize];
        *frequencies.entry(class).or_insert(0_u64) += u64::from(sample.count(row));
    }
    let is_pure = frequencies.len() == 1;
    // Of several greatest elements `max_by_key` takes the last one: here the smallest class.
    let modal = frequencies.into_iter().rev().max_by_key(|(_, n)| *n);
    let (class, _) = modal.expect("a node holds at least one row");
    (class, is_pure)
}

/// Brings the rows that go left to the front; returns how many there are, and the threshold.
fn apply<F: Float>(split: Split, training: &Training<F>, rows: &mut [u32]) -> (usize, F) {
    let ranks = training.ranks.row(split.feature);
    let mut middle = 0;
    for i in 0..rows.len() {
        if ranks[rows[i] as usize] <= split.rank {
            rows.swap(i, middle);
            middle += 1;
        }
    }
    let (left, right) = rows.split_at(middle);
    let column = training.records.column(split.feature);
    let value = |row: &u32| column[*row as usize];
    let low = left.iter().map(value).fold(F::neg_infinity(), F::max);
    let high = right.iter().map(value).fold(F::infinity(), F::min);
    (middle, threshold(low, high))
}

/// A number from `low` on and below `high`, halfway between where rounding permits.
fn threshold<F: Float>(low: F, high: F) -> F {
    let two = F::one() + F::one();
    // Halves are added because the sum of two huge numbers overflows.
    let middle = low / two + high / two;
    if low <= middle && middle < high {
        middle
    } else {
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, array};

    #[track_caller]
    fn check_modal_class(targets: &[usize], expected: (u32, bool)) {
        let records = Array2::<f64>::zeros((targets.len(), 1));
        let targets = Array1::from(targets.to_vec());
        let (training, _) = Training::new(records.view(), targets.view());
        let sample = Sample::all(targets.len());
        assert_eq!(modal_class(&training, &sample, &sample.rows()), expected);
    }

    #[test]
    fn a_node_has_the_smallest_of_its_most_frequent_classes() {
        check_modal_class(&[7], (0, true));
        check_modal_class(&[7, 7], (0, true));
        check_modal_class(&[1, 0, 1, 0], (0, false));
        check_modal_class(&[2, 0, 1, 1, 2], (1, false));
        check_modal_class(&[2, 0, 1, 2], (2, false));
    }

    #[test]
    fn rows_are_parted_by_rank() {
        let records = array![[4.0], [1.0], [9.0], [2.0], [4.0]];
        let targets = Array1::<usize>::zeros(5);
        let (training, _) = Training::new(records.view(), targets.view());
        let mut rows = [0, 2, 3, 4];
        let split = Split {
            feature: 0,
            rank: 1.5,
        };
        assert_eq!(apply(split, &training, &mut rows), (1, 3.0));
        assert_eq!(rows[0], 3);
    }

    #[track_caller]
    fn check_threshold(low: f64, high: f64, expected: f64) {
        assert_eq!(threshold(low, high), expected);
    }

    #[test]
    fn thresholds_separate_neighbours() {
        check_threshold(1.0, 2.0, 1.5);
        check_threshold(-f64::MAX, f64::MAX, 0.0);
        check_threshold(f64::MAX.next_down(), f64::MAX, f64::MAX.next_down());
        check_threshold(1.0, 1.0_f64.next_up(), 1.0);
        check_threshold(1.0_f64.next_down(), 1.0, 1.0_f64.next_down());
        check_threshold(0.0, 5e-324, 0.0);
        check_threshold(-5e-324, 0.0, -5e-324);
    }
}
