//! Known optima, restarts, determinism, prediction.

use std::ops::ControlFlow;

use kmeans::{Algorithm, Init, KMeans, KMeansError, KMeansParams, Progress, Samples};

use crate::{assert_close, blobs, fit, narrow, plain_inertia, squared_distance};

/// Expected values are `inertia_` of scikit-learn 1.9 on the same data.
#[track_caller]
fn check_optimum(n: usize, d: usize, k: usize, seed: u32, expected: f64) {
    let values = blobs(n, d, k, seed);
    for algorithm in [Algorithm::Lloyd, Algorithm::Bounds] {
        let model = fit(&KMeans::params(k).algorithm(algorithm), &values, d);
        assert_close(model.inertia(), expected, 1e-9);
        assert_close(plain_inertia(&model, &values), model.inertia(), 1e-12);

        let params = KMeans::params(k).algorithm(algorithm);
        let model = fit(&params, &narrow(&values), d);
        assert_close(model.inertia(), expected, 1e-6);
    }
}

#[test]
fn reaches_the_optimum_that_scikit_learn_finds() {
    check_optimum(300, 2, 3, 42, 566.8595511244132);
    check_optimum(1000, 3, 4, 1, 2946.1753742795836);
    check_optimum(2000, 128, 5, 42, 255415.06911221094);
    check_optimum(2000, 128, 7, 42, 255162.4738804733);
}

/// The same at 100 MB. The expected figures have two decimals, hence the tolerance.
#[test]
fn reaches_the_optimum_of_100_000_rows() {
    for (k, expected) in [(5, 12_800_855.22), (7, 12_800_608.95)] {
        let values = blobs(100_000, 128, k, 42);
        let model = fit(&KMeans::params(k), &values, 128);
        assert_close(model.inertia(), expected, 1e-9);
        // Every start is good, so that one iteration finds the clusters and another one confirms
        // it.
        assert!(
            model
                .restarts()
                .iter()
                .all(|restart| restart.iterations <= 3)
        );
    }
}

#[test]
fn data_far_from_the_origin_lose_nothing() {
    let values = blobs(2000, 128, 5, 42);
    let far: Vec<f64> = values.iter().map(|x| x + 1e6).collect();
    let model = fit(&KMeans::params(5), &far, 128);
    assert_close(model.inertia(), 255415.06911221094, 1e-9);
}

#[test]
fn finds_the_blobs_that_the_rows_were_drawn_from() {
    let blobs = datasets::make_blobs(501, 128, 5, 3).unwrap();
    let model = fit(&KMeans::params(5), blobs.records.as_slice().unwrap(), 128);
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
    let values = blobs(400, 2, 12, 5);
    let model = fit(&KMeans::params(12).n_init(8).max_iter(3), &values, 2);
    assert_eq!(model.restarts().len(), 8);
    let smallest = model.restarts().iter().map(|r| r.inertia);
    let smallest = smallest.fold(f64::INFINITY, f64::min);
    let first = model.restarts().iter().find(|r| r.inertia == smallest);
    assert_eq!(model.inertia(), smallest);
    assert_eq!(model.iterations(), first.unwrap().iterations);
    assert!(
        model
            .restarts()
            .iter()
            .any(|r| r.inertia > 1.001 * smallest)
    );
    assert!(
        model
            .restarts()
            .iter()
            .all(|r| (1..=3).contains(&r.iterations))
    );
    assert!(model.restarts().iter().any(|r| r.iterations == 3));

    // Inertia, labels and centroids belong together also when a restart was stopped early.
    assert_close(plain_inertia(&model, &values), model.inertia(), 1e-12);
    let samples = Samples::new(&values, 2).unwrap();
    assert_eq!(model.predict_samples(samples).unwrap(), model.labels());
}

#[test]
fn the_first_restarts_do_not_depend_on_how_many_follow() {
    let values = blobs(200, 3, 6, 8);
    let few = fit(&KMeans::params(6).n_init(3), &values, 3);
    let many = fit(&KMeans::params(6).n_init(7), &values, 3);
    assert_eq!(few.restarts(), &many.restarts()[..3]);
}

#[test]
fn equal_seeds_give_equal_models() {
    let values = blobs(400, 2, 12, 5);
    for init in [Init::KMeansPlusPlus, Init::Random] {
        let params = KMeans::params(12).n_init(2).init(init);
        let model = fit(&params, &values, 2);
        assert_eq!(model, fit(&params, &values, 2));
        assert_ne!(model, fit(&params.seed(43), &values, 2));
    }
}

/// Enough rows for several units of work.
#[test]
fn one_thread_and_many_give_equal_models() {
    let values = blobs(9000, 5, 7, 2);
    let narrow = narrow(&values);
    let in_pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let of = |algorithm| {
                fit(
                    &KMeans::params(30).n_init(3).algorithm(algorithm),
                    &values,
                    5,
                )
            };
            let random = KMeans::params(30).n_init(2).init(Init::Random);
            (
                of(Algorithm::Lloyd),
                of(Algorithm::Bounds),
                fit(&KMeans::params(30).n_init(3), &narrow, 5),
                fit(&random, &values, 5),
            )
        })
    };
    let one = in_pool(1);
    assert_eq!(one, in_pool(2));
    assert_eq!(one, in_pool(5));
}

#[test]
fn tolerance_is_relative_to_the_mean_variance() {
    let values = blobs(2000, 3, 12, 5);
    let params = KMeans::params(25).n_init(1).tolerance(0.0);
    let after = |max_iter| fit(&params.clone().max_iter(max_iter), &values, 3);
    let squared_move = squared_distance(after(3).centroids(), after(2).centroids());
    let limit = squared_move / mean_variance(&values, 3);
    // The move of the third iteration is just below or just above the tolerance.
    let with = |tolerance| fit(&params.clone().tolerance(tolerance), &values, 3).iterations();
    assert_eq!(with(limit * 1.001), 3);
    assert!(with(limit * 0.999) > 3);
    // Without tolerance a restart goes on until nothing moves.
    let settled = after(300).iterations();
    assert!(settled > with(limit) && settled < 300, "{settled}");
    assert_eq!(after(settled).centroids(), after(settled - 1).centroids());
}

fn mean_variance(values: &[f64], d: usize) -> f64 {
    let n = (values.len() / d) as f64;
    let column = |j: usize| values.iter().skip(j).step_by(d);
    let variance = |j| {
        let mean = column(j).sum::<f64>() / n;
        column(j).map(|x| (x - mean).powi(2)).sum::<f64>() / n
    };
    (0..d).map(variance).sum::<f64>() / d as f64
}

#[test]
fn given_centroids_are_where_the_one_restart_begins() {
    let values = [0.0, 1.0, 2.0, 10.0, 11.0, 12.0];
    let params = KMeans::params(2).init(Init::Centroids(vec![12.0, 0.0]));
    let model = fit(&params, &values, 1);
    assert_eq!(model.centroids(), [11.0, 1.0]);
    assert_eq!(model.labels(), [1, 1, 1, 0, 0, 0]);
    assert_eq!((model.restarts().len(), model.iterations()), (1, 2));
    assert_eq!(model.inertia(), 4.0);
}

#[test]
fn random_rows_are_different_rows() {
    let values: Vec<f64> = (0..40).map(f64::from).collect();
    let model = fit(&KMeans::params(40).n_init(1).init(Init::Random), &values, 1);
    assert_eq!(model.inertia(), 0.0);
}

#[test]
fn the_observer_hears_of_every_step_and_may_end_the_fit() {
    let values = blobs(300, 2, 4, 1);
    let samples = Samples::new(&values, 2).unwrap();
    let params: KMeansParams<f64> = KMeans::params(4).n_init(3);
    let mut heard = Vec::new();
    let model = params
        .fit_observed(samples, |progress| {
            heard.push(progress);
            ControlFlow::Continue(())
        })
        .unwrap();
    for chosen in 1..=4 {
        let seeding = Progress::Seeding {
            restarts: 0..3,
            chosen,
        };
        assert_eq!(heard[chosen - 1], seeding);
    }
    let iteration = Progress::Iteration {
        restart: 0,
        iteration: 1,
    };
    assert!(heard.contains(&iteration));
    assert_eq!(heard.last(), Some(&Progress::Restart { restart: 2 }));
    assert_eq!(model, params.fit_samples(samples).unwrap());

    for stop in 0..heard.len() {
        let mut calls = 0;
        let result = params.fit_observed(samples, |_| {
            calls += 1;
            if calls > stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(matches!(result, Err(KMeansError::Cancelled)));
        assert_eq!(calls, stop + 1, "nothing goes on after the end");
    }
}

#[test]
fn prediction_distances_and_score() {
    let values = [0.0, 0.0, 4.0, 3.0];
    let model = fit(&KMeans::params(2), &values, 2);
    let near_first = model.labels()[0];
    let new = [9.0, 9.0, -1.0, 0.0, 4.0, 3.0];
    let new = Samples::new(&new, 2).unwrap();
    let expected = [1 - near_first, near_first, 1 - near_first];
    assert_eq!(model.predict_samples(new).unwrap(), expected);

    let distances = model.transform_samples(new).unwrap();
    let to = |cluster: u32| distances[2 + cluster as usize];
    assert_eq!((to(near_first), to(1 - near_first)), (1.0, 34_f64.sqrt()));
    assert_eq!(model.score_samples(new).unwrap(), -(25.0 + 36.0 + 1.0));

    let nothing = Samples::new(&[], 2).unwrap();
    assert!(model.predict_samples(nothing).unwrap().is_empty());
    assert!(model.transform_samples(nothing).unwrap().is_empty());
    assert_eq!(model.score_samples(nothing).unwrap(), 0.0);
}

#[test]
fn distances_of_many_rows_are_in_their_places() {
    let values = blobs(700, 3, 5, 7);
    let model = fit(&KMeans::params(5).n_init(1), &values, 3);
    let samples = Samples::new(&values, 3).unwrap();
    let distances = model.transform_samples(samples).unwrap();
    for (i, row) in distances.chunks(5).enumerate() {
        for (cluster, distance) in row.iter().enumerate() {
            let expected = squared_distance(samples.row(i), model.centroid(cluster)).sqrt();
            assert!((distance - expected).abs() <= 1e-12 * expected);
        }
    }
}
