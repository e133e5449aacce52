//! The best split of a node along a feature by the crate `linfa-trees`.

use std::sync::Mutex;

use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use linfa_trees::{DecisionTree, SplitQuality};
use ndarray::{Array1, Array2};

use crate::features::{Features, Ranked, Trial, Tried, View};
use crate::table::Table;
use crate::target::Target;
use crate::{Float, ForestError, Samples};

/// The most rows that can be trained on: the engine counts rows, and halves the sum of two ranks, in
/// single precision, which is exact up to here.
const MAX_SAMPLES: usize = 1 << 23;

/// Ranks of the samples. The engine sees them instead of values: it would take values less than 1e-5 apart
/// for equal, and round the midpoint of two huge neighbours to one of them.
pub(crate) struct Columns<'a, F> {
    table: Table<true>,
    samples: Samples<'a, F>,
    /// The first failure of the engine.
    failed: Mutex<Option<linfa::Error>>,
}

impl<'a, F: Float> Columns<'a, F> {
    /// Ranks finite samples.
    ///
    /// # Errors
    /// More rows than the engine can count, weights, and parameters that it does not know.
    pub(crate) fn new(plain: bool, samples: &Samples<'a, F>) -> Result<Self, ForestError> {
        if !plain {
            return Err(ForestError::Unsupported(
                "other task than classification with exact splits, by the Gini impurity and with equal \
                 class weights",
            ));
        }
        if samples.weights().is_some() {
            return Err(ForestError::Unsupported("sample weights"));
        }
        let n_samples = samples.n_samples();
        if n_samples > MAX_SAMPLES {
            let max = MAX_SAMPLES;
            return Err(ForestError::TooManySamples { n_samples, max });
        }
        Ok(Columns {
            table: Table::new(samples, None)?,
            samples: *samples,
            failed: Mutex::new(None),
        })
    }

    /// The trees, if the engine has not failed meanwhile.
    pub(crate) fn checked<R>(&self, trees: R) -> Result<R, ForestError> {
        match self.failed.lock().ok().and_then(|mut failed| failed.take()) {
            None => Ok(trees),
            Some(error) => Err(error.into()),
        }
    }

    fn ranked(&self) -> Ranked<'_, F, true> {
        Ranked {
            table: &self.table,
            samples: self.samples,
            of: None,
        }
    }

    /// Grows a tree of one split on the rows of the node; only that split is used.
    ///
    /// Grown at once, a whole tree of the engine has one subset of features, reads all of its rows at each
    /// of its nodes, considers a split between two values that repeat only where the last row of the
    /// lower one is present, recurses as deep as the tree is, and ends in leaves whose class, where
    /// several are equally frequent, follows a randomly seeded hash table, which also decides what is
    /// pruned. One node at a time, none of this matters.
    ///
    /// A row that was drawn several times is given once, with a weight. Weights are whole numbers whose
    /// sums stay below 2²⁴, so that the engine's sums of them in single precision are exact.
    fn best_split<T: Target>(
        &self,
        feature: usize,
        view: &View<T>,
    ) -> Result<Option<(f64, u32)>, linfa::Error> {
        let (column, _) = self.table.column(feature);
        let ranks: Vec<f32> = view
            .rows
            .iter()
            .map(|&row| column.rank(row) as f32)
            .collect();
        let counted = view
            .items
            .iter()
            .map(|&item| view.target.counted_class(item));
        let counted: Vec<(usize, u32)> = counted.map(Option::unwrap_or_default).collect();
        let classes: Array1<usize> = counted.iter().map(|&(class, _)| class).collect();
        let weights: Array1<f32> = counted.iter().map(|&(_, times)| times as f32).collect();
        let records = Array2::from_shape_fn((ranks.len(), 1), |(row, _)| ranks[row]);
        let tree = DecisionTree::<f32, usize>::params()
            .split_quality(SplitQuality::Gini)
            .max_depth(Some(1))
            .min_weight_leaf(view.limits.rows as f32)
            // The least that the engine accepts.
            .min_impurity_decrease(f32::EPSILON)
            .check()?
            .fit(&DatasetBase::new(records, classes).with_weights(weights))?;
        // The engine has pruned the split away where both sides have the same most frequent class, but
        // the root still tells which it was. A root that was never split has no decrease.
        let (_, rank, decrease) = tree.root_node().split();
        let weight = view.target.weight(view.totals);
        // Halfway between two ranks, of which the lower one goes left.
        Ok((decrease > 0.0).then(|| (f64::from(decrease) * weight, rank as u32)))
    }
}

impl<F: Float, T: Target> Features<F, T> for Columns<'_, F> {
    type Bound = u32;

    fn try_feature(
        &self,
        feature: usize,
        view: &View<T>,
        to_beat: f64,
        _trial: &mut Trial<T>,
    ) -> Tried<u32> {
        match self.best_split(feature, view) {
            Ok(Some((decrease, bound))) if decrease > to_beat => Tried::Split { decrease, bound },
            // Further features are drawn where this one is of no use.
            Ok(_) => Tried::Constant,
            Err(error) => {
                if let Ok(mut failed) = self.failed.lock() {
                    failed.get_or_insert(error);
                }
                Tried::Constant
            }
        }
    }

    fn part(&self, feature: usize, bound: u32, rows: &mut [u32], spill: &mut Vec<u32>) -> usize {
        Features::<F, T>::part(&self.ranked(), feature, bound, rows, spill)
    }

    fn threshold(&self, feature: usize, bound: u32, left: &[u32], right: &[u32]) -> F {
        Features::<F, T>::threshold(&self.ranked(), feature, bound, left, right)
    }
}
