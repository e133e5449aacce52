//! Every split against all that were possible.

use datasets::RandomState;
use forest::{DecisionTree, MaxFeatures, RandomForest, TreeNode};
use ndarray::Array2;

use crate::{fit, one_tree, samples};

/// Twice the decrease of the Gini impurity of two sides, times the rows of the node: from the definition.
fn decrease(rows: &[usize], is_left: impl Fn(usize) -> bool, targets: &[usize]) -> f64 {
    let impurity = |rows: &[usize]| {
        let n = rows.len() as f64;
        let squares = (0..10).map(|class| {
            let count = rows.iter().filter(|&&row| targets[row] == class).count() as f64;
            count / n * count / n
        });
        n * (1.0 - squares.sum::<f64>())
    };
    let (left, right): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| is_left(row));
    impurity(rows) - impurity(&left) - impurity(&right)
}

/// Follows the rows down a tree; at every split compares it with all splits along all features.
fn check(tree: &DecisionTree<f64>, records: &Array2<f64>, targets: &[usize]) -> usize {
    let mut splits = 0;
    let mut open = vec![(0, (0..records.nrows()).collect::<Vec<usize>>())];
    while let Some((index, rows)) = open.pop() {
        let (feature, threshold, left, right) = match tree.node(index).unwrap() {
            TreeNode::Leaf(shares) => {
                for (class, share) in shares.iter().enumerate() {
                    let count = rows.iter().filter(|&&row| targets[row] == class).count();
                    assert!((share - count as f64 / rows.len() as f64).abs() < 1e-12);
                }
                continue;
            }
            TreeNode::Split {
                feature,
                threshold,
                left,
                right,
            } => (feature, threshold, left, right),
        };
        splits += 1;
        let is_left = |row: usize| records[(row, feature)] <= threshold;
        let found = decrease(&rows, is_left, targets);
        for feature in 0..records.ncols() {
            let mut values: Vec<f64> = rows.iter().map(|&row| records[(row, feature)]).collect();
            values.sort_by(f64::total_cmp);
            values.dedup();
            for pair in values.windows(2) {
                let other = decrease(&rows, |row| records[(row, feature)] <= pair[0], targets);
                assert!(other <= found + 1e-9, "{other} is better than {found}");
            }
        }
        // Halfway between the neighbours.
        let values = rows.iter().map(|&row| records[(row, feature)]);
        let low = values
            .clone()
            .filter(|x| *x <= threshold)
            .fold(f64::MIN, f64::max);
        let high = values.filter(|x| *x > threshold).fold(f64::MAX, f64::min);
        assert_eq!(threshold, low / 2.0 + high / 2.0);
        let (l, r) = rows.into_iter().partition(|&row| is_left(row));
        open.extend([(left, l), (right, r)]);
    }
    splits
}

#[test]
fn every_split_is_the_best_there_is() {
    let mut splits = 0;
    for seed in 0..60 {
        let mut random = RandomState::new(seed);
        let n = 2 + random.interval(150) as usize;
        let classes = 2 + u64::from(seed % 4);
        let mut records = random.randn(n, 3).unwrap();
        // Ties in one column, many in another.
        records.column_mut(1).mapv_inplace(|x| (x * 20.0).round());
        records.column_mut(2).mapv_inplace(|x| (x * 2.0).round());
        let targets = random.randint(0, classes as i64, n).unwrap();
        let targets = targets
            .into_iter()
            .map(|y| y as usize)
            .collect::<ndarray::Array1<usize>>();
        let model = fit(&one_tree(), &records, &targets);
        let known = model.labels().to_vec();
        let classes: Vec<usize> = targets
            .iter()
            .map(|y| known.binary_search(y).unwrap())
            .collect();
        splits += check(&model.tree(0).unwrap(), &records, &classes);
    }
    assert!(splits > 1500, "{splits}");
}

/// Nodes of all sizes, so that each way of sorting and branches with tables of their own take part.
#[test]
fn large_trees_are_those_of_small_steps() {
    let (records, targets) = datasets::random_classification(6000, 4, 7).unwrap();
    let model = fit(
        &one_tree().max_features(MaxFeatures::All).max_depth(Some(9)),
        &records,
        &targets,
    );
    let tree = model.tree(0).unwrap();
    // The leaves that rows come to are those that the tree says.
    let leaves = model.apply_samples(samples(&records)).unwrap();
    for (row, &leaf) in leaves.iter().enumerate() {
        let mut at = 0;
        while let Some(TreeNode::Split {
            feature,
            threshold,
            left,
            right,
        }) = tree.node(at)
        {
            at = if records[(row, feature)] <= threshold {
                left
            } else {
                right
            };
        }
        assert_eq!(at, leaf as usize);
    }
    // The first splits, checked one by one.
    for depth in [1, 2, 3] {
        let few = fit(&one_tree().max_depth(Some(depth)), &records, &targets);
        let few = few.tree(0).unwrap();
        assert_eq!(
            few.node(0),
            tree.node(0).map(|node| match (node, few.node(0)) {
                (
                    TreeNode::Split {
                        feature,
                        threshold,
                        left,
                        ..
                    },
                    Some(TreeNode::Split { right, .. }),
                ) => {
                    TreeNode::Split {
                        feature,
                        threshold,
                        left,
                        right,
                    }
                }
                (node, _) => node,
            })
        );
    }
    let one_feature = records.column(0).to_owned().insert_axis(ndarray::Axis(1));
    let model = fit(&one_tree().max_depth(Some(1)), &one_feature, &targets);
    let targets = targets.to_vec();
    check(&model.tree(0).unwrap(), &one_feature, &targets);
}

/// The fast way for two classes and whole weights gives the trees of the general one.
#[test]
fn both_ways_to_tell_two_classes_apart_give_equal_trees() {
    let (records, targets) = datasets::random_classification(3000, 9, 3).unwrap();
    let params = RandomForest::params().n_trees(4).seed(5);
    let model = fit(&params, &records, &targets);
    // Weights that are no whole numbers, but equal, so that sums of them are exact.
    let halves = vec![0.5; 3000];
    let weighted = samples(&records).with_weights(&halves).unwrap();
    let weighted = params
        .fit_samples(weighted, targets.as_slice().unwrap())
        .unwrap();
    assert_eq!(weighted.n_nodes(), model.n_nodes());
    let apply = |model: &RandomForest<f64, usize>| model.apply_samples(samples(&records)).unwrap();
    assert_eq!(apply(&weighted), apply(&model));
}
