//! Growing best first: for trees with a limited number of leaves.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::branch::Open;
use super::piece::{Piece, Sprout};
use super::{Context, Grower, Split};
use crate::Float;
use crate::features::Features;
use crate::target::{Leaf, Target};

/// A node that can be split; its rows are parted already.
struct Candidate<'r, F> {
    /// Of candidates with equal decreases the earlier one is split first.
    number: usize,
    split: Split<F>,
    /// Its index in the piece, where it is a leaf so far.
    index: u32,
    node: Open<'r>,
}

impl<F> Ord for Candidate<'_, F> {
    fn cmp(&self, other: &Self) -> Ordering {
        let decrease = self.split.decrease.total_cmp(&other.split.decrease);
        decrease.then(other.number.cmp(&self.number))
    }
}

impl<F> PartialOrd for Candidate<'_, F> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<F> PartialEq for Candidate<'_, F> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<F> Eq for Candidate<'_, F> {}

impl<F: Float, T: Target, X: Features<F, T>> Grower<'_, '_, F, T, X> {
    /// Grows a tree of at most so many leaves by splitting, again and again, the node whose split
    /// decreases the impurity most.
    pub(super) fn grow_best_first(&self, context: &Context<T>, root: Open, max_leaves: usize) {
        let number = context.reserve_piece();
        self.pool.with(|memory| {
            let mut piece = Piece::default();
            let mut candidates = BinaryHeap::new();
            let mut seen = 0;
            let mut leaves = 1;
            let mut fresh = vec![root];
            loop {
                for node in fresh.drain(..) {
                    let at = (node.depth, node.seed);
                    let items = context.items;
                    let split = self.split(self.features, context, items, node.rows, at, memory);
                    // It is a leaf until its turn comes, if ever. What it predicts is asked for then.
                    let leaf = match split {
                        Some(_) => Leaf::Class(0),
                        None => self.target.leaf(&memory.totals, &mut piece.values),
                    };
                    let index = piece.add(number, Sprout::Leaf(leaf), node.parent);
                    seen += 1;
                    candidates.extend(split.map(|split| Candidate {
                        number: seen,
                        split,
                        index,
                        node,
                    }));
                }
                if leaves == max_leaves {
                    break;
                }
                let Some(Candidate {
                    split, index, node, ..
                }) = candidates.pop()
                else {
                    break;
                };
                piece.sprouts[index as usize] = split.sprout();
                fresh.extend(node.children(&split, index));
                leaves += 1;
            }
            for Candidate { index, node, .. } in candidates {
                memory.items.clear();
                let rows = node.rows.iter().map(|&row| context.items[row as usize]);
                memory.items.extend(rows);
                self.target.sum(&memory.items, &mut memory.totals);
                let leaf = self.target.leaf(&memory.totals, &mut piece.values);
                piece.sprouts[index as usize] = Sprout::Leaf(leaf);
            }
            context.store_piece(number, piece);
        });
    }
}
