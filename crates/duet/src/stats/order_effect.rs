//! Does it matter which variant started first?
//!
//! Sources: F. Wilcoxon (1945); H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables is
//! stochastically larger than the other", *Annals of Mathematical Statistics* 18 (1947); J. L. Hodges, E. L.
//! Lehmann (1963) for the shift.

use statrs::distribution::{ContinuousCDF, Normal};

use super::ranks::{doubled_ranks, fixed_size_sum_distribution, two_sided};
use super::selection::{self, Differences};
use super::{all_finite, sorted};

/// Above so many values in both groups together the normal approximation is used.
const EXACT_UP_TO: usize = 60;

/// The difference that the start order makes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderEffect {
    /// How much higher the log-ratio is where the reference came first: the Hodges–Lehmann shift. Coming second
    /// rather than first costs a process half of it.
    pub difference: f64,
    /// The two-sided p-value of "the order does not matter" (rank-sum test).
    pub p: f64,
}

/// Compares the log-ratios of the blocks in which the reference came first with the others'.
///
/// `reference_first[b]` belongs to `log_ratios[b]`. Ties get their mean rank; the distribution is exact up to
/// 60 blocks and else normal with the corrections for ties and continuity. The balanced schedule cancels an effect of
/// order in the median; this tells whether there was one to cancel. `None` for slices of different length, values
/// that are not finite, or where one of the two groups is empty.
///
/// ```
/// let ratios = [0.03, -0.01, 0.04, -0.02, 0.05, -0.03, 0.035, -0.015];
/// let first = [true, false, true, false, true, false, true, false];
/// let effect = duet::stats::order_effect(&ratios, &first).unwrap();
/// assert!(effect.difference > 0.04 && effect.p < 0.05);
/// ```
pub fn order_effect(log_ratios: &[f64], reference_first: &[bool]) -> Option<OrderEffect> {
    if log_ratios.len() != reference_first.len() || !all_finite(log_ratios) {
        return None;
    }
    let group = |first: bool| -> Vec<f64> {
        let of_group = log_ratios
            .iter()
            .zip(reference_first)
            .filter(|(_, f)| **f == first);
        of_group.map(|(ratio, _)| *ratio).collect()
    };
    let (first, second) = (group(true), group(false));
    let (sorted_first, sorted_second) = (sorted(&first), sorted(&second));
    let difference = selection::median(&Differences(&sorted_first, &sorted_second))?;
    let ranks = doubled_ranks(log_ratios);
    let sum: usize = ranks
        .iter()
        .zip(reference_first)
        .filter_map(|(rank, first)| first.then_some(rank))
        .sum();
    Some(OrderEffect {
        difference,
        p: p_value(&ranks, first.len(), sum),
    })
}

/// The two-sided p-value of a sum of `chosen` of the ranks.
fn p_value(ranks: &[usize], chosen: usize, sum: usize) -> f64 {
    if ranks.len() <= EXACT_UP_TO {
        two_sided(&fixed_size_sum_distribution(ranks, chosen), sum)
    } else {
        approximate_p(ranks, chosen, sum)
    }
}

fn approximate_p(ranks: &[usize], chosen: usize, sum: usize) -> f64 {
    let n = ranks.len() as f64;
    let mean_rank = ranks.iter().sum::<usize>() as f64 / n;
    let (first, second) = (chosen as f64, n - chosen as f64);
    let squares: f64 = ranks
        .iter()
        .map(|rank| (*rank as f64 - mean_rank).powi(2))
        .sum();
    let sd = (first * second / (n * (n - 1.0)) * squares).sqrt();
    if sd == 0.0 {
        // All values are equal.
        return 1.0;
    }
    // Ranks are doubled, so half a step of the statistic is 1.
    let distance = ((sum as f64 - first * mean_rank).abs() - 1.0).max(0.0);
    (2.0 * Normal::standard().sf(distance / sd)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of `a` with the reference first and of `b` with it second.
    #[track_caller]
    fn check(a: &[f64], b: &[f64], difference: f64, p: f64) {
        let values = [a, b].concat();
        let first: Vec<bool> = (0..values.len()).map(|index| index < a.len()).collect();
        let effect = order_effect(&values, &first).expect("two groups");
        assert!((effect.difference - difference).abs() < 1e-12, "{effect:?}");
        assert!((effect.p - p).abs() < 1e-9, "{effect:?}");
        // The other way round the sign changes and nothing else.
        let other: Vec<bool> = first.iter().map(|f| !f).collect();
        let swapped = order_effect(&values, &other).expect("two groups");
        assert!((swapped.difference + difference).abs() < 1e-12);
        assert!((swapped.p - p).abs() < 1e-9);
    }

    #[test]
    fn matches_scipy() {
        // scipy.stats.mannwhitneyu(a, b, method="exact").pvalue; the shift is numpy.median over all a − b.
        let a = [0.01, 0.03, 0.05, 0.02, 0.04];
        let b = [0.06, 0.035, 0.07, 0.08, 0.055, 0.025];
        check(&a, &b, -0.025, 0.082_251_082_251_082_26);
        // scipy.stats.permutation_test over all divisions, with the sum of mid-ranks.
        let a = [1.0, 2.0, 2.0, 3.0, 3.0];
        let b = [2.0, 3.0, 4.0, 4.0, 5.0, 5.0];
        check(&a, &b, -2.0, 0.060_606_060_606_060_61);
    }

    #[test]
    fn the_approximation_is_good_where_it_begins() {
        let ranks: Vec<usize> = (1..=EXACT_UP_TO).map(|rank| 2 * rank).collect();
        let chosen = EXACT_UP_TO / 2;
        let centre = chosen * (EXACT_UP_TO + 1);
        for sum in (centre - 600..=centre + 600).step_by(20) {
            let (exact, approximate) = (
                p_value(&ranks, chosen, sum),
                approximate_p(&ranks, chosen, sum),
            );
            assert!(
                (exact - approximate).abs() < 5e-3,
                "{sum}: {exact} {approximate}"
            );
        }
    }

    #[test]
    fn degenerate_values_have_a_defined_result() {
        assert_eq!(order_effect(&[], &[]), None);
        assert_eq!(order_effect(&[1.0, 2.0], &[true]), None);
        assert_eq!(order_effect(&[1.0, 2.0], &[true, true]), None);
        assert_eq!(order_effect(&[1.0, f64::NAN], &[true, false]), None);
        assert_eq!(order_effect(&[1.0, f64::INFINITY], &[true, false]), None);
        check(&[3.0; 4], &[3.0; 4], 0.0, 1.0);
        check(&[3.0; 40], &[3.0; 40], 0.0, 1.0);
    }
}
