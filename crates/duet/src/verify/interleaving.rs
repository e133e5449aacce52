//! What interleaving gives on this host: a claim that is shown with its figure where the host has anything to cancel.

use serde::{Deserialize, Serialize};

use super::check::Check;
use super::real::Mode;
use crate::turns::Interleave;

/// What the standard deviation of interleaved blocks is at most, as a share of that of sequential ones.
const LIMIT: f64 = 1.0 / 3.0;

/// The standard deviation of sequential blocks below which there is too little to cancel for that to show.
const QUIET: f64 = 0.01;

/// How much less blocks vary where their processes are interleaved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interleaving {
    /// Whether the test brought a disturbance of its own.
    pub disturbed: bool,
    /// Cases that have both figures.
    pub cases: usize,
    /// The standard deviation of blocks whose processes run one after the other: the geometric mean over the cases.
    pub sequential_sd: f64,
    /// That of interleaved blocks as a share of it, likewise: each case in the way that its plan chose.
    pub of_sequential: f64,
    /// Cases for themselves in which the share is at most a third.
    pub cases_within: usize,
    /// Whether that geometric mean is at most a third; absent where sequential runs differ by so little that it cannot show.
    pub passed: Option<bool>,
}

impl Interleaving {
    /// The claim for a host as it is, or disturbed; `None` without figures. `chosen` says how each case is interleaved.
    pub fn of(
        modes: &[Mode],
        disturbed: bool,
        chosen: impl Fn(&str) -> Option<Interleave>,
    ) -> Option<Self> {
        let mut shares = Vec::new();
        let mut sequential = Vec::new();
        for mode in modes.iter().filter(|mode| mode.disturbed == disturbed) {
            let way = chosen(&mode.case).filter(|way| *way != Interleave::Sequential);
            let is_chosen = way.is_some_and(|way| super::real::name(way) == mode.interleave);
            if let (true, Some(share), Some(sd)) = (is_chosen, mode.of_sequential, mode.block_sd)
                && share > 0.0
            {
                shares.push(share);
                sequential.push(sd / share);
            }
        }
        let sequential_sd = geometric_mean(&sequential)?;
        let of_sequential = geometric_mean(&shares)?;
        Some(Self {
            disturbed,
            cases: shares.len(),
            sequential_sd,
            of_sequential,
            cases_within: shares.iter().filter(|share| **share <= LIMIT).count(),
            passed: (sequential_sd >= QUIET).then_some(of_sequential <= LIMIT),
        })
    }

    /// The check that it makes, where it can be shown.
    pub fn check(&self) -> Option<Check> {
        self.passed?;
        let host = match self.disturbed {
            true => "under the test's own disturbance",
            false => "on this host as it is",
        };
        Some(Check::within(
            format!(
                "real processes: noise of interleaved blocks as a share of sequential ones, {host}"
            ),
            self.of_sequential,
            0.0,
            LIMIT,
            self.cases,
        ))
    }

    /// What it comes to.
    pub fn words(&self) -> String {
        let host = match self.disturbed {
            true => "Under a disturbance that the test brings (bursts of other work on every CPU)",
            false => "On this host as it is",
        };
        let figures = format!(
            "interleaved blocks vary by {:.0} % of what sequential ones do (geometric mean; at most a third in {} of {} {})",
            self.of_sequential * 100.0,
            self.cases_within,
            self.cases,
            if self.cases == 1 { "case" } else { "cases" },
        );
        match self.passed {
            Some(true) => format!("{host}, {figures}: on the whole at most a third, as claimed."),
            Some(false) => format!("{host}, {figures}: MORE than the third that is claimed."),
            None => format!(
                "{host}, that interleaving takes two thirds of the noise away is not shown: sequential runs differ by only \
                 {:.2} % ({figures}).",
                self.sequential_sd * 100.0
            ),
        }
    }
}

fn geometric_mean(values: &[f64]) -> Option<f64> {
    let logs: f64 = values.iter().map(|value| value.ln()).sum();
    (!values.is_empty()).then(|| (logs / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(case: &str, interleave: &str, sd: f64, share: f64, disturbed: bool) -> Mode {
        Mode {
            case: case.into(),
            interleave: interleave.into(),
            disturbed,
            blocks: 20,
            block_sd: Some(sd),
            of_sequential: Some(share),
            ratio: 1.0,
            interval_95: None,
            p: 1.0,
        }
    }

    #[track_caller]
    fn check(sds: [f64; 2], shares: [f64; 2], passed: Option<bool>, words: &str) {
        let modes = [
            mode("a", "sequential", sds[0] / shares[0], 1.0, false),
            mode("a", "lockstep", sds[0], shares[0], false),
            mode("b", "lockstep", 0.5, 0.9, false),
            mode("b", "sliced", sds[1], shares[1], false),
            mode("a", "lockstep", 0.9, 0.9, true),
        ];
        let chosen = |case: &str| {
            Some(match case {
                "a" => Interleave::Lockstep,
                _ => Interleave::Sliced,
            })
        };
        let found = Interleaving::of(&modes, false, chosen).expect("there are figures");
        assert_eq!((found.cases, found.passed), (2, passed), "{found:?}");
        assert!(found.words().contains(words), "{}", found.words());
        assert_eq!(found.check().map(|check| check.passed), passed);
    }

    #[test]
    fn the_claim_is_kept_broken_or_cannot_be_shown() {
        check(
            [0.01, 0.02],
            [0.2, 0.4],
            Some(true),
            "28 % of what sequential ones do (geometric mean; at most a third in 1 of 2 cases): on the whole at most a third",
        );
        check([0.02, 0.02], [0.5, 0.5], Some(false), "MORE than the third");
        check(
            [0.001, 0.001],
            [0.5, 0.5],
            None,
            "not shown: sequential runs differ by only 0.20 %",
        );
    }

    #[test]
    fn without_figures_nothing_is_said() {
        let lockstep = |_: &str| Some(Interleave::Lockstep);
        assert_eq!(Interleaving::of(&[], false, lockstep), None);
        let sliced = [mode("a", "sliced", 0.1, 0.2, false)];
        assert_eq!(Interleaving::of(&sliced, false, lockstep), None);
        assert_eq!(
            Interleaving::of(&sliced, true, |_| Some(Interleave::Sliced)),
            None
        );
    }
}
