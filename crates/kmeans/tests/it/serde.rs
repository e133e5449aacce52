//! Models can be stored and read back.

use kmeans::{KMeans, MiniBatchKMeans, Samples};

use crate::{blobs, fit};

#[test]
fn models_survive_storage() {
    let values = blobs(100, 3, 4, 1);
    let model = fit(&KMeans::params(4), &values, 3);
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<KMeans<f64>>(&stored).unwrap(), model);

    let samples = Samples::new(&values, 3).unwrap();
    let params = MiniBatchKMeans::params(4);
    let model = params.checked().unwrap().fit_samples(samples).unwrap();
    let stored = serde_json::to_string(&model).unwrap();
    assert_eq!(
        serde_json::from_str::<MiniBatchKMeans<f64>>(&stored).unwrap(),
        model
    );
}
