//! The four verdicts and the rule that gives them.

use serde::{Deserialize, Serialize};
use std::fmt;

use super::Interval;

/// What a comparison says of a variant against the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It takes less: the interval lies below no difference.
    Faster,
    /// It takes more: the interval lies above no difference.
    Slower,
    /// Any difference is smaller than the margin that was declared beforehand.
    Equivalent,
    /// The data allow no statement at this number of blocks.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What a verdict rests on; everything on the log scale.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    /// The 95 % interval of the median log-ratio, where n allows one.
    pub interval_95: Option<Interval>,
    /// The 90 % interval, for equivalence: two one-sided tests at 5 % each.
    pub interval_90: Option<Interval>,
    /// The p-value of "no difference", corrected for the family where that is possible.
    pub p_adjusted: f64,
    /// The margin of equivalence as a ratio minus one: 0.03 is ±3 %.
    pub margin: f64,
}

impl Evidence {
    /// The verdict.
    ///
    /// `faster` and `slower` come first: a difference that is real is reported even where it is smaller
    /// than the margin, since its size stands beside it. `equivalent` needs the 90 % interval to lie inside
    /// the margin on the log scale (D. J. Schuirmann, "A comparison of the two one-sided tests procedure
    /// and the power approach", *Journal of Pharmacokinetics and Biopharmaceutics* 15 (1987)).
    pub fn verdict(&self) -> Verdict {
        match self.interval_95 {
            Some(interval) if self.p_adjusted <= 0.05 && interval.low > 0.0 => Verdict::Slower,
            Some(interval) if self.p_adjusted <= 0.05 && interval.high < 0.0 => Verdict::Faster,
            _ if self.within_margin() => Verdict::Equivalent,
            _ => Verdict::Inconclusive,
        }
    }

    /// Whether the 90 % interval lies inside the margin, whatever the verdict.
    pub fn within_margin(&self) -> bool {
        self.interval_90
            .is_some_and(|interval| interval.lies_within(self.margin.ln_1p()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(low: f64, high: f64, p_adjusted: f64, expected: Verdict) {
        let interval = Some(Interval {
            low,
            high,
            level: 0.95,
        });
        let evidence = Evidence {
            interval_95: interval,
            interval_90: interval,
            p_adjusted,
            margin: 0.03,
        };
        assert_eq!(evidence.verdict(), expected);
    }

    #[test]
    fn verdict_follows_interval_and_margin() {
        check(0.05, 0.10, 0.01, Verdict::Slower);
        check(-0.10, -0.05, 0.01, Verdict::Faster);
        check(-0.01, 0.02, 0.6, Verdict::Equivalent);
        check(-0.01, 0.05, 0.6, Verdict::Inconclusive);
        // A small real difference is named; the margin does not hide it.
        check(0.005, 0.02, 0.01, Verdict::Slower);
        // What the correction for many comparisons takes away is not claimed.
        check(0.05, 0.10, 0.2, Verdict::Inconclusive);
        check(0.005, 0.02, 0.2, Verdict::Equivalent);
        // An end of the interval on the margin or on zero is not inside or beyond it.
        check(-0.01, 0.03f64.ln_1p(), 0.6, Verdict::Inconclusive);
        check(0.0, 0.10, 0.05, Verdict::Inconclusive);
    }

    #[test]
    fn nothing_is_claimed_without_an_interval() {
        let evidence = Evidence {
            interval_95: None,
            interval_90: None,
            p_adjusted: 0.0,
            margin: 0.03,
        };
        assert_eq!(evidence.verdict(), Verdict::Inconclusive);
    }
}
