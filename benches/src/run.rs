//! One process's run of one case: set-up, warm-up, turns, observation.

use std::collections::BTreeMap;

use probe::{Counters, Observation, Phase, Timeline, Usage};

use crate::case::Case;
use crate::identity;
use crate::session::{Session, WorkloadError};
use crate::slowdown::Slowdown;

/// A case whose set-up is done, and the costs of its iterations so far.
pub struct Run {
    case: String,
    session: Box<dyn Session>,
    phases: Vec<(&'static str, Phase)>,
    setup_ns: u64,
    slowdown: Option<Slowdown>,
}

/// What one turn cost.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// When it began, on the system's monotonic clock.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// All its phases together.
    pub counters: Counters,
}

impl Run {
    /// Does the set-up of a case.
    ///
    /// # Errors
    ///
    /// As the workload's own `prepare`.
    pub fn prepare(case: &Case) -> Result<Run, WorkloadError> {
        let start_ns = probe::monotonic_ns();
        let session = case.prepare()?;
        let mut run = Run::new(case.id(), session);
        run.setup_ns = probe::monotonic_ns() - start_ns;
        Ok(run)
    }

    /// A run of a session that is prepared already.
    pub fn new(case: impl Into<String>, session: Box<dyn Session>) -> Run {
        let phases = session
            .phases()
            .iter()
            .map(|&name| (name, Phase::default()))
            .collect();
        Run {
            case: case.into(),
            session,
            phases,
            setup_ns: 0,
            slowdown: None,
        }
    }

    /// Makes every iteration from now on longer by a known share.
    pub fn slow_down(&mut self, slowdown: Slowdown) {
        self.slowdown = Some(slowdown);
    }

    /// Runs iterations that leave no trace in the observation.
    ///
    /// # Errors
    ///
    /// As [`Session::run`].
    pub fn warm_up(&mut self, iterations: u64) -> Result<(), WorkloadError> {
        for _ in 0..iterations {
            for phase in 0..self.phases.len() {
                self.session.run(phase)?;
            }
        }
        self.session.forget_warm_up();
        Ok(())
    }

    /// Runs so many iterations and adds their costs, summed, as one entry of every phase.
    ///
    /// # Errors
    ///
    /// As [`Session::run`]. The turn then leaves no entry.
    pub fn turn(&mut self, iterations: u64) -> Result<Turn, WorkloadError> {
        let mut costs = vec![Counters::default(); self.phases.len()];
        let start = Usage::now();
        let end = if let [cost] = costs.as_mut_slice() {
            // A single phase is read once around all its iterations, so that short ones are not
            // drowned in readings.
            for _ in 0..iterations {
                self.iterate(0)?;
            }
            let end = Usage::now();
            *cost = end.since(&start);
            end
        } else {
            let mut earlier = start;
            for _ in 0..iterations {
                for (phase, cost) in costs.iter_mut().enumerate() {
                    self.iterate(phase)?;
                    let later = Usage::now();
                    add(cost, &later.since(&earlier));
                    earlier = later;
                }
            }
            earlier
        };
        for ((_, phase), cost) in self.phases.iter_mut().zip(&costs) {
            phase.push(cost, iterations);
        }
        Ok(Turn {
            start_ns: start.monotonic_ns(),
            end_ns: end.monotonic_ns(),
            counters: end.since(&start),
        })
    }

    /// Runs a phase once, longer by the slowdown if there is one.
    fn iterate(&mut self, phase: usize) -> Result<(), WorkloadError> {
        let Some(slowdown) = &mut self.slowdown else {
            return self.session.run(phase);
        };
        let started_ns = probe::monotonic_ns();
        self.session.run(phase)?;
        slowdown.follow(started_ns);
        Ok(())
    }

    /// See [`Session::must_be_alone`].
    pub fn must_be_alone(&self) -> bool {
        self.session.must_be_alone()
    }

    /// The names of the phases, in order.
    pub fn phases(&self) -> impl Iterator<Item = &'static str> {
        self.phases.iter().map(|(name, _)| *name)
    }

    /// Ends the session and reports everything.
    ///
    /// # Errors
    ///
    /// As [`Session::outcome`].
    pub fn finish(mut self, timeline: Option<Timeline>) -> Result<Observation, WorkloadError> {
        // Before the outcome is worked out: that takes memory which the run did not need.
        let peak_rss_bytes = probe::peak_rss_bytes().ok();
        let outcome = self.session.outcome()?;
        let mut phases = BTreeMap::new();
        for (name, mut phase) in self.phases {
            if let Some(&latencies) = outcome.latencies.get(name) {
                let cpu_ns = phase.user_ns.iter().chain(&phase.sys_ns).sum::<u64>();
                // A histogram exists only where at least one operation was recorded.
                phase.client_cpu_ns_per_operation = Some(cpu_ns as f64 / latencies.count as f64);
                phase.histogram = Some(latencies);
            }
            phases.insert(name.to_owned(), phase);
        }
        let mut observation = Observation::new(self.case, identity::of_this_program());
        observation.phases = phases;
        observation.peak_rss_bytes = peak_rss_bytes;
        observation.setup_ns = self.setup_ns;
        observation.timeline = timeline;
        observation.result = outcome.result;
        observation.fingerprint = outcome.fingerprint;
        Ok(observation)
    }
}

fn add(sum: &mut Counters, more: &Counters) {
    sum.wall_ns += more.wall_ns;
    sum.user_ns += more.user_ns;
    sum.sys_ns += more.sys_ns;
    sum.minor_faults += more.minor_faults;
    sum.major_faults += more.major_faults;
    sum.voluntary_switches += more.voluntary_switches;
    sum.involuntary_switches += more.involuntary_switches;
}
