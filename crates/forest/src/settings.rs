//! What growing needs to know of parameters and samples, and the choice of what trees are grown on.

use rayon::prelude::*;

use crate::bag::{Bagging, RowSet};
use crate::features::{Features, RandomThresholds, Ranked};
use crate::forest::Forest;
use crate::grow::{Grower, Limits, Pool};
use crate::params::Task;
use crate::progress::Observer;
use crate::random::Random;
use crate::ranks::Ranks;
use crate::table::{Table, Values};
use crate::target::Target;
use crate::tree::Tree;
use crate::{Engine, Float, ForestError, ForestValidParams, Samples, Splitter};

/// Does the work in threads of its own, if so many are asked for.
pub(crate) fn in_threads<R: Send>(
    n_threads: Option<usize>,
    work: impl FnOnce() -> Result<R, ForestError> + Send,
) -> Result<R, ForestError> {
    let Some(n_threads) = n_threads else {
        return work();
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(n_threads)
        .build();
    let pool = pool.map_err(|error| ForestError::Threads {
        n_threads,
        reason: error.to_string(),
    })?;
    pool.install(work)
}

/// What growing needs to know of the parameters, without the types of the labels.
pub(crate) struct Settings<'a, F> {
    samples: Samples<'a, F>,
    splitter: Splitter,
    engine: Engine,
    #[cfg_attr(
        not(feature = "linfa"),
        expect(dead_code, reason = "a check of linfa's engine")
    )]
    plain: bool,
    limits: Limits,
    bagging: Bagging,
    seed: u64,
    n_trees: usize,
    n_values: usize,
    before: Option<Forest<F>>,
}

impl<'a, F: Float> Settings<'a, F> {
    pub(crate) fn new<T: Task>(
        params: &ForestValidParams<F, T>,
        samples: Samples<'a, F>,
        before: Option<Forest<F>>,
        n_values: usize,
        scale: f64,
    ) -> Result<Self, ForestError> {
        if let Some(forest) = &before {
            forest.check_width(samples.n_features())?;
            let (asked, found) = (params.n_trees(), forest.trees.len());
            if asked < found {
                return Err(ForestError::FewerTrees { asked, found });
            }
        }
        let weighty = samples.weights().map(|weights| {
            let rows = (0..).zip(weights).filter(|(_, w)| w.widen() > 0.0);
            rows.map(|(row, _)| row).collect::<Vec<u32>>()
        });
        let n_samples = samples.n_samples();
        let weighty = weighty.filter(|rows| rows.len() < n_samples);
        let n_there = weighty.as_ref().map_or(n_samples, Vec::len);
        let draws = params.max_samples().resolve(n_there)?;
        Ok(Settings {
            samples,
            splitter: params.splitter(),
            engine: params.engine(),
            plain: params.is_plain(),
            limits: Limits {
                max_features: params.max_features().resolve(samples.n_features())?,
                max_depth: params.max_depth().unwrap_or(usize::MAX),
                max_leaf_nodes: params.max_leaf_nodes(),
                min_samples_split: params.min_samples_split(),
                min_samples_leaf: params.min_samples_leaf(),
                min_weight_fraction_leaf: params.min_weight_fraction_leaf(),
                min_impurity_decrease: params.min_impurity_decrease() / scale / scale,
            },
            bagging: Bagging {
                n_samples,
                weighty,
                draws: params.bootstrap().then_some(draws),
            },
            seed: params.seed(),
            n_trees: params.n_trees(),
            n_values,
            before,
        })
    }

    /// The most rows that a tree has, each as often as it was drawn.
    pub(crate) fn draws(&self) -> usize {
        self.bagging.draws.unwrap_or(self.bagging.n_samples)
    }

    /// Grows the trees that are missing.
    pub(crate) fn grow<T: Target>(
        &mut self,
        target: &T,
        observer: &Observer,
    ) -> Result<Forest<F>, ForestError> {
        let before = self.before.take();
        let (mut trees, mut seeds) =
            before.map_or_else(Default::default, |forest| (forest.trees, forest.seeds));
        let first = trees.len();
        // Seeds depend on nothing but the place of the tree.
        let fresh = (first..self.n_trees).map(|index| Random::nth(self.seed, index as u64).next());
        seeds.extend(fresh);
        let fresh = &seeds[first..];
        if !fresh.is_empty() {
            trees.extend(self.grow_with_engine(target, observer, fresh, first)?);
        }
        observer.check()?;
        Ok(Forest {
            trees,
            seeds,
            n_features: self.samples.n_features(),
            n_values: self.n_values,
        })
    }

    fn grow_with_engine<T: Target>(
        &self,
        target: &T,
        observer: &Observer,
        seeds: &[u64],
        first: usize,
    ) -> Result<Vec<Tree<F>>, ForestError> {
        match self.engine {
            #[cfg(feature = "linfa")]
            Engine::Linfa => {
                let features = crate::linfa::engine::Columns::new(self.plain, &self.samples)?;
                let trees = self.grow_on(&features, target, observer, seeds, first);
                features.checked(trees)
            }
            Engine::Native => self.grow_natively(target, observer, seeds, first),
        }
    }

    fn grow_natively<T: Target>(
        &self,
        target: &T,
        observer: &Observer,
        seeds: &[u64],
        first: usize,
    ) -> Result<Vec<Tree<F>>, ForestError> {
        let samples = self.samples;
        if self.splitter == Splitter::Random {
            samples.check_finite()?;
            let values = Values::new(&samples);
            let features = RandomThresholds { values };
            return Ok(self.grow_on(&features, target, observer, seeds, first));
        }
        let of = self.bagging.drawn(seeds);
        let of = of.as_deref();
        if Ranks::<false>::fit(of.map_or(samples.n_samples(), <[u32]>::len)) {
            self.grow_on_ranks::<T, false>(of, target, observer, seeds, first)
        } else {
            self.grow_on_ranks::<T, true>(of, target, observer, seeds, first)
        }
    }

    /// Grows on the ranks of the rows of the samples, or of these only.
    fn grow_on_ranks<T: Target, const WIDE: bool>(
        &self,
        of: Option<&[u32]>,
        target: &T,
        observer: &Observer,
        seeds: &[u64],
        first: usize,
    ) -> Result<Vec<Tree<F>>, ForestError> {
        let samples = self.samples;
        let table = &Table::<WIDE>::new(&samples, of)?;
        let features = Ranked { table, samples, of };
        Ok(self.grow_on(&features, target, observer, seeds, first))
    }

    fn grow_on<T: Target, X: Features<F, T>>(
        &self,
        features: &X,
        target: &T,
        observer: &Observer,
        seeds: &[u64],
        first: usize,
    ) -> Vec<Tree<F>> {
        let grower = Grower {
            samples: self.samples,
            features,
            target,
            limits: &self.limits,
            bagging: &self.bagging,
            observer,
            pool: Pool::new(),
        };
        grower.grow_all(seeds, first)
    }

    /// For every tree the rows that it has not seen, if there are any.
    pub(crate) fn out_of_bag(&self, forest: &Forest<F>) -> Option<Vec<RowSet>> {
        self.bagging.draws?;
        let seeds = forest.seeds.par_iter();
        Some(seeds.map(|&seed| self.bagging.out_of_bag(seed)).collect())
    }
}
