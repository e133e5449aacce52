//! What is refused, and in which words.

use kmeans::{Init, KMeans, KMeansError, KMeansParams, Samples};

#[track_caller]
fn check(params: &KMeansParams<f64>, values: &[f64], d: usize, message: &str) {
    let error = params
        .fit_samples(Samples::new(values, d).unwrap())
        .unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn shapes() {
    let error = Samples::new(&[1.0, 2.0, 3.0], 2).unwrap_err();
    assert_eq!(
        error.to_string(),
        "3 values are no whole number of rows of 2 features"
    );
    let error = Samples::new(&[1.0], 0).unwrap_err();
    assert_eq!(error.to_string(), "the records have no columns");
    check(&KMeans::params(1), &[], 3, "the records have no rows");
    let message = "4 clusters were asked for, but the records have only 3 rows: n_clusters must \
                   not exceed the number of rows";
    check(&KMeans::params(4), &[0.0; 6], 2, message);
}

#[test]
fn values() {
    let mut values = [0.0; 20];
    values[3 * 4 + 2] = f64::NAN;
    values[3 * 4 + 3] = f64::INFINITY;
    values[4 * 4] = f64::NAN;
    let place = "the value in row 3, column 2 (counted from 0) is NaN, not a finite number";
    check(&KMeans::params(2), &values, 4, place);
    let place = "the value in row 1, column 0 (counted from 0) is -inf, not a finite number";
    check(&KMeans::params(2), &[0.0, f64::NEG_INFINITY], 1, place);
    let overflow = "the values are so large that sums of squared distances overflow f64: \
                    scale the records down";
    check(&KMeans::params(2), &[1e200, -1e200], 1, overflow);
    let narrow = [1e30_f32, -1e30];
    let error = KMeans::params(1).fit_samples(Samples::new(&narrow, 1).unwrap());
    assert!(error.unwrap_err().to_string().contains("overflow f32"));

    // In the last of several units of work.
    let mut values = vec![1.0; 5000];
    values[4999] = f64::NAN;
    let place = "the value in row 4999, column 0 (counted from 0) is NaN, not a finite number";
    check(&KMeans::params(2), &values, 1, place);
}

#[test]
fn parameters() {
    let refused = |params: KMeansParams<f64>, message| check(&params, &[0.0, 1.0], 1, message);
    refused(KMeans::params(0), "n_clusters must be at least 1");
    refused(KMeans::params(1).n_init(0), "n_init must be at least 1");
    refused(KMeans::params(1).max_iter(0), "max_iter must be at least 1");
    let message = "tolerance must be a finite number that is not negative, but it is -1";
    refused(KMeans::params(1).tolerance(-1.0), message);
}

#[test]
fn initial_centroids() {
    let given = |centroids: &[f64]| KMeans::params(2).init(Init::Centroids(centroids.to_vec()));
    let message = "3 values were given as initial centroids, but 2 clusters of 2 features need 4";
    check(&given(&[0.0; 3]), &[0.0; 8], 2, message);
    let message = "initial centroid 1 has the value inf in column 0 (both counted from 0), \
                   not a finite number";
    check(
        &given(&[0.0, 0.0, f64::INFINITY, 0.0]),
        &[0.0; 8],
        2,
        message,
    );
    let overflow = "the values are so large that sums of squared distances overflow f64: \
                    scale the records down";
    check(&given(&[1e300, 0.0]), &[0.0; 8], 1, overflow);
}

#[test]
fn weights() {
    let values = [0.0, 1.0, 2.0];
    let samples = Samples::new(&values, 1).unwrap();
    let error = samples.with_weights(&[1.0, 2.0]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are 2 weights for 3 rows; every row needs one"
    );
    let check = |weights: [f64; 3], message: &str| {
        let samples = samples.with_weights(&weights).unwrap();
        let error = KMeans::params(2).fit_samples(samples).unwrap_err();
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
}

#[test]
fn rows_to_predict_for() {
    let samples = Samples::new(&[0.0, 0.0, 4.0, 4.0], 2).unwrap();
    let model = KMeans::params(2).fit_samples(samples).unwrap();
    let narrow = Samples::new(&[1.0], 1).unwrap();
    let message = "the model was fitted on 2 features, but the records have 1";
    assert_eq!(
        model.predict_samples(narrow).unwrap_err().to_string(),
        message
    );
    assert_eq!(
        model.transform_samples(narrow).unwrap_err().to_string(),
        message
    );
    assert_eq!(
        model.score_samples(narrow).unwrap_err().to_string(),
        message
    );
    let nan = [1.0, f64::NAN];
    let error = model
        .predict_samples(Samples::new(&nan, 2).unwrap())
        .unwrap_err();
    assert!(matches!(
        error,
        KMeansError::NotFinite {
            row: 0,
            column: 1,
            ..
        }
    ));
}
