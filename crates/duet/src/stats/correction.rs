//! Corrections for looking at many comparisons at once.

/// Holm's step-down adjustment: p-values under which the chance of *any* false rejection in the
/// family stays at the level.
///
/// Source: S. Holm, "A simple sequentially rejective multiple test procedure", *Scandinavian Journal of
/// Statistics* 6 (1979). The result is in the order of the input. A NaN counts as 1, no evidence.
///
/// ```
/// assert_eq!(duet::stats::holm(&[0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let p_values = without_nan(p_values);
    let m = p_values.len();
    let mut adjusted = vec![1.0; m];
    let mut highest: f64 = 0.0;
    for (rank, &index) in ascending(&p_values).iter().enumerate() {
        highest = highest.max((m - rank) as f64 * p_values[index]);
        adjusted[index] = highest.min(1.0);
    }
    adjusted
}

/// Benjamini and Hochberg's step-up adjustment: p-values under which the expected *share* of false
/// rejections stays at the level.
///
/// Source: Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", *Journal of the Royal
/// Statistical Society B* 57 (1995). The result is in the order of the input. A NaN counts as 1, no evidence.
///
/// ```
/// assert_eq!(duet::stats::benjamini_hochberg(&[0.01, 0.04, 0.03]), [0.03, 0.04, 0.04]);
/// ```
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let p_values = without_nan(p_values);
    let m = p_values.len();
    let mut adjusted = vec![1.0; m];
    let mut lowest: f64 = 1.0;
    for (rank, &index) in ascending(&p_values).iter().enumerate().rev() {
        lowest = lowest.min(m as f64 / (rank + 1) as f64 * p_values[index]);
        adjusted[index] = lowest;
    }
    adjusted
}

fn without_nan(p_values: &[f64]) -> Vec<f64> {
    let known = |p: &f64| if p.is_nan() { 1.0 } else { *p };
    p_values.iter().map(known).collect()
}

/// The indices of `p_values` from the smallest to the largest value.
fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(adjust: fn(&[f64]) -> Vec<f64>, p_values: &[f64], expected: &[f64]) {
        let adjusted = adjust(p_values);
        assert_eq!(adjusted.len(), expected.len());
        for (got, want) in adjusted.iter().zip(expected) {
            assert!((got - want).abs() < 1e-12, "{adjusted:?}");
        }
    }

    /// The expected values are those of R's `p.adjust(p, "holm")` and `p.adjust(p, "BH")`.
    #[test]
    fn matches_r() {
        let p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205];
        check(
            holm,
            &p,
            &[0.008, 0.056, 0.234, 0.234, 0.234, 0.234, 0.234, 0.234],
        );
        check(
            benjamini_hochberg,
            &p,
            &[
                0.008,
                0.032,
                0.0672,
                0.0672,
                0.0672,
                0.08,
                0.074 * 8.0 / 7.0,
                0.205,
            ],
        );
    }

    #[test]
    fn degenerate_families() {
        check(holm, &[], &[]);
        check(benjamini_hochberg, &[], &[]);
        check(holm, &[0.2], &[0.2]);
        check(benjamini_hochberg, &[0.2], &[0.2]);
        check(holm, &[1.0, 1.0], &[1.0, 1.0]);
        check(holm, &[0.9, 0.6, 0.5], &[1.0, 1.0, 1.0]);
        check(holm, &[f64::NAN, 0.01], &[1.0, 0.02]);
        check(benjamini_hochberg, &[f64::NAN, 0.01], &[1.0, 0.02]);
        check(benjamini_hochberg, &[f64::NAN], &[1.0]);
    }
}
