//! What a long fit reports while it runs.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ForestError;

/// How far a fit has come; handed to the observer of
/// [`fit_observed`](crate::ForestValidParams::fit_observed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// A node of many thousands of rows was split. Trees grow at the same time, and so do the
    /// branches of one tree.
    Split {
        /// The tree, counted from 0.
        tree: usize,
        /// Rows of the node.
        rows: usize,
    },
    /// A tree is complete.
    Tree {
        /// Trees that are complete.
        done: usize,
        /// Trees that are to be grown.
        of: usize,
    },
}

/// The observer of a fit, called from all of its threads, one at a time.
pub(crate) struct Observer<'a> {
    observe: Mutex<&'a mut (dyn FnMut(Progress) -> ControlFlow<()> + Send)>,
    cancelled: AtomicBool,
}

impl<'a> Observer<'a> {
    pub(crate) fn new(observe: &'a mut (dyn FnMut(Progress) -> ControlFlow<()> + Send)) -> Self {
        Observer {
            observe: Mutex::new(observe),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Tells the observer, unless it has wished to stop.
    pub(crate) fn tell(&self, progress: Progress) {
        // An observer that has panicked is not asked again: its panic ends the fit.
        let Ok(mut observe) = self.observe.lock() else {
            return;
        };
        if !self.is_cancelled() && observe(progress).is_break() {
            self.cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether the observer wishes to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The answer of the fit to that wish.
    pub(crate) fn check(&self) -> Result<(), ForestError> {
        if self.is_cancelled() {
            Err(ForestError::Cancelled)
        } else {
            Ok(())
        }
    }
}
