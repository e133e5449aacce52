//! linfa's interfaces.

use kmeans::{Algorithm, Engine, Init, KMeans, KMeansError, KMeansParamsError, MiniBatchKMeans};
use linfa::traits::{Fit, FitWith, Predict, Transformer};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array2, ShapeBuilder, array, s};

use crate::{assert_close, plain_inertia};

fn blobs(n: usize, d: usize, k: usize, seed: u32) -> Array2<f64> {
    datasets::make_blobs(n, d, k, seed).unwrap().records
}

#[test]
fn a_dataset_is_fitted_like_a_slice() {
    let records = blobs(300, 11, 4, 9);
    let params = KMeans::params(4).n_init(3);
    let model = params.fit(&DatasetBase::from(records.view())).unwrap();
    assert_eq!(model, crate::fit(&params, records.as_slice().unwrap(), 11));
    assert_eq!(model.centroid_array().dim(), (4, 11));
    assert_eq!(
        model.centroid_array().row(2).as_slice(),
        Some(model.centroid(2))
    );
}

#[test]
fn the_layout_of_the_records_does_not_matter() {
    let records = blobs(300, 11, 4, 9);
    let mut columns_first = Array2::zeros(records.dim().f());
    columns_first.assign(&records);
    assert!(!columns_first.is_standard_layout());
    let mut wider = Array2::zeros((300, 13));
    wider.slice_mut(s![.., 1..12]).assign(&records);
    let params = KMeans::params(4).n_init(3);
    let expected = params.fit(&DatasetBase::from(records)).unwrap();
    let model = params
        .fit(&DatasetBase::from(columns_first.view()))
        .unwrap();
    assert_eq!(model, expected);
    assert_eq!(model.predict(&columns_first).len(), 300);
    let view = wider.slice(s![.., 1..12]);
    assert_eq!(params.fit(&DatasetBase::from(view)).unwrap(), expected);
}

#[test]
fn weights_of_a_dataset_count() {
    let dataset = DatasetBase::from(array![[0.0], [1.0]]).with_weights(array![1.0, 3.0]);
    let model = KMeans::params(1).fit(&dataset).unwrap();
    assert_eq!(model.centroids(), [0.75]);
    // linfa does not check their number.
    let dataset = DatasetBase::from(array![[0.0], [1.0]]).with_weights(array![1.0]);
    let error = KMeans::<f64>::params(1).fit(&dataset).unwrap_err();
    assert!(matches!(error, KMeansError::WeightCount { .. }));
}

#[test]
fn shapes_without_rows_or_columns_are_errors() {
    let fit = |rows, columns| {
        let dataset = DatasetBase::from(Array2::<f64>::zeros((rows, columns)));
        KMeans::params(1).fit(&dataset).unwrap_err().to_string()
    };
    assert_eq!(fit(0, 3), "the records have no rows");
    assert_eq!(fit(0, 0), "the records have no rows");
    assert_eq!(fit(3, 0), "the records have no columns");
}

#[test]
fn bad_parameters_are_errors_of_the_fit() {
    let dataset = DatasetBase::from(array![[0.0], [1.0]]);
    let error = KMeans::params(0).fit(&dataset).unwrap_err();
    assert!(matches!(
        error,
        KMeansError::InvalidParams(KMeansParamsError::NClusters)
    ));
    assert!(KMeans::<f64>::params(0).check().is_err());
    let checked = KMeans::params(2).check().unwrap();
    assert_eq!(checked.fit(&dataset).unwrap().inertia(), 0.0);
}

#[test]
fn prediction_and_distances() {
    let dataset = DatasetBase::from(array![[0.0, 0.0], [4.0, 3.0]]);
    let model = KMeans::params(2).fit(&dataset).unwrap();
    let near_first = model.labels()[0] as usize;
    let new = array![[9.0, 9.0], [-1.0, 0.0]];
    let expected = array![1 - near_first, near_first];
    assert_eq!(model.try_predict(&new).unwrap(), expected);
    assert_eq!(model.predict(&new), expected);
    let distances: Array2<f64> = model.transform(&new);
    assert_eq!(distances[(1, near_first)], 1.0);
    assert_eq!(model.try_transform(&new).unwrap(), distances);
    assert_eq!(model.predict(&DatasetBase::from(new)), expected);
    let nothing = model.try_predict(&Array2::zeros((0, 2))).unwrap();
    assert!(nothing.is_empty());
    let error = model.try_predict(&Array2::zeros((2, 0))).unwrap_err();
    let message = "the model was fitted on 2 features, but the records have 0";
    assert_eq!(error.to_string(), message);
}

#[test]
#[should_panic = "the model was fitted on 1 features, but the records have 2"]
fn prediction_through_the_trait_panics_on_another_width() {
    let dataset = DatasetBase::from(array![[0.0]]);
    let model = KMeans::params(1).fit(&dataset).unwrap();
    model.predict(&array![[0.0, 1.0]]);
}

#[test]
#[should_panic = "the value in row 0, column 0 (counted from 0) is NaN"]
fn distances_through_the_trait_panic_on_nan() {
    let dataset = DatasetBase::from(array![[0.0]]);
    let model = KMeans::params(1).fit(&dataset).unwrap();
    let _: Array2<f64> = model.transform(&array![[f64::NAN]]);
}

#[test]
fn mini_batches_through_the_traits() {
    let records = blobs(600, 2, 3, 1);
    let params = MiniBatchKMeans::params(3).check().unwrap();
    let whole = params.fit(&DatasetBase::from(records.view())).unwrap();
    let mut model = None;
    for start in (0..600).step_by(100) {
        let batch = DatasetBase::from(records.slice(s![start..start + 100, ..]));
        model = Some(params.fit_with(model, &batch).unwrap());
    }
    let labels = |model: &MiniBatchKMeans<f64>| model.kmeans().predict(&records);
    let inertia = |model: &MiniBatchKMeans<f64>| {
        let samples = kmeans::Samples::new(records.as_slice().unwrap(), 2).unwrap();
        model.kmeans().score_samples(samples).unwrap()
    };
    let model = model.unwrap();
    assert_eq!(labels(&model).len(), 600);
    assert_close(inertia(&model), inertia(&whole), 0.02);
}

/// The engine that is there for comparison gets to the same optimum.
#[test]
fn the_linfa_engine_finds_the_same_clusters() {
    let records = blobs(2000, 128, 5, 42);
    let dataset = DatasetBase::from(records.view());
    let params = KMeans::params(5).engine(Engine::Linfa);
    let model = params.fit(&dataset).unwrap();
    assert_close(model.inertia(), 255415.06911221094, 1e-9);
    assert_eq!(model.restarts().len(), 10);
    assert_close(
        plain_inertia(&model, records.as_slice().unwrap()),
        model.inertia(),
        1e-12,
    );
    let iterations = model.restarts().iter().map(|restart| restart.iterations);
    assert!(iterations.min() >= Some(2));

    // Identical rows, and rows in columns-first layout.
    let same = DatasetBase::from(Array2::<f32>::zeros((4, 3).f()));
    let model = KMeans::params(2).engine(Engine::Linfa).fit(&same).unwrap();
    assert_eq!(model.inertia(), 0.0);
}

#[test]
fn the_linfa_engine_says_what_it_cannot_do() {
    let dataset = DatasetBase::from(array![[0.0], [1.0]]);
    let params = KMeans::params(1).engine(Engine::Linfa);
    let check = |result: Result<KMeans<f64>, KMeansError>, what: &str| {
        let message = result.unwrap_err().to_string();
        let expected =
            format!("the linfa engine knows no {what}: leave it out, or use Engine::Native");
        assert_eq!(message, expected);
    };
    let weighted = dataset.clone().with_weights(array![1.0, 2.0]);
    check(params.fit(&weighted), "sample weights");
    let random = params.clone().init(Init::Random);
    check(random.fit(&dataset), "other init than k-means++");
    let lloyd = params.algorithm(Algorithm::Lloyd);
    check(lloyd.fit(&dataset), "choice of the algorithm");
}
