//! What forests learn, degenerate data, determinism.

use forest::{Float, MaxFeatures, RandomForest};
use ndarray::{Array1, Array2, array, s};

use crate::{accuracy, fit, noisy_rule, one_tree, predict};

#[test]
fn a_full_tree_knows_its_rows_by_heart() {
    let (records, targets) = noisy_rule(400, 1);
    let model = fit(&one_tree(), &records, &targets);
    assert_eq!(predict(&model, &records), targets);
    // Every split has two sides.
    assert_eq!(model.n_nodes() % 2, 1);
}

/// Two classes that only the value in the middle tells apart, in columns of three values: in the
/// right half of the tree the lower values of a column are all gone.
#[test]
fn repeated_values_are_split_wherever_they_differ() {
    let rows = [0.0, 1.0, 2.0].map(|a| [0.0, 1.0, 2.0].map(|b| [a, b]));
    let records = Array2::from(rows.as_flattened().repeat(3));
    let targets: Array1<usize> = records
        .rows()
        .into_iter()
        .map(|row| usize::from(row[0] + row[1] >= 2.0))
        .collect();
    let model = fit(&one_tree(), &records, &targets);
    assert_eq!(predict(&model, &records), targets);
}

#[test]
fn learns_what_can_be_learned() {
    let (records, targets) = noisy_rule(600, 3);
    let params = RandomForest::params()
        .n_trees(60)
        .max_features(MaxFeatures::Fraction(0.7));
    let model = fit(&params, &records, &targets);
    assert_eq!(model.n_trees(), 60);
    assert_eq!(model.n_features(), 6);
    assert_eq!(model.labels(), [0, 1]);
    // A tenth of the labels is random, hence nothing predicts more than 95 % in the mean.
    let (unseen, expected) = noisy_rule(600, 4);
    let score = accuracy(&predict(&model, &unseen), &expected);
    let oob_score = model.oob_score().unwrap();
    assert!((0.8..0.97).contains(&score), "{score}");
    assert!((0.8..0.97).contains(&oob_score), "{oob_score}");
    assert!((score - oob_score).abs() < 0.08, "{score} {oob_score}");
}

#[test]
fn learns_nothing_from_labels_that_mean_nothing() {
    let (records, targets) = datasets::random_classification(600, 10, 42).unwrap();
    let model = fit(&RandomForest::params().n_trees(40), &records, &targets);
    let oob_score = model.oob_score().unwrap();
    assert!((0.4..0.6).contains(&oob_score), "{oob_score}");
    // Every tree learns its own rows by heart.
    assert!(accuracy(&predict(&model, &records), &targets) > 0.95);
}

#[test]
fn features_are_drawn_anew_for_every_split() {
    // Only both features together tell the classes apart, and a split may use one of them.
    let records = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
    let targets = array![0, 0, 0, 1];
    let params = one_tree().max_features(MaxFeatures::Number(1));
    for seed in 0..20 {
        let model = fit(&params.clone().seed(seed), &records, &targets);
        assert_eq!(predict(&model, &records), targets);
        assert_eq!(model.n_nodes(), 5);
    }
}

#[test]
fn features_that_separate_nothing_are_passed_over() {
    let mut records = Array2::zeros((4, 30));
    records.column_mut(17).assign(&array![1.0, 2.0, 3.0, 4.0]);
    let targets = array![0, 0, 1, 1];
    let params = one_tree().max_features(MaxFeatures::Number(4));
    let model = fit(&params, &records, &targets);
    assert_eq!(predict(&model, &records), targets);
    assert_eq!(model.n_nodes(), 3);
}

#[test]
fn one_thread_and_many_give_equal_forests() {
    let (records, targets) = noisy_rule(300, 5);
    let fit_with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let params = RandomForest::params().n_trees(12);
        pool.build()
            .unwrap()
            .install(|| fit(&params, &records, &targets))
    };
    assert_eq!(fit_with(1), fit_with(5));
}

#[test]
fn equal_seeds_give_equal_forests() {
    let (records, targets) = noisy_rule(200, 6);
    let params = RandomForest::params().n_trees(5);
    let model = fit(&params, &records, &targets);
    assert_eq!(model, fit(&params, &records, &targets));
    assert_ne!(model, fit(&params.clone().seed(43), &records, &targets));
    // More trees leave the first ones as they are.
    let fewer = fit(&params.n_trees(4), &records, &targets);
    assert!(fewer.n_nodes() < model.n_nodes());
}

#[test]
fn a_tree_alone_is_the_first_of_several() {
    // More rows than numbers of 16 bits, of which one tree has fewer.
    let (records, targets) = noisy_rule(70_000, 8);
    let params = RandomForest::params().max_depth(Some(12));
    let [alone, first] = [1, 3].map(|n_trees| {
        let model = fit(&params.clone().n_trees(n_trees), &records, &targets);
        model.tree_text(0, &[""; 0]).unwrap()
    });
    assert_eq!(alone, first);
}

#[test]
fn only_the_order_of_values_matters() {
    let (records, targets) = noisy_rule(200, 8);
    let params = RandomForest::params().n_trees(5);
    let model = fit(&params, &records, &targets);
    // Powers of two, so that nothing is rounded.
    for scale in [1e-20_f64, 1e20].map(|x| 2.0_f64.powf(x.log2().round())) {
        let scaled = &records * scale;
        let scaled_model = fit(&params, &scaled, &targets);
        assert_eq!(predict(&scaled_model, &scaled), predict(&model, &records));
        assert_eq!(scaled_model.n_nodes(), model.n_nodes());
        assert_eq!(scaled_model.oob_score(), model.oob_score());
    }
}

/// Two values next to each other must be told apart.
#[track_caller]
fn check_neighbours<F: Float>(low: F, high: F) {
    let records = array![[low], [high], [low], [high]];
    let targets = array![1, 0, 1, 0];
    let model = fit(&one_tree(), &records, &targets);
    assert_eq!(predict(&model, &records), targets);
    assert_eq!(model.n_nodes(), 3);
}

#[test]
fn neighbouring_values_are_told_apart() {
    check_neighbours(1.0, 1.0_f64.next_up());
    check_neighbours(0.0, 5e-324);
    check_neighbours(1e8_f32, 1e8_f32.next_up());
    check_neighbours(1e8_f32.next_down(), 1e8_f32);
    check_neighbours(1e18, 1e18_f64.next_up());
    check_neighbours(f64::MIN, f64::MAX);
    check_neighbours(f32::MAX.next_down(), f32::MAX);
}

#[test]
fn one_class_is_always_predicted() {
    let (records, _) = noisy_rule(30, 9);
    let targets = Array1::from_elem(30, "only");
    let model = fit(&RandomForest::params().n_trees(3), &records, &targets);
    assert_eq!((model.n_nodes(), model.max_depth()), (3, 0));
    assert_eq!(model.oob_score(), Some(1.0));
    assert_eq!(predict(&model, &records), targets);
}

/// The one leaf that the records permit, and the label it must have.
#[track_caller]
fn check_single_leaf(records: Array2<f64>, targets: &[usize], expected: usize) {
    let targets = Array1::from(targets.to_vec());
    let model = fit(&one_tree(), &records, &targets);
    assert_eq!((model.n_nodes(), model.max_depth()), (1, 0));
    let predicted: Array1<usize> = predict(&model, &records);
    assert!(predicted.iter().all(|&label| label == expected));
    // The same with everything random switched on must at least work.
    fit(&RandomForest::params().n_trees(9), &records, &targets);
}

#[test]
fn records_that_cannot_be_split() {
    check_single_leaf(array![[3.0]], &[7], 7);
    check_single_leaf(array![[3.0, 4.0, 5.0]], &[0], 0);
    let identical = || Array2::from_elem((4, 3), 0.1);
    check_single_leaf(identical(), &[2, 1, 2, 0], 2);
    check_single_leaf(identical(), &[5, 3, 5, 3], 3);
    check_single_leaf(identical(), &[4, 3, 2, 1], 1);
    check_single_leaf(array![[0.0], [-0.0]], &[1, 0], 0);
}

#[test]
fn one_feature_and_constant_columns() {
    let records = array![[0.1, 5.0], [0.1, 1.0], [0.1, 4.0], [0.1, 2.0]];
    let targets = array![true, false, true, false];
    let model = fit(&one_tree(), &records, &targets);
    assert_eq!(predict(&model, &records), targets);
    assert_eq!((model.n_nodes(), model.max_depth()), (3, 1));
    let second = records.slice(s![.., 1..]).to_owned();
    let model = fit(&one_tree(), &second, &targets);
    assert_eq!(predict(&model, &second), targets);
    // The threshold is halfway between the neighbours.
    let predicted = predict(&model, &array![[2.99], [3.0], [3.01]]);
    assert_eq!(predicted, array![false, false, true]);
}

#[test]
fn labels_may_be_strings_in_any_order() {
    let records = array![[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]];
    let targets = array!["pear", "pear", "apple", "apple", "fig", "fig"].mapv(String::from);
    let model = fit(&one_tree(), &records, &targets);
    assert_eq!(predict(&model, &records), targets);
    assert_eq!(model.labels(), ["apple", "fig", "pear"]);
}

#[test]
fn limits_are_kept() {
    let (records, targets) = noisy_rule(300, 10);
    let full = fit(&one_tree(), &records, &targets);
    let shallow = fit(&one_tree().max_depth(Some(2)), &records, &targets);
    assert!(full.max_depth() > 2);
    assert_eq!(shallow.max_depth(), 2);
    let coarse = fit(&one_tree().min_samples_leaf(20), &records, &targets);
    assert!(coarse.n_nodes() < 2 * (300 / 20));
    assert!(coarse.n_nodes() > 1);
    let coarse = fit(&one_tree().min_samples_leaf(151), &records, &targets);
    assert_eq!(coarse.n_nodes(), 1);
    let stump = fit(&one_tree().min_samples_split(300), &records, &targets);
    assert_eq!(stump.n_nodes(), 3);
    let leaf = fit(&one_tree().min_samples_split(301), &records, &targets);
    assert_eq!(leaf.n_nodes(), 1);
}

/// Alternating labels along one feature are split off row by row, so that depth grows with the rows.
#[test]
fn deep_trees_fit_into_a_small_stack() {
    let n = 1000;
    let records = Array2::from_shape_fn((n, 1), |(row, _)| row as f64);
    let targets = Array1::from_shape_fn(n, |row| row % 2);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .stack_size(128 << 10);
    let pool = pool.build().unwrap();
    let model = pool.install(|| fit(&one_tree(), &records, &targets));
    assert!(model.max_depth() >= 500, "{}", model.max_depth());
    assert_eq!(predict(&model, &records), targets);
}

#[test]
fn out_of_bag_score_needs_rows_out_of_bag() {
    let (records, targets) = noisy_rule(50, 11);
    let params = RandomForest::params().n_trees(3);
    let without = fit(&params.clone().bootstrap(false), &records, &targets);
    assert_eq!(without.oob_score(), None);
    assert!(fit(&params, &records, &targets).oob_score().is_some());
    let one_row = records.slice(s![..1, ..]).to_owned();
    let model = fit(&params, &one_row, &array![1]);
    assert_eq!(model.oob_score(), None);
}
