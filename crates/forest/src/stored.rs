//! Forests as they are stored: with the number of the format, and checked when they are read back.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::forest::Forest;
use crate::tree::{CLASS, VALUES};
use crate::{Float, RandomForest, RandomForestRegressor};

/// The number of the format; another one is refused.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct ClassifierRef<'a, F, L> {
    format: u32,
    forest: &'a Forest<F>,
    labels: &'a [L],
    oob_classes: &'a Option<Vec<u32>>,
    oob_score: Option<f64>,
}

#[derive(Deserialize)]
struct Classifier<F, L> {
    format: u32,
    forest: Forest<F>,
    labels: Vec<L>,
    oob_classes: Option<Vec<u32>>,
    oob_score: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Regressor<F> {
    format: u32,
    forest: Forest<F>,
    /// Without numbers where all trees have seen a row: not every format can store NaN.
    oob_means: Option<Vec<Option<f64>>>,
    oob_score: Option<f64>,
}

impl<F: Serialize, L: Serialize> Serialize for RandomForest<F, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = ClassifierRef {
            format: FORMAT,
            forest: &self.forest,
            labels: &self.labels,
            oob_classes: &self.oob_classes,
            oob_score: self.oob_score,
        };
        stored.serialize(serializer)
    }
}

impl<'de, F: Float + Deserialize<'de>, L: Ord + Deserialize<'de>> Deserialize<'de>
    for RandomForest<F, L>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Classifier::<F, L>::deserialize(deserializer)?;
        check(stored.format, &stored.forest, true).map_err(D::Error::custom)?;
        if stored.labels.len() != stored.forest.n_values {
            return Err(D::Error::custom("there is not one label for each class"));
        }
        if !stored.labels.windows(2).all(|pair| pair[0] < pair[1]) {
            return Err(D::Error::custom("the labels are not in ascending order"));
        }
        Ok(RandomForest {
            forest: stored.forest,
            labels: stored.labels,
            oob_classes: stored.oob_classes,
            oob_score: stored.oob_score,
        })
    }
}

impl<F: Clone + Serialize> Serialize for RandomForestRegressor<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let some = |mean: &f64| (!mean.is_nan()).then_some(*mean);
        let stored = Regressor {
            format: FORMAT,
            forest: self.forest.clone(),
            oob_means: self
                .oob_means
                .as_ref()
                .map(|means| means.iter().map(some).collect()),
            oob_score: self.oob_score,
        };
        stored.serialize(serializer)
    }
}

impl<'de, F: Float + Deserialize<'de>> Deserialize<'de> for RandomForestRegressor<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Regressor::<F>::deserialize(deserializer)?;
        check(stored.format, &stored.forest, false).map_err(D::Error::custom)?;
        let number = |mean: Option<f64>| mean.unwrap_or(f64::NAN);
        let oob_means = stored.oob_means;
        Ok(RandomForestRegressor {
            forest: stored.forest,
            oob_means: oob_means.map(|means| means.into_iter().map(number).collect()),
            oob_score: stored.oob_score,
        })
    }
}

/// Refuses what would lead a prediction into a loop or out of the nodes.
fn check<F: Float>(format: u32, forest: &Forest<F>, has_classes: bool) -> Result<(), String> {
    if format != FORMAT {
        return Err(format!(
            "the format is number {format}, but only number {FORMAT} can be read"
        ));
    }
    let Forest {
        trees,
        seeds,
        n_features,
        n_values,
    } = forest;
    if trees.is_empty() || seeds.len() != trees.len() {
        return Err("there is not one seed for each of at least one tree".to_owned());
    }
    if *n_features == 0 || *n_values == 0 || (!has_classes && *n_values != 1) {
        return Err("there must be features, and one value for each class or a mean".to_owned());
    }
    for (number, tree) in trees.iter().enumerate() {
        let wrong = |what| Err(format!("tree {number} (counted from 0) {what}"));
        if tree.importances.len() != *n_features {
            return wrong("has not one importance for each feature");
        }
        // Preorder: a right child comes where all left branches before it have ended.
        let mut rights: Vec<u32> = Vec::new();
        let n_nodes = tree.nodes.len();
        for (index, node) in tree.nodes.iter().enumerate() {
            let is_last = index + 1 == n_nodes;
            match node.feature {
                CLASS if !has_classes || node.next as usize >= *n_values => {
                    return wrong("has a leaf of a class that does not exist");
                }
                VALUES if (node.next as usize + 1) * n_values > tree.values.len() => {
                    return wrong("has a leaf without values");
                }
                CLASS | VALUES => match rights.pop() {
                    Some(right) if right as usize == index + 1 && !is_last => (),
                    None if is_last => (),
                    _ => return wrong("is not in preorder"),
                },
                feature if feature as usize >= *n_features => {
                    return wrong("asks for a feature that does not exist");
                }
                _ => rights.push(node.next),
            }
        }
        if n_nodes == 0 || !rights.is_empty() {
            return wrong("has too few nodes");
        }
    }
    Ok(())
}
