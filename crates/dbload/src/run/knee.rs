//! Reading a sweep: how large a pool is large enough.

/// One pool size of a sweep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SweepPoint {
    /// The connections of the pool.
    pub size: u32,
    /// Successful operations a second.
    pub throughput: f64,
    /// The 95th percentile of the latency in nanoseconds, waiting for the pool included; `None` when
    /// nothing succeeded.
    pub p95_ns: Option<u64>,
}

/// What may be given up of the best throughput.
const THROUGHPUT_SHARE: f64 = 0.95;

/// How much longer than the best the 95th percentile may be.
const P95_FACTOR: f64 = 1.10;

/// The knee of a sweep over pool sizes: the smallest size that gives up at most 5 % of the best
/// throughput and, among the sizes that do not give up more, has a p95 at most 10 % longer than the
/// best. `None` when no size had a success. The order of the points does not matter.
///
/// A tolerance is what the question asks for: connections cost the server memory and processes, so
/// the fewest are wanted that are as good as the best within what two runs differ anyway. Both
/// figures count, as below saturation an open loop has one throughput at every size and shows a small
/// pool in its latencies alone. Methods that look for the largest curvature (Kneedle: Satopää et al.,
/// "Finding a 'kneedle' in a haystack", ICDCS workshops 2011) want many points on a smooth curve and
/// find a knee in a straight line as well; a sweep has half a dozen points with noise.
///
/// ```
/// use dbload::{SweepPoint, knee};
///
/// let point = |size, throughput, p95_ns| SweepPoint { size, throughput, p95_ns: Some(p95_ns) };
/// let sweep = [point(1, 500.0, 40_000), point(2, 960.0, 20_000), point(4, 990.0, 20_500), point(8, 1_000.0, 24_000)];
/// assert_eq!(knee(&sweep), Some(2));
/// ```
pub fn knee(points: &[SweepPoint]) -> Option<u32> {
    let successful = || {
        points
            .iter()
            .filter_map(|point| Some((point, point.p95_ns?)))
    };
    let best = successful()
        .map(|(point, _)| point.throughput)
        .fold(0.0, f64::max);
    let good = || successful().filter(|(point, _)| point.throughput >= THROUGHPUT_SHARE * best);
    let shortest = good().map(|(_, p95_ns)| p95_ns).min()?;
    good()
        .filter(|&(_, p95_ns)| p95_ns as f64 <= P95_FACTOR * shortest as f64)
        .map(|(point, _)| point.size)
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(curve: &[(u32, f64, u64)], expected: Option<u32>) {
        let mut points: Vec<SweepPoint> = curve
            .iter()
            .map(|&(size, throughput, p95_us)| SweepPoint {
                size,
                throughput,
                p95_ns: (p95_us > 0).then_some(p95_us * 1_000),
            })
            .collect();
        assert_eq!(knee(&points), expected);
        points.reverse();
        assert_eq!(knee(&points), expected);
    }

    #[test]
    fn the_knee_of_made_up_curves() {
        // Saturating: Amdahl's law with a tenth that is serial has its best at the end.
        check(
            &[
                (1, 100.0, 80),
                (2, 182.0, 44),
                (4, 308.0, 26),
                (8, 471.0, 17),
                (16, 640.0, 13),
            ],
            Some(16),
        );
        // Two cores: nothing is gained beyond two.
        check(
            &[
                (1, 500.0, 40),
                (2, 990.0, 20),
                (4, 1_000.0, 20),
                (8, 980.0, 21),
                (16, 930.0, 23),
            ],
            Some(2),
        );
        // More connections than are good.
        check(
            &[
                (1, 900.0, 10),
                (2, 1_000.0, 10),
                (4, 700.0, 30),
                (8, 400.0, 90),
            ],
            Some(2),
        );
        // An open loop below saturation: the throughput is that of the arrivals.
        check(
            &[
                (1, 200.0, 900),
                (2, 200.0, 120),
                (4, 200.0, 60),
                (8, 199.0, 58),
            ],
            Some(4),
        );
        // Best in throughput, but with a latency that a slightly slower one does not have.
        check(&[(4, 96.0, 100), (8, 100.0, 200)], Some(4));
        // All the same.
        check(&[(1, 100.0, 50), (2, 100.0, 50), (4, 100.0, 50)], Some(1));
        check(&[(3, 1.0, 7)], Some(3));
        // A size that failed altogether is no candidate, and none may be left.
        check(&[(1, 100.0, 50), (200, 0.0, 0)], Some(1));
        check(&[(1, 0.0, 0)], None);
        check(&[], None);
    }
}
