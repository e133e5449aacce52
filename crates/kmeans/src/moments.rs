//! What must be known about the samples before the first iteration.

use std::array;
use std::ops::Range;

use rayon::prelude::*;

use crate::simd::{prefetch, vectorized};
use crate::{Float, KMeansError, Samples};

/// Facts about samples that were found to be fit for clustering.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    /// The mean over the features of their variances, divided by the number of rows as NumPy does.
    pub(crate) mean_variance: f64,
    /// The largest distance that two points within the range of the data can have.
    pub(crate) diameter: f64,
}

/// Sums over the rows of one unit of work, for every column.
pub(crate) struct Columns {
    low: Vec<f64>,
    high: Vec<f64>,
    /// Sum of the differences to the first row of all.
    sum: Vec<f64>,
    /// Sum of their squares.
    squares: Vec<f64>,
}

/// Checks every value and every weight in one pass over the samples.
///
/// `further` are points (whole rows) that distances will be computed to as well.
///
/// # Errors
/// What may be wrong with weights, and the errors of [`Scan::moments`].
pub(crate) fn moments<F: Float>(
    samples: &Samples<F>,
    further: &[F],
) -> Result<Moments, KMeansError> {
    let scan = Scan::new(*samples)?;
    let columns = (0..samples.n_chunks()).into_par_iter();
    let columns = columns.map(|chunk| scan.columns(chunk)).collect();
    scan.moments(columns, further)
}

/// The pass over the samples that finds out their moments, for those who read the rows anyway.
pub(crate) struct Scan<'a, F> {
    samples: Samples<'a, F>,
    origin: &'a [F],
    total_weight: f64,
}

impl<'a, F: Float> Scan<'a, F> {
    /// Checks the weights of samples, of which there must be at least one.
    pub(crate) fn new(samples: Samples<'a, F>) -> Result<Self, KMeansError> {
        Ok(Scan {
            total_weight: total_weight(&samples)?,
            origin: samples.row(0),
            samples,
        })
    }

    /// Looks at the rows of one chunk.
    pub(crate) fn columns(&self, chunk: usize) -> Columns {
        vectorized!(|| columns(&self.samples, self.samples.chunk(chunk), self.origin))
    }

    /// The moments, from the columns of all chunks in their order; `further` are points that
    /// distances will be computed to as well.
    ///
    /// # Errors
    /// [`KMeansError::NotFinite`] for NaN and infinities, and [`KMeansError::Overflow`] where squared
    /// distances, or sums of them over all rows, could overflow.
    pub(crate) fn moments(
        &self,
        chunks: Vec<Columns>,
        further: &[F],
    ) -> Result<Moments, KMeansError> {
        let (n, d) = (self.samples.n_samples(), self.samples.n_features());
        let mut all = Columns::new(d);
        for chunk in &chunks {
            all.merge(chunk);
        }
        for row in further.chunks(d) {
            for ((low, high), x) in all.low.iter_mut().zip(&mut all.high).zip(row) {
                (*low, *high) = (low.min(x.widen()), high.max(x.widen()));
            }
        }

        if !all.sum.iter().all(|sum| sum.is_finite()) {
            check_finite(&self.samples)?;
        }
        // No centroid leaves the range of its feature, hence no squared distance exceeds this sum.
        let ranges = all.low.iter().zip(&all.high).map(|(low, high)| high - low);
        let diameter = ranges.map(|range| range * range).sum::<f64>();
        let largest = all.low.iter().chain(&all.high);
        let largest = largest.fold(0.0, |m: f64, x| m.max(x.abs()));
        let rows = self.total_weight + 1.0;
        let sums = (diameter * rows).max(largest * rows);
        // A little is left for the rounding of sums in the type itself.
        if !sums.is_finite() || diameter > 0.99 * F::LARGEST {
            return Err(KMeansError::Overflow { type_name: F::NAME });
        }

        let variance = |(sum, squares): (&f64, &f64)| {
            let mean = sum / n as f64;
            (squares / n as f64 - mean * mean).max(0.0)
        };
        let variances = all.sum.iter().zip(&all.squares).map(variance);
        Ok(Moments {
            mean_variance: variances.sum::<f64>() / d as f64,
            diameter: diameter.sqrt(),
        })
    }
}

impl Columns {
    fn new(d: usize) -> Self {
        Columns {
            low: vec![f64::INFINITY; d],
            high: vec![f64::NEG_INFINITY; d],
            sum: vec![0.0; d],
            squares: vec![0.0; d],
        }
    }

    /// Adds `N` columns from column `at` on of at most [`ROWS`] rows of `d` columns. Over so few rows the
    /// sums may have the type of the values.
    #[inline(always)]
    fn add<F: Float, const N: usize>(&mut self, rows: &[F], d: usize, at: usize, origin: &[F]) {
        let of = |all: &[f64]| -> [F; N] { array::from_fn(|lane| F::narrow(all[at + lane])) };
        let (mut low, mut high) = (of(&self.low), of(&self.high));
        let (mut sum, mut squares) = ([F::default(); N], [F::default(); N]);
        let origin: [F; N] = array::from_fn(|lane| origin[at + lane]);
        // As many squares as there are rows do not overflow where one does not.
        let scale = F::narrow(SCALE);
        for row in rows.chunks_exact(d) {
            let row = &row[at..at + N];
            for lane in 0..N {
                let x = row[lane];
                low[lane] = if x < low[lane] { x } else { low[lane] };
                high[lane] = if x > high[lane] { x } else { high[lane] };
                let difference = (x - origin[lane]) * scale;
                sum[lane] += difference;
                squares[lane] += difference * difference;
            }
        }
        for lane in 0..N {
            self.low[at + lane] = low[lane].widen();
            self.high[at + lane] = high[lane].widen();
            self.sum[at + lane] += sum[lane].widen() / SCALE;
            self.squares[at + lane] += squares[lane].widen() / (SCALE * SCALE);
        }
    }

    fn merge(&mut self, other: &Columns) {
        for j in 0..self.low.len() {
            self.low[j] = self.low[j].min(other.low[j]);
            self.high[j] = self.high[j].max(other.high[j]);
            self.sum[j] += other.sum[j];
            self.squares[j] += other.squares[j];
        }
    }
}

/// Columns that are added up together: their sums stay in registers from row to row.
const LANES: usize = 16;

/// Rows of which one group of columns after the other is added up.
const ROWS: usize = 32;

/// A power of two whose square is less than 1 / [`ROWS`].
const SCALE: f64 = 0.125;

#[inline(always)]
fn columns<F: Float>(samples: &Samples<F>, rows: Range<usize>, origin: &[F]) -> Columns {
    let d = origin.len();
    let mut columns = Columns::new(d);
    let whole = d / LANES * LANES;
    for start in rows.clone().step_by(ROWS) {
        let end = (start + ROWS).min(rows.end);
        prefetch(samples.rows(end..(end + ROWS).min(rows.end)));
        let tile = samples.rows(start..end);
        for at in (0..whole).step_by(LANES) {
            columns.add::<F, LANES>(tile, d, at, origin);
        }
        for at in whole..d {
            columns.add::<F, 1>(tile, d, at, origin);
        }
    }
    columns
}

/// Refuses NaN and infinities, naming the first one in row-major order.
pub(crate) fn check_finite<F: Float>(samples: &Samples<F>) -> Result<(), KMeansError> {
    let finite = |x: &F| x.widen().is_finite();
    // A plain fold has no early exit inside a row and is therefore vectorised.
    let all_finite = |row: &[F]| row.iter().fold(true, |all, x| all & finite(x));
    let bad_row = (0..samples.n_chunks())
        .into_par_iter()
        .find_map_first(|chunk| {
            vectorized!(|| {
                samples
                    .chunk(chunk)
                    .find(|&row| !all_finite(samples.row(row)))
            })
        });
    let Some(row) = bad_row else {
        return Ok(());
    };
    let (column, value) = (samples.row(row).iter().enumerate())
        .find(|(_, x)| !finite(x))
        .expect("the row was chosen because it holds such a value");
    Err(KMeansError::NotFinite {
        row,
        column,
        value: value.widen(),
    })
}

/// Checks the weights, and adds them up.
fn total_weight<F: Float>(samples: &Samples<F>) -> Result<f64, KMeansError> {
    let Some(weights) = samples.weights() else {
        return Ok(samples.n_samples() as f64);
    };
    let mut total = 0.0;
    for (row, weight) in weights.iter().enumerate() {
        let value = weight.widen();
        if !value.is_finite() || value < 0.0 {
            return Err(KMeansError::Weight { row, value });
        }
        total += value;
    }
    if total == 0.0 {
        return Err(KMeansError::NoWeight);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_variance_equals_numpy() {
        // numpy.mean(numpy.var([[1, 2, 5], [3, 2, -7], [8, 2, 0.5]], axis=0))
        let values = [1.0, 2.0, 5.0, 3.0, 2.0, -7.0, 8.0, 2.0, 0.5];
        for offset in [0.0, 1e6] {
            let values = values.map(|x| x + offset);
            let samples = Samples::new(&values, 3).unwrap();
            let variance = moments(&samples, &[]).unwrap().mean_variance;
            let error = (variance - 11.055_555_555_555_555).abs();
            assert!(error < 1e-9, "{variance}");
        }
    }

    #[track_caller]
    fn check_overflow(value: f64, overflows: bool) {
        let values = [-value, 0.0, value, 0.0, 0.0, 0.0];
        let result = moments(&Samples::new(&values, 2).unwrap(), &[]);
        assert_eq!(result.is_err(), overflows, "{value:e}");
    }

    #[test]
    fn overflow_is_foreseen() {
        check_overflow(1e150, false);
        check_overflow(1e154, true);
        check_overflow(f64::MAX, true);
        let check = |values: &[f64]| moments(&Samples::new(values, 1).unwrap(), &[]);
        // Far from zero, but close together.
        assert!(check(&[1e200, 1e200]).is_ok());
        assert!(check(&[1e308, 1e308]).is_err());
        let narrow = [1e20_f32, -1e20];
        assert!(moments(&Samples::new(&narrow, 1).unwrap(), &[]).is_err());
        // A given centroid may be farther away than any row.
        let samples = [0.0, 1.0];
        assert!(moments(&Samples::new(&samples, 1).unwrap(), &[1e200]).is_err());
    }
}
