//! Every way to the result gives the result of the plain algorithm.

use kmeans::{Algorithm, Init, KMeans, Samples};
use proptest::prelude::*;

use crate::{assert_close, fit, narrow, squared_distance};

/// Lloyd's algorithm as it is defined, from given centroids; also the number of iterations. `None`
/// if a cluster runs empty on the way, for which the definition has no rule.
fn plain_lloyd(
    values: &[f64],
    weights: &[f64],
    d: usize,
    mut centroids: Vec<f64>,
    max_iter: usize,
) -> Option<(Vec<f64>, Vec<u32>, usize)> {
    let nearest = |centroids: &[f64]| -> Vec<u32> {
        let label = |row: &[f64]| {
            let mut best = (f64::INFINITY, 0);
            for (index, centroid) in centroids.chunks(d).enumerate() {
                let distance = squared_distance(row, centroid);
                if distance < best.0 {
                    best = (distance, index as u32);
                }
            }
            best.1
        };
        values.chunks(d).map(label).collect()
    };
    let mut labels = nearest(&centroids);
    for iteration in 1..=max_iter {
        let old = centroids.clone();
        for (cluster, centroid) in centroids.chunks_mut(d).enumerate() {
            let rows = values.chunks(d).zip(&labels).zip(weights);
            let rows = rows.filter(|((_, label), _)| **label == cluster as u32);
            let mut sum = vec![0.0; d];
            let mut total = 0.0;
            for ((row, _), weight) in rows {
                total += weight;
                sum.iter_mut()
                    .zip(row)
                    .for_each(|(sum, x)| *sum += weight * x);
            }
            if total == 0.0 {
                return None;
            }
            centroid
                .iter_mut()
                .zip(sum)
                .for_each(|(x, sum)| *x = sum / total);
        }
        let new = nearest(&centroids);
        let settled = new == labels;
        labels = new;
        if centroids == old {
            return Some((centroids, labels, iteration));
        }
        if settled {
            return Some((centroids, labels, (iteration + 1).min(max_iter)));
        }
    }
    Some((centroids, labels, max_iter))
}

/// Rows of which some are taken as initial centroids, so that no cluster is empty at first.
#[derive(Debug, Clone)]
struct Case {
    d: usize,
    values: Vec<f64>,
    weights: Vec<f64>,
    k: usize,
}

impl Case {
    fn init(&self) -> Vec<f64> {
        self.values[..self.k * self.d].to_vec()
    }
}

/// Any shape that makes a difference to the code; continuous values, or few different ones if `ties`.
fn cases(ties: bool) -> impl Strategy<Value = Case> {
    let shape = (
        1_usize..150,
        prop_oneof![1_usize..6, 18_usize..23, Just(33)],
    );
    (shape, 1_usize..40, any::<bool>(), any::<u64>()).prop_map(
        move |((n, d), k, integers, seed)| {
            let integers = integers && ties;
            let mut state = seed;
            let mut next = || {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 33) as f64 / (1u64 << 31) as f64
            };
            let value = |x: f64| {
                if integers {
                    (x * 16.0).floor()
                } else {
                    x * 10.0
                }
            };
            Case {
                values: (0..n * d).map(|_| value(next())).collect(),
                weights: (0..n).map(|_| (next() * 4.0).floor() + 1.0).collect(),
                k: k.min(n),
                d,
            }
        },
    )
}

proptest! {
    /// Not where rows are as near to one centroid as to another: which of them wins depends on rounding.
    #[test]
    fn every_algorithm_equals_the_plain_one(case in cases(false), max_iter in 1_usize..12) {
        let samples = Samples::new(&case.values, case.d).unwrap();
        let samples = samples.with_weights(&case.weights).unwrap();
        let plain = plain_lloyd(&case.values, &case.weights, case.d, case.init(), max_iter);
        let Some((centroids, labels, iterations)) = plain else {
            return Err(TestCaseError::reject("a cluster runs empty"));
        };
        for algorithm in [Algorithm::Lloyd, Algorithm::Bounds, Algorithm::Auto] {
            let params = KMeans::params(case.k)
                .init(Init::Centroids(case.init()))
                .tolerance(0.0)
                .max_iter(max_iter)
                .algorithm(algorithm);
            let model = params.fit_samples(samples).unwrap();
            prop_assert_eq!(model.labels(), &labels);
            prop_assert_eq!(model.iterations(), iterations);
            for (found, expected) in model.centroids().iter().zip(&centroids) {
                prop_assert!((found - expected).abs() < 1e-12 * expected.abs().max(1.0));
            }
        }
    }

    /// Also where rows repeat, clusters run empty and restarts meet.
    #[test]
    fn bounds_change_nothing(case in cases(true), seed in 0_u64..1000) {
        let params = KMeans::params(case.k).n_init(4).seed(seed);
        let lloyd = fit(&params.clone().algorithm(Algorithm::Lloyd), &case.values, case.d);
        let bounds = fit(&params.algorithm(Algorithm::Bounds), &case.values, case.d);
        prop_assert_eq!(lloyd.labels(), bounds.labels());
        prop_assert_eq!(lloyd.restarts().len(), bounds.restarts().len());
        for (a, b) in lloyd.restarts().iter().zip(bounds.restarts()) {
            prop_assert_eq!(a.iterations, b.iterations);
            prop_assert!((a.inertia - b.inertia).abs() <= 1e-12 * a.inertia);
        }

        let values = narrow(&case.values);
        let params = KMeans::params(case.k).n_init(2).seed(seed);
        let lloyd = fit(&params.clone().algorithm(Algorithm::Lloyd), &values, case.d);
        let bounds = fit(&params.algorithm(Algorithm::Bounds), &values, case.d);
        prop_assert_eq!(lloyd.labels(), bounds.labels());
    }
}

/// Many clusters that overlap: many iterations, many groups of bounds, many moves.
#[test]
fn bounds_change_nothing_on_larger_data() {
    for (n, d, k) in [(3000, 2, 70), (2500, 24, 50), (4000, 7, 200)] {
        let values = crate::blobs(n, d, 20, 3);
        let params = KMeans::params(k).n_init(2).tolerance(0.0);
        let lloyd = fit(&params.clone().algorithm(Algorithm::Lloyd), &values, d);
        let bounds = fit(&params.algorithm(Algorithm::Bounds), &values, d);
        assert_eq!(lloyd.labels(), bounds.labels());
        assert_eq!(lloyd.iterations(), bounds.iterations());
        assert!(lloyd.iterations() > 10);
        assert_close(bounds.inertia(), lloyd.inertia(), 1e-12);
    }
}
