//! Growing depth first, branches on several threads.

use std::sync::Arc;

use rayon::Scope;

use super::piece::{NOWHERE, Piece, Place, Sprout};
use super::{Context, Grower, Memory, Split};
use crate::Float;
use crate::features::{Features, Ranked};
use crate::table::Table;
use crate::target::Target;

/// From this number of rows on, the smaller side of a split is a task of its own.
const TASK: usize = 1 << 10;

/// A branch gets a table of its own when it has at most so many rows, and its table more than twice as many.
/// Few rows of a table lie far apart in memory, and sorting few ranks of many takes longer. First a column
/// shall fit into the first-level cache together with what sorting needs, then all columns into the second.
/// Every thread has such a table at a time, for which reason a larger one would not do.
const COMPACT: [usize; LEVELS] = [3 << 12, 1 << 9];

/// How often the rows of a tree are moved together at most.
pub(super) const LEVELS: usize = 2;

/// With fewer rows it does not pay.
const COMPACT_LEAST: usize = 1 << 6;

/// A table of its own costs about as much as so many trials of a feature, for each column.
const COMPACT_PRICE: usize = 20;

/// The rows of a branch by themselves.
pub(super) struct Branch<T: Target> {
    /// The place in [`COMPACT`] that it fits, so that memory is kept for branches that are as large.
    level: usize,
    table: Table<false>,
    items: Vec<T::Item>,
    /// The row of the samples that each row is.
    of: Vec<u32>,
}

impl<T: Target> Default for Branch<T> {
    fn default() -> Self {
        Branch {
            level: 0,
            table: Table::default(),
            items: Vec::new(),
            of: Vec::new(),
        }
    }
}

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
    /// Grows a part of a tree. Nodes wait on a list instead of the call stack, because a tree may be as
    /// deep as there are rows; for the same reason, and so that nobody waits, the smaller side of a split is
    /// the one that becomes a task.
    pub(super) fn grow_piece<'s>(
        &'s self,
        scope: &Scope<'s>,
        context: &'s Context<'s, T>,
        root: Open<'s>,
        branch: Option<Arc<Branch<T>>>,
        number: u32,
    ) {
        self.pool.with(|memory| {
            let mut piece = Piece::default();
            let mut open = vec![(root, branch)];
            while let Some((node, branch)) = open.pop() {
                let branch = self.compact(context, node.rows, branch, memory);
                let at = (node.depth, node.seed);
                let split = match &branch {
                    None => {
                        let items = context.items;
                        self.split(self.features, context, items, node.rows, at, memory)
                    }
                    Some(branch) => {
                        let features = self.ranked(branch);
                        self.split(&features, context, &branch.items, node.rows, at, memory)
                    }
                };
                let Some(split) = split else {
                    let leaf = self.target.leaf(&memory.totals, &mut piece.values);
                    piece.add(number, Sprout::Leaf(leaf), node.parent);
                    self.reclaim(branch);
                    continue;
                };
                let index = piece.add(number, split.sprout(), node.parent);
                let [left, right] = node.children(&split, index);
                let (smaller, larger) = if left.rows.len() < right.rows.len() {
                    (left, right)
                } else {
                    (right, left)
                };
                open.push((larger, branch.clone()));
                if smaller.rows.len() < TASK {
                    open.push((smaller, branch));
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
                scope.spawn(move |scope| self.grow_piece(scope, context, root, branch, number));
            }
            context.store_piece(number, piece);
        });
    }

    fn ranked<'b>(&'b self, branch: &'b Branch<T>) -> Ranked<'b, F, false> {
        Ranked {
            table: &branch.table,
            samples: self.samples,
            of: Some(&branch.of),
        }
    }

    /// Makes a table for a node and what grows from it, where that pays, and renumbers its rows.
    fn compact(
        &self,
        context: &Context<T>,
        rows: &mut [u32],
        branch: Option<Arc<Branch<T>>>,
        memory: &mut Memory<T>,
    ) -> Option<Arc<Branch<T>>> {
        let size = rows.len();
        let of = branch
            .as_ref()
            .map_or(self.features.of(), |branch| Some(&branch.of[..]));
        let large = of.map_or(self.samples.n_samples(), <[u32]>::len);
        let level = COMPACT
            .iter()
            .rposition(|&most| size <= most && large > 2 * most);
        let pays = size >= COMPACT_LEAST
            && self.samples.n_features() <= COMPACT_PRICE * self.limits.max_features;
        let Some(level) = level.filter(|_| pays) else {
            return branch;
        };
        let mut small = self.pool.branches[level].take();
        small.level = level;
        // All that it may ever need: growing bit by bit would leave holes in the memory.
        let n_features = self.samples.n_features();
        small.table.reserve(COMPACT[level], n_features);
        let compaction = &mut memory.compaction;
        let items = match &branch {
            None if !self.features.compact(rows, compaction, &mut small.table) => {
                self.pool.branches[level].put_back(small);
                return branch;
            }
            None => context.items,
            Some(branch) => {
                compaction.compact(&branch.table, rows, &mut small.table);
                &branch.items
            }
        };
        small.items.clear();
        small
            .items
            .extend(rows.iter().map(|&row| items[row as usize]));
        let of = |&row: &u32| of.map_or(row, |of| of[row as usize]);
        small.of.clear();
        small.of.extend(rows.iter().map(of));
        for (number, row) in (0..).zip(rows) {
            *row = number;
        }
        self.reclaim(branch);
        Some(Arc::new(small))
    }

    /// Keeps the memory of a branch of which nothing is left to grow.
    fn reclaim(&self, branch: Option<Arc<Branch<T>>>) {
        if let Some(branch) = branch.and_then(Arc::into_inner) {
            self.pool.branches[branch.level].put_back(branch);
        }
    }
}
