//! Whether the server still answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::DbloadError;

/// Stands for a server that answers.
const ANSWERS: u64 = u64::MAX;

/// Stands for a client that waits for nothing.
const IDLE: u64 = u64::MAX;

/// Since when failures or waiting are all that there is, and the last failure.
pub(super) struct Health {
    silent_since_ns: AtomicU64,
    last_failure: Mutex<Option<DbloadError>>,
    clients: Vec<Waiting>,
}

/// What one client waits for. Each has a line of the caches for itself, as it writes twice an operation.
#[repr(align(64))]
struct Waiting {
    since_ns: AtomicU64,
    answered_ns: AtomicU64,
}

impl Health {
    pub(super) fn new(clients: u32) -> Self {
        let waiting = || Waiting {
            since_ns: IDLE.into(),
            answered_ns: 0.into(),
        };
        Self {
            silent_since_ns: ANSWERS.into(),
            last_failure: Mutex::new(None),
            clients: (0..clients).map(|_| waiting()).collect(),
        }
    }

    /// This client begins an operation.
    pub(super) fn asks(&self, client: usize, now_ns: u64) {
        self.clients[client]
            .since_ns
            .store(now_ns, Ordering::Relaxed);
    }

    /// The operation of this client is over; the server has said something, if only that it refuses, unless
    /// `error` says otherwise.
    pub(super) fn ends(&self, client: usize, error: Option<DbloadError>, now_ns: u64) {
        let waiting = &self.clients[client];
        if matches!(error, None | Some(DbloadError::Query { .. })) {
            waiting.answered_ns.store(now_ns, Ordering::Relaxed);
        }
        waiting.since_ns.store(IDLE, Ordering::Relaxed);
        match error {
            None => self.answered(),
            Some(error) => self.failed(error, now_ns),
        }
    }

    /// An answer came, if only that the server refuses a statement.
    fn answered(&self) {
        // Reading first leaves the line in the caches of all processors as long as all is well.
        if self.silent_since_ns.load(Ordering::Relaxed) != ANSWERS {
            self.silent_since_ns.store(ANSWERS, Ordering::Relaxed);
        }
    }

    fn failed(&self, error: DbloadError, now_ns: u64) {
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

    /// How long operations have failed, or waited, without any answer in between.
    pub(super) fn silent(&self, now_ns: u64) -> Duration {
        let failing_ns = match self.silent_since_ns.load(Ordering::Relaxed) {
            ANSWERS => 0,
            since_ns => now_ns.saturating_sub(since_ns),
        };
        Duration::from_nanos(failing_ns.max(self.waiting_ns(now_ns)))
    }

    /// How long an operation has been under way while no answer came to any.
    fn waiting_ns(&self, now_ns: u64) -> u64 {
        let of = |time: fn(&Waiting) -> &AtomicU64| {
            let load = move |waiting| time(waiting).load(Ordering::Relaxed);
            self.clients.iter().map(load)
        };
        let Some(since_ns) = of(|waiting| &waiting.since_ns)
            .min()
            .filter(|&ns| ns != IDLE)
        else {
            return 0;
        };
        let answered_ns = of(|waiting| &waiting.answered_ns).max().unwrap_or(0);
        now_ns.saturating_sub(since_ns.max(answered_ns))
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
        let health = Health::new(1);
        assert_eq!(health.silent(5), Duration::ZERO);
        health.ends(0, Some(refused()), 10);
        assert_eq!(health.silent(50), Duration::ZERO);
        health.ends(0, Some(lost()), 100);
        health.ends(0, Some(lost()), 200);
        assert_eq!(health.silent(350), Duration::from_nanos(250));
        health.ends(0, Some(refused()), 400);
        assert_eq!(health.silent(450), Duration::ZERO);
        health.ends(0, Some(lost()), 500);
        health.ends(0, None, 600);
        assert_eq!(health.silent(900), Duration::ZERO);
        assert_eq!(
            health.into_last_failure().map(|e| e.class().to_owned()),
            Some("connection_lost".into())
        );
    }

    #[test]
    fn waiting_is_silence_unless_others_are_answered() {
        let health = Health::new(3);
        let silent_ns = |at| health.silent(at).as_nanos();
        health.asks(0, 100);
        health.asks(1, 200);
        assert_eq!(silent_ns(300), 200);
        health.ends(1, None, 310);
        assert_eq!(silent_ns(350), 40);
        health.ends(0, None, 400);
        assert_eq!(silent_ns(9_000), 0);
        health.asks(2, 9_500);
        assert_eq!(silent_ns(9_600), 100);
    }
}
