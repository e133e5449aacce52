//! The forest for regression.

use std::fmt::Display;

use crate::dump;
use crate::fit::determination;
use crate::forest::{Forest, Question};
use crate::importance::{self, PermutationImportance};
use crate::{DecisionTree, Float, ForestError, Samples};

/// A trained random forest that predicts numbers.
///
/// Made by fitting [`RandomForestRegressor::params`] or [`RandomForestRegressor::extra_trees`]. With the
/// feature `serde` it can be stored and read back.
#[derive(Debug, Clone)]
pub struct RandomForestRegressor<F> {
    pub(crate) forest: Forest<F>,
    /// For every row of the fit the mean of the trees that have not seen it; NaN where all have.
    pub(crate) oob_means: Option<Vec<f64>>,
    pub(crate) oob_score: Option<f64>,
}

impl<F: PartialEq> PartialEq for RandomForestRegressor<F> {
    fn eq(&self, other: &Self) -> bool {
        let bits = |means: &Option<Vec<f64>>| {
            let means = means.as_ref();
            means.map(|means| {
                means
                    .iter()
                    .map(|mean| mean.to_bits())
                    .collect::<Vec<u64>>()
            })
        };
        // A NaN that stands for "none" is equal to another one.
        self.forest == other.forest
            && self.oob_score == other.oob_score
            && bits(&self.oob_means) == bits(&other.oob_means)
    }
}

impl<F: Float> RandomForestRegressor<F> {
    /// The number of trees.
    pub fn n_trees(&self) -> usize {
        self.forest.trees.len()
    }

    /// The number of nodes of all trees, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.forest.trees.iter().map(|tree| tree.n_nodes()).sum()
    }

    /// The depth of the deepest leaf of all trees; the root of a tree has depth 0.
    pub fn max_depth(&self) -> usize {
        self.forest
            .trees
            .iter()
            .map(|tree| tree.depth())
            .max()
            .unwrap_or(0)
    }

    /// The number of features of the samples that the forest was trained on.
    pub fn n_features(&self) -> usize {
        self.forest.n_features
    }

    /// The out-of-bag score: the coefficient of determination R² of the predictions by those trees whose
    /// bootstrap sample does not hold a row.
    ///
    /// Rows that are in every sample are left out, which happens with few trees, and so are rows of
    /// weight 0. `None` when there is no other row, above all without bootstrap.
    pub fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    /// For every row of the fit the mean of the trees that have not seen it, `None` where all trees
    /// have. Nothing at all where there is no [`oob_score`](Self::oob_score).
    pub fn oob_predictions(&self) -> Option<impl Iterator<Item = Option<f64>>> {
        let means = self.oob_means.as_ref()?;
        Some(means.iter().map(|&mean| (!mean.is_nan()).then_some(mean)))
    }

    /// For every feature the decrease of the squared error by the splits along it, in the mean of the
    /// trees, as a share of that of all splits: numbers that add up to 1, or zeros where nothing was
    /// split. Features with many different values look more important than they are;
    /// [`permutation_importances`](Self::permutation_importances) do not.
    pub fn feature_importances(&self) -> Vec<f64> {
        self.forest.importances()
    }

    /// One of the trees.
    ///
    /// # Errors
    /// [`ForestError::NoSuchTree`] when there is none of that index.
    pub fn tree(&self, index: usize) -> Result<DecisionTree<'_, F>, ForestError> {
        let tree = self.forest.tree(index)?;
        Ok(DecisionTree::new(tree, self.forest.n_values))
    }

    /// The leaf of every row in every tree, as the index of a node of the tree: `n_samples` × `n_trees`
    /// numbers in row-major order.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn apply_samples(&self, samples: Samples<F>) -> Result<Vec<u32>, ForestError> {
        self.forest.check(&samples)?;
        Ok(self.forest.apply(samples))
    }

    /// The mean of the trees for every row.
    ///
    /// # Errors
    /// [`ForestError::FeatureCount`] when the samples have another number of columns than those of the
    /// fit, and [`ForestError::NotFinite`] when a value is NaN or infinite. Samples without rows are
    /// fine.
    pub fn predict_samples(&self, samples: Samples<F>) -> Result<Vec<F>, ForestError> {
        let means = self.means_of(samples, Question::default())?;
        Ok(means.into_iter().map(F::narrow).collect())
    }

    fn means_of(&self, samples: Samples<F>, question: Question) -> Result<Vec<f64>, ForestError> {
        let mut means = vec![0.0; samples.n_samples()];
        self.forest
            .ask(samples, question, &mut means, |out, sums, voters| {
                *out = sums[0] / voters as f64;
            })?;
        Ok(means)
    }

    /// The coefficient of determination R² of the predictions; NaN without rows. Targets that are all
    /// equal give 1 if they are predicted exactly, else 0.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples), and [`ForestError::LabelCount`] when there
    /// are not as many targets as rows.
    pub fn score_samples(&self, samples: Samples<F>, targets: &[F]) -> Result<f64, ForestError> {
        importance::check_count(&samples, targets.len())?;
        Ok(score(
            targets,
            &self.means_of(samples, Question::default())?,
        ))
    }

    /// For every feature by how much R² falls when the values of the feature are shuffled among the rows,
    /// `n_repeats` times.
    ///
    /// # Errors
    /// Those of [`score_samples`](Self::score_samples), [`ForestError::NoSamples`] without rows, and
    /// [`ForestError::NRepeats`] for no repeats.
    pub fn permutation_importances(
        &self,
        samples: Samples<F>,
        targets: &[F],
        n_repeats: usize,
        seed: u64,
    ) -> Result<Vec<PermutationImportance>, ForestError> {
        importance::check_count(&samples, targets.len())?;
        importance::permute(&samples, n_repeats, seed, |question| {
            Ok(score(targets, &self.means_of(samples, question)?))
        })
    }

    /// Adds the trees of a forest that was trained apart, on the same features. There are no out-of-bag
    /// figures afterwards.
    ///
    /// # Errors
    /// [`ForestError::FeatureCount`]; nothing is changed then.
    pub fn merge(&mut self, other: Self) -> Result<(), ForestError> {
        self.forest.merge(other.forest)?;
        self.oob_means = None;
        self.oob_score = None;
        Ok(())
    }

    /// A tree as indented lines of text, a node each. Features without a name are called `x[0]` and so
    /// on.
    ///
    /// # Errors
    /// [`ForestError::NoSuchTree`] when there is none of that index.
    pub fn tree_text(&self, index: usize, names: &[impl Display]) -> Result<String, ForestError> {
        Ok(dump::text(&self.tree(index)?, names, |mean| {
            mean[0].to_string()
        }))
    }

    /// A tree in the language of Graphviz's `dot`. Features without a name are called `x[0]` and so on.
    ///
    /// # Errors
    /// [`ForestError::NoSuchTree`] when there is none of that index.
    pub fn tree_dot(&self, index: usize, names: &[impl Display]) -> Result<String, ForestError> {
        Ok(dump::dot(&self.tree(index)?, names, |mean| {
            mean[0].to_string()
        }))
    }
}

fn score<F: Float>(targets: &[F], means: &[f64]) -> f64 {
    let pairs = targets.iter().map(|y| y.widen()).zip(means.iter().copied());
    determination(pairs).unwrap_or(f64::NAN)
}
