//! Two classes with whole weights, judged by the Gini impurity.

use super::{Cut, Cuts, Leaf, SKIP, SideLimits, Sweep, Target, sweep};

/// Two classes with whole weights, as bootstrap samples have them: everything but the last comparison is
/// computed with whole numbers.
///
/// With `a` of the weight `w` in class 1, the decrease by a split in two sides l and r is
/// 2 (a_l w − a w_l)² / (w w_l w_r).
pub(crate) struct Binary<'a> {
    /// The class of each row.
    pub(crate) classes: &'a [u32],
    /// The weight of each row, if it is not 1.
    pub(crate) weights: Option<&'a [f64]>,
}

impl Binary<'_> {
    /// The largest weight that all rows of a tree may have together: products of two sums fit into 63
    /// bits, a weight and a class into 32.
    pub(crate) const MAX_WEIGHT: f64 = 2_147_483_647.0;
}

#[derive(Default, Clone, Copy, PartialEq, Debug)]
pub(crate) struct Counts {
    all: i64,
    ones: i64,
}

impl Counts {
    #[inline(always)]
    fn add(&mut self, item: u32) {
        let weight = i64::from(item >> 1);
        self.all += weight;
        self.ones += weight & -i64::from(item & 1);
    }

    /// The decrease is twice the first number over the second and the node's weight.
    #[inline(always)]
    fn ratio(self, left: Counts) -> (f64, f64) {
        let difference = (left.ones * self.all - self.ones * left.all) as f64;
        let sides = left.all as f64 * (self.all - left.all) as f64;
        (difference * difference, sides)
    }
}

struct Walk {
    /// The weight of the node, and of its left side.
    all: i64,
    left: i64,
    /// a_l w − a w_l, and how much a weight of 1 in class 0 or 1 adds to it.
    difference: i64,
    steps: [i64; 2],
    min_weight: f64,
    best_ratio: (f64, f64),
    best: usize,
}

impl Sweep<u32> for Walk {
    #[inline(always)]
    fn step(&mut self, item: u32) {
        let weight = i64::from(item >> 1);
        self.left += weight;
        self.difference += weight * self.steps[(item & 1) as usize];
    }

    #[inline(always)]
    fn judge(&mut self, left: usize) {
        let difference = self.difference as f64;
        let squared = difference * difference;
        let sides = (self.left * (self.all - self.left)) as f64;
        // Without divisions: the first side is larger when its quotient is.
        if squared * self.best_ratio.1 > self.best_ratio.0 * sides {
            let lighter = self.left.min(self.all - self.left);
            if lighter as f64 >= self.min_weight {
                self.best_ratio = (squared, sides);
                self.best = left;
            }
        }
    }

    /// Judges all cuts at the same time: products that are rounded once are the same in either type.
    #[inline(always)]
    fn skip(&mut self, items: &[u32; SKIP]) -> bool {
        let (before, all) = ((self.left, self.difference), self.all as f64);
        let (mut lefts, mut differences) = ([0.0; SKIP], [0.0; SKIP]);
        for ((&item, left), difference) in items.iter().zip(&mut lefts).zip(&mut differences) {
            self.step(item);
            (*left, *difference) = (self.left as f64, self.difference as f64);
        }
        let mut better = false;
        for (left, difference) in lefts.into_iter().zip(differences) {
            let (squared, sides) = (difference * difference, left * (all - left));
            better |= squared * self.best_ratio.1 > self.best_ratio.0 * sides;
        }
        if better {
            (self.left, self.difference) = before;
        }
        !better
    }
}

impl Target for Binary<'_> {
    /// Twice the weight, plus the class.
    type Item = u32;
    type Totals = Counts;
    type Scratch = ();

    fn n_values(&self) -> usize {
        2
    }

    fn item(&self, row: usize, times: u32) -> u32 {
        let weight = self
            .weights
            .map_or(times, |weights| times * weights[row] as u32);
        weight << 1 | self.classes[row]
    }

    #[inline(always)]
    fn sum(&self, items: &[u32], totals: &mut Counts) {
        *totals = Counts::default();
        items.iter().for_each(|&item| totals.add(item));
    }

    fn weight(&self, totals: &Counts) -> f64 {
        totals.all as f64
    }

    fn is_pure(&self, totals: &Counts) -> bool {
        totals.ones == 0 || totals.ones == totals.all
    }

    fn decrease(&self, totals: &Counts, left: &Counts) -> f64 {
        let (squared, sides) = totals.ratio(*left);
        2.0 * squared / sides / totals.all as f64
    }

    #[inline(always)]
    fn best_cut(
        &self,
        sorted: &[u32],
        cuts: Cuts,
        totals: &Counts,
        limits: &SideLimits,
        to_beat: f64,
        (): &mut (),
    ) -> Option<Cut> {
        let best_ratio = if to_beat > 0.0 {
            // A little less, so that no rounding hides a better cut.
            (to_beat * (0.5 - 1e-9) * totals.all as f64, 1.0)
        } else {
            // Less than any, so that a cut that decreases nothing is found, too.
            (-1.0, 1.0)
        };
        let mut walk = Walk {
            all: totals.all,
            left: 0,
            difference: 0,
            steps: [-totals.ones, totals.all - totals.ones],
            min_weight: limits.weight,
            best_ratio,
            best: 0,
        };
        sweep(sorted, cuts, limits, &mut walk);
        (walk.best > 0).then(|| Cut {
            decrease: 2.0 * walk.best_ratio.0 / walk.best_ratio.1 / totals.all as f64,
            left: walk.best,
        })
    }

    fn leaf(&self, totals: &Counts, values: &mut Vec<f64>) -> Leaf {
        if self.is_pure(totals) {
            return Leaf::Class(u32::from(totals.ones > 0));
        }
        let (all, ones) = (totals.all as f64, totals.ones as f64);
        values.extend([(all - ones) / all, ones / all]);
        Leaf::Values((values.len() / 2) as u32 - 1)
    }

    #[cfg(feature = "linfa")]
    fn counted_class(&self, item: u32) -> Option<(usize, u32)> {
        Some(((item & 1) as usize, item >> 1))
    }
}
