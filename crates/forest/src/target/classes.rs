//! Any number of classes with any weights.

use super::{Cut, Cuts, Leaf, SideLimits, Sweep, Target, sweep};

/// Any number of classes with any weights. Sums of whole weights are exact up to 2⁵³.
pub(crate) struct Classes<'a, I> {
    pub(crate) n_classes: usize,
    /// The class of each row.
    pub(crate) classes: &'a [u32],
    /// The weight of each row, if it is not 1.
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) impurity: I,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Weighted {
    class: u32,
    weight: f64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sums {
    all: f64,
    each: Vec<f64>,
}

/// An impurity of classes. The *order* of a side of a split is what its classes add to the decrease:
/// the decrease is the order of both sides less that of the node. It is kept up to date while rows move
/// from side to side.
pub(crate) trait Impurity: Sync {
    /// What a class of this weight adds to the inner sum of a side.
    fn inner(&self, weight: f64) -> f64;

    /// The change of the inner sum when a class of the weight `from` gets the weight `to`.
    #[inline(always)]
    fn step(&self, from: f64, to: f64) -> f64 {
        self.inner(to) - self.inner(from)
    }

    /// The order of a side of this weight.
    fn order(&self, inner: f64, weight: f64) -> f64;
}

/// The Gini impurity: inner sums are those of squares.
pub(crate) struct Gini;

impl Impurity for Gini {
    #[inline(always)]
    fn inner(&self, weight: f64) -> f64 {
        weight * weight
    }

    #[inline(always)]
    fn step(&self, from: f64, to: f64) -> f64 {
        (to - from) * (to + from)
    }

    #[inline(always)]
    fn order(&self, inner: f64, weight: f64) -> f64 {
        inner / weight
    }
}

/// The entropy in bits: inner sums are those of w log₂ w.
pub(crate) struct Entropy {
    /// w log₂ w for whole weights.
    table: Vec<f64>,
}

impl Entropy {
    /// With a table for whole weights up to this one, where that is small.
    pub(crate) fn new(max_weight: f64) -> Self {
        let n = (max_weight as usize).min(1 << 17) + 1;
        Entropy {
            table: (0..n).map(|weight| Self::product(weight as f64)).collect(),
        }
    }

    /// The logarithm is not that of the C library, which may be another in the last bit elsewhere.
    fn product(weight: f64) -> f64 {
        if weight > 0.0 {
            weight * libm::log2(weight)
        } else {
            0.0
        }
    }
}

impl Impurity for Entropy {
    #[inline(always)]
    fn inner(&self, weight: f64) -> f64 {
        let whole = weight as usize;
        match self.table.get(whole) {
            Some(&product) if whole as f64 == weight => product,
            _ => Self::product(weight),
        }
    }

    #[inline(always)]
    fn order(&self, inner: f64, weight: f64) -> f64 {
        inner - self.inner(weight)
    }
}

impl<I: Impurity> Classes<'_, I> {
    fn order(&self, sums: &Sums) -> f64 {
        let inner = sums.each.iter().map(|&weight| self.impurity.inner(weight));
        self.impurity.order(inner.sum(), sums.all)
    }
}

struct Walk<'a, I> {
    impurity: &'a I,
    left: &'a mut [f64],
    right: &'a mut [f64],
    left_inner: f64,
    right_inner: f64,
    left_weight: f64,
    weight: f64,
    min_weight: f64,
    best_order: f64,
    best: usize,
}

impl<I: Impurity> Sweep<Weighted> for Walk<'_, I> {
    #[inline(always)]
    fn step(&mut self, item: Weighted) {
        let class = item.class as usize;
        let (left, right) = (self.left[class], self.right[class]);
        self.left_inner += self.impurity.step(left, left + item.weight);
        self.right_inner += self.impurity.step(right, right - item.weight);
        self.left[class] = left + item.weight;
        self.right[class] = right - item.weight;
        self.left_weight += item.weight;
    }

    #[inline(always)]
    fn judge(&mut self, left: usize) {
        let right_weight = self.weight - self.left_weight;
        let order = self.impurity.order(self.left_inner, self.left_weight)
            + self.impurity.order(self.right_inner, right_weight);
        // Weights that rounding has taken to nothing give no order.
        if order > self.best_order
            && right_weight > 0.0
            && self.left_weight >= self.min_weight
            && right_weight >= self.min_weight
        {
            self.best_order = order;
            self.best = left;
        }
    }
}

impl<I: Impurity> Target for Classes<'_, I> {
    type Item = Weighted;
    type Totals = Sums;
    /// The weights of the classes on both sides.
    type Scratch = (Vec<f64>, Vec<f64>);

    fn n_values(&self) -> usize {
        self.n_classes
    }

    fn item(&self, row: usize, times: u32) -> Weighted {
        Weighted {
            class: self.classes[row],
            weight: f64::from(times) * self.weights.map_or(1.0, |weights| weights[row]),
        }
    }

    #[inline(always)]
    fn sum(&self, items: &[Weighted], totals: &mut Sums) {
        totals.all = 0.0;
        totals.each.clear();
        totals.each.resize(self.n_classes, 0.0);
        for item in items {
            totals.all += item.weight;
            totals.each[item.class as usize] += item.weight;
        }
    }

    fn weight(&self, totals: &Sums) -> f64 {
        totals.all
    }

    fn is_pure(&self, totals: &Sums) -> bool {
        totals.each.iter().filter(|&&weight| weight > 0.0).count() <= 1
    }

    fn decrease(&self, totals: &Sums, left: &Sums) -> f64 {
        let each = totals
            .each
            .iter()
            .zip(&left.each)
            .map(|(all, left)| all - left);
        let right = Sums {
            all: totals.all - left.all,
            each: each.collect(),
        };
        self.order(left) + self.order(&right) - self.order(totals)
    }

    #[inline(always)]
    fn best_cut(
        &self,
        sorted: &[Weighted],
        cuts: Cuts,
        totals: &Sums,
        limits: &SideLimits,
        _to_beat: f64,
        (left, right): &mut (Vec<f64>, Vec<f64>),
    ) -> Option<Cut> {
        left.clear();
        left.resize(self.n_classes, 0.0);
        right.clone_from(&totals.each);
        let inner = totals
            .each
            .iter()
            .map(|&weight| self.impurity.inner(weight));
        let inner: f64 = inner.sum();
        let mut walk = Walk {
            impurity: &self.impurity,
            left,
            right,
            left_inner: 0.0,
            right_inner: inner,
            left_weight: 0.0,
            weight: totals.all,
            min_weight: limits.weight,
            best_order: f64::NEG_INFINITY,
            best: 0,
        };
        sweep(sorted, cuts, limits, &mut walk);
        (walk.best > 0).then(|| Cut {
            // Rounding may give a little less than nothing.
            decrease: (walk.best_order - self.impurity.order(inner, totals.all)).max(0.0),
            left: walk.best,
        })
    }

    fn leaf(&self, totals: &Sums, values: &mut Vec<f64>) -> Leaf {
        if self.is_pure(totals) {
            let class = totals.each.iter().position(|&weight| weight > 0.0);
            return Leaf::Class(class.unwrap_or(0) as u32);
        }
        values.extend(totals.each.iter().map(|weight| weight / totals.all));
        Leaf::Values((values.len() / self.n_classes) as u32 - 1)
    }

    #[cfg(feature = "linfa")]
    fn counted_class(&self, item: Weighted) -> Option<(usize, u32)> {
        Some((item.class as usize, item.weight as u32))
    }
}

#[cfg(test)]
impl Weighted {
    pub(super) fn class_and_weight(&self) -> (usize, f64) {
        (self.class as usize, self.weight)
    }
}
