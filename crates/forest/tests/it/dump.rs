//! Trees to look at.

use forest::{RandomForestRegressor, Samples};
use ndarray::array;

use crate::{fit, one_tree};

#[test]
fn text() {
    let records = array![[1.0, 0.0], [2.0, 0.0], [2.0, 7.0], [9.0, 0.0], [9.0, 0.0]];
    let targets = array!["low", "low", "mid", "high", "mid"];
    let model = fit(&one_tree(), &records, &targets);
    let text = "\
size <= 5.5
|   x[1] <= 3.5
|   |   \"low\"
|   x[1] > 3.5
|   |   \"mid\"
size > 5.5
|   \"high\": 0.5000, \"mid\": 0.5000
";
    assert_eq!(model.tree_text(0, &["size"]).unwrap(), text);
    let leaf = fit(&one_tree(), &array![[1.0]], &array![7]);
    assert_eq!(leaf.tree_text(0, &[""; 0]).unwrap(), "7\n");
    assert!(leaf.tree_text(1, &[""; 0]).is_err());
}

#[test]
fn graphviz() {
    let samples = Samples::new(&[1.0_f32, 2.0], 1).unwrap();
    let params = RandomForestRegressor::params().n_trees(1).bootstrap(false);
    let model = params.fit_samples(samples, &[0.5, 4.0]).unwrap();
    let dot = "\
digraph tree {
    node [shape=box];
    0 [label=\"a \\\"b\\\" \\\\ c <= 1.5\"];
    0 -> 1 [label=\"yes\"];
    0 -> 2 [label=\"no\"];
    1 [label=\"0.5\", style=rounded];
    2 [label=\"4\", style=rounded];
}
";
    assert_eq!(model.tree_dot(0, &["a \"b\" \\ c"]).unwrap(), dot);
    let text = "x[0] <= 1.5\n|   0.5\nx[0] > 1.5\n|   4\n";
    assert_eq!(model.tree_text(0, &[""; 0]).unwrap(), text);
}
