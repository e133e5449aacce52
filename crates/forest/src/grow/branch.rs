//! Growing depth first, branches on several threads.

use rayon::Scope;

use super::piece::{NOWHERE, Piece, Place, Sprout};
use super::{Context, Grower, Memory, Split};
use crate::Float;
use crate::features::{Features, Ranked};
use crate::target::Target;

/// From this number of rows on, the smaller side of a split is a task of its own.
const TASK: usize = 1 << 10;

/// Up to this number of rows a branch gets a table of its own, if it has more than [`COMPACT_LEAST`]. With a
/// hundred columns the table fits into the second-level cache then, and sorting few rows of few is
/// quicker than sorting few of many.
const COMPACT: usize = 1 << 11;
const COMPACT_LEAST: usize = 1 << 6;

/// A table of its own costs about this many trials of a feature on the whole branch for each column.
const COMPACT_PRICE: usize = 20;

/// A node that is still to be grown.
pub(super) struct Open<'r> {
    /// Its part of the rows of the tree.
    pub(super) rows: &'r mut [u32],
    pub(super) depth: usize,
    pub(super) seed: u64,
    /// The index of its parent in the same piece, and its side there.
    pub(super) parent: Option<(u32, usize)>,
}

impl<'r> Open<'r> {
    /// The left and the right child, once the rows have been parted.
    pub(super) fn children<F>(self, split: &Split<F>, parent: u32) -> [Open<'r>; 2] {
        let (left, right) = self.rows.split_at_mut(split.left);
        let depth = self.depth + 1;
        let [left_seed, right_seed] = split.seeds;
        [
            Open {
                rows: left,
                depth,
                seed: left_seed,
                parent: Some((parent, 0)),
            },
            Open {
                rows: right,
                depth,
                seed: right_seed,
                parent: Some((parent, 1)),
            },
        ]
    }
}

impl<F: Float> Split<F> {
    /// The node, whose children have no places yet.
    pub(super) fn sprout(&self) -> Sprout {
        Sprout::Split {
            feature: self.feature,
            threshold: self.threshold.widen(),
            decrease: self.decrease,
            children: [NOWHERE; 2],
        }
    }
}

impl<T: Target> Context<'_, T> {
    /// A place for a piece that is going to be grown.
    pub(super) fn reserve_piece(&self) -> u32 {
        // No thread panics while it has the lock.
        self.pieces.lock().map_or(0, |mut pieces| {
            pieces.push(None);
            pieces.len() as u32 - 1
        })
    }

    pub(super) fn store_piece(&self, number: u32, piece: Piece) {
        if let Ok(mut pieces) = self.pieces.lock() {
            pieces[number as usize] = Some(piece);
        }
    }
}

impl<F: Float, T: Target, X: Features<F, T>> Grower<'_, '_, F, T, X> {
    /// Grows a branch. Nodes wait on a list instead of the call stack, because a tree may be as deep as
    /// there are rows; for the same reason, and so that nobody waits, the smaller side of a split is the
    /// one that becomes a task.
    pub(super) fn grow_piece<'s>(
        &'s self,
        scope: &Scope<'s>,
        context: &'s Context<'s, T>,
        root: Open<'s>,
        number: u32,
    ) {
        self.pool.with(|memory| {
            let mut piece = Piece::default();
            let mut open = vec![root];
            while let Some(node) = open.pop() {
                if let Some(node) = self.grow_compact(context, node, &mut piece, number, memory)
                    && let Some(children) = self.grow_node(
                        self.features,
                        context,
                        context.items,
                        node,
                        &mut piece,
                        number,
                        memory,
                    )
                {
                    let [left, right] = children;
                    let (smaller, larger) = if left.rows.len() < right.rows.len() {
                        (left, right)
                    } else {
                        (right, left)
                    };
                    open.push(larger);
                    if smaller.rows.len() < TASK {
                        open.push(smaller);
                        continue;
                    }
                    let number = context.reserve_piece();
                    let place = Place {
                        piece: number,
                        index: 0,
                    };
                    piece.adopt(smaller.parent, place);
                    let root = Open {
                        parent: None,
                        ..smaller
                    };
                    scope.spawn(move |scope| self.grow_piece(scope, context, root, number));
                }
            }
            context.store_piece(number, piece);
        });
    }

    /// Adds a node to a piece and parts its rows; returns its children if it is no leaf.
    #[expect(
        clippy::too_many_arguments,
        reason = "two tables share this, and nothing else groups them"
    )]
    fn grow_node<'r, Y: Features<F, T>>(
        &self,
        features: &Y,
        context: &Context<T>,
        items: &[T::Item],
        node: Open<'r>,
        piece: &mut Piece,
        number: u32,
        memory: &mut Memory<T>,
    ) -> Option<[Open<'r>; 2]> {
        let at = (node.depth, node.seed);
        match self.split(features, context, items, node.rows, at, memory) {
            None => {
                let leaf = self.target.leaf(&memory.totals, &mut piece.values);
                piece.add(number, Sprout::Leaf(leaf), node.parent);
                None
            }
            Some(split) => {
                let index = piece.add(number, split.sprout(), node.parent);
                Some(node.children(&split, index))
            }
        }
    }

    /// Grows a whole branch on a table of its own, where that pays; otherwise gives the node back.
    fn grow_compact<'r>(
        &self,
        context: &Context<T>,
        root: Open<'r>,
        piece: &mut Piece,
        number: u32,
        memory: &mut Memory<T>,
    ) -> Option<Open<'r>> {
        let size = root.rows.len();
        let few_columns = self.samples.n_features() <= COMPACT_PRICE * self.limits.max_features;
        if !(COMPACT_LEAST..=COMPACT).contains(&size) || !few_columns {
            return Some(root);
        }
        let mut table = std::mem::take(&mut memory.branch_table);
        if !self
            .features
            .compact(root.rows, &mut memory.compaction, &mut table)
        {
            memory.branch_table = table;
            return Some(root);
        }
        let mut items = std::mem::take(&mut memory.branch_items);
        items.clear();
        items.extend(root.rows.iter().map(|&row| context.items[row as usize]));
        let features = Ranked {
            table: &table,
            samples: self.samples,
            of: Some(root.rows),
        };
        let mut rows: Vec<u32> = (0..size as u32).collect();
        let root = Open {
            rows: &mut rows,
            ..root
        };
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            if let Some([left, right]) =
                self.grow_node(&features, context, &items, node, piece, number, memory)
            {
                open.push(right);
                open.push(left);
            }
        }
        memory.branch_table = table;
        memory.branch_items = items;
        None
    }
}
