//! The fitted forest.

use linfa::traits::PredictInplace;
use linfa::{Float, Label};
use ndarray::{Array1, ArrayBase, ArrayView2, Data, Ix2};

use crate::ForestError;
use crate::training::check_finite;
use crate::tree::Tree;
use crate::vote::majority_classes;

/// A trained random forest.
///
/// Made by fitting [`RandomForest::params`]. To predict use [`try_predict`](Self::try_predict), or
/// linfa's [`Predict`](linfa::traits::Predict), which panics where the former returns an error.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomForest<F: Float, L: Label> {
    pub(crate) trees: Vec<Tree<F>>,
    /// The label of each class number, ascending.
    pub(crate) labels: Vec<L>,
    pub(crate) n_features: usize,
    pub(crate) oob_score: Option<f64>,
}

impl<F: Float, L: Label> RandomForest<F, L> {
    /// The number of trees.
    pub fn n_trees(&self) -> usize {
        self.trees.len()
    }

    /// The number of nodes of all trees, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.trees.iter().map(Tree::n_nodes).sum()
    }

    /// The depth of the deepest leaf of all trees; the root of a tree has depth 0.
    pub fn max_depth(&self) -> usize {
        self.trees.iter().map(Tree::depth).max().unwrap_or(0)
    }

    /// The number of features of the records that the forest was trained on.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// The different labels of the training data, ascending.
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// The out-of-bag score: the share of training rows that are predicted rightly by the majority
    /// of those trees whose bootstrap sample does not hold them.
    ///
    /// Rows that are in every sample are left out, which happens with few trees. `None` when there
    /// is no other row, above all without bootstrap.
    pub fn oob_score(&self) -> Option<f64> {
        self.oob_score
    }

    /// The label that most trees give each row of `records`; of equal numbers of votes the smallest.
    ///
    /// # Errors
    /// [`ForestError::FeatureCount`] when the records have another number of columns than those of
    /// the fit, and [`ForestError::NotFinite`] when a value is NaN or infinite. Records without rows
    /// are fine.
    ///
    /// ```
    /// use forest::{ForestError, RandomForest};
    /// use linfa::{DatasetBase, traits::Fit};
    /// use ndarray::array;
    ///
    /// let records = array![[1.0], [2.0], [8.0], [9.0]];
    /// let dataset = DatasetBase::new(records, array!["low", "low", "high", "high"]);
    /// let model = RandomForest::params().bootstrap(false).fit(&dataset)?;
    /// assert_eq!(model.try_predict(&array![[0.0], [7.0]])?, array!["low", "high"]);
    ///
    /// let error = model.try_predict(&array![[1.0, 2.0]]).unwrap_err();
    /// assert!(matches!(error, ForestError::FeatureCount { expected: 1, found: 2 }));
    /// # Ok::<(), ForestError>(())
    /// ```
    pub fn try_predict(
        &self,
        records: &ArrayBase<impl Data<Elem = F>, Ix2>,
    ) -> Result<Array1<L>, ForestError> {
        Ok(self.labels_of(records.view())?.cloned().collect())
    }

    /// The label of each row.
    fn labels_of(
        &self,
        records: ArrayView2<F>,
    ) -> Result<impl Iterator<Item = &L> + use<'_, F, L>, ForestError> {
        if records.ncols() != self.n_features {
            return Err(ForestError::FeatureCount {
                expected: self.n_features,
                found: records.ncols(),
            });
        }
        check_finite(records)?;
        let classes = majority_classes(&self.trees, records, |_, _| true);
        Ok(classes.into_iter().map(|class| {
            let class = class.expect("there is at least one tree, and every tree votes");
            &self.labels[class as usize]
        }))
    }
}

/// Predicts labels by majority vote.
///
/// # Panics
/// The trait cannot return an error: prediction panics with the message of the error that
/// [`RandomForest::try_predict`] would return, and when there are not as many labels as rows.
impl<F: Float, L: Label, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<L>>
    for RandomForest<F, L>
{
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<L>) {
        assert_eq!(
            x.nrows(),
            y.len(),
            "there must be as many labels as records have rows"
        );
        match self.labels_of(x.view()) {
            Ok(labels) => y.iter_mut().zip(labels).for_each(|(y, l)| y.clone_from(l)),
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}
