//! A level that changes linearly and then stays.

use std::time::Duration;

/// A level at the start of a run, another one after some time, and a straight line between them.
///
/// The time counts from the start of the run, its warm-up included: with a warm-up as long as the
/// ramp, only what comes after the ramp is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ramp<T> {
    /// The level at the start.
    pub from: T,
    /// The level after [`over`](Self::over), and from then on.
    pub to: T,
    /// How long the change takes.
    pub over: Duration,
}

impl<T: Copy> Ramp<T> {
    /// No ramp: one level from the start to the end.
    pub fn steady(level: T) -> Self {
        Self {
            from: level,
            to: level,
            over: Duration::ZERO,
        }
    }
}

impl Ramp<f64> {
    /// When the integral of a rate (a second) has reached `amount`, in seconds; `None` when it never
    /// does, as the ramp ends at 0.
    ///
    /// On the ramp, `from·t + (to − from)·t² / (2·over) = amount` is solved by the form of the
    /// quadratic formula that does not cancel.
    pub(super) fn reaches(&self, amount: f64) -> Option<f64> {
        let over = self.over.as_secs_f64();
        let on_ramp = (self.from + self.to) / 2.0 * over;
        if amount < on_ramp {
            let slope = (self.to - self.from) / over;
            let root = (self.from * self.from + 2.0 * slope * amount)
                .max(0.0)
                .sqrt();
            // Both are 0 only where nothing is asked for at a rate that starts at 0.
            let divisor = self.from + root;
            return Some(if divisor > 0.0 {
                2.0 * amount / divisor
            } else {
                0.0
            });
        }
        (self.to > 0.0).then(|| over + (amount - on_ramp) / self.to)
    }
}

impl Ramp<u32> {
    /// The highest level.
    pub(super) fn most(&self) -> u32 {
        self.from.max(self.to)
    }

    /// When the client of this number, from 0, comes and goes; it stays when the second is `None`.
    ///
    /// A client comes when the line reaches its number and one more, so that the last of them comes
    /// at the end of the ramp; it goes when the line has come down to its number.
    pub(super) fn presence(&self, client: u32) -> (Duration, Option<Duration>) {
        let share = |steps: u32, of: u32| self.over.mul_f64(f64::from(steps) / f64::from(of));
        if client < self.from.min(self.to) {
            (Duration::ZERO, None)
        } else if self.from < self.to {
            let joins = share(client + 1 - self.from, self.to - self.from);
            (joins, None)
        } else {
            let leaves = share(self.from - client, self.from - self.to);
            (Duration::ZERO, Some(leaves))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_reaches(from: f64, to: f64, over: u64, amount: f64, expected: Option<f64>) {
        let over = Duration::from_secs(over);
        let found = Ramp { from, to, over }.reaches(amount);
        let close = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-12,
            (found, expected) => found == expected,
        };
        assert!(close, "{found:?} instead of {expected:?}");
    }

    #[test]
    fn the_integral_of_a_rate_is_inverted() {
        check_reaches(100.0, 100.0, 0, 0.0, Some(0.0));
        check_reaches(100.0, 100.0, 0, 250.0, Some(2.5));
        check_reaches(100.0, 100.0, 10, 250.0, Some(2.5));
        // From 0 to 100 over 10 s: t² · 5.
        check_reaches(0.0, 100.0, 10, 0.0, Some(0.0));
        check_reaches(0.0, 100.0, 10, 5.0, Some(1.0));
        check_reaches(0.0, 100.0, 10, 500.0, Some(10.0));
        check_reaches(0.0, 100.0, 10, 700.0, Some(12.0));
        // Down to 0: 500 arrivals and no more.
        check_reaches(100.0, 0.0, 10, 375.0, Some(5.0));
        check_reaches(100.0, 0.0, 10, 500.0, None);
        check_reaches(100.0, 0.0, 10, 501.0, None);
    }

    #[track_caller]
    fn check_presence(from: u32, to: u32, client: u32, joins_s: u64, leaves_s: Option<u64>) {
        let over = Duration::from_secs(12);
        let expected = (
            Duration::from_secs(joins_s),
            leaves_s.map(Duration::from_secs),
        );
        assert_eq!(Ramp { from, to, over }.presence(client), expected);
    }

    #[test]
    fn clients_come_and_go_one_by_one() {
        check_presence(0, 4, 0, 3, None);
        check_presence(0, 4, 3, 12, None);
        check_presence(2, 4, 1, 0, None);
        check_presence(2, 4, 2, 6, None);
        check_presence(2, 4, 3, 12, None);
        check_presence(4, 2, 3, 0, Some(6));
        check_presence(4, 2, 2, 0, Some(12));
        check_presence(4, 2, 1, 0, None);
        check_presence(3, 3, 2, 0, None);
        assert_eq!(Ramp::steady(5).presence(4), (Duration::ZERO, None));
        assert_eq!(
            Ramp {
                from: 7,
                to: 3,
                over: Duration::ZERO
            }
            .most(),
            7
        );
    }
}
