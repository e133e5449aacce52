//! Rows that are asked for before they are needed.

use std::slice::Chunks;

use crate::simd::prefetch;

/// Rows that come next. They are asked for in portions, between computations that take a while: the
/// processor can only wait for some lines of memory at a time, and stops when it is asked for more.
pub(super) struct Ahead<'a, F>(Chunks<'a, F>);

impl<'a, F> Ahead<'a, F> {
    /// The values of those rows, in that many portions.
    pub(super) fn new(values: &'a [F], portions: usize) -> Self {
        Ahead(values.chunks(values.len().div_ceil(portions).max(1)))
    }

    /// Asks for the next portion.
    pub(super) fn ask(&mut self) {
        prefetch(self.0.next().unwrap_or_default());
    }
}
