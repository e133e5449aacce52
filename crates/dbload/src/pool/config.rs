//! What a pool is opened with.

use std::time::Duration;

use crate::DbloadError;
use crate::operation::Operation;

/// How many connections a [`Pool`](crate::Pool) has, how long they live, and how long anything may take.
///
/// ```
/// use std::time::Duration;
/// use dbload::PoolConfig;
///
/// let config = PoolConfig { size: 4, lock_timeout: Some(Duration::from_secs(1)), ..PoolConfig::default() };
/// assert_eq!(config.checkout_timeout, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolConfig {
    /// The most connections, from 1 to what the server lets in (8 by default).
    pub size: u32,
    /// How many connections are kept open when nothing is to do; all when `None` (the default), so
    /// that no part of a measurement opens one.
    pub min_idle: Option<u32>,
    /// How long a request waits for a free connection (10 s). Opening the first connections of a pool has
    /// the time that a connection may take, or this where it is longer.
    pub checkout_timeout: Duration,
    /// Whether a connection is tested by an empty statement whenever it is taken out (no). That is
    /// one more round trip; without it, a connection that turned out to be broken costs one request
    /// and is then replaced.
    pub test_on_checkout: bool,
    /// After what time an idle connection beyond `min_idle` is closed (never).
    pub idle_timeout: Option<Duration>,
    /// After what time a connection is replaced by another (never).
    pub max_lifetime: Option<Duration>,
    /// After what time the server gives up on a statement, with SQLSTATE 57014 (60 s); never when
    /// `None`. A server that says nothing for 10 s more counts as gone.
    pub statement_timeout: Option<Duration>,
    /// How long a statement waits for a lock, until it fails with SQLSTATE 55P03; as long as the
    /// statement may take when `None` (the default).
    pub lock_timeout: Option<Duration>,
    /// What the pool is for (all operations). The statements of others are not prepared, and the index
    /// of [`Operation::Search`] is made only where that is among them.
    pub operations: Vec<Operation>,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            size: 8,
            min_idle: None,
            checkout_timeout: Duration::from_secs(10),
            test_on_checkout: false,
            idle_timeout: None,
            max_lifetime: None,
            statement_timeout: Some(Duration::from_secs(60)),
            lock_timeout: None,
            operations: Operation::ALL.to_vec(),
        }
    }
}

impl PoolConfig {
    /// The defaults with another number of connections.
    pub fn of_size(size: u32) -> Self {
        Self {
            size,
            ..Self::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), DbloadError> {
        if self.size == 0 {
            return Err(DbloadError::parameter(
                "pool size",
                "0 is not in 1 to the server's max_connections",
            ));
        }
        if let Some(idle) = self.min_idle.filter(|&idle| idle > self.size) {
            let size = self.size;
            return Err(DbloadError::parameter(
                "idle connections of the pool",
                format!("{idle} is not in 0 to its size, {size}"),
            ));
        }
        if self.checkout_timeout.is_zero() {
            return Err(DbloadError::parameter(
                "checkout timeout",
                "0 leaves no time to open a connection",
            ));
        }
        let others = [
            ("idle timeout", self.idle_timeout),
            ("lifetime of a connection", self.max_lifetime),
            ("statement timeout", self.statement_timeout),
            ("lock timeout", self.lock_timeout),
        ];
        for (name, limit) in others {
            // The server and the pool would take it for no limit at all, or fail.
            if let Some(limit) = limit
                && !(SHORTEST_LIMIT..=LONGEST_LIMIT).contains(&limit)
            {
                return Err(DbloadError::parameter(
                    name,
                    format!("{limit:?} is not in 1 ms to 24 days; leave it out for no limit"),
                ));
            }
        }
        Ok(())
    }

    /// The statements that set up a connection: the server does the same work for the first execution
    /// of a statement as for the thousandth, in one process, takes the tables to be in memory (else it
    /// reads a whole table for one small range), and gives up on a statement rather than hang.
    pub(super) fn session_settings(&self) -> String {
        let milliseconds = |limit: Option<Duration>| limit.map_or(0, |limit| limit.as_millis());
        format!(
            "SET plan_cache_mode = force_generic_plan; SET jit = off; \
             SET max_parallel_workers_per_gather = 0; SET random_page_cost = 1.1; \
             SET statement_timeout = {}; SET lock_timeout = {}",
            milliseconds(self.statement_timeout),
            milliseconds(self.lock_timeout)
        )
    }
}

/// The server counts its limits in milliseconds, from 1 to 2³¹ − 1.
const SHORTEST_LIMIT: Duration = Duration::from_millis(1);
const LONGEST_LIMIT: Duration = Duration::from_hours(24 * 24);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(config: PoolConfig, message: &str) {
        let error = config.check().expect_err("a bad configuration").to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn bad_configurations_are_refused() {
        let good = PoolConfig::default();
        assert!(good.check().is_ok());
        check_refused(PoolConfig::of_size(0), "pool size: 0 is not in 1 to");
        check_refused(
            PoolConfig {
                min_idle: Some(9),
                ..good.clone()
            },
            "9 is not in 0 to its size, 8",
        );
        check_refused(
            PoolConfig {
                checkout_timeout: Duration::ZERO,
                ..good.clone()
            },
            "checkout timeout: 0 leaves no time",
        );
        check_refused(
            PoolConfig {
                lock_timeout: Some(Duration::from_micros(999)),
                ..good.clone()
            },
            "lock timeout",
        );
        check_refused(
            PoolConfig {
                statement_timeout: Some(Duration::MAX),
                ..good.clone()
            },
            "statement timeout",
        );
        check_refused(
            PoolConfig {
                max_lifetime: Some(Duration::ZERO),
                ..good
            },
            "lifetime of a connection: 0ns is not in 1 ms to 24 days",
        );
    }

    #[test]
    fn limits_reach_the_server_in_milliseconds() {
        let config = PoolConfig {
            lock_timeout: Some(Duration::from_millis(250)),
            ..PoolConfig::default()
        };
        let settings = config.session_settings();
        assert!(
            settings.contains("statement_timeout = 60000; SET lock_timeout = 250"),
            "{settings}"
        );
        let settings = PoolConfig {
            statement_timeout: None,
            ..config
        }
        .session_settings();
        assert!(settings.contains("statement_timeout = 0;"), "{settings}");
    }
}
