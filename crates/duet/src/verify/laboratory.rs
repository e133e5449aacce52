//! Made-up runs whose truth is known, put through the analysis that real runs go through.

use std::sync::Arc;

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use serde_json::json;

use super::noise::normal;
use crate::analysis::RunResult;
use crate::config::Variant;
use crate::journal::{KeptBlock, KeptProcess, KeptTurn};
use crate::plan::{PLAN_SCHEMA, Plan};
use crate::schedule::generator;
use probe::Identity;

/// The analysis under test: the one that gives the verdicts, except where a test puts a broken one in its place.
pub type Analyse = fn(&Plan, &[KeptBlock]) -> RunResult;

/// Turns in a process: one to warm up and two that count.
const TURNS: usize = 3;

/// How much the machine's speed changes from turn to turn, for both variants alike: interleaving is there to
/// cancel it.
const MACHINE_SD: f64 = 0.01;

/// Where experiments are made.
pub struct Laboratory {
    analyse: Analyse,
    seed: u64,
    plan: Plan,
    /// A process of the reference and one of the other variant.
    processes: [KeptProcess; 2],
}

impl Laboratory {
    /// A laboratory that tests `analyse` with comparisons at the margin of equivalence `margin`.
    ///
    /// The plan is made from the data that its file would hold, so that it is read as that is.
    pub fn new(analyse: Analyse, seed: u64, margin: f64) -> serde_json::Result<Self> {
        let identity = Identity::of_this_process("system");
        let variant = |name: &str| {
            json!({"name": name, "binary": "", "sha256": "", "binary_bytes": 0, "identity": identity,
                   "settings": Variant::default()})
        };
        let plan = json!({
            "schema": PLAN_SCHEMA, "created": "", "suite": "verify", "seed": 0, "blocks": 0, "margin": margin,
            "variants": [variant("reference"), variant("other")],
            "cases": [{
                "id": "", "args": [], "interleave": "lockstep", "iterations_per_turn": 1, "warmup_turns": 1,
                "turns": TURNS - 1, "calibrated_seconds": 0.0, "setup_seconds": 0.0, "timeout_seconds": 1,
                "tolerance": 1e-9,
            }],
        });
        let process = |name: &str| KeptProcess {
            variant: name.into(),
            build: 0,
            start_position: 0,
            turns: Box::default(),
            slices: None,
            timeline: Box::default(),
            container: None,
            peak_rss_bytes: None,
            results: [].into(),
            operations: Box::default(),
            error: None,
        };
        Ok(Self {
            analyse,
            seed,
            plan: serde_json::from_value(plan)?,
            processes: [process("reference"), process("other")],
        })
    }

    /// The margin of equivalence, on the log scale.
    pub fn margin(&self) -> f64 {
        self.plan.margin.ln_1p()
    }

    /// Analyses a run of cases whose blocks have these log-ratios.
    pub fn analyse(&self, cases: &[Vec<f64>], rng: &mut Xoshiro256PlusPlus) -> RunResult {
        let mut plan = self.plan.clone();
        let template = plan.cases.remove(0);
        plan.blocks = cases.iter().map(Vec::len).max().unwrap_or(0);
        let mut blocks = Vec::with_capacity(cases.iter().map(Vec::len).sum());
        for (number, log_ratios) in cases.iter().enumerate() {
            let mut case = template.clone();
            case.id = format!("made-up/case/{number}");
            let id: Arc<str> = case.id.as_str().into();
            let mut machine = rng.gen_range(15.0..18.0);
            for (block, log_ratio) in log_ratios.iter().enumerate() {
                let mut speeds = [0.0; TURNS];
                for speed in &mut speeds {
                    machine += MACHINE_SD * normal(rng);
                    *speed = machine;
                }
                let with_turns = |(process, shift): (&KeptProcess, f64)| KeptProcess {
                    turns: turns(&speeds, shift),
                    ..process.clone()
                };
                let shifts = [0.0, *log_ratio];
                blocks.push(KeptBlock {
                    case: Arc::clone(&id),
                    block,
                    attempt: 0,
                    processes: self.processes.iter().zip(shifts).map(with_turns).collect(),
                    conditions: None,
                    disturbed: false,
                    dropped: None,
                });
            }
            plan.cases.push(case);
        }
        (self.analyse)(&plan, &blocks)
    }

    /// Makes an experiment `count` times, each time with a generator of its own, on all processors. The results
    /// are in the order of the repetitions, and the same for any number of processors.
    pub fn repeat<T: Send>(
        &self,
        experiment: &str,
        count: usize,
        make: impl Fn(&mut Xoshiro256PlusPlus) -> T + Sync,
    ) -> Vec<T> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let one = |number: usize| {
            make(&mut generator(
                self.seed,
                &["verify", experiment, &number.to_string()],
            ))
        };
        let (one, numbers) = (&one, (0..count).collect::<Vec<usize>>());
        std::thread::scope(|scope| {
            let workers: Vec<_> = numbers
                .chunks(count.div_ceil(threads).max(1))
                .map(|chunk| scope.spawn(move || chunk.iter().map(|&n| one(n)).collect::<Vec<T>>()))
                .collect();
            let finished = workers.into_iter().map(|worker| match worker.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            finished.flatten().collect()
        })
    }
}

/// Turns of a process on a machine of these speeds, all of them longer by `shift` on the log scale.
fn turns(speeds: &[f64], shift: f64) -> Box<[KeptTurn]> {
    let turn = |(number, speed): (usize, &f64)| KeptTurn {
        turn: number as u32,
        iterations: 1,
        wall_ns: (speed + shift).exp().round() as u64,
        ..KeptTurn::default()
    };
    speeds.iter().enumerate().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::analyse;
    use crate::stats::Verdict;

    #[test]
    fn a_made_up_run_has_the_ratios_that_were_put_in() {
        let laboratory = Laboratory::new(analyse, 1, 0.03).expect("the forms fit");
        let cases = [
            vec![0.1, 0.11, 0.09, 0.1, 0.12, 0.08],
            vec![-0.001, 0.001, 0.0, 0.002, -0.002, 0.001],
        ];
        let result = laboratory.analyse(&cases, &mut generator(1, &[]));
        assert_eq!(result.comparisons.len(), 2);
        for (comparison, case) in result.comparisons.iter().zip(&cases) {
            for (got, put_in) in comparison.wall.log_ratios.iter().zip(case) {
                assert!((got - put_in).abs() < 1e-5, "{got} {put_in}");
            }
        }
        assert_eq!(result.comparisons[1].verdict, Verdict::Equivalent);
    }

    #[test]
    fn repetitions_are_in_order_and_their_own() {
        let laboratory = Laboratory::new(analyse, 1, 0.03).expect("the forms fit");
        let draw = |rng: &mut Xoshiro256PlusPlus| rng.r#gen::<u64>();
        let some = laboratory.repeat("a", 5, draw);
        assert_eq!(laboratory.repeat("a", 7, draw)[..5], some);
        assert_ne!(laboratory.repeat("b", 5, draw), some);
        assert!(laboratory.repeat("a", 0, draw).is_empty());
    }
}
