//! Forests as a user sees them.

mod dump;
mod errors;
mod fit;
#[cfg(feature = "linfa")]
mod linfa;
mod model;
mod oracle;
mod properties;
mod regression;
mod reproducible;
#[cfg(feature = "serde")]
mod serde;
mod weights;

use datasets::RandomState;
use forest::{Float, MaxFeatures, RandomForest, RandomForestParams, Samples};
use ndarray::{Array1, Array2};

/// Samples of an array in standard layout.
fn samples<F: Float>(records: &Array2<F>) -> Samples<'_, F> {
    Samples::new(records.as_slice().unwrap(), records.ncols()).unwrap()
}

#[track_caller]
fn fit<F: Float, L: Ord + Clone>(
    params: &RandomForestParams<F, L>,
    records: &Array2<F>,
    targets: &Array1<L>,
) -> RandomForest<F, L> {
    params
        .fit_samples(samples(records), targets.as_slice().unwrap())
        .unwrap()
}

#[track_caller]
fn predict<F: Float, L: Ord + Clone>(model: &RandomForest<F, L>, records: &Array2<F>) -> Array1<L> {
    model.predict_samples(samples(records)).unwrap().into()
}

/// One tree on all rows, every split seeing all features: what it predicts can be told by hand.
fn one_tree<F: Float, L: Ord + Clone>() -> RandomForestParams<F, L> {
    RandomForest::params()
        .n_trees(1)
        .bootstrap(false)
        .max_features(MaxFeatures::All)
}

/// Normals whose label depends on two features, with a tenth of the labels drawn at random.
fn noisy_rule(n: usize, seed: u32) -> (Array2<f64>, Array1<usize>) {
    let mut random = RandomState::new(seed);
    let records = random.randn(n, 6).unwrap();
    let targets = records
        .rows()
        .into_iter()
        .map(|row| match random.interval(9) {
            0 => random.interval(1) as usize,
            _ => usize::from(row[1] + row[4] > 0.0),
        })
        .collect();
    (records, targets)
}

#[cfg(feature = "linfa")]
/// Few different values, so that rows repeat with contradicting labels, and leaves tie.
fn repetitive(n: usize, n_classes: i64, seed: u32) -> (Array2<f64>, Array1<usize>) {
    let mut random = RandomState::new(seed);
    let values = random.randint(0, 3, n * 4).unwrap();
    let records = Array2::from_shape_vec((n, 4), values).unwrap();
    let targets = random.randint(0, n_classes, n).unwrap();
    (
        records.mapv(|value| value as f64),
        targets.into_iter().map(|label| label as usize).collect(),
    )
}

fn accuracy(predicted: &Array1<usize>, actual: &Array1<usize>) -> f64 {
    let right = predicted.iter().zip(actual).filter(|(p, a)| p == a);
    right.count() as f64 / actual.len() as f64
}
