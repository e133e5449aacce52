//! Ending all that waits for a server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// How often somebody who waits looks whether the time is up.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Stands for no end.
const NEVER: u64 = u64::MAX;

/// When everything that waits for a server through one pool is to be given up. Clones share it, and it can
/// be set by one thread while others wait: those that wait for an answer notice within [`LOOK_EVERY`].
#[derive(Debug, Clone)]
pub(crate) struct Deadline(Arc<AtomicU64>);

impl Default for Deadline {
    fn default() -> Self {
        Self(Arc::new(NEVER.into()))
    }
}

impl Deadline {
    /// Gives up so long from now; never for `None`.
    pub(crate) fn set(&self, after: Option<Duration>) {
        let at_ns = after.map_or(NEVER, |after| now_ns().saturating_add(nanoseconds(after)));
        self.0.store(at_ns, Ordering::Relaxed);
    }

    pub(crate) fn has_passed(&self) -> bool {
        match self.0.load(Ordering::Relaxed) {
            NEVER => false,
            at_ns => now_ns() >= at_ns,
        }
    }
}

/// On a clock of the process's own.
fn now_ns() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    nanoseconds(START.elapsed())
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_when_it_is_set_and_for_all_clones() {
        let deadline = Deadline::default();
        let clone = deadline.clone();
        assert!(!clone.has_passed());
        deadline.set(Some(Duration::MAX));
        assert!(!clone.has_passed());
        deadline.set(Some(Duration::ZERO));
        assert!(clone.has_passed());
        deadline.set(None);
        assert!(!clone.has_passed());
    }
}
