//! What can be wrong with a request for data.

use thiserror::Error;

/// The reason why a data set cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The data set would have no rows.
    #[error("a data set needs at least one sample, but n_samples is 0")]
    NoSamples,
    /// The data set would have no columns.
    #[error("a data set needs at least one feature, but n_features is 0")]
    NoFeatures,
    /// There would be no centre to draw samples around.
    #[error("blobs need at least one centre, but centers is 0")]
    NoCenters,
    /// The array cannot be addressed, or the allocator refused the memory for it.
    #[error("{rows} x {columns} values do not fit into memory: ask for fewer rows or columns")]
    TooLarge {
        /// Rows that were asked for.
        rows: usize,
        /// Columns that were asked for.
        columns: usize,
    },
    /// A half-open range of integers holds no integer.
    #[error("the range {low}..{high} is empty: low must be smaller than high")]
    EmptyRange {
        /// The smallest integer wanted.
        low: i64,
        /// One more than the largest integer wanted.
        high: i64,
    },
}

/// Reserves memory for `rows` × `columns` values, as an error where `Vec` would abort the program.
pub(crate) fn try_buffer<T>(rows: usize, columns: usize) -> Result<Vec<T>, DatasetError> {
    let too_large = DatasetError::TooLarge { rows, columns };
    let Some(len) = rows.checked_mul(columns) else {
        return Err(too_large);
    };
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(len).map_err(|_| too_large)?;
    Ok(buffer)
}
