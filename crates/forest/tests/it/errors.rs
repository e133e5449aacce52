//! What is refused, and in which words.

use forest::{
    ClassWeight, ForestError, MaxFeatures, MaxSamples, RandomForest, RandomForestParams,
    RandomForestRegressor, Samples,
};

#[track_caller]
fn check(params: &RandomForestParams<f64, u8>, values: &[f64], labels: &[u8], message: &str) {
    let d = if labels.is_empty() {
        1
    } else {
        values.len() / labels.len()
    };
    let samples = Samples::new(values, d.max(1)).unwrap();
    let error = params.fit_samples(samples, labels).unwrap_err();
    assert_eq!(error.to_string(), message);
}

fn params() -> RandomForestParams<f64, u8> {
    RandomForest::params()
}

#[test]
fn shapes() {
    let error = Samples::new(&[1.0, 2.0, 3.0], 2).unwrap_err();
    let message = "3 values are no whole number of rows of 2 features";
    assert_eq!(error.to_string(), message);
    let error = Samples::new(&[1.0], 0).unwrap_err();
    assert_eq!(error.to_string(), "the records have no columns");
    check(&params(), &[], &[], "the records have no rows");
    let samples = Samples::new(&[0.0; 6], 2).unwrap();
    for n_labels in [0, 2, 4] {
        let labels = vec![0_u8; n_labels];
        let error = params().fit_samples(samples, &labels).unwrap_err();
        let message = format!("the records have 3 rows, but there are {n_labels} labels");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn values() {
    let mut values = [0.0; 20];
    values[3 * 4 + 2] = f64::NAN;
    values[3 * 4 + 3] = f64::INFINITY;
    values[4 * 4] = f64::NAN;
    let place = "the value in row 3, column 2 (counted from 0) is NaN, not a finite number";
    check(&params(), &values, &[0; 5], place);
    let place = "the value in row 1, column 0 (counted from 0) is -inf, not a finite number";
    check(&params(), &[0.0, f64::NEG_INFINITY], &[0, 1], place);
    // In the last of several units of work.
    let mut values = vec![1.0; 50_000];
    values[49_999] = f64::NAN;
    let place = "the value in row 49999, column 0 (counted from 0) is NaN, not a finite number";
    check(&params(), &values, &vec![0; 50_000], place);
}

#[test]
fn parameters() {
    let refused = |params: RandomForestParams<f64, u8>, message| {
        check(&params, &[0.0, 1.0], &[0, 1], message);
    };
    refused(params().n_trees(0), "n_trees must be at least 1");
    let message = "max_features is 2, but the records have only 1 columns";
    refused(params().max_features(MaxFeatures::Number(2)), message);
    let message = "max_samples is 3, but the records have only 2 rows";
    refused(params().max_samples(MaxSamples::Number(3)), message);
    let weights = |list: &[(u8, f64)]| params().class_weight(ClassWeight::Each(list.to_vec()));
    let message = "the weight number 1 (counted from 0) of class_weight is for a label that no row \
                   has";
    refused(weights(&[(0, 1.0), (2, 1.0)]), message);
    let message = "the weight number 1 (counted from 0) of class_weight is for a label that has \
                   one already";
    refused(weights(&[(0, 1.0), (0, 1.0)]), message);
}

#[test]
fn weights() {
    let values = [0.0, 1.0, 2.0];
    let samples = Samples::new(&values, 1).unwrap();
    let error = samples.with_weights(&[1.0, 2.0]).unwrap_err();
    let message = "there are 2 weights for 3 rows; every row needs one";
    assert_eq!(error.to_string(), message);
    let check = |weights: [f64; 3], message: &str| {
        let samples = samples.with_weights(&weights).unwrap();
        let error = params().fit_samples(samples, &[0, 1, 0]).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    let message = "the weight of row 1 (counted from 0) is -1; weights must be finite and not \
                   negative";
    check([1.0, -1.0, 1.0], message);
    let message = "the weight of row 2 (counted from 0) is NaN; weights must be finite and not \
                   negative";
    check([1.0, 0.0, f64::NAN], message);
    check(
        [0.0; 3],
        "all weights are zero; at least one row must count",
    );
    let message = "the weights are so large that products of their sums overflow: scale them down";
    check([1e80, 1.0, 1.0], message);
}

#[test]
fn targets_of_a_regression() {
    let samples = Samples::new(&[0.0, 1.0], 1).unwrap();
    let error = RandomForestRegressor::params().fit_samples(samples, &[1.0, f64::INFINITY]);
    let message = "the target of row 1 (counted from 0) is inf, not a finite number";
    assert_eq!(error.unwrap_err().to_string(), message);
}

#[test]
fn rows_to_predict_for() {
    let samples = Samples::new(&[0.0, 0.0, 4.0, 4.0], 2).unwrap();
    let model = params().fit_samples(samples, &[0, 1]).unwrap();
    let narrow = Samples::new(&[1.0], 1).unwrap();
    let message = "the model was fitted on 2 features, but the records have 1";
    assert_eq!(
        model.predict_samples(narrow).unwrap_err().to_string(),
        message
    );
    assert_eq!(
        model.predict_proba_samples(narrow).unwrap_err().to_string(),
        message
    );
    assert_eq!(
        model.apply_samples(narrow).unwrap_err().to_string(),
        message
    );
    let nan = Samples::new(&[1.0, f64::NAN], 2).unwrap();
    let error = model.predict_samples(nan).unwrap_err();
    assert!(matches!(
        error,
        ForestError::NotFinite {
            row: 0,
            column: 1,
            ..
        }
    ));
    let error = model.score_samples(samples, &[1]).unwrap_err();
    assert!(matches!(
        error,
        ForestError::LabelCount {
            n_samples: 2,
            n_labels: 1
        }
    ));
    let error = model
        .permutation_importances(samples, &[0, 1], 0, 1)
        .unwrap_err();
    assert_eq!(error.to_string(), "n_repeats must be at least 1");
    let error = model.tree(100).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no tree 100: the forest has 100, counted from 0"
    );
}

#[test]
fn forests_that_do_not_fit_together() {
    let narrow = Samples::new(&[0.0, 4.0], 1).unwrap();
    let wide = Samples::new(&[0.0, 0.0, 4.0, 4.0], 2).unwrap();
    let train = |samples, labels| params().n_trees(2).fit_samples(samples, labels).unwrap();
    let mut model = train(narrow, &[0, 1]);
    let same = model.clone();
    let error = model.merge(train(narrow, &[0, 2])).unwrap_err().to_string();
    let message = "the forests know different labels: train them on rows with the same labels";
    assert_eq!(error, message);
    let error = model.merge(train(wide, &[0, 1])).unwrap_err().to_string();
    assert_eq!(
        error,
        "the model was fitted on 1 features, but the records have 2"
    );
    assert_eq!(model, same);

    let params = params().n_trees(1);
    let more = |samples, labels| {
        let params = params.checked().unwrap();
        params
            .fit_more(same.clone(), samples, labels)
            .unwrap_err()
            .to_string()
    };
    let fewer = "1 trees were asked for, but the forest has 2 already";
    assert_eq!(more(narrow, &[0, 1]), fewer);
    assert_eq!(more(narrow, &[0, 0]), message);
}
