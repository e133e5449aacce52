//! One order statistic of very many values that need not be written down: all sums or differences of few.
//!
//! Ten thousand blocks have fifty million pairs. Their middle is found by counting how many values lie below a
//! bound, which takes one pass through the sorted values (J. F. Monahan, "Algorithm 616: fast computation of the
//! Hodges–Lehmann location estimator", *ACM Transactions on Mathematical Software* 10 (1984)); once few enough are
//! left between two bounds, these are collected. The result is the very value that sorting all of them would give.

/// So many values are collected and sorted at most, unless more are equal.
const COLLECTED: usize = 4096;

/// Pairs of values whose figure rises with both: a/2 + b/2, or a − b with the second list negated.
pub(super) trait Pairs {
    /// How many pairs have a figure of at most `bound`.
    fn count(&self, bound: f64) -> usize;

    /// Adds the figures above `low` and up to `high`.
    fn collect(&self, low: f64, high: f64, into: &mut Vec<f64>);

    /// How many pairs there are, and figures between which all lie.
    fn range(&self) -> (usize, f64, f64);
}

/// The figures with so many figures below them, from 0; `None` where there are not so many.
pub(super) fn select<const N: usize>(pairs: &impl Pairs, ranks: [usize; N]) -> Option<[f64; N]> {
    let (all, _, high) = pairs.range();
    if ranks.iter().any(|rank| *rank >= all) {
        return None;
    }
    if all > COLLECTED {
        return Some(ranks.map(|rank| select_one(pairs, rank)));
    }
    let mut figures = Vec::with_capacity(all);
    pairs.collect(f64::NEG_INFINITY, high, &mut figures);
    figures.sort_by(f64::total_cmp);
    Some(ranks.map(|rank| figures[rank]))
}

/// The figure with `rank` figures below it, of which there are more than `rank`.
fn select_one(pairs: &impl Pairs, rank: usize) -> f64 {
    let (all, mut low, mut high) = pairs.range();
    // At most `rank` figures are at most `low`, and more than that are at most `high`.
    if pairs.count(low) > rank {
        return low;
    }
    let (mut below, mut up_to) = (pairs.count(low), all);
    for step in 0.. {
        if up_to - below <= COLLECTED {
            break;
        }
        // Halving the distance is fast, halving the number of floats in between always ends.
        let middle = match step % 2 {
            0 => low / 2.0 + high / 2.0,
            _ => from_order(order(low).midpoint(order(high))),
        };
        if !(middle > low && middle < high) {
            if step % 2 == 1 {
                // No float lies in between.
                return high;
            }
            continue;
        }
        match pairs.count(middle) {
            count if count > rank => (high, up_to) = (middle, count),
            count => (low, below) = (middle, count),
        }
    }
    let mut left = Vec::with_capacity(up_to - below);
    pairs.collect(low, high, &mut left);
    left.sort_by(f64::total_cmp);
    left[rank - below]
}

/// The middle figure, or the mean of the two in the middle.
pub(super) fn median(pairs: &impl Pairs) -> Option<f64> {
    let (all, _, _) = pairs.range();
    let [lower, upper] = select(pairs, [all.checked_sub(1)? / 2, all / 2])?;
    Some(middle(lower, upper))
}

/// The mean of the two middle figures, which are one where their number is odd.
pub(super) fn middle(lower: f64, upper: f64) -> f64 {
    match lower == upper {
        true => upper,
        false => (lower + upper) / 2.0,
    }
}

/// A number whose order is that of the floats.
fn order(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

fn from_order(number: i64) -> f64 {
    let bits = number ^ ((number >> 63).cast_unsigned() >> 1).cast_signed();
    f64::from_bits(bits.cast_unsigned())
}

/// The Walsh averages of ascending values: those of each pair, and each value with itself.
pub(super) struct WalshAverages<'a>(pub(super) &'a [f64]);

/// Halves are added, so that the sum of two huge values does not overflow.
fn average(a: f64, b: f64) -> f64 {
    a / 2.0 + b / 2.0
}

impl Pairs for WalshAverages<'_> {
    fn count(&self, bound: f64) -> usize {
        let values = self.0;
        let (mut count, mut end) = (0, values.len());
        for (index, first) in values.iter().enumerate() {
            while end > index && average(*first, values[end - 1]) > bound {
                end -= 1;
            }
            if end <= index {
                break;
            }
            count += end - index;
        }
        count
    }

    fn collect(&self, low: f64, high: f64, into: &mut Vec<f64>) {
        for (index, first) in self.0.iter().enumerate() {
            let others = &self.0[index..];
            let from = others.partition_point(|second| average(*first, *second) <= low);
            let to = others.partition_point(|second| average(*first, *second) <= high);
            into.extend(others[from..to].iter().map(|b| average(*first, *b)));
        }
    }

    fn range(&self) -> (usize, f64, f64) {
        let n = self.0.len();
        let ends = self.0.first().zip(self.0.last());
        let (low, high) = ends.map_or((0.0, 0.0), |(low, high)| {
            (average(*low, *low), average(*high, *high))
        });
        (n * (n + 1) / 2, low, high)
    }
}

/// The differences of the values of two ascending lists: first less second.
pub(super) struct Differences<'a>(pub(super) &'a [f64], pub(super) &'a [f64]);

impl Pairs for Differences<'_> {
    fn count(&self, bound: f64) -> usize {
        let (first, second) = (self.0, self.1);
        // As the first grows, fewer of the second are small enough to be too far below it.
        let (mut count, mut from) = (0, 0);
        for a in first {
            while from < second.len() && a - second[from] > bound {
                from += 1;
            }
            count += second.len() - from;
        }
        count
    }

    fn collect(&self, low: f64, high: f64, into: &mut Vec<f64>) {
        for a in self.0 {
            let from = self.1.partition_point(|b| a - b > high);
            let to = self.1.partition_point(|b| a - b > low);
            into.extend(self.1[from..to].iter().map(|b| a - b));
        }
    }

    fn range(&self) -> (usize, f64, f64) {
        let ends = |list: &[f64]| list.first().copied().zip(list.last().copied());
        let all = self.0.len() * self.1.len();
        match ends(self.0).zip(ends(self.1)) {
            Some(((low, high), (least, most))) => (all, low - most, high - least),
            None => (0, 0.0, 0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::SeedableRng;

    use super::super::sorted;
    use super::*;

    /// Every rank that is looked at has the value that sorting all gives.
    #[track_caller]
    fn check(pairs: &impl Pairs, all: Vec<f64>) {
        let all = sorted(&all);
        let step = (all.len() / 50).max(1);
        for rank in (0..all.len()).step_by(step).chain([all.len() - 1]) {
            assert_eq!(select(pairs, [rank]), Some([all[rank]]), "rank {rank}");
        }
        assert_eq!(select(pairs, [all.len()]), None);
        assert_eq!(select_one(pairs, all.len() / 3), all[all.len() / 3]);
        assert_eq!(median(pairs), super::super::median(&all));
    }

    fn lists() -> Vec<Vec<f64>> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut random = |n: usize, digits: f64| -> Vec<f64> {
            (0..n)
                .map(|_| (rng.gen_range(-0.05..0.05) * digits).round() / digits)
                .collect()
        };
        vec![
            random(1, 1e12),
            random(2, 1e12),
            random(301, 1e12),
            // Many ties.
            random(300, 100.0),
            vec![0.0; 200],
            (0..150).map(|i| 10f64.powi(i - 75)).collect(),
            (0..150)
                .map(|i| f64::from(i % 2) * f64::MAX / 2.0)
                .collect(),
        ]
    }

    #[test]
    fn averages_are_selected_as_by_sorting() {
        for list in lists() {
            let list = sorted(&list);
            let each = list.iter().enumerate();
            let all = each.flat_map(|(i, a)| list[i..].iter().map(|b| average(*a, *b)));
            check(&WalshAverages(&list), all.collect());
        }
        assert_eq!(median(&WalshAverages(&[])), None);
    }

    #[test]
    fn differences_are_selected_as_by_sorting() {
        let lists = lists();
        for (first, second) in lists.iter().zip(lists.iter().rev()) {
            let (first, second) = (sorted(first), sorted(second));
            let all = first.iter().flat_map(|a| second.iter().map(move |b| a - b));
            check(&Differences(&first, &second), all.collect());
        }
        assert_eq!(median(&Differences(&[1.0], &[])), None);
    }

    #[test]
    fn floats_keep_their_order_as_numbers() {
        let values = [
            f64::MIN,
            -1.5,
            -f64::MIN_POSITIVE,
            -0.0,
            0.0,
            5e-324,
            1.0,
            f64::MAX,
        ];
        assert!(
            values
                .windows(2)
                .all(|pair| order(pair[0]) < order(pair[1]))
        );
        assert!(
            values
                .iter()
                .all(|v| from_order(order(*v)).to_bits() == v.to_bits())
        );
    }
}
