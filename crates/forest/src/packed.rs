//! Trees and rows made small: both stay in the cache while many rows go down many trees.
//!
//! Instead of a value there is the upper half of its order, 32 bits. What is equal in these is compared once
//! more, in full.

use std::hint::select_unpredictable;

use rayon::prelude::*;

use crate::Float;
use crate::float::upper_halves;
use crate::tree::{CLASS, Descent, Leaf, Tree, VALUES};

/// Trees from which on it pays to pack the rows.
const FEW: usize = 8;

/// A tree with nodes of half the size.
pub(crate) struct PackedTree<'a, F> {
    tree: &'a Tree<F>,
    nodes: Vec<PackedNode>,
    /// The lower bits of a link, which do not belong to the feature.
    bits: u32,
}

#[derive(Clone, Copy)]
struct PackedNode {
    /// Of the threshold.
    upper: u32,
    /// The feature and what [`Node::next`](crate::tree::Node::next) says. Leaves have numbers of features
    /// that there are not: the first one beyond if they have a class, the second one if values.
    link: u32,
}

impl<'a, F: Float> PackedTree<'a, F> {
    /// All trees, for that many rows; nothing if these are so few that it would take longer than it saves, or a
    /// tree is too large.
    pub(crate) fn all(trees: &'a [Tree<F>], n_features: usize, n_rows: usize) -> Option<Vec<Self>> {
        let n_nodes: usize = trees.iter().map(|tree| tree.nodes.len()).sum();
        if trees.len() < FEW || n_rows * trees.len() < n_nodes / 8 {
            return None;
        }
        let trees = trees.par_iter();
        trees.map(|tree| Self::new(tree, n_features)).collect()
    }

    fn new(tree: &'a Tree<F>, n_features: usize) -> Option<Self> {
        let largest = tree.nodes.iter().map(|node| node.next).max()?;
        let bits = u32::BITS - largest.leading_zeros();
        let features = n_features as u64 + 2;
        if features << bits > 1 << 32 {
            return None;
        }
        let feature = |feature| match feature {
            CLASS => n_features as u32,
            VALUES => n_features as u32 + 1,
            feature => feature,
        };
        let nodes = tree.nodes.iter().map(|node| PackedNode {
            upper: (node.threshold.order() >> 32) as u32,
            link: feature(node.feature) << bits | node.next,
        });
        Some(PackedTree {
            nodes: nodes.collect(),
            tree,
            bits,
        })
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
    uppers: Vec<u32>,
}

impl<'a, F: Float> PackedRows<'a, F> {
    /// Rows of which that many belong together: in half of a second-level cache, with room for a tree beside them.
    pub(crate) fn block_len(n_features: usize) -> usize {
        (1 << 19) / (n_features * size_of::<u32>())
    }

    pub(crate) fn new(rows: &'a [F], n_features: usize) -> Self {
        let mut uppers = vec![0; rows.len()];
        upper_halves(rows, &mut uppers);
        PackedRows {
            rows,
            n_features,
            uppers,
        }
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
    /// Whether a value is above the threshold whose upper half is that of the value.
    #[cold]
    #[inline(never)]
    fn is_above(&self, place: usize, at: u32) -> bool {
        self.rows[place] > self.tree.nodes[at as usize].threshold
    }
}

impl<F: Float> Descent for PackedDescent<'_, F> {
    #[inline(always)]
    fn child(&self, at: u32, row: u32) -> Option<u32> {
        let node = self.nodes[at as usize];
        let feature = (node.link >> self.bits) as usize;
        if feature >= self.n_features {
            return None;
        }
        let place = row as usize * self.n_features + feature;
        let upper = self.uppers[place];
        let (left, right) = (at + 1, node.link & self.mask);
        if upper == node.upper {
            return Some(if self.is_above(place, at) {
                right
            } else {
                left
            });
        }
        // Which way a row goes cannot be guessed, so that nothing must depend on a guess.
        Some(select_unpredictable(upper > node.upper, right, left))
    }

    #[inline(always)]
    fn leaf(&self, at: u32) -> Leaf {
        let link = self.nodes[at as usize].link;
        match (link >> self.bits) as usize == self.n_features {
            true => Leaf::Class(link & self.mask),
            false => Leaf::Values(link & self.mask),
        }
    }
}
