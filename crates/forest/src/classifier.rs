//! The forest that classifies.

use std::fmt::{Debug, Display};

use crate::dump;
use crate::forest::{Forest, Question, largest};
use crate::importance::{self, PermutationImportance};
use crate::{DecisionTree, Float, ForestError, Samples};

/// A trained random forest that classifies.
///
/// Made by fitting [`RandomForest::params`] or [`RandomForest::extra_trees`]. With the feature `serde` it
/// can be stored and read back.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForest<F, L> {
    pub(crate) forest: Forest<F>,
    /// The label of each class number, ascending.
    pub(crate) labels: Vec<L>,
    /// For every row of the fit the class by the trees that have not seen it; `u32::MAX` where all have.
    pub(crate) oob_classes: Option<Vec<u32>>,
    pub(crate) oob_score: Option<f64>,
}

impl<F: Float, L> RandomForest<F, L> {
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

    /// The different labels of the training data, ascending.
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// The out-of-bag score: the share of training rows that are predicted rightly by those trees whose
    /// bootstrap sample does not hold them.
    ///
    /// Rows that are in every sample are left out, which happens with few trees, and so are rows of
    /// weight 0. `None` when there is no other row, above all without bootstrap.
    pub fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    /// For every row of the fit the label by the trees that have not seen it, `None` where all trees
    /// have. Nothing at all where there is no [`oob_score`](Self::oob_score).
    pub fn oob_predictions(&self) -> Option<impl Iterator<Item = Option<&L>>> {
        let classes = self.oob_classes.as_ref()?;
        Some(classes.iter().map(|&class| self.labels.get(class as usize)))
    }

    /// For every feature the decrease of the impurity by the splits along it, in the mean of the trees,
    /// as a share of that of all splits (the *mean decrease of impurity*): numbers that add up to 1, or
    /// zeros where nothing was split. Features with many different values look more important than they
    /// are; [`permutation_importances`](Self::permutation_importances) do not.
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

    /// The share of each class in the leaves of every row, in the mean of the trees: `n_samples` ×
    /// [`labels`](Self::labels) numbers in row-major order.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn predict_proba_samples(&self, samples: Samples<F>) -> Result<Vec<f64>, ForestError> {
        let n_classes = self.labels.len();
        let mut all = vec![0.0; samples.n_samples() * n_classes];
        let mut rows: Vec<&mut [f64]> = all.chunks_exact_mut(n_classes).collect();
        let question = Question::default();
        self.forest
            .ask(samples, question, &mut rows, |out, shares, voters| {
                for (out, share) in out.iter_mut().zip(shares) {
                    *out = share / voters as f64;
                }
            })?;
        Ok(all)
    }

    /// The class number of every row: the place of its label among [`labels`](Self::labels).
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn predict_classes(&self, samples: Samples<F>) -> Result<Vec<u32>, ForestError> {
        self.classes_of(samples, Question::default())
    }

    fn classes_of(&self, samples: Samples<F>, question: Question) -> Result<Vec<u32>, ForestError> {
        let mut classes = vec![0; samples.n_samples()];
        self.forest
            .ask(samples, question, &mut classes, |out, shares, _| {
                *out = largest(shares)
            })?;
        Ok(classes)
    }

    /// Adds the trees of a forest that was trained apart, on the same labels and features. There are no
    /// out-of-bag figures afterwards.
    ///
    /// # Errors
    /// [`ForestError::LabelsDiffer`] and [`ForestError::FeatureCount`]; nothing is changed then.
    ///
    /// ```
    /// use forest::{RandomForest, Samples};
    ///
    /// let values = [1.0, 2.0, 8.0, 9.0];
    /// let (samples, labels) = (Samples::new(&values, 1)?, ["a", "a", "b", "b"]);
    /// let params = RandomForest::params().n_trees(3);
    /// let mut model = params.clone().seed(1).fit_samples(samples, &labels)?;
    /// model.merge(params.seed(2).fit_samples(samples, &labels)?)?;
    /// assert_eq!(model.n_trees(), 6);
    /// # Ok::<(), forest::ForestError>(())
    /// ```
    pub fn merge(&mut self, other: Self) -> Result<(), ForestError>
    where
        L: PartialEq,
    {
        if self.labels != other.labels {
            return Err(ForestError::LabelsDiffer);
        }
        self.forest.merge(other.forest)?;
        self.oob_classes = None;
        self.oob_score = None;
        Ok(())
    }
}

impl<F: Float, L: Ord + Clone> RandomForest<F, L> {
    /// The label of every row: that of the class with the largest share in the mean of the trees, of
    /// equal ones the smallest.
    ///
    /// # Errors
    /// [`ForestError::FeatureCount`] when the samples have another number of columns than those of the
    /// fit, and [`ForestError::NotFinite`] when a value is NaN or infinite. Samples without rows are
    /// fine.
    ///
    /// ```
    /// use forest::{ForestError, RandomForest, Samples};
    ///
    /// let samples = Samples::new(&[1.0, 2.0, 8.0, 9.0], 1)?;
    /// let params = RandomForest::params().bootstrap(false);
    /// let model = params.fit_samples(samples, &["low", "low", "high", "high"])?;
    /// assert_eq!(model.predict_samples(Samples::new(&[0.0, 7.0], 1)?)?, ["low", "high"]);
    ///
    /// let error = model.predict_samples(Samples::new(&[1.0, 2.0], 2)?).unwrap_err();
    /// assert!(matches!(error, ForestError::FeatureCount { expected: 1, found: 2 }));
    /// # Ok::<(), ForestError>(())
    /// ```
    pub fn predict_samples(&self, samples: Samples<F>) -> Result<Vec<L>, ForestError> {
        let classes = self.predict_classes(samples)?;
        let label = |class: u32| self.labels[class as usize].clone();
        Ok(classes.into_iter().map(label).collect())
    }

    /// The share of rows that are predicted rightly; NaN without rows.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples), and [`ForestError::LabelCount`] when there
    /// are not as many labels as rows.
    pub fn score_samples(&self, samples: Samples<F>, labels: &[L]) -> Result<f64, ForestError> {
        importance::check_count(&samples, labels.len())?;
        let classes = self.predict_classes(samples)?;
        Ok(self.accuracy(&classes, labels))
    }

    fn accuracy(&self, classes: &[u32], labels: &[L]) -> f64 {
        let pairs = classes.iter().zip(labels);
        let right = pairs.filter(|(class, label)| self.labels[**class as usize] == **label);
        right.count() as f64 / labels.len() as f64
    }

    /// For every feature by how much the share of rows that are predicted rightly falls when the values of
    /// the feature are shuffled among the rows (Breiman 2001, section 10), `n_repeats` times.
    ///
    /// # Errors
    /// Those of [`score_samples`](Self::score_samples), [`ForestError::NoSamples`] without rows, and
    /// [`ForestError::NRepeats`] for no repeats.
    pub fn permutation_importances(
        &self,
        samples: Samples<F>,
        labels: &[L],
        n_repeats: usize,
        seed: u64,
    ) -> Result<Vec<PermutationImportance>, ForestError> {
        importance::check_count(&samples, labels.len())?;
        importance::permute(&samples, n_repeats, seed, |question| {
            Ok(self.accuracy(&self.classes_of(samples, question)?, labels))
        })
    }
}

impl<F: Float, L: Debug> RandomForest<F, L> {
    /// A tree as indented lines of text, a node each. Features without a name are called `x[0]` and so
    /// on.
    ///
    /// # Errors
    /// [`ForestError::NoSuchTree`] when there is none of that index.
    ///
    /// ```
    /// use forest::{RandomForest, Samples};
    ///
    /// let samples = Samples::new(&[1.0, 2.0, 8.0, 9.0], 1)?;
    /// let params = RandomForest::params().n_trees(1).bootstrap(false);
    /// let model = params.fit_samples(samples, &["low", "low", "high", "high"])?;
    /// let text = "size <= 5\n|   \"low\"\nsize > 5\n|   \"high\"\n";
    /// assert_eq!(model.tree_text(0, &["size"])?, text);
    /// # Ok::<(), forest::ForestError>(())
    /// ```
    pub fn tree_text(&self, index: usize, names: &[impl Display]) -> Result<String, ForestError> {
        Ok(dump::text(&self.tree(index)?, names, |values| {
            self.describe(values)
        }))
    }

    /// A tree in the language of Graphviz's `dot`. Features without a name are called `x[0]` and so on.
    ///
    /// # Errors
    /// [`ForestError::NoSuchTree`] when there is none of that index.
    pub fn tree_dot(&self, index: usize, names: &[impl Display]) -> Result<String, ForestError> {
        Ok(dump::dot(&self.tree(index)?, names, |values| {
            self.describe(values)
        }))
    }

    /// The classes of a leaf with their shares.
    fn describe(&self, shares: &[f64]) -> String {
        let present = self
            .labels
            .iter()
            .zip(shares)
            .filter(|(_, share)| **share > 0.0);
        let present: Vec<_> = present.collect();
        match present[..] {
            [(label, _)] => format!("{label:?}"),
            _ => {
                let one = |(label, share): &(&L, &f64)| format!("{label:?}: {share:.4}");
                present.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        }
    }
}
