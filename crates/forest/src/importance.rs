//! Permutation importance.

use crate::forest::Question;
use crate::random::Random;
use crate::{Float, ForestError, Samples};

/// By how much a score falls when the values of a feature are shuffled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PermutationImportance {
    /// The mean of the repeats.
    pub mean: f64,
    /// The standard deviation of the repeats, with their number as the divisor.
    pub std_dev: f64,
}

/// Scores the samples as they are and with the values of each feature shuffled.
pub(crate) fn permute<F: Float>(
    samples: &Samples<F>,
    n_repeats: usize,
    seed: u64,
    score: impl Fn(Question) -> Result<f64, ForestError>,
) -> Result<Vec<PermutationImportance>, ForestError> {
    if samples.n_samples() == 0 {
        return Err(ForestError::NoSamples);
    }
    if n_repeats == 0 {
        return Err(ForestError::NRepeats);
    }
    let whole = score(Question::default())?;
    let mut rows: Vec<u32> = (0..samples.n_samples() as u32).collect();
    let mut random = Random::new(seed);
    let mut importance = |feature| -> Result<PermutationImportance, ForestError> {
        let mut falls = Vec::with_capacity(n_repeats);
        for _ in 0..n_repeats {
            random.shuffle(&mut rows);
            let permuted = Some((feature, &rows[..]));
            let permuted = score(Question {
                only: None,
                permuted,
            })?;
            falls.push(whole - permuted);
        }
        let n = n_repeats as f64;
        let mean = falls.iter().sum::<f64>() / n;
        let squares = falls.iter().map(|fall| (fall - mean) * (fall - mean));
        Ok(PermutationImportance {
            mean,
            std_dev: (squares.sum::<f64>() / n).sqrt(),
        })
    };
    (0..samples.n_features()).map(&mut importance).collect()
}

/// Refuses labels or targets of another number than that of the rows.
pub(crate) fn check_count<F: Float>(
    samples: &Samples<F>,
    n_labels: usize,
) -> Result<(), ForestError> {
    let n_samples = samples.n_samples();
    if n_labels == n_samples {
        Ok(())
    } else {
        Err(ForestError::LabelCount {
            n_samples,
            n_labels,
        })
    }
}
