//! Training.

use linfa::dataset::AsSingleTargets;
use linfa::traits::Fit;
use linfa::{DatasetBase, Float, Label};
use ndarray::{ArrayBase, Data, Ix2};
use ndarray_rand::rand::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;
use rayon::prelude::*;

use crate::grow::grow;
use crate::sample::RowSet;
use crate::training::{MAX_SAMPLES, Training, check_finite};
use crate::tree::Tree;
use crate::vote::majority_classes;
use crate::{ForestError, RandomForest, RandomForestValidParams};

/// Trains a forest; see [`RandomForestParams`](crate::RandomForestParams) for the algorithm.
///
/// # Errors
/// Records without rows or columns or with more than 2²³ rows, a number of labels that differs from
/// the number of rows, more features a split than there are columns, a value that is NaN or
/// infinite (named by row and column), and sample weights, which would be left unused. Labels of one
/// class are fine: the forest always predicts that class.
impl<F, L, D, T> Fit<ArrayBase<D, Ix2>, T, ForestError> for RandomForestValidParams<F, L>
where
    F: Float,
    L: Label,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
{
    type Object = RandomForest<F, L>;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<Self::Object, ForestError> {
        let records = dataset.records().view();
        let targets = dataset.targets().as_single_targets();
        let (n_samples, n_features) = records.dim();
        if n_samples == 0 {
            return Err(ForestError::NoSamples);
        }
        if n_features == 0 {
            return Err(ForestError::NoFeatures);
        }
        if n_samples > MAX_SAMPLES {
            return Err(ForestError::TooManySamples {
                n_samples,
                max: MAX_SAMPLES,
            });
        }
        if targets.len() != n_samples {
            return Err(ForestError::LabelCount {
                n_samples,
                n_labels: targets.len(),
            });
        }
        if dataset.weights().is_some() {
            return Err(ForestError::Weights);
        }
        let features_per_split = self.max_features().resolve(n_features)?;
        check_finite(records)?;
        let (training, labels) = Training::new(records, targets);

        // Seeds are drawn here, in one thread, so that a tree does not depend on who grows it.
        let mut random = Xoshiro256Plus::seed_from_u64(self.seed());
        let seeds: Vec<u64> = (0..self.n_trees()).map(|_| random.next_u64()).collect();
        let grown: Vec<(Tree<F>, RowSet)> = seeds
            .into_par_iter()
            .map(|seed| grow(self, &training, features_per_split, seed))
            .collect::<Result<_, ForestError>>()?;

        let (trees, out_of_bag): (Vec<_>, Vec<_>) = grown.into_iter().unzip();
        let oob_score = oob_score(&trees, &out_of_bag, &training);
        Ok(RandomForest {
            trees,
            labels,
            n_features,
            oob_score,
        })
    }
}

/// The share of rows whose class gets the most votes of the trees that have not seen them, among the
/// rows that some tree has not seen.
fn oob_score<F: Float>(
    trees: &[Tree<F>],
    out_of_bag: &[RowSet],
    training: &Training<F>,
) -> Option<f64> {
    let voted = majority_classes(trees, training.records, |tree, row| {
        out_of_bag[tree].contains(row)
    });
    let judged = voted.iter().zip(&training.classes);
    let judged = judged.filter_map(|(voted, class)| voted.map(|voted| voted == *class));
    let (right, all) = judged.fold((0, 0), |(right, all), hit| {
        (right + u32::from(hit), all + 1)
    });
    (all > 0).then(|| f64::from(right) / f64::from(all))
}
