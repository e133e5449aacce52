//! A decision tree as a flat array of nodes.

use std::hint::select_unpredictable;

use crate::Float;
use crate::prefetch::prefetch;

/// What stands instead of a feature in a leaf of one class.
pub(crate) const CLASS: u32 = u32::MAX;
/// What stands instead of a feature in a leaf with values.
pub(crate) const VALUES: u32 = u32::MAX - 1;

/// One node: 16 bytes, or 12 for `f32`. Nodes are stored in preorder: the left child of a split follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Node<F> {
    /// Rows whose value of the feature is at most this go left. Zero in leaves.
    pub(crate) threshold: F,
    /// The feature of a split, [`CLASS`] or [`VALUES`].
    pub(crate) feature: u32,
    /// The right child of a split, the class of a leaf of one class, or the number of another leaf among
    /// those that have values.
    pub(crate) next: u32,
}

/// A decision tree.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tree<F> {
    pub(crate) nodes: Vec<Node<F>>,
    /// The values of leaves: for classes their shares, else a mean.
    pub(crate) values: Vec<f64>,
    /// For every feature the sum of the decreases of the impurity by its splits, divided by the sum of all.
    pub(crate) importances: Vec<f64>,
}

/// What a leaf holds.
#[derive(Debug, PartialEq)]
pub(crate) enum Leaf {
    /// A class.
    Class(u32),
    /// The values of this number.
    Values(u32),
}

/// A tree and rows that go down it.
pub(crate) trait Descent {
    /// The leaves of the rows of these numbers.
    fn leaves_of(&self, numbers: &[u32], leaves: &mut [u32]);
    /// What the leaf holds that is this node.
    fn leaf(&self, at: u32) -> Leaf;
}

/// Rows that go down together, so that while one waits for memory the others go on.
pub(crate) const ABREAST: usize = 16;

/// Rows that are asked for before they set out.
const AHEAD: usize = 8;

/// Bytes of the longest rows that are asked for.
const LONGEST: usize = 1 << 12;

/// A tree as it is, and neighbouring rows of so many features.
impl<F: Float> Descent for (&Tree<F>, &[F], usize) {
    /// When a row has arrived, the next sets out. Memory is read while rows go down, because some of them are asked
    /// for before.
    #[inline(always)]
    fn leaves_of(&self, numbers: &[u32], leaves: &mut [u32]) {
        let (tree, rows, n_features) = *self;
        let leaves = &mut leaves[..numbers.len()];
        // Where each is in the tree, its values and its place.
        let values = |place: usize| numbers[place] as usize * n_features;
        let mut under_way = [(0_u32, 0_usize, 0_usize); ABREAST];
        let mut n_under_way = numbers.len().min(ABREAST);
        for (place, state) in under_way[..n_under_way].iter_mut().enumerate() {
            *state = (0, values(place), place);
        }
        let mut next = n_under_way;
        let asks = n_features * size_of::<F>() <= LONGEST;
        while n_under_way > 0 {
            let mut lane = 0;
            while lane < n_under_way {
                let (at, row, place) = under_way[lane];
                let node = &tree.nodes[at as usize];
                if node.feature < VALUES {
                    let value = rows[row + node.feature as usize];
                    // Which way a row goes cannot be guessed, so that nothing must depend on a guess.
                    let child = select_unpredictable(value > node.threshold, node.next, at + 1);
                    under_way[lane].0 = child;
                    lane += 1;
                    continue;
                }
                leaves[place] = at;
                if next < leaves.len() {
                    if asks && next + AHEAD < leaves.len() {
                        prefetch(&rows[values(next + AHEAD)..][..n_features]);
                    }
                    under_way[lane] = (0, values(next), next);
                    next += 1;
                    lane += 1;
                } else {
                    n_under_way -= 1;
                    under_way[lane] = under_way[n_under_way];
                }
            }
        }
    }

    #[inline(always)]
    fn leaf(&self, at: u32) -> Leaf {
        let node = &self.0.nodes[at as usize];
        match node.feature {
            CLASS => Leaf::Class(node.next),
            _ => Leaf::Values(node.next),
        }
    }
}

impl<F: Float> Tree<F> {
    /// So many values of the leaf that has that number among those with values.
    #[inline(always)]
    pub(crate) fn values_of(&self, number: u32, n_values: usize) -> &[f64] {
        &self.values[number as usize * n_values..][..n_values]
    }

    /// Number of nodes, leaves included.
    pub(crate) fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Number of leaves.
    pub(crate) fn n_leaves(&self) -> usize {
        self.nodes.len().div_ceil(2)
    }

    /// Depth of the deepest leaf; a tree that is one leaf has depth 0.
    pub(crate) fn depth(&self) -> usize {
        let mut deepest = 0;
        self.visit(|_, depth| deepest = deepest.max(depth));
        deepest
    }

    /// Calls `visit` with the index and the depth of every node, in preorder.
    pub(crate) fn visit(&self, mut visit: impl FnMut(usize, usize)) {
        // The depths of right children that are still to come.
        let mut rights = Vec::new();
        let mut depth = 0;
        for (index, node) in self.nodes.iter().enumerate() {
            visit(index, depth);
            if node.feature < VALUES {
                depth += 1;
                rights.push(depth);
            } else if let Some(next) = rights.pop() {
                depth = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(threshold: f64, feature: u32, next: u32) -> Node<f64> {
        Node {
            threshold,
            feature,
            next,
        }
    }

    fn tree(nodes: Vec<Node<f64>>) -> Tree<f64> {
        Tree {
            nodes,
            values: Vec::new(),
            importances: vec![0.0; 2],
        }
    }

    #[test]
    fn rows_up_to_the_threshold_go_left() {
        let leaf = |class| node(0.0, CLASS, class);
        let tree = tree(vec![
            node(1.5, 1, 2),
            leaf(7),
            node(0.0, 0, 4),
            leaf(8),
            leaf(9),
        ]);
        assert_eq!((tree.n_nodes(), tree.n_leaves(), tree.depth()), (5, 3, 2));
        let rows = [[9.0, 1.5], [0.0, 1.6], [0.1, 2.0]];
        let leaves = [1, 3, 4];
        for (row, leaf) in rows.iter().zip(leaves) {
            let mut found = [0];
            (&tree, &row[..], 2).leaves_of(&[0], &mut found);
            assert_eq!(found, [leaf]);
        }
        assert_eq!(
            leaves.map(|leaf| (&tree, &[][..], 2).leaf(leaf)),
            [7, 8, 9].map(Leaf::Class)
        );
        // Enough for several at a time, and some left over.
        let many: Vec<f64> = rows.as_flattened().repeat(15);
        let mut found = vec![0; 45];
        let numbers: Vec<u32> = (0..45).collect();
        (&tree, &many[..], 2).leaves_of(&numbers, &mut found);
        assert_eq!(found, leaves.repeat(15));
        (&tree, &many[..], 2).leaves_of(&[4, 2], &mut found);
        assert_eq!(found[..2], [3, 4]);
    }

    #[test]
    fn a_leaf_alone_is_a_tree() {
        let tree = tree(vec![node(0.0, CLASS, 3)]);
        assert_eq!((tree.n_nodes(), tree.n_leaves(), tree.depth()), (1, 1, 0));
        let mut found = [9];
        (&tree, &[0.0][..], 1).leaves_of(&[0], &mut found);
        assert_eq!(found, [0]);
        assert_eq!(size_of::<Node<f64>>(), 16);
        assert_eq!(size_of::<Node<f32>>(), 12);
    }
}
