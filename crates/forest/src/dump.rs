//! Single trees, to look at.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use crate::Float;
use crate::tree::{CLASS, Tree, VALUES};

/// One tree of a forest. Its nodes are numbered in preorder: the root is 0, and the left child of a split
/// follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DecisionTree<'a, F> {
    tree: &'a Tree<F>,
    n_values: usize,
}

/// One node of a tree.
#[derive(Debug, Clone, PartialEq)]
pub enum TreeNode<'a, F> {
    /// Rows whose value of a feature is at most the threshold go left, others right.
    Split {
        /// The feature, counted from 0.
        feature: usize,
        /// The threshold.
        threshold: F,
        /// The index of the left child.
        left: usize,
        /// The index of the right child.
        right: usize,
    },
    /// Rows that come here get these values: the share of each class, in the order of the forest's labels,
    /// or the mean target.
    Leaf(Cow<'a, [f64]>),
}

impl<'a, F: Float> DecisionTree<'a, F> {
    pub(crate) fn new(tree: &'a Tree<F>, n_values: usize) -> Self {
        DecisionTree { tree, n_values }
    }

    /// The number of nodes, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.tree.n_nodes()
    }

    /// The number of leaves.
    pub fn n_leaves(&self) -> usize {
        self.tree.n_leaves()
    }

    /// The depth of the deepest leaf; the root has depth 0.
    pub fn depth(&self) -> usize {
        self.tree.depth()
    }

    /// One of the nodes, `None` when there is none of that index.
    pub fn node(&self, index: usize) -> Option<TreeNode<'a, F>> {
        let node = self.tree.nodes.get(index)?;
        Some(match node.feature {
            CLASS => {
                let mut shares = vec![0.0; self.n_values];
                shares[node.next as usize] = 1.0;
                TreeNode::Leaf(shares.into())
            }
            VALUES => TreeNode::Leaf(self.tree.values_of(node.next, self.n_values).into()),
            feature => TreeNode::Split {
                feature: feature as usize,
                threshold: node.threshold,
                left: index + 1,
                right: node.next as usize,
            },
        })
    }

    /// All nodes in the order of their indices.
    pub fn nodes(&self) -> impl Iterator<Item = TreeNode<'a, F>> + use<'a, F> {
        let tree = *self;
        (0..).map_while(move |index| tree.node(index))
    }
}

fn name(names: &[impl Display], feature: usize) -> String {
    match names.get(feature) {
        Some(name) => name.to_string(),
        None => format!("x[{feature}]"),
    }
}

/// Indented lines, one for each side of a split and each leaf.
pub(crate) fn text<F: Float>(
    tree: &DecisionTree<F>,
    names: &[impl Display],
    describe: impl Fn(&[f64]) -> String,
) -> String {
    let mut text = String::new();
    // Right sides that are still to come, with their condition.
    let mut rights: Vec<(usize, String)> = Vec::new();
    let mut depth = 0;
    let mut line = |depth: usize, what: &str| {
        text.push_str(&"|   ".repeat(depth));
        text.push_str(what);
        text.push('\n');
    };
    for node in tree.nodes() {
        match node {
            TreeNode::Split {
                feature, threshold, ..
            } => {
                let name = name(names, feature);
                line(depth, &format!("{name} <= {threshold}"));
                rights.push((depth, format!("{name} > {threshold}")));
                depth += 1;
            }
            TreeNode::Leaf(values) => {
                line(depth, &describe(&values));
                if let Some((above, condition)) = rights.pop() {
                    line(above, &condition);
                    depth = above + 1;
                }
            }
        }
    }
    text
}

/// A directed graph in the language of Graphviz.
pub(crate) fn dot<F: Float>(
    tree: &DecisionTree<F>,
    names: &[impl Display],
    describe: impl Fn(&[f64]) -> String,
) -> String {
    let escaped = |label: &str| label.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = String::from("digraph tree {\n    node [shape=box];\n");
    for (index, node) in tree.nodes().enumerate() {
        // Writing to a string cannot fail.
        let _ = match node {
            TreeNode::Split {
                feature,
                threshold,
                left,
                right,
            } => {
                let label = escaped(&format!("{} <= {threshold}", name(names, feature)));
                let _ = writeln!(text, "    {index} [label=\"{label}\"];");
                let _ = writeln!(text, "    {index} -> {left} [label=\"yes\"];");
                writeln!(text, "    {index} -> {right} [label=\"no\"];")
            }
            TreeNode::Leaf(values) => {
                let label = escaped(&describe(&values));
                writeln!(text, "    {index} [label=\"{label}\", style=rounded];")
            }
        };
    }
    text.push_str("}\n");
    text
}
