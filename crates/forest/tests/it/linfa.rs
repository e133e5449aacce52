//! linfa's interfaces, and the engine that is there for comparison.

use forest::{
    ClassWeight, Criterion, Engine, ForestError, ForestParamsError, MaxFeatures, RandomForest,
    RandomForestParams, RandomForestRegressor, Splitter,
};
use linfa::traits::{Fit, FitWith, Predict};
use linfa::{DatasetBase, ParamGuard};
use linfa_trees::DecisionTree;
use ndarray::{Array1, Array2, ShapeBuilder, array, s};

use crate::{accuracy, fit, noisy_rule, one_tree, repetitive};

/// The engine for comparison.
fn linfa_tree() -> RandomForestParams<f64, usize> {
    one_tree().engine(Engine::Linfa)
}

/// Large nodes have one best split, so that a tree must be the one that the engine grows at once.
#[track_caller]
fn check_equal_to_a_tree_grown_at_once(records: &Array2<f64>, targets: &Array1<usize>) {
    for depth in 1..=3 {
        let params = linfa_tree().max_depth(Some(depth)).min_samples_leaf(15);
        let model = fit(&params, records, targets);
        let plain = DecisionTree::params()
            .max_depth(Some(depth))
            .min_weight_leaf(15.0)
            .fit(&DatasetBase::new(records.view(), targets.view()))
            .unwrap();
        assert_eq!(model.max_depth(), depth);
        let predicted: Array1<usize> = plain.predict(records);
        assert_eq!(model.predict(records), predicted, "depth {depth}");
    }
}

#[test]
fn a_tree_grown_node_by_node_equals_a_tree_grown_at_once() {
    for seed in 1..20 {
        let (records, targets) = noisy_rule(400, seed);
        check_equal_to_a_tree_grown_at_once(&records, &targets);
        let one_feature = records.slice(s![.., 1..2]).to_owned();
        check_equal_to_a_tree_grown_at_once(&one_feature, &targets);
    }
}

#[test]
fn ties_do_not_depend_on_hash_order() {
    for seed in 0..4 {
        let (records, targets) = repetitive(120, 2, seed);
        for max_depth in [None, Some(2)] {
            let params = RandomForest::params()
                .engine(Engine::Linfa)
                .n_trees(6)
                .max_depth(max_depth);
            let model = fit(&params, &records, &targets);
            for _ in 0..15 {
                assert_eq!(model, fit(&params, &records, &targets));
            }
        }
    }
}

#[test]
fn the_linfa_engine_learns() {
    let (records, targets) = noisy_rule(600, 3);
    let params = RandomForest::params().n_trees(10).engine(Engine::Linfa);
    let model = fit(&params, &records, &targets);
    let (unseen, expected) = noisy_rule(600, 4);
    let score = accuracy(&model.predict(&unseen), &expected);
    assert!((0.75..0.97).contains(&score), "{score}");
    let oob_score = model.oob_score().unwrap();
    assert!((score - oob_score).abs() < 0.1, "{score} {oob_score}");
    let three: Array1<usize> = targets
        .iter()
        .zip(0..)
        .map(|(y, i)| y + i % 3 / 2)
        .collect();
    assert!(accuracy(&fit(&params, &records, &three).predict(&records), &three) > 0.9);
}

#[test]
fn the_linfa_engine_says_what_it_cannot_do() {
    let dataset = DatasetBase::new(array![[0.0], [1.0]], array![0_usize, 1]);
    let check = |params: RandomForestParams<f64, usize>, what: &str| {
        let message = params
            .engine(Engine::Linfa)
            .fit(&dataset)
            .unwrap_err()
            .to_string();
        let expected =
            format!("the linfa engine knows no {what}: leave it out, or use Engine::Native");
        assert_eq!(message, expected);
    };
    let task = "other task than classification with exact splits, by the Gini impurity and with \
                equal class weights";
    check(RandomForest::params().criterion(Criterion::Entropy), task);
    check(
        RandomForest::params().class_weight(ClassWeight::Balanced),
        task,
    );
    check(RandomForest::params().splitter(Splitter::Random), task);
    let weighted = dataset.clone().with_weights(array![1.0, 2.0]);
    let params = RandomForest::params().engine(Engine::Linfa);
    let message = params.fit(&weighted).unwrap_err().to_string();
    assert!(message.contains("sample weights"), "{message}");
    let numbers = DatasetBase::new(array![[0.0], [1.0]], array![0.0, 1.0]);
    let params = RandomForestRegressor::params().engine(Engine::Linfa);
    assert!(matches!(
        params.fit(&numbers),
        Err(ForestError::Unsupported(_))
    ));
}

#[test]
fn the_layout_of_the_records_does_not_matter() {
    let (records, targets) = noisy_rule(200, 7);
    let mut columns_first = Array2::zeros(records.dim().f());
    columns_first.assign(&records);
    let params = RandomForest::params().n_trees(5);
    let model = fit(&params, &records, &targets);
    let dataset = DatasetBase::new(columns_first.view(), targets.view());
    assert_eq!(params.fit(&dataset).unwrap(), model);
    assert_eq!(model.predict(&records), model.predict(&columns_first));
    let twice: Array1<usize> = targets.iter().flat_map(|&y| [y, 9]).collect();
    let every_other = twice.slice(s![..;2]);
    let dataset = DatasetBase::new(records.view(), every_other);
    assert_eq!(params.fit(&dataset).unwrap(), model);
    let shares = model.try_predict_proba(&columns_first).unwrap();
    assert_eq!(shares.dim(), (200, 2));
}

#[test]
fn weights_of_a_dataset_count() {
    let records = array![[0.0], [0.0], [0.0]];
    let dataset =
        DatasetBase::new(records, array![0_usize, 0, 1]).with_weights(array![1.0, 1.0, 3.0]);
    let model = one_tree().fit(&dataset).unwrap();
    assert_eq!(model.predict(&dataset), array![1, 1, 1]);
    // linfa does not check their number.
    let dataset =
        DatasetBase::new(array![[0.0], [1.0]], array![0_usize, 1]).with_weights(array![1.0]);
    let error = RandomForest::<f64, usize>::params()
        .fit(&dataset)
        .unwrap_err();
    assert!(matches!(error, ForestError::WeightCount { .. }));
}

#[test]
fn more_trees_through_the_trait() {
    let (records, targets) = noisy_rule(100, 2);
    let dataset = DatasetBase::new(records, targets);
    let few = RandomForest::params().n_trees(3).check().unwrap();
    let more = RandomForest::params().n_trees(6).check().unwrap();
    let model = few.fit_with(None, &dataset).unwrap();
    let model = more.fit_with(Some(model), &dataset).unwrap();
    assert_eq!(model, more.fit(&dataset).unwrap());
}

#[test]
fn regression_through_the_traits() {
    let dataset = DatasetBase::new(array![[0.0], [1.0], [5.0]], array![1.5, 1.5, 7.0]);
    let params = RandomForestRegressor::params().bootstrap(false).n_trees(2);
    let model = params.fit(&dataset).unwrap();
    assert_eq!(model.predict(&dataset), array![1.5, 1.5, 7.0]);
    assert_eq!(model.try_predict(&array![[9.0]]).unwrap(), array![7.0]);
    let more = params.n_trees(4).check().unwrap();
    assert_eq!(more.fit_with(Some(model), &dataset).unwrap().n_trees(), 4);
}

#[test]
fn bad_parameters_are_errors_of_the_fit() {
    let dataset = DatasetBase::new(array![[0.0], [1.0]], array![0_usize, 1]);
    let params = RandomForest::<f64, usize>::params();
    let error = params.clone().n_trees(0).fit(&dataset).unwrap_err();
    assert!(matches!(
        error,
        ForestError::InvalidParams(ForestParamsError::NTrees)
    ));
    assert!(params.clone().n_trees(0).check().is_err());
    let error = params.clone().max_features(MaxFeatures::Number(2));
    let error = error.fit(&dataset).unwrap_err().to_string();
    let message = "max_features is 2, but the records have only 1 columns";
    assert_eq!(error, message);
    let checked = params.check().unwrap();
    assert_eq!(checked.fit(&dataset).unwrap().n_trees(), 100);
}

#[test]
fn shapes_without_rows_or_columns_are_errors() {
    let fit = |rows, columns| {
        let records = Array2::<f64>::zeros((rows, columns));
        let dataset = DatasetBase::new(records, Array1::<usize>::zeros(rows));
        RandomForest::params()
            .fit(&dataset)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(fit(0, 3), "the records have no rows");
    assert_eq!(fit(0, 0), "the records have no rows");
    assert_eq!(fit(3, 0), "the records have no columns");
}

#[test]
fn prediction() {
    let records = array![[0.0, 1.0], [4.0, 1.0]];
    let dataset = DatasetBase::new(records, array![8_usize, 9]);
    let model = one_tree().fit(&dataset).unwrap();
    let new = array![[5.0, 0.0], [-1.0, 0.0]];
    assert_eq!(model.try_predict(&new).unwrap(), array![9, 8]);
    assert_eq!(model.predict(&DatasetBase::from(new)), array![9, 8]);
    let nothing = model.try_predict(&Array2::zeros((0, 2))).unwrap();
    assert!(nothing.is_empty());
    let error = model
        .try_predict(&Array2::zeros((2, 0)))
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "the model was fitted on 2 features, but the records have 0"
    );
}

#[test]
#[should_panic = "the model was fitted on 1 features, but the records have 2"]
fn prediction_through_the_trait_panics_on_another_width() {
    let model = fit(&one_tree(), &array![[0.0]], &array![1_usize]);
    let _: Array1<usize> = model.predict(&array![[0.0, 1.0]]);
}
