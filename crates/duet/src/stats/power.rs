//! How many blocks, and what so many can find: the power of the sign test.
//!
//! The test's exact power at a shift δ is that of a binomial whose success probability is P(value > 0) =
//! Φ(δ/σ) for normal noise of standard deviation σ (W. J. Dixon, "Power functions of the sign test and power
//! efficiency for normal alternatives", *Annals of Mathematical Statistics* 24 (1953)). Noise with heavier
//! tails has more of its values near the centre for the same σ, and the test then finds more than is said here.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::sign_test::{binomial_cdf, smallest_p};

/// The largest number of blocks that is ever advised; what needs more cannot be measured in practice.
const MOST_BLOCKS: usize = 10_000;

/// The confidence of the upper bound of the noise in [`pilot_blocks`].
const PILOT_CONFIDENCE: f64 = 0.8;

/// The largest count of the rarer sign at which the two-sided test of `n` values rejects at `alpha`.
fn critical_count(n: usize, alpha: f64) -> Option<i64> {
    let rejects = |k: usize| 2.0 * binomial_cdf(n, 0.5, k as i64) <= alpha;
    // A binary search for the first count that does not reject; it lies in 0 ..= n / 2 + 1.
    let (mut low, mut high) = (0, n / 2 + 1);
    while low < high {
        let middle = (low + high) / 2;
        if rejects(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (n > 0 && low > 0).then(|| low as i64 - 1)
}

/// The probability of rejecting when a value is positive with probability Φ(`shift`).
fn power_at(n: usize, critical: i64, shift: f64) -> f64 {
    let positive = Normal::standard().cdf(shift);
    (binomial_cdf(n, 1.0 - positive, critical) + binomial_cdf(n, positive, critical)).min(1.0)
}

/// The probability that a two-sided sign test of `n` values at level `alpha` finds a shift `effect` of their
/// median, if they are normal with standard deviation `sd` (in the unit of `effect`).
///
/// At an effect of 0 this is the level that the test really has. Without noise every effect is found where
/// `n` can reach `alpha` at all, and 0 where it cannot. A NaN, or an `sd` below 0, finds nothing: 0.
///
/// ```
/// // Twenty blocks with 2 % of noise find 3 % nearly always, and 1 % rarely.
/// assert!(duet::stats::power(20, 0.05, 0.02, 0.03) > 0.99);
/// assert!(duet::stats::power(20, 0.05, 0.02, 0.01) < 0.5);
/// ```
pub fn power(n: usize, alpha: f64, sd: f64, effect: f64) -> f64 {
    if sd.is_nan() || sd < 0.0 || effect.is_nan() || alpha.is_nan() {
        return 0.0;
    }
    let Some(critical) = critical_count(n, alpha) else {
        return 0.0;
    };
    match effect.abs() / sd {
        // 0/0: no noise and no effect, so that all values are 0, which carry no sign.
        shift if shift.is_nan() => 0.0,
        shift => power_at(n, critical, shift),
    }
}

/// The smallest shift of the median, in the unit of `sd`, that a two-sided sign test of `n` values at
/// level `alpha` finds with probability `power`, if the values are normal with standard deviation `sd`.
///
/// Found by bisection. `None` where no sample of `n` can reach `alpha`, or a number makes no sense.
pub fn detectable_effect(n: usize, alpha: f64, power: f64, sd: f64) -> Option<f64> {
    if smallest_p(n) > alpha || !(0.0..1.0).contains(&power) || !sd.is_finite() || sd < 0.0 {
        return None;
    }
    let critical = critical_count(n, alpha)?;
    let (mut low, mut high) = (0.0, 12.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if power_at(n, critical, middle) < power {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high * sd)
}

/// The smallest number of blocks whose sign test at level `alpha` finds `effect` with probability `power`,
/// if their log-ratios are normal with standard deviation `sd`.
///
/// For a family of m comparisons under Holm's correction give `alpha` / m. `None` where 10,000 blocks are
/// not enough, or a number makes no sense.
///
/// ```
/// assert_eq!(duet::stats::blocks_needed(0.02, 0.03, 0.05, 0.8), Some(9));
/// ```
pub fn blocks_needed(sd: f64, effect: f64, alpha: f64, power: f64) -> Option<usize> {
    let makes_sense = sd.is_finite()
        && sd >= 0.0
        && effect.is_finite()
        && effect != 0.0
        && alpha > 0.0
        && (0.0..1.0).contains(&power);
    if !makes_sense {
        return None;
    }
    let reaches = |n: usize| self::power(n, alpha, sd, effect) >= power;
    // The power is a saw-tooth in n, so that a bisection could end on a later tooth: the numbers are walked from
    // below, once a power of two has shown that one of them is enough.
    let enough = std::iter::successors(Some(1usize), |n| Some(n * 2))
        .take_while(|n| *n <= 2 * MOST_BLOCKS)
        .find(|n| reaches(*n))?;
    (1..=enough.min(MOST_BLOCKS)).find(|n| reaches(*n))
}

/// An upper confidence bound for the standard deviation of normal values, from that of a sample of `n`:
/// s·√((n − 1)/χ²), with the (1 − `confidence`) quantile of χ² with n − 1 degrees of freedom.
///
/// `None` for fewer than two values, or a number that makes no sense.
pub fn upper_sd(sd: f64, n: usize, confidence: f64) -> Option<f64> {
    if n < 2 || !sd.is_finite() || sd < 0.0 || !(0.0 < confidence && confidence < 1.0) {
        return None;
    }
    let degrees_of_freedom = n as f64 - 1.0;
    let quantile = ChiSquared::new(degrees_of_freedom)
        .ok()?
        .inverse_cdf(1.0 - confidence);
    Some(sd * (degrees_of_freedom / quantile).sqrt())
}

/// The number of blocks that a pilot advises: as [`blocks_needed`], with the upper 80 % confidence bound
/// in place of the pilot's own standard deviation.
///
/// The standard deviation of six blocks is as often too small as too large, and an n from one that is too
/// small breaks the promise. With the bound the promised power is kept in 80 % of pilots and on average over
/// all of them (R. H. Browne, "On the use of a pilot sample for sample size determination", *Statistics in
/// Medicine* 14 (1995); M. Kieser, G. Wassmer, "On the use of the upper confidence limit for the variance
/// from a pilot sample for sample size determination", *Biometrical Journal* 38 (1996)). The price is about
/// twice the blocks, because √(5/χ²₀.₂(5)) is 1.46.
///
/// The pilot's blocks must not be used again in the comparison. `None` as there, and for a pilot of fewer than
/// two blocks or with a value that is not finite.
pub fn pilot_blocks(pilot: &[f64], effect: f64, alpha: f64, power: f64) -> Option<usize> {
    let sd = super::standard_deviation(pilot)?;
    blocks_needed(
        upper_sd(sd, pilot.len(), PILOT_CONFIDENCE)?,
        effect,
        alpha,
        power,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With `k` the largest count at which 2·scipy.stats.binom.cdf(k, n, 0.5) ≤ alpha and
    /// `p = scipy.stats.norm.cdf(effect / sd)`: binom.cdf(k, n, 1 - p) + binom.cdf(k, n, p).
    #[track_caller]
    fn check(n: usize, alpha: f64, sd: f64, effect: f64, expected: f64) {
        let power = power(n, alpha, sd, effect);
        assert!((power - expected).abs() < 1e-9, "{power}");
        assert_eq!(self::power(n, alpha, sd, -effect), power);
    }

    #[test]
    fn power_matches_scipy() {
        check(20, 0.05, 0.02, 0.03, 0.998_479_576_857_975_5);
        check(6, 0.05, 0.01, 0.02, 0.871_031_222_699_994_1);
        check(30, 0.05 / 20.0, 0.02, 0.02, 0.812_163_749_636_514_6);
        check(10, 0.05, 0.03, 0.0, 0.021_484_375);
        check(5, 0.05, 0.01, 1.0, 0.0);
    }

    #[test]
    fn degenerate_numbers_find_nothing_and_do_not_panic() {
        check(0, 0.05, 0.01, 0.03, 0.0);
        check(20, 0.05, 0.0, 0.0, 0.0);
        check(20, 0.05, 0.0, 0.01, 1.0);
        check(20, 0.05, f64::INFINITY, 0.01, power(20, 0.05, 1.0, 0.0));
        for nonsense in [f64::NAN, -1.0] {
            assert_eq!(power(20, 0.05, nonsense, 0.03), 0.0);
            assert_eq!(blocks_needed(nonsense, 0.03, 0.05, 0.8), None);
            assert_eq!(detectable_effect(20, 0.05, 0.8, nonsense), None);
            assert_eq!(upper_sd(nonsense, 6, 0.8), None);
        }
        assert_eq!(power(20, 0.05, 0.01, f64::NAN), 0.0);
        assert_eq!(power(20, f64::NAN, 0.01, 0.03), 0.0);
        assert_eq!(blocks_needed(0.01, 0.0, 0.05, 0.8), None);
        assert_eq!(blocks_needed(0.01, f64::NAN, 0.05, 0.8), None);
        assert_eq!(blocks_needed(0.01, 0.03, 0.05, 1.0), None);
        assert_eq!(blocks_needed(10.0, 0.001, 0.05, 0.8), None);
        assert_eq!(blocks_needed(f64::INFINITY, 0.001, 0.05, 0.8), None);
        assert_eq!(upper_sd(0.01, 1, 0.8), None);
        assert_eq!(pilot_blocks(&[0.01], 0.03, 0.05, 0.8), None);
        assert_eq!(pilot_blocks(&[0.01, f64::NAN], 0.03, 0.05, 0.8), None);
    }

    #[test]
    fn blocks_needed_is_the_smallest_number_that_is_enough() {
        // The first n from 1 upwards at which the power above reaches the wanted one, in Python.
        for (sd, effect, alpha, wanted, expected) in [
            (0.02, 0.03, 0.05, 0.8, 9),
            (0.04, 0.03, 0.05, 0.8, 25),
            (0.01, 0.03, 0.05 / 20.0, 0.8, 10),
            (0.02, 0.01, 0.05, 0.9, 72),
            (0.0, 0.01, 0.05, 0.8, 6),
        ] {
            assert_eq!(blocks_needed(sd, effect, alpha, wanted), Some(expected));
        }
    }

    #[test]
    fn detectable_effect_is_where_the_power_is() {
        // With six values all must share a sign: Φ(x)⁶ = 0.8 (the other tail is negligible).
        let effect = detectable_effect(6, 0.05, 0.8, 1.0).expect("six values reach 3 %");
        let positive = Normal::standard().cdf(effect);
        assert!((positive.powi(6) - 0.8).abs() < 1e-6, "{effect}");
        assert!((power(6, 0.05, 1.0, effect) - 0.8).abs() < 1e-9);
        // It scales with the noise and falls with n.
        let half = detectable_effect(6, 0.05, 0.8, 0.5).expect("as above");
        assert!((half - effect / 2.0).abs() < 1e-9);
        assert!(detectable_effect(20, 0.05, 0.8, 1.0).expect("enough values") < effect / 2.0);
        // Five values cannot reach 5 %, nor six 1 %.
        assert_eq!(detectable_effect(5, 0.05, 0.8, 1.0), None);
        assert_eq!(detectable_effect(6, 0.01, 0.8, 1.0), None);
    }

    #[test]
    fn the_bound_of_a_pilots_noise_is_that_of_the_chi_square() {
        // √(5 / scipy.stats.chi2.ppf(0.2, 5)), with 2.342534305841121; and ppf(0.05, 19).
        let bound = upper_sd(0.01, 6, 0.8).expect("six blocks");
        assert!((bound / (0.01 * (5.0f64 / 2.342_534_305_841_121).sqrt()) - 1.0).abs() < 1e-9);
        let bound = upper_sd(0.01, 20, 0.95).expect("twenty blocks");
        assert!((bound / (0.01 * (19.0f64 / 10.117_013_063_859_044).sqrt()) - 1.0).abs() < 1e-9);
        // A pilot asks for more than its own standard deviation does.
        let pilot = [0.01, -0.02, 0.03, -0.01, 0.02, -0.03];
        let own = crate::stats::standard_deviation(&pilot).expect("six blocks");
        assert!(pilot_blocks(&pilot, 0.03, 0.05, 0.8) > blocks_needed(own, 0.03, 0.05, 0.8));
    }
}
