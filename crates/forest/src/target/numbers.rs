//! Numbers, judged by the squared error.

use super::{Cut, Cuts, Leaf, SideLimits, Sweep, Target, sweep};

/// Numbers with any weights. The impurity is the mean squared difference from the mean.
///
/// With the sum s of the differences of the left side's numbers from the node's mean, the decrease by a
/// split in two sides of the weights w_l and w_r is s² (w_l + w_r) / (w_l w_r). That the mean is taken off
/// first keeps digits where numbers lie close to each other and far from zero.
pub(crate) struct Numbers<'a> {
    /// The targets divided by `scale`, so that the greatest is about 1 and no product overflows.
    pub(crate) numbers: &'a [f64],
    /// A power of two.
    pub(crate) scale: f64,
    /// The weight of each row, if it is not 1.
    pub(crate) weights: Option<&'a [f64]>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Weighted {
    number: f64,
    weight: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    weight: f64,
    sum: f64,
    /// What the mean lacks because it was rounded.
    correction: f64,
    least: f64,
    greatest: f64,
}

impl Moments {
    /// Within the least and the greatest number, also where rounding would lead out.
    fn mean(&self) -> f64 {
        (self.sum / self.weight).clamp(self.least, self.greatest)
    }
}

fn decrease(difference: f64, left: f64, right: f64) -> f64 {
    difference * difference / left / right * (left + right)
}

struct Walk {
    mean: f64,
    correction: f64,
    weight: f64,
    min_weight: f64,
    left_weight: f64,
    left_sum: f64,
    best_ratio: (f64, f64),
    best_sides: (f64, f64),
    best: usize,
}

impl Sweep<Weighted> for Walk {
    #[inline(always)]
    fn step(&mut self, item: Weighted) {
        self.left_weight += item.weight;
        self.left_sum += item.weight * (item.number - self.mean - self.correction);
    }

    #[inline(always)]
    fn judge(&mut self, left: usize) {
        let right_weight = self.weight - self.left_weight;
        let squared = self.left_sum * self.left_sum;
        let sides = self.left_weight * right_weight;
        if squared * self.best_ratio.1 > self.best_ratio.0 * sides
            // Weights that rounding has taken to nothing make no side.
            && right_weight > 0.0
            && self.left_weight >= self.min_weight
            && right_weight >= self.min_weight
        {
            self.best_ratio = (squared, sides);
            self.best_sides = (self.left_sum, self.left_weight);
            self.best = left;
        }
    }
}

impl Target for Numbers<'_> {
    type Item = Weighted;
    type Totals = Moments;
    type Scratch = ();

    fn n_values(&self) -> usize {
        1
    }

    fn item(&self, row: usize, times: u32) -> Weighted {
        Weighted {
            number: self.numbers[row],
            weight: f64::from(times) * self.weights.map_or(1.0, |weights| weights[row]),
        }
    }

    #[inline(always)]
    fn sum(&self, items: &[Weighted], totals: &mut Moments) {
        *totals = Moments {
            weight: 0.0,
            sum: 0.0,
            correction: 0.0,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
        };
        for item in items {
            totals.weight += item.weight;
            totals.sum += item.weight * item.number;
            totals.least = totals.least.min(item.number);
            totals.greatest = totals.greatest.max(item.number);
        }
        let mean = totals.mean();
        let differences = items.iter().map(|item| item.weight * (item.number - mean));
        totals.correction = differences.sum::<f64>() / totals.weight;
    }

    fn weight(&self, totals: &Moments) -> f64 {
        totals.weight
    }

    fn is_pure(&self, totals: &Moments) -> bool {
        totals.least >= totals.greatest
    }

    fn decrease(&self, totals: &Moments, left: &Moments) -> f64 {
        let difference = left.sum - left.weight * totals.mean();
        decrease(difference, left.weight, totals.weight - left.weight)
    }

    #[inline(always)]
    fn best_cut(
        &self,
        sorted: &[Weighted],
        cuts: Cuts,
        totals: &Moments,
        limits: &SideLimits,
        _to_beat: f64,
        (): &mut (),
    ) -> Option<Cut> {
        let mut walk = Walk {
            mean: totals.mean(),
            correction: totals.correction,
            weight: totals.weight,
            min_weight: limits.weight,
            left_weight: 0.0,
            left_sum: 0.0,
            best_ratio: (-1.0, 1.0),
            best_sides: (0.0, 0.0),
            best: 0,
        };
        sweep(sorted, cuts, limits, &mut walk);
        let (difference, left) = walk.best_sides;
        (walk.best > 0).then(|| Cut {
            decrease: decrease(difference, left, totals.weight - left),
            left: walk.best,
        })
    }

    fn leaf(&self, totals: &Moments, values: &mut Vec<f64>) -> Leaf {
        values.push(totals.mean() * self.scale);
        Leaf::Values(values.len() as u32 - 1)
    }

    #[cfg(feature = "linfa")]
    fn counted_class(&self, _: Weighted) -> Option<(usize, u32)> {
        None
    }
}

#[cfg(test)]
impl Weighted {
    pub(super) fn parts(&self) -> (f64, f64) {
        (self.number, self.weight)
    }
}
