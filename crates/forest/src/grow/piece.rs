//! The parts of a tree that are grown by themselves, and how they become one.

use crate::Float;
use crate::target::Leaf;
use crate::tree::{CLASS, Node, Tree, VALUES};

/// The place of a node: its piece, and its index there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) piece: u32,
    pub(super) index: u32,
}

/// A node while its tree grows.
#[derive(Debug, Clone)]
pub(super) enum Sprout {
    Split {
        feature: u32,
        /// The threshold; every value of either type is an `f64`.
        threshold: f64,
        decrease: f64,
        /// Left and right.
        children: [Place; 2],
    },
    Leaf(Leaf),
}

/// A part of a tree, whose nodes are in no particular order; the first one is its root.
#[derive(Debug, Clone, Default)]
pub(super) struct Piece {
    pub(super) sprouts: Vec<Sprout>,
    pub(super) values: Vec<f64>,
}

impl Piece {
    /// Adds a node below a parent of this piece, if it has one.
    pub(super) fn add(&mut self, piece: u32, sprout: Sprout, parent: Option<(u32, usize)>) -> u32 {
        let index = self.sprouts.len() as u32;
        self.sprouts.push(sprout);
        self.adopt(parent, Place { piece, index });
        index
    }

    /// Tells a parent where its left (0) or right (1) child is.
    pub(super) fn adopt(&mut self, parent: Option<(u32, usize)>, child: Place) {
        if let Some((parent, side)) = parent
            && let Sprout::Split { children, .. } = &mut self.sprouts[parent as usize]
        {
            children[side] = child;
        }
    }
}

/// A child that has no place yet.
pub(super) const NOWHERE: Place = Place {
    piece: u32::MAX,
    index: u32::MAX,
};

/// Puts the pieces of a tree together in preorder, which does not depend on who has grown what. The first
/// piece has the root.
pub(super) fn join<F: Float>(
    pieces: Vec<Option<Piece>>,
    n_features: usize,
    n_values: usize,
) -> Tree<F> {
    let pieces: Vec<Piece> = pieces.into_iter().map(Option::unwrap_or_default).collect();
    let n_nodes = pieces.iter().map(|piece| piece.sprouts.len()).sum();
    let mut nodes: Vec<Node<F>> = Vec::with_capacity(n_nodes);
    let mut values = Vec::with_capacity(pieces.iter().map(|piece| piece.values.len()).sum());
    let mut importances = vec![0.0; n_features];
    // Nodes that are still to be written down, right ones with their parent.
    let mut open = vec![(Place { piece: 0, index: 0 }, None)];
    while let Some((place, right_of)) = open.pop() {
        let index = nodes.len() as u32;
        if let Some(parent) = right_of {
            nodes[parent as usize].next = index;
        }
        let piece = &pieces[place.piece as usize];
        let leaf = |feature, next| Node {
            threshold: F::default(),
            feature,
            next,
        };
        nodes.push(match piece.sprouts[place.index as usize] {
            Sprout::Leaf(Leaf::Class(class)) => leaf(CLASS, class),
            Sprout::Leaf(Leaf::Values(number)) => {
                values.extend_from_slice(&piece.values[number as usize * n_values..][..n_values]);
                leaf(VALUES, (values.len() / n_values) as u32 - 1)
            }
            Sprout::Split {
                feature,
                threshold,
                decrease,
                children: [left, right],
            } => {
                importances[feature as usize] += decrease;
                open.push((right, Some(index)));
                open.push((left, None));
                Node {
                    threshold: F::narrow(threshold),
                    feature,
                    // Filled in when the right child gets its place.
                    next: 0,
                }
            }
        });
    }
    let sum: f64 = importances.iter().sum();
    if sum > 0.0 {
        importances
            .iter_mut()
            .for_each(|importance| *importance /= sum);
    }
    Tree {
        nodes,
        values,
        importances,
    }
}
