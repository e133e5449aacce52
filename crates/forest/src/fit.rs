//! Training.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::forest::{Question, largest};
use crate::progress::{Observer, Progress};
use crate::settings::{Settings, in_threads};
use crate::target::{Binary, Classes, Entropy, Gini, Numbers};
use crate::tree::VALUES;
use crate::{
    ClassWeight, Classification, Criterion, Float, ForestError, ForestParams, ForestValidParams,
    RandomForest, RandomForestRegressor, Regression, Samples,
};

/// The most rows that can be trained on: the nodes of a tree are numbered with 32 bits, and there may be
/// nearly twice as many as rows.
const MAX_SAMPLES: usize = 1 << 31;

/// The most columns that can be trained on.
const MAX_FEATURES: usize = VALUES as usize;

/// The largest sum of weights: products of four of them are finite.
const MAX_WEIGHT: f64 = 1e75;

impl<F: Float, L: Ord + Clone> ForestParams<F, Classification<L>> {
    /// Trains a forest; see [`ForestValidParams::fit_samples`].
    ///
    /// # Errors
    /// Impossible parameters, and what that function returns.
    pub fn fit_samples(
        &self,
        samples: Samples<F>,
        labels: &[L],
    ) -> Result<RandomForest<F, L>, ForestError> {
        self.checked()?.fit_samples(samples, labels)
    }

    /// Trains a forest under observation; see [`ForestValidParams::fit_observed`].
    ///
    /// # Errors
    /// Impossible parameters, and what that function returns.
    pub fn fit_observed(
        &self,
        samples: Samples<F>,
        labels: &[L],
        observer: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<RandomForest<F, L>, ForestError> {
        self.checked()?.fit_observed(samples, labels, observer)
    }
}

impl<F: Float, L: Ord + Clone> ForestValidParams<F, Classification<L>> {
    /// Trains a forest; see [`ForestParams`] for the algorithm. Labels of one class are fine: the
    /// forest always predicts that class.
    ///
    /// # Errors
    /// No rows or columns, or too many, a number of labels that differs from that of the rows, more
    /// features or rows than there are as `max_features` or `max_samples`, a value that is NaN or
    /// infinite (named by row and column), a weight that is negative, infinite or NaN (named by its row),
    /// weights that are all zero or that overflow, and class weights for labels that no row has.
    ///
    /// ```
    /// use forest::{RandomForest, Samples};
    ///
    /// let values = [1.0, 2.0, 8.0, 9.0];
    /// let params = RandomForest::params().bootstrap(false);
    /// let model = params.fit_samples(Samples::new(&values, 1)?, &["low", "low", "high", "high"])?;
    /// assert_eq!(model.predict_samples(Samples::new(&[0.0, 7.0], 1)?)?, ["low", "high"]);
    /// # Ok::<(), forest::ForestError>(())
    /// ```
    pub fn fit_samples(
        &self,
        samples: Samples<F>,
        labels: &[L],
    ) -> Result<RandomForest<F, L>, ForestError> {
        self.fit_observed(samples, labels, |_| ControlFlow::Continue(()))
    }

    /// Trains a forest and calls `observer` after every tree and every split of a large node, on the
    /// thread that has made it, but never twice at the same time; the fit ends early when it returns
    /// [`ControlFlow::Break`].
    ///
    /// # Errors
    /// [`ForestError::Cancelled`] when the observer ended the fit, and the errors of
    /// [`fit_samples`](Self::fit_samples).
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use forest::{ForestError, RandomForest, Samples};
    ///
    /// let values: Vec<f32> = (0..1000).map(|i| (i * i % 97) as f32).collect();
    /// let labels: Vec<bool> = (0..500).map(|i| i % 3 == 0).collect();
    /// let mut calls = 0;
    /// let result = RandomForest::params().fit_observed(Samples::new(&values, 2)?, &labels, |_| {
    ///     calls += 1;
    ///     if calls < 3 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    /// });
    /// assert!(matches!(result, Err(ForestError::Cancelled)));
    /// # Ok::<(), ForestError>(())
    /// ```
    pub fn fit_observed(
        &self,
        samples: Samples<F>,
        labels: &[L],
        observer: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<RandomForest<F, L>, ForestError> {
        self.fit_after(None, samples, labels, observer)
    }

    /// Adds trees to a forest until it has as many as the parameters say (a *warm start*). With the
    /// parameters and the rows of the first fit the result is the forest that one fit of all trees
    /// would have given. The out-of-bag figures take the rows for those that all trees were trained on.
    ///
    /// # Errors
    /// [`ForestError::FewerTrees`] when the forest has more trees already,
    /// [`ForestError::LabelsDiffer`] and [`ForestError::FeatureCount`] when it knows other labels or another
    /// number of features, and the errors of [`fit_samples`](Self::fit_samples).
    ///
    /// ```
    /// use forest::{RandomForest, Samples};
    ///
    /// let values = [1.0, 2.0, 8.0, 9.0];
    /// let (samples, labels) = (Samples::new(&values, 1)?, [0, 0, 1, 1]);
    /// let few = RandomForest::params().n_trees(3).fit_samples(samples, &labels)?;
    /// let params = RandomForest::params().n_trees(8);
    /// let more = params.checked()?.fit_more(few, samples, &labels)?;
    /// assert_eq!(more, params.fit_samples(samples, &labels)?);
    /// # Ok::<(), forest::ForestError>(())
    /// ```
    pub fn fit_more(
        &self,
        model: RandomForest<F, L>,
        samples: Samples<F>,
        labels: &[L],
    ) -> Result<RandomForest<F, L>, ForestError> {
        self.fit_after(Some(model), samples, labels, |_| ControlFlow::Continue(()))
    }

    fn fit_after(
        &self,
        model: Option<RandomForest<F, L>>,
        samples: Samples<F>,
        labels: &[L],
        mut observer: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<RandomForest<F, L>, ForestError> {
        check(&samples, labels.len())?;
        let known: Vec<L> = different(labels).into_iter().cloned().collect();
        let (forest, before) = match model {
            None => (None, None),
            Some(model) if model.labels != known => return Err(ForestError::LabelsDiffer),
            Some(model) => (Some(model.forest), Some(model.labels)),
        };
        drop(before);
        let class = |label| known.partition_point(|other| other < label) as u32;
        let classes: Vec<u32> = labels.iter().map(class).collect();
        let weights = class_weights(self.class_weight(), &known, &classes)?;
        let weights = row_weights(&samples, weights.map(|each| (each, &classes[..])))?;
        let weights = weights.as_deref();
        let observer = Observer::new(&mut observer);
        let criterion = self.criterion();
        let n_classes = known.len();
        let mut settings = Settings::new(self, samples, forest, n_classes, 1.0)?;
        let classes = &classes[..];
        let (forest, oob) = in_threads(self.n_threads(), || {
            let heaviest = weights
                .unwrap_or(&[1.0])
                .iter()
                .fold(0.0, |a: f64, &b| a.max(b));
            let heaviest_tree = heaviest * settings.draws() as f64;
            let whole = weights.is_none_or(|w| w.iter().all(|w| w.fract() == 0.0));
            let forest = if criterion == Criterion::Entropy {
                let impurity = Entropy::new(if whole { heaviest_tree } else { 0.0 });
                let target = Classes {
                    n_classes,
                    classes,
                    weights,
                    impurity,
                };
                settings.grow(&target, &observer)?
            } else if n_classes <= 2 && whole && heaviest_tree <= Binary::MAX_WEIGHT {
                settings.grow(&Binary { classes, weights }, &observer)?
            } else {
                let target = Classes {
                    n_classes,
                    classes,
                    weights,
                    impurity: Gini,
                };
                settings.grow(&target, &observer)?
            };
            let oob = settings.out_of_bag(&forest).map(|sets| {
                let mut voted = vec![u32::MAX; samples.n_samples()];
                let question = Question {
                    only: Some(&sets),
                    permuted: None,
                };
                forest.ask(samples, question, &mut voted, |out, shares, voters| {
                    if voters > 0 {
                        *out = largest(shares);
                    }
                })?;
                Ok(voted)
            });
            let oob: Result<_, ForestError> = oob.transpose();
            Ok((forest, oob?))
        })?;
        let oob_score = oob.as_ref().and_then(|voted| {
            let judged = |row: usize| weights.is_none_or(|w| w[row] > 0.0);
            let rows = (0..voted.len()).filter(|&row| voted[row] != u32::MAX && judged(row));
            let (right, all) = rows.fold((0_u64, 0_u64), |(right, all), row| {
                (right + u64::from(voted[row] == classes[row]), all + 1)
            });
            (all > 0).then(|| right as f64 / all as f64)
        });
        Ok(RandomForest {
            forest,
            labels: known,
            oob_classes: oob.filter(|_| oob_score.is_some()),
            oob_score,
        })
    }
}

impl<F: Float> ForestParams<F, Regression> {
    /// Trains a forest; see [`ForestValidParams::fit_samples`](ForestValidParams#method.fit_samples-1).
    ///
    /// # Errors
    /// Impossible parameters, and what that function returns.
    pub fn fit_samples(
        &self,
        samples: Samples<F>,
        targets: &[F],
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        self.checked()?.fit_samples(samples, targets)
    }

    /// Trains a forest under observation; see
    /// [`ForestValidParams::fit_observed`](ForestValidParams#method.fit_observed-1).
    ///
    /// # Errors
    /// Impossible parameters, and what that function returns.
    pub fn fit_observed(
        &self,
        samples: Samples<F>,
        targets: &[F],
        observer: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        self.checked()?.fit_observed(samples, targets, observer)
    }
}

impl<F: Float> ForestValidParams<F, Regression> {
    /// Trains a forest; see [`ForestParams`] for the algorithm.
    ///
    /// # Errors
    /// Those of a classification, and a target that is NaN or infinite (named by its row).
    ///
    /// ```
    /// use forest::{RandomForestRegressor, Samples};
    ///
    /// let values = [1.0, 2.0, 8.0, 9.0];
    /// let params = RandomForestRegressor::params().bootstrap(false);
    /// let model = params.fit_samples(Samples::new(&values, 1)?, &[0.5, 0.5, 3.0, 4.0])?;
    /// assert_eq!(model.predict_samples(Samples::new(&[0.0, 7.0], 1)?)?, [0.5, 3.0]);
    /// # Ok::<(), forest::ForestError>(())
    /// ```
    pub fn fit_samples(
        &self,
        samples: Samples<F>,
        targets: &[F],
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        self.fit_observed(samples, targets, |_| ControlFlow::Continue(()))
    }

    /// Trains a forest and calls `observer` after every tree and every split of a large node, on the
    /// thread that has made it, but never twice at the same time; the fit ends early when it returns
    /// [`ControlFlow::Break`].
    ///
    /// # Errors
    /// [`ForestError::Cancelled`] when the observer ended the fit, and the errors of
    /// [`fit_samples`](#method.fit_samples-1).
    pub fn fit_observed(
        &self,
        samples: Samples<F>,
        targets: &[F],
        observer: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        self.fit_after(None, samples, targets, observer)
    }

    /// Adds trees to a forest until it has as many as the parameters say (a *warm start*). With the
    /// parameters and the rows of the first fit the result is the forest that one fit of all trees
    /// would have given. The out-of-bag figures take the rows for those that all trees were trained on.
    ///
    /// # Errors
    /// [`ForestError::FewerTrees`] when the forest has more trees already,
    /// [`ForestError::FeatureCount`] when it knows another number of features, and the errors of
    /// [`fit_samples`](#method.fit_samples-1).
    pub fn fit_more(
        &self,
        model: RandomForestRegressor<F>,
        samples: Samples<F>,
        targets: &[F],
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        self.fit_after(Some(model), samples, targets, |_| ControlFlow::Continue(()))
    }

    fn fit_after(
        &self,
        model: Option<RandomForestRegressor<F>>,
        samples: Samples<F>,
        targets: &[F],
        mut observer: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        check(&samples, targets.len())?;
        if let Some(row) = targets.iter().position(|y| !y.widen().is_finite()) {
            let value = targets[row].widen();
            return Err(ForestError::TargetNotFinite { row, value });
        }
        let weights = row_weights(&samples, None)?;
        let weights = weights.as_deref();
        let scale = scale_of(targets);
        // Division by a power of two is exact.
        let numbers: Vec<f64> = targets.iter().map(|y| y.widen() / scale).collect();
        let observer = Observer::new(&mut observer);
        let mut settings = Settings::new(self, samples, model.map(|m| m.forest), 1, scale)?;
        let (forest, oob) = in_threads(self.n_threads(), || {
            let target = Numbers {
                numbers: &numbers,
                scale,
                weights,
            };
            let forest = settings.grow(&target, &observer)?;
            let oob = settings.out_of_bag(&forest).map(|sets| {
                let mut means = vec![f64::NAN; samples.n_samples()];
                let question = Question {
                    only: Some(&sets),
                    permuted: None,
                };
                forest.ask(samples, question, &mut means, |out, sums, voters| {
                    if voters > 0 {
                        *out = sums[0] / voters as f64;
                    }
                })?;
                Ok(means)
            });
            let oob: Result<_, ForestError> = oob.transpose();
            Ok((forest, oob?))
        })?;
        let oob_score = oob.as_ref().and_then(|means| {
            let judged = |row: usize| !means[row].is_nan() && weights.is_none_or(|w| w[row] > 0.0);
            let rows: Vec<usize> = (0..means.len()).filter(|&row| judged(row)).collect();
            let pairs = rows.iter().map(|&row| (targets[row].widen(), means[row]));
            determination(pairs)
        });
        Ok(RandomForestRegressor {
            forest,
            oob_means: oob.filter(|_| oob_score.is_some()),
            oob_score,
        })
    }
}

/// The coefficient of determination, R², of pairs of a target and a prediction: 1 less the share of the squared error in
/// the variance. Targets that are all equal give 1 if they were met exactly, else 0; no pairs give none.
pub(crate) fn determination(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let n = pairs.clone().count();
    if n == 0 {
        return None;
    }
    let mean = pairs.clone().map(|(y, _)| y / n as f64).sum::<f64>();
    let scale = pairs
        .clone()
        .fold(0.0, |a: f64, (y, _)| a.max((y - mean).abs()));
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let square = |x: f64| (x / scale) * (x / scale);
    let error: f64 = pairs.clone().map(|(y, p)| square(y - p)).sum();
    let variance: f64 = pairs.map(|(y, _)| square(y - mean)).sum();
    Some(match (error > 0.0, variance > 0.0) {
        (_, true) => 1.0 - error / variance,
        (false, false) => 1.0,
        (true, false) => 0.0,
    })
}

/// The power of two by which the targets are divided so that the largest is between 1/2 and 1.
fn scale_of<F: Float>(targets: &[F]) -> f64 {
    let largest = targets.iter().fold(0.0, |a: f64, y| a.max(y.widen().abs()));
    let (_, exponent) = libm::frexp(largest);
    // At both ends of the range the power, or its inverse, would not be an ordinary number.
    libm::ldexp(1.0, exponent.clamp(-1000, 1000))
}

/// Refuses shapes that cannot be trained on, and bad weights.
fn check<F: Float>(samples: &Samples<F>, n_labels: usize) -> Result<(), ForestError> {
    check_shape(samples.n_samples(), samples.n_features())?;
    if n_labels != samples.n_samples() {
        return Err(ForestError::LabelCount {
            n_samples: samples.n_samples(),
            n_labels,
        });
    }
    samples.check_weights()
}

fn check_shape(n_samples: usize, n_features: usize) -> Result<(), ForestError> {
    if n_samples == 0 {
        return Err(ForestError::NoSamples);
    }
    if n_samples > MAX_SAMPLES {
        let max = MAX_SAMPLES;
        return Err(ForestError::TooManySamples { n_samples, max });
    }
    if n_features > MAX_FEATURES {
        let max = MAX_FEATURES;
        return Err(ForestError::TooManyFeatures { n_features, max });
    }
    Ok(())
}

/// The different labels, ascending; of equal ones the last.
fn different<L: Ord>(labels: &[L]) -> Vec<&L> {
    // So few are found sooner in a list.
    const FEW: usize = 32;
    let mut few = Vec::new();
    for (row, label) in labels.iter().enumerate() {
        match few.binary_search(&label) {
            Ok(place) => few[place] = label,
            Err(place) if few.len() < FEW => few.insert(place, label),
            Err(_) => {
                let all: BTreeSet<&L> = few.into_iter().chain(&labels[row..]).collect();
                return all.into_iter().collect();
            }
        }
    }
    few
}

/// The weight of each class, if they are not all 1.
fn class_weights<L: Ord>(
    weights: &ClassWeight<L>,
    labels: &[L],
    classes: &[u32],
) -> Result<Option<Vec<f64>>, ForestError> {
    match weights {
        ClassWeight::Uniform => Ok(None),
        ClassWeight::Balanced => {
            let mut counts = vec![0_u64; labels.len()];
            classes
                .iter()
                .for_each(|&class| counts[class as usize] += 1);
            let (rows, labels) = (classes.len() as f64, labels.len() as f64);
            let weight = |&count: &u64| rows / (labels * count as f64);
            Ok(Some(counts.iter().map(weight).collect()))
        }
        ClassWeight::Each(list) => {
            let mut found = vec![None; labels.len()];
            for (index, (label, weight)) in list.iter().enumerate() {
                let Ok(class) = labels.binary_search(label) else {
                    return Err(ForestError::UnknownClass { index });
                };
                if found[class].replace(*weight).is_some() {
                    return Err(ForestError::RepeatedClass { index });
                }
            }
            Ok(Some(
                found
                    .into_iter()
                    .map(|weight| weight.unwrap_or(1.0))
                    .collect(),
            ))
        }
    }
}

/// The weights of the rows, if they are not all 1.
fn row_weights<F: Float>(
    samples: &Samples<F>,
    classes: Option<(Vec<f64>, &[u32])>,
) -> Result<Option<Vec<f64>>, ForestError> {
    let own = |row: usize| {
        samples
            .weights()
            .map_or(1.0, |weights| weights[row].widen())
    };
    let weights: Vec<f64> = match (&classes, samples.weights()) {
        (None, None) => return Ok(None),
        (None, Some(weights)) => weights.iter().map(|w| w.widen()).collect(),
        (Some((each, classes)), _) => {
            let weight = |(row, &class): (usize, &u32)| own(row) * each[class as usize];
            classes.iter().enumerate().map(weight).collect()
        }
    };
    let heaviest = weights.iter().fold(0.0, |a: f64, &b| a.max(b));
    if heaviest * weights.len() as f64 > MAX_WEIGHT {
        return Err(ForestError::WeightOverflow);
    }
    Ok(Some(weights))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_that_cannot_be_numbered() {
        let message = |rows, columns| check_shape(rows, columns).unwrap_err().to_string();
        assert_eq!(message(0, 1), "the records have no rows");
        let rows = "the records have 2147483649 rows, but at most 2147483648 can be trained on";
        assert_eq!(message((1 << 31) + 1, 1), rows);
        let columns = "the records have 4294967295 columns, but at most 4294967294 are possible";
        assert_eq!(message(1, u32::MAX as usize), columns);
        assert!(check_shape(1 << 31, 1).is_ok());
    }

    #[test]
    fn labels_are_listed_in_their_order() {
        assert!(different::<u8>(&[]).is_empty());
        for n in [1, 2, 31, 32, 33, 1000_u32] {
            let labels: Vec<u32> = (0..3 * n).map(|row| row * 7919 % n * 2).collect();
            let expected: Vec<u32> = (0..n).map(|label| label * 2).collect();
            assert!(different(&labels).into_iter().eq(&expected));
        }
    }

    #[test]
    fn targets_are_scaled_by_powers_of_two() {
        for (largest, scale) in [(1.0, 2.0), (0.75, 1.0), (-6.0, 8.0), (0.0, 1.0)] {
            assert_eq!(scale_of(&[0.0, largest]), scale);
        }
        assert!((f64::MAX / scale_of(&[f64::MAX])).is_finite());
        assert!(scale_of(&[5e-324]) > 0.0);
    }

    #[test]
    fn the_share_of_the_variance() {
        let check = |pairs: &[(f64, f64)], expected| {
            assert_eq!(determination(pairs.iter().copied()), expected);
        };
        check(&[], None);
        check(&[(1.0, 1.0)], Some(1.0));
        check(&[(1.0, 2.0)], Some(0.0));
        check(&[(0.0, 0.5), (1.0, 0.5)], Some(0.0));
        check(&[(0.0, 0.0), (4.0, 2.0)], Some(0.5));
    }
}
