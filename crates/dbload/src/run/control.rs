//! The clock of a run, waiting by it, and ending it early.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;

use crate::tasks;

/// How late the kernel may wake a client, in nanoseconds. By default it is 50 µs, so that it can wake
/// several threads at once; that would be in every latency of an open loop.
const TIMER_SLACK_NS: NonZeroU64 = NonZeroU64::new(1_000).expect("is not 0");

/// The time since the start of a run, and whether it is to end early.
pub(super) struct Control {
    start: Instant,
    stop: AtomicBool,
}

impl Control {
    pub(super) fn start() -> Self {
        Self {
            start: Instant::now(),
            stop: AtomicBool::new(false),
        }
    }

    /// Nanoseconds since the start.
    pub(super) fn now_ns(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    /// Asks all clients to end after the operation they are at. Those that wait have to be woken.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Sleeps until `at_ns` after the start and gives the time then; none when the run was stopped before.
    ///
    /// The thread gives the processor back for all of the time, or to its other clients, and does not spin at
    /// the end, as the CPU of the client is one of the figures; what the kernel wakes it late is measured as lag.
    pub(super) async fn wait_until(&self, at_ns: u64) -> Option<u64> {
        loop {
            if self.is_stopped() {
                return None;
            }
            let now_ns = self.now_ns();
            if now_ns >= at_ns {
                return Some(now_ns);
            }
            match tasks::share_thread() {
                true => {
                    let at = self.start.checked_add(Duration::from_nanos(at_ns));
                    tasks::wait(None, at).await;
                }
                false => thread::park_timeout(Duration::from_nanos(at_ns - now_ns)),
            }
        }
    }
}

/// Asks the kernel to wake this thread in time. Where it refuses, waits end a little later.
pub(super) fn wake_precisely() {
    let _ = set_current_timer_slack(Some(TIMER_SLACK_NS));
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_ends_in_time_or_with_the_run() {
        let control = Control::start();
        let wait_until = |at_ns| tasks::at_once(control.wait_until(at_ns));
        assert!(wait_until(20_000_000) >= Some(20_000_000));
        assert!(control.now_ns() >= 20_000_000);
        assert!(wait_until(0) >= Some(20_000_000));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| tasks::at_once(control.wait_until(u64::MAX)));
            control.stop();
            waiting.thread().unpark();
            assert_eq!(waiting.join().expect("no panic"), None);
        });
        assert_eq!(wait_until(0), None);
    }
}
