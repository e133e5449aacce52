//! A decision tree as a flat array of nodes.

use linfa::Float;
use ndarray::ArrayView1;

/// One node. Nodes are stored in preorder: the left child of a split follows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node<F> {
    /// Rows whose value of `feature` is at most `threshold` go left.
    Split {
        threshold: F,
        feature: u32,
        right: u32,
    },
    Leaf {
        class: u32,
    },
}

/// A decision tree that gives class numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tree<F> {
    nodes: Vec<Node<F>>,
}

impl<F: Float> Tree<F> {
    /// Takes over nodes in preorder, at least one.
    pub(crate) fn new(nodes: Vec<Node<F>>) -> Self {
        Self { nodes }
    }

    /// The class of one row.
    pub(crate) fn class_of(&self, row: ArrayView1<F>) -> u32 {
        let mut index = 0;
        loop {
            match self.nodes[index] {
                Node::Leaf { class } => return class,
                Node::Split {
                    threshold,
                    feature,
                    right,
                } => {
                    let goes_left = row[feature as usize] <= threshold;
                    index = if goes_left { index + 1 } else { right as usize };
                }
            }
        }
    }

    /// Number of nodes, leaves included.
    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Depth of the deepest leaf; a tree that is one leaf has depth 0.
    pub(crate) fn depth(&self) -> usize {
        let mut deepest = 0;
        let mut open = vec![(0, 0)];
        while let Some((index, depth)) = open.pop() {
            match self.nodes[index] {
                Node::Leaf { .. } => deepest = deepest.max(depth),
                Node::Split { right, .. } => {
                    open.push((index + 1, depth + 1));
                    open.push((right as usize, depth + 1));
                }
            }
        }
        deepest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn split(threshold: f64, feature: u32, right: u32) -> Node<f64> {
        Node::Split {
            threshold,
            feature,
            right,
        }
    }

    #[test]
    fn rows_up_to_the_threshold_go_left() {
        let leaf = |class| Node::Leaf { class };
        let nodes = vec![
            split(1.5, 1, 2),
            leaf(7),
            split(0.0, 0, 4),
            leaf(8),
            leaf(9),
        ];
        let tree = Tree::new(nodes);
        assert_eq!((tree.n_nodes(), tree.depth()), (5, 2));
        for (row, class) in [([9.0, 1.5], 7), ([0.0, 1.6], 8), ([0.1, 2.0], 9)] {
            assert_eq!(tree.class_of(array![row[0], row[1]].view()), class);
        }
    }

    #[test]
    fn a_leaf_alone_is_a_tree() {
        let tree = Tree::<f64>::new(vec![Node::Leaf { class: 3 }]);
        assert_eq!((tree.n_nodes(), tree.depth()), (1, 0));
        assert_eq!(tree.class_of(array![0.0].view()), 3);
    }
}
