//! K-means that looks at a few rows at a time.

use kmeans::{Init, KMeans, KMeansError, MiniBatchKMeans, Samples};

use crate::{assert_close, blobs, fit, plain_inertia};

#[test]
fn comes_close_to_the_optimum() {
    for (n, d, k) in [(5000, 8, 6), (300, 2, 3), (4000, 30, 12)] {
        let values = blobs(n, d, k, 11);
        let samples = Samples::new(&values, d).unwrap();
        let best = fit(&KMeans::params(k), &values, d);
        let params = MiniBatchKMeans::params(k).batch_size(256);
        let model = params.checked().unwrap().fit_samples(samples).unwrap();
        let found = model.kmeans();
        assert!(
            found.inertia() < 1.03 * best.inertia(),
            "{} {}",
            found.inertia(),
            best.inertia()
        );
        assert_close(plain_inertia(found, &values), found.inertia(), 1e-12);
        assert_eq!(found.predict_samples(samples).unwrap(), found.labels());
        // Equal seeds give equal models.
        assert_eq!(
            model,
            params.checked().unwrap().fit_samples(samples).unwrap()
        );
        let other = params
            .seed(1)
            .checked()
            .unwrap()
            .fit_samples(samples)
            .unwrap();
        assert_ne!(model, other);
    }
}

#[test]
fn learns_from_batch_after_batch() {
    let values = blobs(6000, 4, 5, 2);
    let best = fit(&KMeans::params(5), &values, 4);
    let params = MiniBatchKMeans::params(5);
    let params = params.checked().unwrap();
    let mut model = None;
    for batch in values.chunks(200 * 4) {
        let batch = Samples::new(batch, 4).unwrap();
        model = Some(params.fit_batch(model, batch).unwrap());
    }
    let model = model.unwrap();
    // Every row was seen once.
    assert_eq!(model.weights().iter().sum::<f64>(), 6000.0);
    assert_eq!(model.kmeans().iterations(), 30);
    let samples = Samples::new(&values, 4).unwrap();
    let inertia = -model.kmeans().score_samples(samples).unwrap();
    assert!(inertia < 1.02 * best.inertia());
    // The labels are those of the last batch.
    assert_eq!(model.kmeans().labels().len(), 200);
}

#[test]
fn a_centroid_is_the_mean_of_its_rows() {
    let params = MiniBatchKMeans::params(1).reassignment_ratio(0.0);
    let params = params.checked().unwrap();
    let first = params
        .fit_batch(None, Samples::new(&[1.0, 3.0], 1).unwrap())
        .unwrap();
    assert_eq!(first.kmeans().centroids(), [2.0]);
    let weights = [2.0];
    let second = Samples::new(&[8.0], 1)
        .unwrap()
        .with_weights(&weights)
        .unwrap();
    let second = params.fit_batch(Some(first), second).unwrap();
    assert_eq!(second.kmeans().centroids(), [5.0]);
    assert_eq!(second.weights(), [4.0]);
}

#[test]
fn a_centroid_without_rows_is_replaced() {
    let values = [0.0, 1.0, 10.0, 11.0];
    let params = MiniBatchKMeans::params(2).init(Init::Centroids(vec![5.0, 1e6]));
    let params = params.checked().unwrap();
    let model = params
        .fit_batch(None, Samples::new(&values, 1).unwrap())
        .unwrap();
    assert!(
        model
            .kmeans()
            .centroids()
            .iter()
            .all(|x| (0.0..=11.0).contains(x))
    );
    assert!(model.weights().iter().all(|&weight| weight > 0.0));
}

#[test]
fn bad_input_is_refused() {
    let params = MiniBatchKMeans::<f64>::params(3);
    let message =
        |params: &kmeans::MiniBatchKMeansParams<f64>| params.checked().unwrap_err().to_string();
    assert_eq!(
        message(&MiniBatchKMeans::params(0)),
        "n_clusters must be at least 1"
    );
    assert_eq!(
        message(&params.clone().batch_size(0)),
        "batch_size must be at least 1"
    );
    assert_eq!(
        message(&params.clone().n_init(0)),
        "n_init must be at least 1"
    );
    assert_eq!(
        message(&params.clone().max_iter(0)),
        "max_iter must be at least 1"
    );
    let ratio = "reassignment_ratio must be a finite number that is not negative, but it is NaN";
    assert_eq!(message(&params.clone().reassignment_ratio(f64::NAN)), ratio);

    let params = params.checked().unwrap();
    let two = Samples::new(&[0.0, 1.0], 1).unwrap();
    let error = params.fit_batch(None, two).unwrap_err();
    assert!(matches!(error, KMeansError::TooFewSamples { .. }));
    assert!(params.fit_samples(two).is_err());
    let model = params
        .fit_batch(None, Samples::new(&[0.0, 1.0, 5.0], 1).unwrap())
        .unwrap();
    let wide = Samples::new(&[0.0, 1.0], 2).unwrap();
    let error = params.fit_batch(Some(model.clone()), wide).unwrap_err();
    assert!(matches!(error, KMeansError::FeatureCount { .. }));
    let nan = [f64::NAN];
    let nan = Samples::new(&nan, 1).unwrap();
    let error = params.fit_batch(Some(model.clone()), nan).unwrap_err();
    assert!(matches!(error, KMeansError::NotFinite { .. }));
    let empty = Samples::new(&[], 1).unwrap();
    let error = params.fit_batch(Some(model.clone()), empty).unwrap_err();
    assert!(matches!(error, KMeansError::NoSamples));
    let other = MiniBatchKMeans::params(2);
    let error = other
        .checked()
        .unwrap()
        .fit_batch(Some(model.clone()), two)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 clusters were asked for, but the model has 3"
    );
    // Fewer rows than clusters are fine for a model that there is already.
    assert!(params.fit_batch(Some(model), two).is_ok());
}
