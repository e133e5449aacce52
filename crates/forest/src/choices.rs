//! The values of parameters that are choices.

use crate::ForestError;

/// How thresholds are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Splitter {
    /// The best of all thresholds of every drawn feature.
    #[default]
    Best,
    /// One threshold a drawn feature, anywhere between the least and the greatest value of the node,
    /// of which the best is taken: extremely randomised trees (P. Geurts, D. Ernst and L. Wehenkel,
    /// Machine Learning 63, 2006).
    Random,
}

/// The implementation that chooses the splits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The one of this crate.
    #[default]
    Native,
    /// The crate `linfa-trees`, one node at a time, for comparison. It classifies by the Gini impurity
    /// in single precision, up to 2²³ rows, and knows neither weights nor [`Splitter::Random`]; a
    /// split must decrease the impurity by at least 1.2e-7. With three or more classes its sums follow a
    /// randomly seeded hash table: of two splits that are equal up to rounding either may be
    /// chosen, so that two fits can differ there.
    #[cfg(feature = "linfa")]
    Linfa,
}

/// How many features are drawn for a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFeatures {
    /// The square root of the number of features, rounded down, at least 1.
    Sqrt,
    /// The binary logarithm of the number of features, rounded down, at least 1.
    Log2,
    /// All features.
    All,
    /// This many features.
    Number(usize),
    /// This share of the features, above 0 and at most 1, rounded down, at least 1 feature.
    Fraction(f64),
}

impl MaxFeatures {
    /// The number of features drawn for a split out of `n_features`, which is at least 1.
    pub(crate) fn resolve(self, n_features: usize) -> Result<usize, ForestError> {
        let asked = match self {
            Self::Sqrt => n_features.isqrt(),
            Self::Log2 => n_features.ilog2() as usize,
            Self::All => n_features,
            Self::Number(asked) if asked > n_features => {
                return Err(ForestError::MaxFeatures { asked, n_features });
            }
            Self::Number(asked) => asked,
            // The conversion rounds down.
            Self::Fraction(share) => (share * n_features as f64) as usize,
        };
        Ok(asked.clamp(1, n_features))
    }
}

/// How many rows are drawn for a bootstrap sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum MaxSamples {
    /// As many as there are.
    #[default]
    All,
    /// This many.
    Number(usize),
    /// This share of the rows, above 0 and at most 1, rounded to the nearest number, at least 1 row.
    Fraction(f64),
}

impl MaxSamples {
    /// The number of rows drawn out of `n_samples`, which is at least 1.
    pub(crate) fn resolve(self, n_samples: usize) -> Result<usize, ForestError> {
        match self {
            Self::All => Ok(n_samples),
            Self::Number(asked) if asked > n_samples => {
                Err(ForestError::MaxSamples { asked, n_samples })
            }
            Self::Number(asked) => Ok(asked),
            Self::Fraction(share) => {
                Ok(((share * n_samples as f64 + 0.5) as usize).clamp(1, n_samples))
            }
        }
    }
}

/// What the splits of a classification make smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Criterion {
    /// The Gini impurity, 1 − Σ p².
    #[default]
    Gini,
    /// The entropy, −Σ p log₂ p.
    Entropy,
}

/// By how much the weight of every row is multiplied, depending on its label.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeight<L> {
    /// By 1.
    #[default]
    Uniform,
    /// By the number of rows divided by the number of labels and by the number of rows with the same
    /// label, so that all labels have the same weight.
    Balanced,
    /// By these numbers; labels that are not listed by 1.
    Each(Vec<(L, f64)>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_features(max_features: MaxFeatures, n_features: usize, expected: usize) {
        assert_eq!(max_features.resolve(n_features).unwrap(), expected);
    }

    #[test]
    fn features_per_split() {
        for (n, sqrt, log2) in [(1, 1, 1), (2, 1, 1), (10, 3, 3), (100, 10, 6)] {
            check_features(MaxFeatures::Sqrt, n, sqrt);
            check_features(MaxFeatures::Log2, n, log2);
            check_features(MaxFeatures::All, n, n);
            check_features(MaxFeatures::Number(n), n, n);
            check_features(MaxFeatures::Fraction(1.0), n, n);
            check_features(MaxFeatures::Fraction(1e-9), n, 1);
        }
        check_features(MaxFeatures::Fraction(0.35), 10, 3);
        let error = MaxFeatures::Number(4).resolve(3).unwrap_err().to_string();
        assert_eq!(
            error,
            "max_features is 4, but the records have only 3 columns"
        );
    }

    #[test]
    fn samples_per_tree() {
        assert_eq!(MaxSamples::All.resolve(7).unwrap(), 7);
        assert_eq!(MaxSamples::Fraction(0.5).resolve(7).unwrap(), 4);
        assert_eq!(MaxSamples::Fraction(1e-9).resolve(7).unwrap(), 1);
        assert_eq!(MaxSamples::Number(7).resolve(7).unwrap(), 7);
        let error = MaxSamples::Number(8).resolve(7).unwrap_err().to_string();
        assert_eq!(error, "max_samples is 8, but the records have only 7 rows");
    }
}
