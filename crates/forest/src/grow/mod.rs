//! Growing trees.

mod best_first;
mod branch;
mod piece;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use self::branch::{Branch, LEVELS, Open};
use self::piece::Piece;
use crate::bag::Bagging;
use crate::features::{Features, Trial, Tried, View};
use crate::progress::{Observer, Progress};
use crate::random::Random;
use crate::table::Compaction;
use crate::target::{SideLimits, Target};
use crate::tree::Tree;
use crate::{Float, Samples};

/// From this number of rows on, the features of a node are tried on several threads.
const SHARED: usize = 1 << 13;

/// From this number of rows on, the observer is told of a node.
const OBSERVED: usize = 1 << 16;

/// The parameters that decide when a node is a leaf, resolved for the samples.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) max_features: usize,
    pub(crate) max_depth: usize,
    pub(crate) max_leaf_nodes: Option<usize>,
    pub(crate) min_samples_split: usize,
    pub(crate) min_samples_leaf: usize,
    pub(crate) min_weight_fraction_leaf: f64,
    pub(crate) min_impurity_decrease: f64,
}

/// Everything that all trees have in common.
pub(crate) struct Grower<'a, 'o, F: Float, T: Target, X> {
    pub(crate) samples: Samples<'a, F>,
    pub(crate) features: &'a X,
    pub(crate) target: &'a T,
    pub(crate) limits: &'a Limits,
    pub(crate) bagging: &'a Bagging,
    pub(crate) observer: &'a Observer<'o>,
    pub(crate) pool: Pool<T>,
}

/// Everything that the nodes of one tree have in common.
struct Context<'a, T: Target> {
    index: usize,
    /// What is known of each row of the samples.
    items: &'a [T::Item],
    side: SideLimits,
    /// The least decrease of a split.
    min_decrease: f64,
    /// The parts of the tree that were grown by themselves.
    pieces: &'a Mutex<Vec<Option<Piece>>>,
}

/// Memory for growing, kept from node to node and from tree to tree.
struct Memory<T: Target> {
    trial: Trial<T>,
    items: Vec<T::Item>,
    totals: T::Totals,
    spill: Vec<u32>,
    /// All features, in ascending order between nodes.
    order: Vec<u32>,
    swaps: Vec<usize>,
    compaction: Compaction,
}

impl<T: Target> Default for Memory<T> {
    fn default() -> Self {
        Memory {
            trial: Trial::default(),
            items: Vec::new(),
            totals: T::Totals::default(),
            spill: Vec::new(),
            order: Vec::new(),
            swaps: Vec::new(),
            compaction: Compaction::default(),
        }
    }
}

/// Memory that threads borrow.
pub(crate) struct Pool<T: Target> {
    memories: Shelf<Box<Memory<T>>>,
    /// For features that are tried at the same time.
    trials: Shelf<Box<Trial<T>>>,
    /// Branches that are grown, for each level of these.
    branches: [Shelf<Branch<T>>; LEVELS],
}

impl<T: Target> Pool<T> {
    pub(crate) fn new() -> Self {
        Pool {
            memories: Shelf::default(),
            trials: Shelf::default(),
            branches: std::array::from_fn(|_| Shelf::default()),
        }
    }

    fn with<R>(&self, work: impl FnOnce(&mut Memory<T>) -> R) -> R {
        let mut memory = self.memories.take();
        let result = work(&mut memory);
        self.memories.put_back(memory);
        result
    }
}

/// Things that threads take, and put back for others. The lock is held for no longer than a push or a pop takes,
/// which do not panic.
#[derive(Default)]
struct Shelf<X>(Mutex<Vec<X>>);

impl<X: Default> Shelf<X> {
    fn take(&self) -> X {
        let taken = self.0.lock().ok().and_then(|mut things| things.pop());
        taken.unwrap_or_default()
    }

    fn put_back(&self, thing: X) {
        if let Ok(mut things) = self.0.lock() {
            things.push(thing);
        }
    }
}

/// A split of a node, made: its rows are parted.
struct Split<F> {
    feature: u32,
    threshold: F,
    decrease: f64,
    /// Rows on the left side.
    left: usize,
    seeds: [u64; 2],
}

impl<F: Float, T: Target, X: Features<F, T>> Grower<'_, '_, F, T, X> {
    /// Grows the trees of these seeds, in their order. Where the observer has cancelled the fit, they are
    /// of no use.
    pub(crate) fn grow_all(&self, seeds: &[u64], first: usize) -> Vec<Tree<F>> {
        let done = AtomicUsize::new(0);
        let trees = seeds.par_iter().enumerate().with_max_len(1);
        let grown = trees.map(|(index, &seed)| {
            let tree = self.grow(first + index, seed);
            let done = 1 + done.fetch_add(1, Ordering::Relaxed);
            self.observer.tell(Progress::Tree {
                done,
                of: seeds.len(),
            });
            tree
        });
        grown.collect()
    }

    fn grow(&self, index: usize, seed: u64) -> Tree<F> {
        let counts = self.bagging.counts(seed);
        let of = self.features.of();
        let n_rows = of.map_or(counts.len(), <[u32]>::len);
        let mut rows = Vec::with_capacity(n_rows);
        let mut items = vec![T::Item::default(); n_rows];
        for (row, item) in items.iter_mut().enumerate() {
            let sample = of.map_or(row, |of| of[row] as usize);
            let times = counts[sample];
            if times > 0 {
                rows.push(row as u32);
                *item = self.target.item(sample, times);
            }
        }
        drop(counts);
        let weight = self.pool.with(|memory| {
            memory.items.clear();
            memory
                .items
                .extend(rows.iter().map(|&row| items[row as usize]));
            self.target.sum(&memory.items, &mut memory.totals);
            self.target.weight(&memory.totals)
        });
        let pieces = Mutex::new(Vec::new());
        let context = Context {
            index,
            items: &items,
            side: SideLimits {
                rows: self.limits.min_samples_leaf,
                weight: self.limits.min_weight_fraction_leaf * weight,
            },
            min_decrease: self.limits.min_impurity_decrease * weight,
            pieces: &pieces,
        };
        let root = Open {
            rows: &mut rows,
            depth: 0,
            seed,
            parent: None,
        };
        match self.limits.max_leaf_nodes {
            Some(max_leaves) => self.grow_best_first(&context, root, max_leaves),
            None => rayon::scope(|scope| {
                let piece = context.reserve_piece();
                self.grow_piece(scope, &context, root, None, piece);
            }),
        }
        let pieces = pieces.into_inner().unwrap_or_default();
        let n_features = self.samples.n_features();
        piece::join(pieces, n_features, self.target.n_values())
    }

    /// Splits a node, if it can and may be split.
    fn split<Y: Features<F, T>>(
        &self,
        features: &Y,
        context: &Context<T>,
        all_items: &[T::Item],
        rows: &mut [u32],
        (depth, seed): (usize, u64),
        memory: &mut Memory<T>,
    ) -> Option<Split<F>> {
        let Memory {
            trial,
            items,
            totals,
            spill,
            order,
            swaps,
            ..
        } = memory;
        items.clear();
        items.extend(rows.iter().map(|&row| all_items[row as usize]));
        self.target.sum(items, totals);
        if rows.len() < self.limits.min_samples_split
            || rows.len() < 2 * context.side.rows
            || depth >= self.limits.max_depth
            || self.target.is_pure(totals)
            || self.observer.is_cancelled()
        {
            return None;
        }
        let mut random = Random::new(seed);
        let seeds = [random.next(), random.next()];
        let view = View {
            rows,
            items,
            totals,
            target: self.target,
            limits: &context.side,
            seed: random.next(),
        };
        let choice = self.best_feature(features, &view, (order, swaps), random, trial)?;
        let Choice {
            feature,
            decrease,
            bound,
            ..
        } = choice;
        let bound = bound.filter(|_| decrease >= context.min_decrease)?;
        if rows.len() >= OBSERVED {
            let (tree, rows) = (context.index, rows.len());
            self.observer.tell(Progress::Split { tree, rows });
        }
        let left = features.part(feature, bound, rows, spill);
        let (left_rows, right_rows) = rows.split_at(left);
        Some(Split {
            feature: feature as u32,
            threshold: features.threshold(feature, bound, left_rows, right_rows),
            decrease,
            left,
            seeds,
        })
    }

    /// Draws features until there are enough and one of them is not constant; the best split along them,
    /// of equal ones along the first.
    fn best_feature<Y: Features<F, T>>(
        &self,
        features: &Y,
        view: &View<T>,
        (order, swaps): (&mut Vec<u32>, &mut Vec<usize>),
        mut random: Random,
        trial: &mut Trial<T>,
    ) -> Option<Choice<Y::Bound>> {
        let n_features = self.samples.n_features();
        if order.len() != n_features {
            *order = (0..n_features as u32).collect();
        }
        swaps.clear();
        let mut draw = |order: &mut [u32], place: usize| {
            let drawn = place + random.below(n_features - place);
            order.swap(place, drawn);
            swaps.push(drawn);
            order[place] as usize
        };
        let enough = self.limits.max_features;
        let mut choice = Choice::none();
        let mut drawn = 0;
        if view.rows.len() >= SHARED && enough > 1 && rayon::current_num_threads() > 1 {
            let together: Vec<usize> = (0..enough).map(|place| draw(order, place)).collect();
            let tried = together.par_iter().with_max_len(1).map(|&feature| {
                let mut trial = self.pool.trials.take();
                let tried = features.try_feature(feature, view, f64::NEG_INFINITY, &mut trial);
                self.pool.trials.put_back(trial);
                tried
            });
            let tried: Vec<Tried<Y::Bound>> = tried.collect();
            for (&feature, tried) in together.iter().zip(tried) {
                choice.take(feature, tried);
            }
            drawn = enough;
        }
        while drawn < n_features && (drawn < enough || choice.all_constant) {
            let feature = draw(order, drawn);
            let tried = features.try_feature(feature, view, choice.decrease, trial);
            choice.take(feature, tried);
            drawn += 1;
        }
        for (place, &drawn) in swaps.iter().enumerate().rev() {
            order.swap(place, drawn);
        }
        choice.bound.is_some().then_some(choice)
    }
}

/// The best of the features that were tried so far.
struct Choice<B> {
    all_constant: bool,
    decrease: f64,
    feature: usize,
    bound: Option<B>,
}

impl<B> Choice<B> {
    fn none() -> Self {
        Choice {
            all_constant: true,
            decrease: f64::NEG_INFINITY,
            feature: 0,
            bound: None,
        }
    }

    fn take(&mut self, tried_feature: usize, tried: Tried<B>) {
        match tried {
            Tried::Constant => (),
            Tried::Nothing => self.all_constant = false,
            Tried::Split { decrease, bound } => {
                self.all_constant = false;
                if decrease > self.decrease {
                    self.decrease = decrease;
                    self.feature = tried_feature;
                    self.bound = Some(bound);
                }
            }
        }
    }
}
