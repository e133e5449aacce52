//! Models can be stored and read back.

use forest::{RandomForest, RandomForestRegressor, Samples};

use crate::{fit, noisy_rule, samples};

#[test]
fn models_survive_storage() {
    let (records, targets) = noisy_rule(100, 1);
    let names = targets.mapv(|y| ["no", "yes"][y].to_owned());
    let params = RandomForest::params().n_trees(3).min_samples_leaf(2);
    let model = fit(&params, &records, &names);
    let stored = serde_json::to_string(&model).unwrap();
    let read: RandomForest<f64, String> = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, model);

    let numbers: Vec<f64> = records.column(0).to_vec();
    let params = RandomForestRegressor::params().n_trees(3);
    let model = params.fit_samples(samples(&records), &numbers).unwrap();
    let stored = serde_json::to_string(&model).unwrap();
    let read: RandomForestRegressor<f64> = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, model);
}

/// What was changed on the way is refused, not believed.
#[test]
fn what_is_no_forest_is_refused() {
    let samples = Samples::new(&[1.0, 2.0, 2.0], 1).unwrap();
    let params = RandomForest::params().n_trees(1).bootstrap(false);
    let model = params.fit_samples(samples, &[0_u8, 0, 1]).unwrap();
    let stored = serde_json::to_string(&model).unwrap();
    let check = |from: &str, to: &str, reason: &str| {
        assert!(stored.contains(from), "{from} is not in {stored}");
        let changed = stored.replacen(from, to, 1);
        let error = serde_json::from_str::<RandomForest<f64, u8>>(&changed).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    };
    let format = "the format is number 2, but only number 1 can be read";
    check("\"format\":1", "\"format\":2", format);
    check(
        "\"feature\":0",
        "\"feature\":1",
        "asks for a feature that does not exist",
    );
    check(
        "\"feature\":0,\"next\":2",
        "\"feature\":0,\"next\":0",
        "is not in preorder",
    );
    check(
        "\"feature\":0,\"next\":2",
        "\"feature\":0,\"next\":9",
        "is not in preorder",
    );
    check(
        "\"feature\":4294967295,\"next\":0",
        "\"feature\":4294967295,\"next\":7",
        "a class that does not exist",
    );
    check(
        "\"values\":[0.5,0.5]",
        "\"values\":[0.5]",
        "a leaf without values",
    );
    check("\"labels\":[0,1]", "\"labels\":[1,0]", "ascending order");
    check(
        "\"labels\":[0,1]",
        "\"labels\":[0]",
        "one label for each class",
    );
    check("\"seeds\":[", "\"seeds\":[1,", "one seed");
    check(
        "\"importances\":[1.0]",
        "\"importances\":[]",
        "one importance",
    );
}
