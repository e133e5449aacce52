//! What must hold of K-means whatever the data.

use kmeans::{Init, KMeans, KMeansParams, Samples};
use proptest::prelude::*;

use crate::fit;

/// Rows, their number of columns, and a number of clusters.
fn data() -> impl Strategy<Value = (Vec<f64>, usize, usize)> {
    (1_usize..5, 2_usize..60).prop_flat_map(|(d, n)| {
        let values = prop::collection::vec(-100.0..100.0_f64, n * d);
        (values, Just(d), 1..=n.min(8))
    })
}

/// The first rows are the initial centroids.
fn from_first_rows(values: &[f64], d: usize, k: usize) -> KMeansParams<f64> {
    KMeans::params(k)
        .init(Init::Centroids(values[..k * d].to_vec()))
        .tolerance(0.0)
}

proptest! {
    #[test]
    fn inertia_never_rises((values, d, k) in data()) {
        let inertia = |max_iter| {
            fit(&from_first_rows(&values, d, k).max_iter(max_iter), &values, d).inertia()
        };
        let course: Vec<f64> = (1..10).map(inertia).collect();
        for pair in course.windows(2) {
            prop_assert!(pair[1] <= pair[0] * (1.0 + 1e-12), "{course:?}");
        }
    }

    #[test]
    fn permuting_rows_permutes_labels((values, d, k) in data(), seed in any::<u64>()) {
        let params = from_first_rows(&values, d, k);
        let model = fit(&params, &values, d);
        let n = values.len() / d;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by_key(|&row| (row as u64).wrapping_add(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let permuted: Vec<f64> =
            order.iter().flat_map(|&row| &values[row * d..][..d]).copied().collect();
        let other = fit(&params, &permuted, d);
        for (place, &row) in order.iter().enumerate() {
            prop_assert_eq!(other.labels()[place], model.labels()[row]);
        }
        prop_assert!((other.inertia() - model.inertia()).abs() <= 1e-9 * model.inertia());
    }

    /// By a power of two, which is exact.
    #[test]
    fn scaling_the_data_scales_the_result((values, d, k) in data()) {
        let model = fit(&KMeans::params(k).n_init(2), &values, d);
        let scaled: Vec<f64> = values.iter().map(|x| x * 1024.0).collect();
        let scaled = fit(&KMeans::params(k).n_init(2), &scaled, d);
        prop_assert_eq!(scaled.labels(), model.labels());
        prop_assert_eq!(scaled.inertia(), model.inertia() * 1024.0 * 1024.0);
        for (a, b) in scaled.centroids().iter().zip(model.centroids()) {
            prop_assert_eq!(*a, b * 1024.0);
        }
    }

    /// From given centroids, so that rounding cannot lead to other draws.
    #[test]
    fn moving_the_data_moves_the_result((values, d, k) in data()) {
        let model = fit(&from_first_rows(&values, d, k), &values, d);
        let moved: Vec<f64> = values.iter().map(|x| x + 4096.0).collect();
        let moved = fit(&from_first_rows(&moved, d, k), &moved, d);
        prop_assert_eq!(moved.labels(), model.labels());
        prop_assert!((moved.inertia() - model.inertia()).abs() <= 1e-8 * (1.0 + model.inertia()));
        for (a, b) in moved.centroids().iter().zip(model.centroids()) {
            prop_assert!((a - b - 4096.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_weight_of_two_equals_a_row_twice((values, d, k) in data(), twice in any::<u64>()) {
        let n = values.len() / d;
        let is_twice = |row: usize| twice >> (row % 64) & 1 == 1;
        let weights: Vec<f64> = (0..n).map(|row| if is_twice(row) { 2.0 } else { 1.0 }).collect();
        let params = from_first_rows(&values, d, k);
        let samples = Samples::new(&values, d).unwrap().with_weights(&weights).unwrap();
        let weighted = params.fit_samples(samples).unwrap();

        let again = (0..n).filter(|&row| is_twice(row)).flat_map(|row| &values[row * d..][..d]);
        let repeated: Vec<f64> = values.iter().chain(again).copied().collect();
        let repeated = fit(&params, &repeated, d);
        prop_assert_eq!(weighted.labels(), &repeated.labels()[..n]);
        prop_assert!((weighted.inertia() - repeated.inertia()).abs() <= 1e-9 * (1.0 + repeated.inertia()));
    }

    #[test]
    fn a_row_without_weight_has_no_influence((values, d, k) in data()) {
        let params = from_first_rows(&values, d, k);
        let without = fit(&params, &values, d);
        let far: Vec<f64> = values.iter().copied().chain(vec![1e4; d]).collect();
        let mut weights = vec![1.0; far.len() / d];
        *weights.last_mut().unwrap() = 0.0;
        let samples = Samples::new(&far, d).unwrap().with_weights(&weights).unwrap();
        let with = params.fit_samples(samples).unwrap();
        prop_assert_eq!(with.centroids(), without.centroids());
        prop_assert_eq!(&with.labels()[..values.len() / d], without.labels());
        prop_assert_eq!(with.inertia(), without.inertia());
        // Nor is it ever drawn.
        for init in [Init::KMeansPlusPlus, Init::Random] {
            let params = KMeans::params(1).init(init).max_iter(1).n_init(3);
            let model = params.fit_samples(samples).unwrap();
            prop_assert!(model.centroids().iter().all(|x| x.abs() <= 100.0));
        }
    }
}
