//! When the operations of an open loop arrive.

use super::plan::Arrivals;
use super::ramp::Ramp;
use crate::random::SplitMix64;

/// The arrivals of an open loop, one after the other, computed as they are asked for.
///
/// A process of rate 1 (whole numbers, or sums of exponential gaps) is stretched by the inverse of
/// the integrated rate. The schedule follows from rate, spacing and seed alone; nothing that happens
/// during a run moves an arrival.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    rate: Ramp<f64>,
    arrivals: Arrivals,
    random: SplitMix64,
    number: u64,
    /// Where the process of rate 1 stands.
    position: f64,
    /// An arrival that was looked at and not taken.
    peeked: Option<(u64, u64)>,
    closed: bool,
}

impl Schedule {
    pub(super) fn new(rate: Ramp<f64>, arrivals: Arrivals, random: SplitMix64) -> Self {
        Self {
            rate,
            arrivals,
            random,
            number: 0,
            position: 0.0,
            peeked: None,
            closed: false,
        }
    }

    /// The next arrival, if it is before this time.
    pub(super) fn next_before(&mut self, until_ns: u64) -> Option<(u64, u64)> {
        if self.closed {
            return None;
        }
        let next = self.peeked.take().or_else(|| self.next())?;
        if next.1 < until_ns {
            return Some(next);
        }
        self.peeked = Some(next);
        None
    }

    /// Nothing arrives any more.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}

impl Iterator for Schedule {
    /// The number of the arrival, from 0, and its time in nanoseconds after the start.
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let position = match self.arrivals {
            Arrivals::Fixed => self.number as f64,
            Arrivals::Poisson => {
                self.position += exponential(&mut self.random);
                self.position
            }
        };
        let number = self.number;
        let at_s = self.rate.reaches(position)?;
        self.number += 1;
        // A plan lasts a thousand hours at most, which fits; what is later saturates.
        Some((number, (at_s * 1e9).round() as u64))
    }
}

/// A draw from the exponential distribution with mean 1, by inversion.
///
/// The logarithm is one that computes the same bits on every platform, so that schedules are equal
/// whatever C library the program has.
pub(super) fn exponential(random: &mut SplitMix64) -> f64 {
    // 53 bits in (0, 1]: 0 has no logarithm.
    let uniform = ((random.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -libm::log(uniform)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn schedule(rate: Ramp<f64>, arrivals: Arrivals) -> Schedule {
        Schedule::new(rate, arrivals, SplitMix64::new(7))
    }

    #[test]
    fn fixed_arrivals_are_exactly_spaced() {
        let times: Vec<_> = schedule(Ramp::steady(1_000.0), Arrivals::Fixed)
            .take(100_000)
            .collect();
        assert!(
            times
                .iter()
                .enumerate()
                .all(|(index, &(number, at_ns))| number == index as u64
                    && at_ns == number * 1_000_000)
        );
        // A rate that is no divisor of a second does not drift.
        let third = schedule(Ramp::steady(3.0), Arrivals::Fixed).nth(3_000_000);
        assert_eq!(third, Some((3_000_000, 1_000_000_000_000_000)));
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let rate = 500.0;
        let times: Vec<u64> = schedule(Ramp::steady(rate), Arrivals::Poisson)
            .map(|(_, at_ns)| at_ns)
            .take(100_000)
            .collect();
        let gaps: Vec<f64> = times
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) as f64 / 1e9 * rate)
            .collect();
        let count = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / count;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / count;
        assert!((mean - 1.0).abs() < 0.015, "{mean}");
        assert!((variance - 1.0).abs() < 0.04, "{variance}");
        // Kolmogorov and Smirnov's largest distance to 1 − e⁻ˣ, with its bound for 1 in 1,000.
        let mut sorted = gaps;
        sorted.sort_by(f64::total_cmp);
        let distance = sorted
            .iter()
            .enumerate()
            .map(|(index, gap)| (index as f64 / count - (1.0 - (-gap).exp())).abs())
            .fold(0.0, f64::max);
        assert!(distance < 1.95 / count.sqrt(), "{distance}");
        // Counts of a second have the variance of their mean.
        let mut seconds = vec![0_u32; (times[times.len() - 1] / 1_000_000_000) as usize];
        for at_ns in &times {
            if let Some(second) = seconds.get_mut((at_ns / 1_000_000_000) as usize) {
                *second += 1;
            }
        }
        let mean = seconds.iter().sum::<u32>() as f64 / seconds.len() as f64;
        let dispersion = seconds
            .iter()
            .map(|&n| (f64::from(n) - mean).powi(2))
            .sum::<f64>()
            / seconds.len() as f64
            / mean;
        assert!((0.6..1.5).contains(&dispersion), "{dispersion}");
    }

    #[track_caller]
    fn check_ramp(from: f64, to: f64, arrivals: Arrivals, within: f64) {
        let over = Duration::from_secs(20);
        let expected = (from + to) / 2.0 * 20.0;
        let during = schedule(Ramp { from, to, over }, arrivals)
            .take_while(|&(_, at_ns)| at_ns < 20_000_000_000)
            .count();
        assert!(
            (during as f64 - expected).abs() <= within,
            "{during} arrivals instead of {expected}"
        );
    }

    #[test]
    fn a_ramp_has_as_many_arrivals_as_its_integral() {
        check_ramp(0.0, 1_000.0, Arrivals::Fixed, 1.0);
        check_ramp(200.0, 1_000.0, Arrivals::Fixed, 1.0);
        check_ramp(1_000.0, 0.0, Arrivals::Fixed, 1.0);
        // Four standard deviations.
        check_ramp(0.0, 1_000.0, Arrivals::Poisson, 400.0);
        check_ramp(1_000.0, 0.0, Arrivals::Poisson, 400.0);
    }

    #[test]
    fn a_ramp_to_nothing_ends() {
        let rate = Ramp {
            from: 10.0,
            to: 0.0,
            over: Duration::from_secs(4),
        };
        let times: Vec<_> = schedule(rate, Arrivals::Fixed).collect();
        assert_eq!(times.len(), 20);
        assert!(times.is_sorted());
    }

    #[test]
    fn what_is_not_due_is_not_lost() {
        let mut schedule = schedule(Ramp::steady(1_000.0), Arrivals::Fixed);
        assert_eq!(schedule.next_before(1), Some((0, 0)));
        assert_eq!(schedule.next_before(1_000_000), None);
        assert_eq!(schedule.next_before(1_000_001), Some((1, 1_000_000)));
        schedule.close();
        assert_eq!(schedule.next_before(u64::MAX), None);
    }

    #[test]
    fn the_seed_is_the_schedule() {
        let take = |seed| {
            Schedule::new(Ramp::steady(9.0), Arrivals::Poisson, SplitMix64::new(seed))
                .take(50)
                .collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
