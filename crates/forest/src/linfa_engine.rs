//! The best split of a node by the crate `linfa-trees`.

use linfa::traits::Fit;
use linfa::{DatasetBase, Float, Label, ParamGuard};
use linfa_trees::{DecisionTree, SplitQuality};
use ndarray::{Array1, Array2, ShapeBuilder};

use crate::grow::Split;
use crate::sample::Sample;
use crate::training::Training;
use crate::{ForestError, RandomForestValidParams};

/// The split of `rows` along one of `features` that decreases the Gini impurity most; of equal ones
/// the first. `None` when no split decreases it.
///
/// The engine grows a tree of one split on the rows of one node, and only that split is used. Grown
/// at once, a whole tree of the engine has one subset of features, reads all of its rows at
/// each of its nodes, considers a split between two values that repeat only where the last row of
/// the lower one is present, recurses as deep as the tree is, and ends in leaves whose class, where
/// several are equally frequent, follows a randomly seeded hash table, which also decides what is
/// pruned. One node at a time, none of this matters.
///
/// A row that was drawn several times is given once, with a weight. Weights are whole numbers whose
/// sums stay below 2²⁴, so that the engine's sums of them in single precision are exact.
pub(crate) fn best_split<F: Float, L: Label>(
    params: &RandomForestValidParams<F, L>,
    training: &Training<F>,
    sample: &Sample,
    rows: &[u32],
    features: &[usize],
) -> Result<Option<Split>, ForestError> {
    // The engine reads column after column.
    let mut ranks = Array2::zeros((rows.len(), features.len()).f());
    for (mut column, &feature) in ranks.columns_mut().into_iter().zip(features) {
        let all = training.ranks.row(feature);
        for (rank, &row) in column.iter_mut().zip(rows) {
            *rank = all[row as usize];
        }
    }
    let classes: Array1<usize> = rows
        .iter()
        .map(|&row| training.classes[row as usize] as usize)
        .collect();
    let weights: Array1<f32> = rows.iter().map(|&row| sample.count(row) as f32).collect();

    let tree = DecisionTree::<f32, usize>::params()
        .split_quality(SplitQuality::Gini)
        .max_depth(Some(1))
        .min_weight_leaf(params.min_samples_leaf() as f32)
        // The least that the engine accepts.
        .min_impurity_decrease(f32::EPSILON)
        .check()?
        .fit(&DatasetBase::new(ranks, classes).with_weights(weights))?;
    // The engine has pruned the split away where both sides have the same most frequent class, but
    // the root still tells which it was. A root that was never split has no decrease.
    let (column, rank, decrease) = tree.root_node().split();
    Ok((decrease > 0.0).then(|| Split {
        feature: features[column],
        rank,
    }))
}
