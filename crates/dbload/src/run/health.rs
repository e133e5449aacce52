//! Whether the server still answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::DbloadError;

/// Stands for a server that answers.
const ANSWERS: u64 = u64::MAX;

/// Since when failures are all that there is, and the last of them.
pub(super) struct Health {
    silent_since_ns: AtomicU64,
    last_failure: Mutex<Option<DbloadError>>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            silent_since_ns: ANSWERS.into(),
            last_failure: Mutex::new(None),
        }
    }

    /// An answer came, if only that the server refuses a statement.
    pub(super) fn answered(&self) {
        // Reading first leaves the line in the caches of all processors as long as all is well.
        if self.silent_since_ns.load(Ordering::Relaxed) != ANSWERS {
            self.silent_since_ns.store(ANSWERS, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self, error: DbloadError, now_ns: u64) {
        if matches!(error, DbloadError::Query { .. }) {
            self.answered();
        } else {
            let _ = self.silent_since_ns.compare_exchange(
                ANSWERS,
                now_ns,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
        }
        *self
            .last_failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// How long operations have failed without any answer in between.
    pub(super) fn silent(&self, now_ns: u64) -> Duration {
        match self.silent_since_ns.load(Ordering::Relaxed) {
            ANSWERS => Duration::ZERO,
            since_ns => Duration::from_nanos(now_ns.saturating_sub(since_ns)),
        }
    }

    pub(super) fn into_last_failure(self) -> Option<DbloadError> {
        self.last_failure
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> DbloadError {
        DbloadError::ConnectionLost {
            what: "user_by_name".into(),
            server: "db".into(),
            reason: "gone".into(),
            sqlstate: None,
        }
    }

    fn refused() -> DbloadError {
        DbloadError::Query {
            what: "user_by_name".into(),
            server: "db".into(),
            reason: "too slow".into(),
            sqlstate: Some("57014".into()),
        }
    }

    #[test]
    fn silence_begins_with_the_first_failure_and_ends_with_any_answer() {
        let health = Health::new();
        assert_eq!(health.silent(5), Duration::ZERO);
        health.failed(refused(), 10);
        assert_eq!(health.silent(50), Duration::ZERO);
        health.failed(lost(), 100);
        health.failed(lost(), 200);
        assert_eq!(health.silent(350), Duration::from_nanos(250));
        health.failed(refused(), 400);
        assert_eq!(health.silent(450), Duration::ZERO);
        health.failed(lost(), 500);
        health.answered();
        assert_eq!(health.silent(900), Duration::ZERO);
        assert_eq!(
            health.into_last_failure().map(|e| e.class().to_owned()),
            Some("connection_lost".into())
        );
    }
}
