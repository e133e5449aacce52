//! Clustering as a user sees it: known optima, degenerate data, determinism, errors.

use kmeans::{KMeans, KMeansError, KMeansParams, KMeansParamsError};
use linfa::traits::{Fit, Predict};
use linfa::{DatasetBase, Float, ParamGuard};
use ndarray::{Array1, Array2, Axis, ShapeBuilder, array};

fn fit<F: Float>(params: &KMeansParams<F>, records: &Array2<F>) -> KMeans<F> {
    params.fit(&DatasetBase::from(records.view())).unwrap()
}

fn blobs(n: usize, d: usize, k: usize, seed: u32) -> Array2<f64> {
    datasets::make_blobs(n, d, k, seed).unwrap().records
}

/// The definition of inertia, computed plainly.
fn plain_inertia(model: &KMeans<f64>, records: &Array2<f64>) -> f64 {
    let centroid_of = |label: usize| model.centroids().row(label);
    let rows = records.rows().into_iter().zip(model.labels());
    rows.map(|(row, &label)| (&row - &centroid_of(label)).mapv(|x| x * x).sum())
        .sum()
}

/// Expected values are `inertia_` of scikit-learn 1.9 on the same data.
#[track_caller]
fn check_optimum(n: usize, d: usize, k: usize, seed: u32, expected: f64) {
    let records = blobs(n, d, k, seed);
    let model = fit(&KMeans::params(k), &records);
    let error = (model.inertia() / expected - 1.0).abs();
    assert!(error < 1e-9, "{} is off by {error:e}", model.inertia());
    let error = (plain_inertia(&model, &records) / model.inertia() - 1.0).abs();
    assert!(error < 1e-12, "inertia is off its definition by {error:e}");

    let narrow = fit(&KMeans::params(k), &records.mapv(|x| x as f32));
    let error = (f64::from(narrow.inertia()) / expected - 1.0).abs();
    assert!(
        error < 1e-6,
        "in f32 {} is off by {error:e}",
        narrow.inertia()
    );
}

#[test]
fn reaches_the_optimum_that_scikit_learn_finds() {
    check_optimum(300, 2, 3, 42, 566.8595511244132);
    check_optimum(1000, 3, 4, 1, 2946.1753742795836);
    check_optimum(2000, 128, 5, 42, 255415.06911221094);
    check_optimum(2000, 128, 7, 42, 255162.4738804733);
}

/// The same at 100 MB, with fewer restarts than by default to be quick; further ones cannot make it
/// worse. The expected figures have two decimals, hence the tolerance.
#[test]
fn reaches_the_optimum_of_100_000_rows() {
    for (k, expected) in [(5, 12_800_855.22), (7, 12_800_608.95)] {
        let model = fit(&KMeans::params(k).n_init(2), &blobs(100_000, 128, k, 42));
        let error = (model.inertia() / expected - 1.0_f64).abs();
        assert!(error < 1e-9, "{} is off by {error:e}", model.inertia());
    }
}

#[test]
fn finds_the_blobs_that_the_rows_were_drawn_from() {
    let blobs = datasets::make_blobs(501, 128, 5, 3).unwrap();
    let model = fit(&KMeans::params(5), &blobs.records);
    for (a, label_a) in model.labels().iter().enumerate() {
        for (b, label_b) in model.labels().iter().enumerate() {
            let same_blob = blobs.targets[a] == blobs.targets[b];
            assert_eq!(label_a == label_b, same_blob, "rows {a} and {b}");
        }
    }
}

#[test]
fn the_best_restart_is_kept_and_every_restart_reported() {
    // One restart seldom finds twelve overlapping clusters, so that restarts differ.
    let records = blobs(400, 2, 12, 5);
    let model = fit(&KMeans::params(12).n_init(8).max_iter(6), &records);
    assert_eq!(model.restarts().len(), 8);
    let smallest = model.restarts().iter().map(|r| r.inertia);
    let smallest = smallest.fold(f64::INFINITY, f64::min);
    let first = model.restarts().iter().find(|r| r.inertia == smallest);
    assert_eq!(model.inertia(), smallest);
    assert_eq!(model.iterations(), first.unwrap().iterations);
    assert!(model.restarts().iter().any(|r| r.inertia > 1.01 * smallest));
    let iterations = model.restarts().iter().map(|r| r.iterations);
    assert!(iterations.clone().all(|i| (1..=6).contains(&i)));
    assert_eq!(iterations.max(), Some(6));

    // Inertia, labels and centroids belong together also when a restart was stopped early.
    let error = (plain_inertia(&model, &records) / model.inertia() - 1.0).abs();
    assert!(error < 1e-12);
    assert_eq!(&model.try_predict(&records).unwrap(), model.labels());
}

#[test]
fn the_first_restarts_do_not_depend_on_how_many_follow() {
    let records = blobs(200, 3, 6, 8);
    let few = fit(&KMeans::params(6).n_init(3), &records);
    let many = fit(&KMeans::params(6).n_init(7), &records);
    assert_eq!(few.restarts(), &many.restarts()[..3]);
}

#[test]
fn equal_seeds_give_equal_models() {
    let records = blobs(400, 2, 12, 5);
    let params = KMeans::params(12).n_init(2);
    let model = fit(&params, &records);
    assert_eq!(model, fit(&params, &records));
    assert_ne!(model, fit(&params.seed(43), &records));
}

#[test]
fn one_thread_and_many_give_equal_models() {
    let records = blobs(3000, 5, 7, 2);
    let fit_with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().unwrap();
        pool.install(|| fit(&KMeans::params(7).n_init(3), &records))
    };
    assert_eq!(fit_with(1), fit_with(5));
}

#[test]
fn the_layout_of_the_records_does_not_matter() {
    let records = blobs(300, 11, 4, 9);
    let mut columns_first = Array2::zeros(records.dim().f());
    columns_first.assign(&records);
    assert!(!columns_first.is_standard_layout());
    let params = KMeans::params(4).n_init(3);
    assert_eq!(fit(&params, &records), fit(&params, &columns_first));
}

#[test]
fn tolerance_is_relative_to_the_mean_variance() {
    let records = blobs(400, 3, 12, 5);
    let params = KMeans::params(12).n_init(1).tolerance(0.0);
    let after = |max_iter| fit(&params.clone().max_iter(max_iter), &records);
    let squared_move: f64 = (after(3).centroids() - after(2).centroids())
        .mapv(|x| x * x)
        .sum();
    let mean_variance = records.var_axis(Axis(0), 0.0).mean().unwrap();
    // The move of the third iteration is just below or just above the tolerance.
    let limit = squared_move / mean_variance;
    let with = |tolerance| fit(&params.clone().tolerance(tolerance), &records).iterations();
    assert_eq!(with(limit * 1.001), 3);
    assert!(with(limit * 0.999) > 3);
    // Without tolerance a restart goes on until nothing moves.
    let settled = after(300).iterations();
    assert!(settled > with(limit) && settled < 300, "{settled}");
    assert_eq!(after(settled).centroids(), after(settled - 1).centroids());
}

#[test]
fn one_cluster_is_the_mean() {
    let records = blobs(50, 4, 3, 6);
    let model = fit(&KMeans::params(1).tolerance(0.0), &records);
    let mean = records.mean_axis(Axis(0)).unwrap();
    let error = (&model.centroids().row(0) - &mean).mapv(f64::abs).sum();
    assert!(error < 1e-12, "{error:e}");
    assert_eq!(model.labels(), Array1::<usize>::zeros(50));
    let variances = records.var_axis(Axis(0), 0.0).sum();
    assert!((model.inertia() / (50.0 * variances) - 1.0).abs() < 1e-12);
}

#[test]
fn as_many_clusters_as_rows_leave_no_inertia() {
    let records = blobs(9, 3, 2, 4);
    let model = fit(&KMeans::params(9), &records);
    assert_eq!(model.inertia(), 0.0);
    let mut labels = model.labels().to_vec();
    labels.sort_unstable();
    assert_eq!(labels, (0..9).collect::<Vec<_>>());
}

/// `centroids` clusters on rows of which only some differ: no inertia may be left.
#[track_caller]
fn check_exact<F: Float>(records: Array2<F>, n_clusters: usize, labels: &[usize]) {
    let model = fit(&KMeans::params(n_clusters), &records);
    assert_eq!(model.inertia(), F::zero());
    assert_eq!(model.n_clusters(), n_clusters);
    assert!(model.centroids().iter().all(|x| x.is_finite()));
    let first = model.labels()[0];
    let same_as_first: Vec<usize> = model
        .labels()
        .iter()
        .map(|&label| usize::from(label != first))
        .collect();
    assert_eq!(same_as_first, labels);
}

#[test]
fn degenerate_records() {
    // One row.
    check_exact(array![[3.0, -1.0]], 1, &[0]);
    check_exact(array![[0.0_f32]], 1, &[0]);
    // Identical rows: extra centroids coincide and stay empty.
    for n_clusters in 1..=4 {
        check_exact(Array2::from_elem((4, 3), 0.1), n_clusters, &[0; 4]);
        check_exact(Array2::from_elem((4, 3), 0.1_f32), n_clusters, &[0; 4]);
    }
    // Fewer different rows than clusters.
    check_exact(array![[1.0], [1.0], [2.0], [1.0]], 3, &[0, 0, 1, 0]);
    // One feature, and a constant column beside it.
    check_exact(array![[5.0], [-5.0], [-5.0]], 2, &[0, 1, 1]);
    check_exact(array![[5.0, 7.0], [-5.0, 7.0]], 2, &[0, 1]);
    // Differences whose squares underflow count as none.
    check_exact(array![[1e-200], [2e-200], [3e-200]], 2, &[0, 0, 0]);
}

#[test]
fn squared_distances_near_the_smallest_number_do_no_harm() {
    for exponent in 150..170 {
        let scale = 10.0_f64.powi(-exponent);
        let model = fit(&KMeans::params(3), &(blobs(20, 2, 3, 1) * scale));
        assert!(model.inertia().is_finite());
        assert_eq!(model.labels().len(), 20);
    }
}

#[track_caller]
fn check_fit_error(records: Array2<f64>, n_clusters: usize, message: &str) {
    let dataset = DatasetBase::from(records);
    let error = KMeans::params(n_clusters).fit(&dataset).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn bad_records_are_errors() {
    check_fit_error(Array2::zeros((0, 3)), 1, "the records have no rows");
    check_fit_error(Array2::zeros((0, 0)), 1, "the records have no rows");
    check_fit_error(Array2::zeros((3, 0)), 1, "the records have no columns");
    check_fit_error(
        Array2::zeros((3, 2)),
        4,
        "4 clusters were asked for, but the records have only 3 rows: n_clusters must not exceed \
         the number of rows",
    );
    let mut records = Array2::zeros((5, 4));
    records[(3, 2)] = f64::NAN;
    records[(3, 3)] = f64::INFINITY;
    records[(4, 0)] = f64::NAN;
    let place = "the value in row 3, column 2 (counted from 0) is NaN, not a finite number";
    check_fit_error(records, 2, place);
    let place = "the value in row 1, column 0 (counted from 0) is -inf, not a finite number";
    check_fit_error(array![[0.0], [f64::NEG_INFINITY]], 2, place);
    let overflow = "the values are so large that sums of squared distances overflow f64: \
                    scale the records down";
    check_fit_error(array![[1e200], [-1e200]], 2, overflow);
}

#[test]
fn bad_parameters_are_errors_of_the_fit() {
    let dataset = DatasetBase::from(array![[0.0], [1.0]]);
    let error = KMeans::params(0).fit(&dataset).unwrap_err();
    assert!(matches!(
        error,
        KMeansError::InvalidParams(KMeansParamsError::NClusters)
    ));
    assert_eq!(error.to_string(), "n_clusters must be at least 1");
    let checked = KMeans::params(2).check().unwrap();
    assert_eq!(checked.fit(&dataset).unwrap().inertia(), 0.0);
}

#[test]
fn sample_weights_are_refused() {
    let dataset = DatasetBase::from(array![[0.0], [1.0]]).with_weights(array![1.0, 2.0]);
    let error = KMeans::params(1).fit(&dataset).unwrap_err();
    assert!(matches!(error, KMeansError::Weights));
}

#[test]
fn prediction() {
    let model = fit(&KMeans::params(2), &array![[0.0, 0.0], [4.0, 4.0]]);
    let near_first = model.labels()[0];
    let new = array![[9.0, 9.0], [-1.0, 0.0]];
    let expected = array![1 - near_first, near_first];
    assert_eq!(model.try_predict(&new).unwrap(), expected);
    assert_eq!(model.predict(&new), expected);
    assert_eq!(model.predict(&DatasetBase::from(new)), expected);
    let nothing = model.try_predict(&Array2::zeros((0, 2))).unwrap();
    assert!(nothing.is_empty());

    let error = model.try_predict(&array![[1.0]]).unwrap_err();
    let message = "the model was fitted on 2 features, but the records have 1";
    assert_eq!(error.to_string(), message);
    let error = model.try_predict(&array![[1.0, f64::NAN]]).unwrap_err();
    assert!(matches!(
        error,
        KMeansError::NotFinite {
            row: 0,
            column: 1,
            ..
        }
    ));
}

#[test]
#[should_panic = "the model was fitted on 1 features, but the records have 2"]
fn prediction_through_the_trait_panics_on_another_width() {
    fit(&KMeans::params(1), &array![[0.0]]).predict(&array![[0.0, 1.0]]);
}
