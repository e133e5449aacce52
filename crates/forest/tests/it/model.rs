//! What a fitted forest can tell, and how forests grow and merge.

use std::ops::ControlFlow;

use forest::{
    Criterion, ForestError, MaxSamples, Progress, RandomForest, RandomForestParams, Splitter,
};
use ndarray::{Array1, Array2, array};

use crate::{accuracy, fit, noisy_rule, one_tree, predict, samples};

fn params() -> RandomForestParams<f64, usize> {
    RandomForest::params().n_trees(20)
}

#[test]
fn shares_are_the_mean_of_the_trees() {
    let (records, targets) = noisy_rule(200, 1);
    let model = fit(&params().min_samples_leaf(5), &records, &targets);
    let shares = model.predict_proba_samples(samples(&records)).unwrap();
    let leaves = model.apply_samples(samples(&records)).unwrap();
    for row in 0..200 {
        let mut expected = [0.0; 2];
        for (tree, &leaf) in leaves[row * 20..][..20].iter().enumerate() {
            let Some(forest::TreeNode::Leaf(values)) =
                model.tree(tree).unwrap().node(leaf as usize)
            else {
                panic!("{leaf} is no leaf of tree {tree}");
            };
            (0..2).for_each(|class| expected[class] += values[class] / 20.0);
        }
        assert!((shares[row * 2] - expected[0]).abs() < 1e-12);
        let label = model.predict_samples(samples(&records)).unwrap()[row];
        assert_eq!(label, usize::from(shares[row * 2 + 1] > shares[row * 2]));
    }
}

#[test]
fn out_of_bag_predictions_are_those_of_the_other_trees() {
    let (records, targets) = noisy_rule(150, 2);
    let one = fit(&params().n_trees(1), &records, &targets);
    let all = predict(&one, &records);
    let known = one.oob_predictions().unwrap().enumerate();
    let known: Vec<(usize, usize)> = known.filter_map(|(row, y)| Some((row, *y?))).collect();
    // About a share of 1/e.
    assert!((40..75).contains(&known.len()), "{}", known.len());
    assert!(known.iter().all(|&(row, label)| all[row] == label));
    let right = known
        .iter()
        .filter(|&&(row, label)| targets[row] == label)
        .count();
    assert_eq!(one.oob_score(), Some(right as f64 / known.len() as f64));
    let without = fit(&params().bootstrap(false), &records, &targets);
    assert!(without.oob_predictions().is_none());
}

#[test]
fn importances_find_what_matters() {
    let (records, targets) = noisy_rule(600, 3);
    for splitter in [Splitter::Best, Splitter::Random] {
        let model = fit(&params().splitter(splitter), &records, &targets);
        let importances = model.feature_importances();
        let by_permutation = model
            .permutation_importances(samples(&records), targets.as_slice().unwrap(), 3, 1)
            .unwrap();
        for other in [0, 2, 3, 5] {
            for relevant in [1, 4] {
                assert!(
                    importances[relevant] > 1.5 * importances[other],
                    "{importances:?}"
                );
                let (a, b) = (by_permutation[relevant], by_permutation[other]);
                assert!(
                    a.mean > b.mean + 0.02 && a.std_dev < 0.05,
                    "{by_permutation:?}"
                );
            }
        }
    }
    let constant = fit(&params(), &Array2::zeros((9, 2)), &Array1::from_elem(9, 1));
    assert_eq!(constant.feature_importances(), [0.0, 0.0]);
}

#[test]
fn extra_trees_learn() {
    let (records, targets) = noisy_rule(600, 4);
    let model = fit(&RandomForest::extra_trees().n_trees(50), &records, &targets);
    assert_eq!((model.oob_score(), model.n_trees()), (None, 50));
    let (unseen, expected) = noisy_rule(600, 5);
    let score = accuracy(&predict(&model, &unseen), &expected);
    assert!((0.8..0.97).contains(&score), "{score}");
    let exact = fit(&RandomForest::params().n_trees(50), &records, &targets);
    assert_ne!(exact.n_nodes(), model.n_nodes());
}

#[test]
fn entropy_learns() {
    let (records, targets) = noisy_rule(600, 6);
    let model = fit(&params().criterion(Criterion::Entropy), &records, &targets);
    let (unseen, expected) = noisy_rule(600, 7);
    let score = accuracy(&predict(&model, &unseen), &expected);
    assert!((0.8..0.97).contains(&score), "{score}");
    assert_ne!(model, fit(&params(), &records, &targets));
}

#[test]
fn leaves_are_limited_and_the_best_split_comes_first() {
    let (records, targets) = noisy_rule(400, 8);
    let full = fit(&one_tree(), &records, &targets);
    for max_leaves in [2, 3, 10, 1000] {
        let params = one_tree().max_leaf_nodes(Some(max_leaves));
        let model = fit(&params, &records, &targets);
        let tree = model.tree(0).unwrap();
        assert_eq!(
            tree.n_leaves(),
            max_leaves.min(full.tree(0).unwrap().n_leaves())
        );
    }
    // Without an effective limit the tree is that of the other order of growing.
    assert_eq!(
        fit(&one_tree().max_leaf_nodes(Some(1000)), &records, &targets),
        full
    );
    // More leaves never fit worse.
    let score = |n| {
        let model = fit(&one_tree().max_leaf_nodes(Some(n)), &records, &targets);
        model
            .score_samples(samples(&records), targets.as_slice().unwrap())
            .unwrap()
    };
    let scores: Vec<f64> = (2..40).map(score).collect();
    assert!(scores.is_sorted(), "{scores:?}");
}

#[test]
fn splits_that_decrease_too_little_are_not_made() {
    let (records, targets) = noisy_rule(400, 9);
    let full = fit(&one_tree(), &records, &targets);
    let pruned = fit(&one_tree().min_impurity_decrease(0.01), &records, &targets);
    assert!(pruned.n_nodes() < full.n_nodes() / 4 && pruned.n_nodes() > 1);
    let nothing = fit(&one_tree().min_impurity_decrease(1.0), &records, &targets);
    assert_eq!(nothing.n_nodes(), 1);
}

#[test]
fn fewer_rows_a_tree() {
    let (records, targets) = noisy_rule(1000, 10);
    let nodes = |max_samples| fit(&params().max_samples(max_samples), &records, &targets).n_nodes();
    assert_eq!(nodes(MaxSamples::Fraction(1.0)), nodes(MaxSamples::All));
    assert_eq!(
        nodes(MaxSamples::Fraction(0.1)),
        nodes(MaxSamples::Number(100))
    );
    assert!(nodes(MaxSamples::Number(100)) < nodes(MaxSamples::All) / 4);
    assert_eq!(nodes(MaxSamples::Number(1)), 20);
}

#[test]
fn more_trees_leave_the_first_ones_as_they_are() {
    let (records, targets) = noisy_rule(200, 11);
    let labels = targets.as_slice().unwrap();
    let few = fit(&params().n_trees(4), &records, &targets);
    let more = params();
    let more = more.checked().unwrap();
    let grown = more
        .fit_more(few.clone(), samples(&records), labels)
        .unwrap();
    assert_eq!(grown, fit(&params(), &records, &targets));
    for tree in 0..4 {
        assert_eq!(grown.tree(tree).unwrap(), few.tree(tree).unwrap());
    }
    // As many as there are: nothing is grown.
    assert_eq!(
        more.fit_more(grown.clone(), samples(&records), labels)
            .unwrap(),
        grown
    );
}

#[test]
fn forests_become_one() {
    let (records, targets) = noisy_rule(200, 12);
    let first = fit(&params().seed(1), &records, &targets);
    let second = fit(&params().seed(2), &records, &targets);
    let mut both = first.clone();
    both.merge(second.clone()).unwrap();
    assert_eq!((both.n_trees(), both.oob_score()), (40, None));
    let shares =
        |model: &RandomForest<f64, usize>| model.predict_proba_samples(samples(&records)).unwrap();
    let halves = shares(&first).into_iter().zip(shares(&second));
    for (both, (a, b)) in shares(&both).into_iter().zip(halves) {
        assert!((both - (a + b) / 2.0).abs() < 1e-12);
    }
}

#[test]
fn the_observer_is_told_and_can_stop() {
    let (records, targets) = noisy_rule(200, 13);
    let labels = targets.as_slice().unwrap();
    let mut seen = Vec::new();
    let observed = params().fit_observed(samples(&records), labels, |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    });
    assert_eq!(observed.unwrap(), fit(&params(), &records, &targets));
    let expected: Vec<Progress> = (1..=20)
        .map(|done| Progress::Tree { done, of: 20 })
        .collect();
    seen.sort_by_key(|progress| match progress {
        Progress::Tree { done, .. } => *done,
        _ => 0,
    });
    assert_eq!(seen, expected);
    let mut calls = 0;
    let cancelled = params().fit_observed(samples(&records), labels, |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(cancelled, Err(ForestError::Cancelled)));
    assert_eq!(calls, 1);
}

#[test]
fn large_nodes_are_told() {
    let (records, targets) = datasets::random_classification(1 << 17, 1, 1).unwrap();
    let mut splits = Vec::new();
    let stump = one_tree().max_depth(Some(1));
    stump
        .fit_observed(samples(&records), targets.as_slice().unwrap(), |progress| {
            splits.push(progress);
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected = [
        Progress::Split {
            tree: 0,
            rows: 1 << 17,
        },
        Progress::Tree { done: 1, of: 1 },
    ];
    assert_eq!(splits, expected);
}

/// With so many rows the features of a node are tried at the same time, branches are tasks, and ranks take
/// 32 bits.
#[test]
fn threads_do_not_show_in_large_trees_either() {
    let (records, targets) = datasets::random_classification(70_000, 5, 3).unwrap();
    for params in [
        RandomForest::params(),
        RandomForest::extra_trees().max_depth(Some(12)),
    ] {
        let params = params.n_trees(2);
        let with = |n| fit(&params.clone().n_threads(Some(n)), &records, &targets);
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(5));
    }
}

#[test]
fn single_trees() {
    let records = array![[1.0], [2.0], [8.0], [9.0]];
    let model = fit(&one_tree(), &records, &array!["b", "b", "a", "b"]);
    let tree = model.tree(0).unwrap();
    assert_eq!((tree.n_nodes(), tree.n_leaves(), tree.depth()), (5, 3, 2));
    assert_eq!(tree.nodes().count(), 5);
    assert_eq!(tree.node(5), None);
    assert_eq!(
        model.apply_samples(samples(&records)).unwrap(),
        [1, 1, 3, 4]
    );
}
