//! What must hold of forests whatever the data.

use forest::{Criterion, RandomForest, RandomForestParams, Samples, Splitter};
use proptest::prelude::*;

/// Rows of few or many different values, their number of columns, and labels.
fn data() -> impl Strategy<Value = (Vec<f64>, usize, Vec<u8>)> {
    (
        1_usize..5,
        2_usize..120,
        prop::sample::select(vec![3_i32, 20, 1_000_000]),
    )
        .prop_flat_map(|(d, n, spread)| {
            let value = (-spread..spread).prop_map(f64::from);
            let values = prop::collection::vec(value, n * d);
            (values, Just(d), prop::collection::vec(0_u8..4, n))
        })
}

fn params() -> RandomForestParams<f64, u8> {
    RandomForest::params().n_trees(3).seed(11)
}

fn fit(
    params: &RandomForestParams<f64, u8>,
    values: &[f64],
    d: usize,
    labels: &[u8],
) -> RandomForest<f64, u8> {
    params
        .fit_samples(Samples::new(values, d).unwrap(), labels)
        .unwrap()
}

fn leaves(model: &RandomForest<f64, u8>, values: &[f64], d: usize) -> Vec<u32> {
    model
        .apply_samples(Samples::new(values, d).unwrap())
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The cube keeps the order; scaling by a power of two keeps even the midpoints.
    #[test]
    fn only_the_order_of_values_matters((values, d, labels) in data()) {
        let model = fit(&params(), &values, d, &labels);
        let scaled: Vec<f64> = values.iter().map(|x| x * 1024.0).collect();
        let other = fit(&params(), &scaled, d, &labels);
        prop_assert_eq!(leaves(&other, &scaled, d), leaves(&model, &values, d));
        let cubed: Vec<f64> = values.iter().map(|x| x * x * x).collect();
        let other = fit(&params(), &cubed, d, &labels);
        prop_assert_eq!(other.n_nodes(), model.n_nodes());
        prop_assert_eq!(other.feature_importances(), model.feature_importances());
        // Rows that a tree was grown on come to the same leaves; others may lie between two of them.
        let all = params().bootstrap(false);
        let (one, other) = (fit(&all, &values, d, &labels), fit(&all, &cubed, d, &labels));
        prop_assert_eq!(leaves(&other, &cubed, d), leaves(&one, &values, d));
    }

    #[test]
    fn a_full_tree_fits_different_rows_perfectly((values, d, labels) in data(), entropy: bool) {
        let mut rows: Vec<(&[f64], u8)> = values.chunks(d).zip(labels.iter().copied()).collect();
        rows.sort_by(|a, b| a.0.partial_cmp(b.0).unwrap());
        rows.dedup_by_key(|row| row.0);
        let values: Vec<f64> = rows.iter().flat_map(|row| row.0).copied().collect();
        let labels: Vec<u8> = rows.iter().map(|row| row.1).collect();
        let criterion = if entropy { Criterion::Entropy } else { Criterion::Gini };
        for splitter in [Splitter::Best, Splitter::Random] {
            let full = params().n_trees(2).bootstrap(false).splitter(splitter).criterion(criterion);
            let model = fit(&full, &values, d, &labels);
            let predicted = model.predict_samples(Samples::new(&values, d).unwrap()).unwrap();
            prop_assert_eq!(&predicted, &labels);
        }
    }

    /// The order of rows that are equal to the tree is all that may differ.
    #[test]
    fn a_weight_of_two_equals_a_row_twice((values, d, labels) in data(), twice in any::<u64>()) {
        let is_twice = |row: usize| twice >> (row % 64) & 1 == 1;
        let n = labels.len();
        let weights: Vec<f64> = (0..n).map(|row| if is_twice(row) { 2.0 } else { 1.0 }).collect();
        let all = params().bootstrap(false);
        let samples = Samples::new(&values, d).unwrap();
        let weighted = all.fit_samples(samples.with_weights(&weights).unwrap(), &labels).unwrap();
        let again = (0..n).filter(|&row| is_twice(row));
        let order: Vec<usize> = (0..n).chain(again).collect();
        let more: Vec<f64> = order.iter().flat_map(|&row| &values[row * d..][..d]).copied().collect();
        let more_labels: Vec<u8> = order.iter().map(|&row| labels[row]).collect();
        let repeated = fit(&all, &more, d, &more_labels);
        prop_assert_eq!(weighted.n_nodes(), repeated.n_nodes());
        let shares = |model: &RandomForest<f64, u8>| model.predict_proba_samples(samples).unwrap();
        prop_assert_eq!(shares(&weighted), shares(&repeated));
    }

    #[test]
    fn a_row_without_weight_is_not_there((values, d, labels) in data(), bootstrap: bool) {
        let far: Vec<f64> = values.iter().copied().chain(vec![1e9; d]).collect();
        let mut far_labels = labels.clone();
        far_labels.push(labels[0]);
        let mut weights = vec![1.0; far_labels.len()];
        *weights.last_mut().unwrap() = 0.0;
        let params = params().bootstrap(bootstrap);
        let samples = Samples::new(&far, d).unwrap().with_weights(&weights).unwrap();
        let with = params.fit_samples(samples, &far_labels).unwrap();
        let without = fit(&params, &values, d, &labels);
        prop_assert_eq!(leaves(&with, &values, d), leaves(&without, &values, d));
        prop_assert_eq!(with.oob_score(), without.oob_score());
    }

    #[test]
    fn shares_are_shares((values, d, labels) in data(), extra: bool) {
        let splitter = if extra { Splitter::Random } else { Splitter::Best };
        let model = fit(&params().splitter(splitter).min_samples_leaf(3), &values, d, &labels);
        let shares = model.predict_proba_samples(Samples::new(&values, d).unwrap()).unwrap();
        for row in shares.chunks(model.labels().len()) {
            prop_assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert!(row.iter().all(|share| (0.0..=1.0).contains(share)));
        }
        let sum: f64 = model.feature_importances().iter().sum();
        prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-12);
    }
}
