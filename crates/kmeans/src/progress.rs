//! What a long fit reports while it runs.

use std::ops::{ControlFlow, Range};

use crate::KMeansError;

/// How far a fit has come; handed to the observer of
/// [`fit_observed`](crate::KMeansValidParams::fit_observed).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Initial centroids are being chosen, for several restarts at once.
    Seeding {
        /// The restarts, counted from 0.
        restarts: Range<usize>,
        /// Centroids that each of them has.
        chosen: usize,
    },
    /// The centroids of one restart were moved.
    Iteration {
        /// The restart, counted from 0.
        restart: usize,
        /// The number of times that its centroids have been moved.
        iteration: usize,
    },
    /// A restart has ended.
    Restart {
        /// The restart, counted from 0.
        restart: usize,
    },
}

/// The observer of a fit, and the answer to its wish to stop.
pub(crate) struct Observer<'a>(pub(crate) &'a mut dyn FnMut(Progress) -> ControlFlow<()>);

impl Observer<'_> {
    pub(crate) fn tell(&mut self, progress: Progress) -> Result<(), KMeansError> {
        match (self.0)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(KMeansError::Cancelled),
        }
    }
}
