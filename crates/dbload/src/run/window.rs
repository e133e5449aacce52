//! Which operations are measured: those after the warm-up and before the end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::time::{ClockId, clock_gettime};

use super::control::nanoseconds;
use super::plan::{Length, LoadPlan};

/// The part of a run to which an operation belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    WarmUp,
    Measured,
}

/// Where warm-up and measured part begin and end, whether that is a matter of time or of number.
pub(super) struct Window {
    warm_up: Length,
    length: Length,
    /// When the measured part begins; `u64::MAX` as long as nobody can know.
    begin_ns: AtomicU64,
    measured: AtomicU64,
    cpu_at_begin_ns: OnceLock<u64>,
}

impl Window {
    pub(super) fn new(plan: &LoadPlan) -> Self {
        let begin_ns = match plan.warm_up {
            Length::Duration(warm_up) => nanoseconds(warm_up),
            Length::Operations(0) => 0,
            Length::Operations(_) => u64::MAX,
        };
        Self {
            warm_up: plan.warm_up,
            length: plan.length,
            begin_ns: begin_ns.into(),
            measured: 0.into(),
            cpu_at_begin_ns: OnceLock::new(),
        }
    }

    /// The part of the operation with this number in the run (from 0, each number once), which starts
    /// or is scheduled at this time; `None` when the run is over.
    pub(super) fn admit(&self, number: u64, at_ns: u64) -> Option<Part> {
        let warm_up = match self.warm_up {
            Length::Duration(_) => at_ns < self.begin_ns(),
            Length::Operations(count) => number < count,
        };
        if warm_up {
            return Some(Part::WarmUp);
        }
        let begin_ns = self.begin_ns.fetch_min(at_ns, Ordering::Relaxed).min(at_ns);
        let over = match self.length {
            Length::Duration(length) => at_ns >= begin_ns.saturating_add(nanoseconds(length)),
            Length::Operations(count) => self.measured.fetch_add(1, Ordering::Relaxed) >= count,
        };
        (!over).then_some(Part::Measured)
    }

    /// When the measured part begins; `u64::MAX` as long as nobody can know.
    pub(super) fn begin_ns(&self) -> u64 {
        self.begin_ns.load(Ordering::Relaxed)
    }

    /// When the measured part ends; `u64::MAX` as long as nobody can know.
    pub(super) fn end_ns(&self) -> u64 {
        match self.length {
            Length::Duration(length) => self.begin_ns().saturating_add(nanoseconds(length)),
            Length::Operations(_) => u64::MAX,
        }
    }

    /// To be called by a client that is about to start a measured operation.
    pub(super) fn note_start(&self) {
        self.cpu_at_begin_ns
            .get_or_init(|| cpu_ns(ClockId::ProcessCPUTime));
    }

    /// CPU time of the process since the start of the first measured operation.
    pub(super) fn process_cpu_ns(&self) -> Option<u64> {
        let begin_ns = self.cpu_at_begin_ns.get()?;
        Some(cpu_ns(ClockId::ProcessCPUTime).saturating_sub(*begin_ns))
    }
}

/// User and system time together, of the process or of this thread.
pub(super) fn cpu_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::mix::Mix;
    use crate::operation::Operation;
    use crate::run::{LoadModel, Ramp, ThinkTime};

    fn window(warm_up: Length, length: Length) -> Window {
        let mix = Mix::new([(Operation::UserByName, 1)]).expect("a mix");
        let clients = Ramp::steady(1);
        let think = ThinkTime::None;
        let plan = LoadPlan::new(mix, LoadModel::Closed { clients, think }, length);
        Window::new(&LoadPlan { warm_up, ..plan })
    }

    #[track_caller]
    fn check(warm_up: Length, length: Length, expected: &str) {
        let window = window(warm_up, length);
        let parts: String = (0..10)
            .map(|number| match window.admit(number, number * 10) {
                Some(Part::WarmUp) => 'w',
                Some(Part::Measured) => 'm',
                None => '.',
            })
            .collect();
        assert_eq!(parts, expected, "{warm_up:?} {length:?}");
    }

    #[test]
    fn parts_are_told_by_time_or_by_number() {
        let time = |ns| Length::Duration(Duration::from_nanos(ns));
        let number = Length::Operations;
        check(number(0), number(4), "mmmm......");
        check(number(0), time(40), "mmmm......");
        check(number(2), number(4), "wwmmmm....");
        check(number(2), time(40), "wwmmmm....");
        check(time(20), number(4), "wwmmmm....");
        check(time(15), time(40), "wwmmmm....");
        check(time(500), number(1), "wwwwwwwwww");
    }
}
