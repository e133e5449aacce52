//! Forests that predict numbers.

use datasets::RandomState;
use forest::{Float, MaxFeatures, RandomForestRegressor, Samples, TreeNode};
use ndarray::{Array1, Array2};

use crate::samples;

fn smooth(n: usize, seed: u32) -> (Array2<f64>, Vec<f64>) {
    let mut random = RandomState::new(seed);
    let records = random.randn(n, 5).unwrap();
    let noise = random.randn(n, 1).unwrap();
    let targets = records.rows().into_iter().zip(&noise);
    let targets = targets
        .map(|(x, e)| 3.0 * x[0] + x[2] * x[2] + 0.1 * e)
        .collect();
    (records, targets)
}

fn one_tree<F: Float>() -> forest::RandomForestRegressorParams<F> {
    RandomForestRegressor::params().n_trees(1).bootstrap(false)
}

#[test]
fn learns_what_can_be_learned() {
    let (records, targets) = smooth(800, 1);
    let (unseen, expected) = smooth(800, 2);
    for (params, least) in [
        (RandomForestRegressor::params(), 0.93),
        (RandomForestRegressor::extra_trees(), 0.93),
        (
            RandomForestRegressor::params().max_features(MaxFeatures::Sqrt),
            0.8,
        ),
        (
            RandomForestRegressor::params().max_leaf_nodes(Some(100)),
            0.9,
        ),
    ] {
        let model = params
            .n_trees(40)
            .fit_samples(samples(&records), &targets)
            .unwrap();
        let score = model.score_samples(samples(&unseen), &expected).unwrap();
        assert!(score > least && score < 0.999, "{score}");
        if let Some(oob_score) = model.oob_score() {
            assert!((oob_score - score).abs() < 0.04, "{score} {oob_score}");
        }
        let importances = model.feature_importances();
        assert!(
            importances[0] > 0.4 && importances[1] < 0.1,
            "{importances:?}"
        );
        let by_permutation = model
            .permutation_importances(samples(&unseen), &expected, 2, 3)
            .unwrap();
        assert!(by_permutation[0].mean > 0.5 && by_permutation[1].mean < 0.05);
    }
}

/// Every split against all others, by the definition of the squared error.
#[test]
fn every_split_is_the_best_there_is() {
    let (records, targets) = smooth(120, 3);
    let model = one_tree().fit_samples(samples(&records), &targets).unwrap();
    let tree = model.tree(0).unwrap();
    let error = |rows: &[usize]| {
        let mean = rows.iter().map(|&row| targets[row]).sum::<f64>() / rows.len() as f64;
        rows.iter()
            .map(|&row| (targets[row] - mean).powi(2))
            .sum::<f64>()
    };
    let mut open = vec![(0, (0..120).collect::<Vec<usize>>())];
    while let Some((index, rows)) = open.pop() {
        let (feature, threshold, left, right) = match tree.node(index).unwrap() {
            TreeNode::Split {
                feature,
                threshold,
                left,
                right,
            } => (feature, threshold, left, right),
            TreeNode::Leaf(mean) => {
                assert!(rows.iter().all(|&row| targets[row] == mean[0]));
                continue;
            }
        };
        let sides = |feature: usize, threshold: f64| -> (Vec<usize>, Vec<usize>) {
            rows.iter()
                .partition(|&&row| records[(row, feature)] <= threshold)
        };
        let (l, r) = sides(feature, threshold);
        let found = error(&l) + error(&r);
        for feature in 0..5 {
            for &row in &rows {
                let (l, r) = sides(feature, records[(row, feature)]);
                assert!(r.is_empty() || error(&l) + error(&r) >= found - 1e-9);
            }
        }
        open.extend([(left, l), (right, r)]);
    }
}

/// A constant that is added to all targets is added to all predictions, also where it takes most digits.
#[test]
fn targets_far_from_zero() {
    let (records, targets) = smooth(300, 4);
    let coarse: Vec<f64> = targets.iter().map(|y| (y * 64.0).round() / 64.0).collect();
    let far: Vec<f64> = coarse.iter().map(|y| y + 1e9).collect();
    let leaves = |targets: &[f64]| {
        let model = one_tree()
            .max_depth(Some(4))
            .fit_samples(samples(&records), targets);
        model.unwrap().apply_samples(samples(&records)).unwrap()
    };
    assert_eq!(leaves(&far), leaves(&coarse));
}

/// Two values whatever their size: a pure leaf predicts its target exactly.
#[track_caller]
fn check_exact<F: Float>(low: F, high: F) {
    let values = [
        F::narrow(0.0),
        F::narrow(1.0),
        F::narrow(2.0),
        F::narrow(3.0),
    ];
    let samples = Samples::new(&values, 1).unwrap();
    let targets = [low, low, high, high];
    let model = one_tree().fit_samples(samples, &targets).unwrap();
    assert_eq!(model.predict_samples(samples).unwrap(), targets);
    assert_eq!(model.score_samples(samples, &targets).unwrap(), 1.0);
}

#[test]
fn targets_of_any_size() {
    check_exact(0.1, 0.2);
    check_exact(-1e300, 1e300);
    check_exact(f64::MIN, f64::MAX);
    check_exact(1e-300, 2e-300);
    check_exact(0.0, f64::MIN_POSITIVE);
    check_exact(1.0, 1.0_f64.next_up());
    check_exact(f32::MIN, f32::MAX);
    check_exact(0.3_f32, 0.7);
}

#[test]
fn degenerate_targets() {
    let samples = Samples::new(&[0.0, 1.0, 2.0], 1).unwrap();
    let params = RandomForestRegressor::params().n_trees(4);
    let constant = params.fit_samples(samples, &[0.7; 3]).unwrap();
    assert_eq!(constant.n_nodes(), 4);
    assert_eq!(constant.predict_samples(samples).unwrap(), [0.7; 3]);
    let one = Samples::new(&[5.0], 1).unwrap();
    let model = params.fit_samples(one, &[2.5]).unwrap();
    assert_eq!(
        (model.predict_samples(one).unwrap(), model.oob_score()),
        (vec![2.5], None)
    );
    // Equal rows with different targets: the mean.
    let same = Samples::new(&[1.0, 1.0, 1.0, 1.0], 1).unwrap();
    let model = one_tree().fit_samples(same, &[1.0, 2.0, 3.0, 6.0]).unwrap();
    assert_eq!(model.predict_samples(one).unwrap(), [3.0]);
}

#[test]
fn weights_of_two_equal_rows_twice() {
    let (records, targets) = smooth(60, 5);
    let weights: Vec<f64> = (0..60).map(|row| 1.0 + f64::from(row % 2)).collect();
    let weighted = samples(&records).with_weights(&weights).unwrap();
    let params = one_tree().max_depth(Some(3));
    let weighted = params.fit_samples(weighted, &targets).unwrap();
    let order: Vec<usize> = (0..60).chain((0..60).filter(|row| row % 2 == 1)).collect();
    let repeated = records.select(ndarray::Axis(0), &order);
    let again: Vec<f64> = order.iter().map(|&row| targets[row]).collect();
    let repeated = params.fit_samples(samples(&repeated), &again).unwrap();
    let apply =
        |model: &RandomForestRegressor<f64>| model.apply_samples(samples(&records)).unwrap();
    assert_eq!(apply(&weighted), apply(&repeated));
}

#[test]
fn threads_do_not_show() {
    let (records, targets) = smooth(9000, 6);
    let with = |n| {
        let params = RandomForestRegressor::params()
            .n_trees(2)
            .n_threads(Some(n));
        params.fit_samples(samples(&records), &targets).unwrap()
    };
    assert_eq!(with(1), with(4));
}

#[test]
fn growing_and_merging() {
    let (records, targets) = smooth(100, 7);
    let fit = |n| {
        let params = RandomForestRegressor::params().n_trees(n);
        params.fit_samples(samples(&records), &targets).unwrap()
    };
    let params = RandomForestRegressor::params().n_trees(5);
    let params = params.checked().unwrap();
    let grown = params
        .fit_more(fit(2), samples(&records), &targets)
        .unwrap();
    assert_eq!(grown, fit(5));
    let known = grown.oob_predictions().unwrap().flatten().count();
    assert!((60..100).contains(&known), "{known}");
    let mut both = fit(2);
    both.merge(fit(3)).unwrap();
    assert_eq!((both.n_trees(), both.oob_score()), (5, None));
    let means: Array1<f64> = both.predict_samples(samples(&records)).unwrap().into();
    assert!(means.iter().all(|mean| mean.is_finite()));
}

/// Where all columns are tried, and no two of them are equally good, nothing depends on their order.
#[test]
fn permuting_columns_permutes_importances() {
    for seed in 1..20 {
        let (records, targets) = smooth(150, seed);
        let all = one_tree()
            .max_features(MaxFeatures::All)
            .max_depth(Some(5))
            .min_samples_leaf(8);
        let model = all.fit_samples(samples(&records), &targets).unwrap();
        let importances = model.feature_importances();
        for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
            let permuted = Array2::from_shape_fn(records.dim(), |(i, j)| records[(i, order[j])]);
            let other = all.fit_samples(samples(&permuted), &targets).unwrap();
            let expected = order.map(|column| importances[column]);
            for (found, expected) in other.feature_importances().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
            assert_eq!(other.n_nodes(), model.n_nodes());
        }
    }
}
