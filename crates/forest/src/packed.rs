//! Trees and rows made small: both stay in the cache while many rows go down many trees.
//!
//! Instead of a value there is the upper half of its order, 32 bits. What is equal in these is compared once
//! more, in full.

use std::hint::{black_box, select_unpredictable};

use rayon::prelude::*;

use crate::Float;
use crate::float::upper_halves;
use crate::tree::{ABREAST, CLASS, Descent, Leaf, Node, Tree, VALUES};

/// Trees from which on it pays to pack the rows.
const FEW: usize = 4;

/// Nodes in a cache line.
const LINE: usize = 64 / size_of::<PackedNode>();

/// Cache lines that a row comes by on its way down a tree, more or less.
const WAY: usize = 8;

/// A tree with nodes of half the size.
pub(crate) struct PackedTree<'a, F> {
    tree: &'a Tree<F>,
    nodes: Vec<PackedNode>,
    /// The lower bits of a link, which do not belong to the feature.
    bits: u32,
}

/// A split, or a leaf: a split that every row leaves for itself.
#[derive(Clone, Copy)]
struct PackedNode {
    /// The upper half of the threshold; of a leaf what [`Node::next`](crate::tree::Node::next) says.
    upper: u32,
    /// The feature, and the right child. Leaves with a class have the first feature beyond those that there are,
    /// leaves with values the second one.
    link: u32,
}

impl<'a, F: Float> PackedTree<'a, F> {
    /// All trees, for that many rows; nothing if there are so few of either that it would take longer than it
    /// saves, or if a tree is too large.
    pub(crate) fn all(trees: &'a [Tree<F>], n_features: usize, n_rows: usize) -> Option<Vec<Self>> {
        let n_nodes: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
        if trees.len() < FEW || n_rows * trees.len() < n_nodes / 8 || n_features > 1 << 20 {
            return None;
        }
        let trees = trees.par_iter();
        trees.map(|tree| Self::new(tree, n_features)).collect()
    }

    fn new(tree: &'a Tree<F>, n_features: usize) -> Option<Self> {
        let bits = tree.nodes.len().ilog2() + 1;
        let features = n_features as u64 + 2;
        if features << bits > 1 << u32::BITS {
            return None;
        }
        let node = |(at, node): (u32, &Node<F>)| {
            let leaf = |mark| PackedNode {
                upper: node.next,
                link: (n_features as u32 + mark) << bits | at,
            };
            match node.feature {
                CLASS => leaf(0),
                VALUES => leaf(1),
                feature => PackedNode {
                    upper: (node.threshold.order() >> 32) as u32,
                    link: feature << bits | node.next,
                },
            }
        };
        Some(PackedTree {
            nodes: (0..).zip(&tree.nodes).map(node).collect(),
            tree,
            bits,
        })
    }

    /// Brings the nodes near, for so many rows. In their order they come much faster than each when a row waits
    /// for it, if there are enough rows for most of them to be needed.
    #[inline(always)]
    pub(crate) fn fetch(&self, n_rows: usize) {
        let lines = self.nodes.iter().step_by(LINE);
        if lines.len() <= WAY * n_rows {
            black_box(lines.fold(0, |all, node| all ^ node.link));
        }
    }

    /// The tree with rows that go down it.
    #[inline(always)]
    pub(crate) fn with(&self, rows: &'a PackedRows<'a, F>) -> PackedDescent<'_, F> {
        PackedDescent {
            nodes: &self.nodes,
            uppers: &rows.uppers,
            bits: self.bits,
            mask: (1 << self.bits) - 1,
            n_features: rows.n_features,
            tree: self.tree,
            rows: rows.rows,
        }
    }
}

/// Neighbouring rows.
pub(crate) struct PackedRows<'a, F> {
    rows: &'a [F],
    n_features: usize,
    /// The upper halves of the values of each row, followed by two that are larger than what any leaf says.
    uppers: Vec<u32>,
}

impl<'a, F: Float> PackedRows<'a, F> {
    /// Rows that take about a second-level cache: of more, a tree costs the less for each the more there are.
    pub(crate) fn block_len(n_features: usize) -> usize {
        (1 << 19) / ((n_features + 2) * size_of::<u32>())
    }

    /// Nothing if a value is not finite.
    #[inline(always)]
    pub(crate) fn new(rows: &'a [F], n_features: usize) -> Option<Self> {
        let mut uppers = vec![u32::MAX; rows.len() / n_features * (n_features + 2)];
        let packed = uppers.chunks_exact_mut(n_features + 2);
        let mut finite = true;
        for (values, uppers) in rows.chunks_exact(n_features).zip(packed) {
            finite &= upper_halves(values, uppers);
        }
        finite.then_some(PackedRows {
            rows,
            n_features,
            uppers,
        })
    }
}

/// A tree and rows that go down it: what is needed at every node lies here, so that it can stay in registers.
pub(crate) struct PackedDescent<'a, F> {
    nodes: &'a [PackedNode],
    uppers: &'a [u32],
    bits: u32,
    mask: u32,
    n_features: usize,
    tree: &'a Tree<F>,
    rows: &'a [F],
}

impl<F: Float> PackedDescent<'_, F> {
    /// Where a row goes whose values begin there; from a leaf nowhere.
    #[inline(always)]
    fn child(&self, at: u32, start: u32) -> u32 {
        let node = self.nodes[at as usize];
        let place = start + (node.link >> self.bits);
        let upper = self.uppers[place as usize];
        if upper == node.upper {
            return self.child_in_full(at, place);
        }
        let (left, right) = (at + 1, node.link & self.mask);
        // Which way a row goes cannot be guessed, so that nothing must depend on a guess.
        select_unpredictable(upper > node.upper, right, left)
    }

    /// The same where the upper halves are equal.
    #[cold]
    #[inline(never)]
    fn child_in_full(&self, at: u32, place: u32) -> u32 {
        let width = self.n_features + 2;
        let (row, feature) = (place as usize / width, place as usize % width);
        let node = &self.tree.nodes[at as usize];
        if self.rows[row * self.n_features + feature] > node.threshold {
            node.next
        } else {
            at + 1
        }
    }
}

impl<F: Float> Descent for PackedDescent<'_, F> {
    /// Rows go down some nodes before it is looked which have arrived.
    #[inline(always)]
    fn leaves_of(&self, numbers: &[u32], leaves: &mut [u32]) {
        const NODES: usize = 8;
        let leaves = &mut leaves[..numbers.len()];
        let start = |place: usize| numbers[place] * (self.n_features as u32 + 2);
        // Where each is in the tree, where its values begin, and its place.
        let (mut at, mut starts, mut places) = ([0; ABREAST], [0; ABREAST], [0; ABREAST]);
        let mut n_under_way = numbers.len().min(ABREAST);
        for place in 0..n_under_way {
            (starts[place], places[place]) = (start(place), place);
        }
        let mut next = n_under_way;
        while n_under_way > 0 {
            for _ in 1..NODES {
                for (at, &start) in at.iter_mut().zip(&starts) {
                    *at = self.child(*at, start);
                }
            }
            let before = at;
            for (at, &start) in at.iter_mut().zip(&starts) {
                *at = self.child(*at, start);
            }
            // Bits of the lanes that have arrived, because which these are cannot be guessed either.
            let mut arrived = 0_u32;
            for lane in 0..ABREAST {
                arrived |= u32::from(at[lane] == before[lane]) << lane;
            }
            arrived &= (1 << n_under_way) - 1;
            while arrived != 0 {
                // From the last one on, so that the lane that takes the place of another has been looked at.
                let lane = arrived.ilog2() as usize;
                arrived ^= 1 << lane;
                leaves[places[lane]] = at[lane];
                if next < leaves.len() {
                    (at[lane], starts[lane], places[lane]) = (0, start(next), next);
                    next += 1;
                } else {
                    n_under_way -= 1;
                    at.swap(lane, n_under_way);
                    starts.swap(lane, n_under_way);
                    places.swap(lane, n_under_way);
                }
            }
        }
    }

    #[inline(always)]
    fn leaf(&self, at: u32) -> Leaf {
        let node = self.nodes[at as usize];
        match (node.link >> self.bits) as usize == self.n_features {
            true => Leaf::Class(node.upper),
            false => Leaf::Values(node.upper),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::{RandomForest, Samples};

    #[test]
    fn packed_rows_come_to_the_same_leaves() {
        let mut random = Random::new(3);
        let mut below = |n: u64| (random.next() % n) as f64;
        // Values that differ in the upper half, in the lower one only, and not at all.
        let values: Vec<f64> = (0..400 * 3)
            .map(|_| 1.0 + below(4) + below(50) * 2.0_f64.powi(-45))
            .collect();
        let labels: Vec<u32> = (0..400).map(|_| below(3) as u32).collect();
        // Leaves with a class, and leaves with values.
        let params = RandomForest::params().n_trees(2 * FEW).min_samples_leaf(2);
        let model = params
            .fit_samples(Samples::new(&values, 3).unwrap(), &labels)
            .unwrap();
        let trees = &model.forest.trees;
        assert!(PackedTree::all(&trees[..FEW - 1], 3, 400).is_none());
        let packed = PackedTree::all(trees, 3, 400).unwrap();
        let mut kinds = [0, 0];
        for n in [1, 2, 15, 16, 17, 33, 400] {
            let rows = PackedRows::new(&values[..3 * n], 3).unwrap();
            let numbers: Vec<u32> = (0..n as u32).rev().collect();
            let (mut expected, mut found) = (vec![0; n], vec![0; n]);
            for (tree, packed) in trees.iter().zip(&packed) {
                let (plain, packed) = ((tree, &values[..3 * n], 3), packed.with(&rows));
                plain.leaves_of(&numbers, &mut expected);
                packed.leaves_of(&numbers, &mut found);
                assert_eq!(found, expected);
                for &leaf in &found {
                    assert_eq!(packed.leaf(leaf), plain.leaf(leaf));
                    kinds[usize::from(matches!(plain.leaf(leaf), Leaf::Class(_)))] += 1;
                }
            }
        }
        assert!(kinds.iter().all(|&count| count > 1000), "{kinds:?}");
        for value in [f64::NAN, f64::INFINITY] {
            assert!(PackedRows::new(&[0.0, 1.0, value], 3).is_none());
        }
    }
}
