//! Weights of rows and classes.

use forest::{ClassWeight, RandomForest, Samples};
use ndarray::{Array1, array};

use crate::{fit, noisy_rule, one_tree, predict, samples};

#[test]
fn classes_with_weights_count_like_rows_with_weights() {
    let (records, targets) = noisy_rule(300, 1);
    let weights: Vec<f64> = targets
        .iter()
        .map(|&y| if y == 1 { 2.5 } else { 1.0 })
        .collect();
    let params = RandomForest::params().n_trees(5).min_samples_leaf(4);
    let by_class = params
        .clone()
        .class_weight(ClassWeight::Each(vec![(1, 2.5)]));
    let weighted = samples(&records).with_weights(&weights).unwrap();
    let weighted = params
        .fit_samples(weighted, targets.as_slice().unwrap())
        .unwrap();
    assert_eq!(fit(&by_class, &records, &targets), weighted);
    assert_ne!(fit(&params, &records, &targets), weighted);
}

#[test]
fn balanced_classes_have_equal_weights() {
    // One row in ten, all of them equal: only the weights decide.
    let records = ndarray::Array2::zeros((10, 1));
    let targets: Array1<u8> = (0..10).map(|row| u8::from(row == 0)).collect();
    let params = one_tree().class_weight(ClassWeight::Balanced);
    let model = fit(&params, &records, &targets);
    let shares = model
        .predict_proba_samples(Samples::new(&[0.0], 1).unwrap())
        .unwrap();
    assert!((shares[0] - 0.5).abs() < 1e-12, "{shares:?}");
    // Of equal shares the smallest label wins; a little more weight is enough for the other.
    let params = one_tree().class_weight(ClassWeight::Each(vec![(1, 9.5)]));
    assert_eq!(
        predict(&fit(&params, &records, &targets), &array![[0.0]]),
        array![1]
    );
}

#[test]
fn a_side_needs_its_share_of_the_weight() {
    let records = array![[1.0], [2.0], [3.0], [4.0]];
    let targets = array![0, 1, 1, 1];
    let model = fit(
        &one_tree().min_weight_fraction_leaf(0.3),
        &records,
        &targets,
    );
    // The first row alone would have a quarter.
    assert_eq!(predict(&model, &records), array![0, 0, 1, 1]);
    let weights = [2.0, 1.0, 1.0, 1.0];
    let heavy = samples(&records).with_weights(&weights).unwrap();
    let params = one_tree().min_weight_fraction_leaf(0.3);
    let model = params
        .fit_samples(heavy, targets.as_slice().unwrap())
        .unwrap();
    assert_eq!(predict(&model, &records), targets);
}

#[test]
fn huge_and_tiny_weights() {
    let records = array![[1.0], [2.0], [3.0], [4.0]];
    let targets = array![0, 1, 0, 1];
    for scale in [1e-300, 1e-20, 1e70] {
        let weights = [scale, 2.0 * scale, scale, scale];
        let weighted = samples(&records).with_weights(&weights).unwrap();
        let model = one_tree()
            .fit_samples(weighted, targets.as_slice().unwrap())
            .unwrap();
        if scale > 1e-100 {
            assert_eq!(predict(&model, &records), targets);
        }
    }
}
