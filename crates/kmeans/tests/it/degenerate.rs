//! Data at the edges of what can be clustered.

use kmeans::{Algorithm, Float, Init, KMeans, Samples};

use crate::{assert_close, blobs, fit};

#[test]
fn one_cluster_is_the_mean() {
    let values = blobs(50, 4, 3, 6);
    let model = fit(&KMeans::params(1).tolerance(0.0), &values, 4);
    for (j, x) in model.centroids().iter().enumerate() {
        let mean = values.iter().skip(j).step_by(4).sum::<f64>() / 50.0;
        assert!((x - mean).abs() < 1e-12);
    }
    assert_eq!(model.labels(), [0; 50]);
}

#[test]
fn as_many_clusters_as_rows_leave_no_inertia() {
    let model = fit(&KMeans::params(9), &blobs(9, 3, 2, 4), 3);
    assert_eq!(model.inertia(), 0.0);
    let mut labels = model.labels().to_vec();
    labels.sort_unstable();
    assert_eq!(labels, (0..9).collect::<Vec<_>>());
}

/// Clusters rows of which only some differ: no inertia may be left. `others` says which rows are
/// not in the cluster of the first.
#[track_caller]
fn check_exact<F: Float>(values: &[F], d: usize, n_clusters: usize, others: &[usize]) {
    for algorithm in [Algorithm::Lloyd, Algorithm::Bounds] {
        for init in [Init::KMeansPlusPlus, Init::Random] {
            let exact = init == Init::KMeansPlusPlus;
            let params = KMeans::params(n_clusters).algorithm(algorithm).init(init);
            let model = fit(&params, values, d);
            assert_eq!(model.n_clusters(), n_clusters);
            assert!(model.centroids().iter().all(|x| x.widen().is_finite()));
            if exact {
                assert_eq!(model.inertia(), 0.0);
                let first = model.labels()[0];
                let labels = model
                    .labels()
                    .iter()
                    .map(|&label| usize::from(label != first));
                assert_eq!(labels.collect::<Vec<_>>(), others);
            }
        }
    }
}

#[test]
fn few_different_rows() {
    // One row.
    check_exact(&[3.0, -1.0], 2, 1, &[0]);
    check_exact(&[0.0_f32], 1, 1, &[0]);
    // Identical rows: extra centroids coincide and stay empty.
    for n_clusters in 1..=4 {
        check_exact(&[0.1; 12], 3, n_clusters, &[0; 4]);
        check_exact(&[0.1_f32; 12], 3, n_clusters, &[0; 4]);
    }
    // Fewer different rows than clusters.
    check_exact(&[1.0, 1.0, 2.0, 1.0], 1, 3, &[0, 0, 1, 0]);
    // One feature, and a constant column beside it.
    check_exact(&[5.0, -5.0, -5.0], 1, 2, &[0, 1, 1]);
    check_exact(&[5.0, 7.0, -5.0, 7.0], 2, 2, &[0, 1]);
    // Differences whose squares underflow count as none.
    check_exact(&[1e-200, 2e-200, 3e-200], 1, 2, &[0, 0, 0]);
}

#[test]
fn many_rows_of_few_different_ones() {
    let values: Vec<f64> = (0..5000).map(|i| f64::from(i % 7)).collect();
    let model = fit(&KMeans::params(7), &values, 1);
    assert_eq!(model.inertia(), 0.0);
    let model = fit(&KMeans::params(20), &values, 1);
    assert_eq!(model.inertia(), 0.0);
    let mut labels = model.labels().to_vec();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), 7);
}

/// The last clusters are found only if what remains is known exactly.
#[test]
fn clusters_of_very_different_scale_are_all_found() {
    let mut values = Vec::new();
    for exponent in 0..8 {
        values.extend([10_f64.powi(2 * exponent), 10_f64.powi(2 * exponent) * 1.5]);
    }
    let model = fit(&KMeans::params(16), &values, 1);
    assert_eq!(model.inertia(), 0.0);
}

#[test]
fn an_empty_cluster_gets_the_farthest_row() {
    // The third centroid is nobody's nearest. Row 5 is farthest from its centroid.
    let values = [0.0, 1.0, 2.0, 10.0, 11.0, 18.0];
    for algorithm in [Algorithm::Lloyd, Algorithm::Bounds] {
        let init = Init::Centroids(vec![1.0, 11.0, 1000.0]);
        let model = fit(
            &KMeans::params(3).init(init).algorithm(algorithm),
            &values,
            1,
        );
        assert_eq!(model.labels(), [0, 0, 0, 1, 1, 2]);
        assert_eq!(model.centroids(), [1.0, 10.5, 18.0]);
        assert_eq!(model.inertia(), 2.5);
    }
}

#[test]
fn a_row_that_is_alone_is_not_taken_from_its_cluster() {
    let values = [0.0, 1.0, 50.0];
    let init = Init::Centroids(vec![0.5, 40.0, 1000.0]);
    let model = fit(&KMeans::params(3).init(init), &values, 1);
    assert_eq!(model.inertia(), 0.0);
}

#[test]
fn squared_distances_near_the_smallest_number_do_no_harm() {
    for exponent in 150..170 {
        let scale = 10.0_f64.powi(-exponent);
        let values: Vec<f64> = blobs(20, 2, 3, 1).iter().map(|x| x * scale).collect();
        let model = fit(&KMeans::params(3), &values, 2);
        assert!(model.inertia().is_finite());
        assert_eq!(model.labels().len(), 20);
    }
}

/// Bounds are kept in another type, as multiples of the diameter.
#[test]
fn scale_does_not_matter() {
    let values = blobs(600, 3, 6, 1);
    let expected = fit(&KMeans::params(9).n_init(2), &values, 3);
    for exponent in [-140, -60, 60, 140] {
        let scale = 2.0_f64.powi(exponent);
        let scaled: Vec<f64> = values.iter().map(|x| x * scale).collect();
        let model = fit(&KMeans::params(9).n_init(2), &scaled, 3);
        assert_eq!(model.labels(), expected.labels(), "2^{exponent}");
        assert_close(model.inertia() / scale / scale, expected.inertia(), 1e-12);
    }
}

#[test]
fn one_outlier_does_not_hide_the_rest() {
    let mut values = blobs(500, 2, 4, 1);
    values.extend([1e9, 1e9]);
    // The tolerance is relative to the variance, which is the outlier's.
    let model = fit(&KMeans::params(5).tolerance(0.0), &values, 2);
    let alone = fit(&KMeans::params(4).tolerance(0.0), &values[..1000], 2);
    assert_close(model.inertia(), alone.inertia(), 1e-9);
}

#[test]
fn more_columns_than_rows() {
    let values = blobs(12, 5000, 3, 1);
    let model = fit(&KMeans::params(3), &values, 5000);
    let samples = Samples::new(&values, 5000).unwrap();
    assert_eq!(model.predict_samples(samples).unwrap(), model.labels());
}
