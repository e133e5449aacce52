//! Made-up plans and journals for tests.

use probe::{Identity, Observation};

use crate::config::Variant;
use crate::journal::{BlockEntry, Entry, ProcessEntry};
use crate::plan::{Interleave, PLAN_SCHEMA, Plan, PlannedCase, PlannedVariant, Surroundings};
use crate::process::Turn;

/// A plan of these cases with the variants `a` and `b` and four turns a process, the first to warm up.
pub fn plan(blocks: usize, cases: &[&str]) -> Plan {
    let variant = |name: &&str| PlannedVariant {
        name: (*name).into(),
        binary: "/bin/true".into(),
        sha256: String::new(),
        binary_bytes: 1,
        build_seconds: None,
        startup_ns: None,
        container: None,
        more_builds: Vec::new(),
        identity: Identity::of_this_process("system"),
        settings: Variant::default(),
    };
    let case = |id: &&str| PlannedCase {
        id: (*id).into(),
        args: vec!["x".into()],
        interleave: Interleave::Lockstep,
        iterations_per_turn: 2,
        warmup_turns: 1,
        turns: 3,
        blocks: None,
        calibrated_seconds: 0.001,
        setup_seconds: 0.0,
        timeout_seconds: 1,
        tolerance: 1e-9,
        needs: Vec::new(),
        analysis: String::new(),
        expect: Default::default(),
    };
    Plan {
        schema: PLAN_SCHEMA,
        created: "2026-01-01T00:00:00Z".into(),
        suite: "quick".into(),
        seed: 1,
        blocks,
        margin: 0.03,
        gates: Default::default(),
        builds: 1,
        pilot: None,
        surroundings: Surroundings::default(),
        variants: ["a", "b"].iter().map(variant).collect(),
        cases: cases.iter().map(case).collect(),
        not_run: Vec::new(),
    }
}

/// The lines of every block of the plan, case after case; variant `b` takes 10 % longer.
pub fn entries(plan: &Plan) -> Vec<Entry> {
    let mut entries = Vec::new();
    for case in &plan.cases {
        for block in 0..plan.blocks_of(case) {
            for (index, variant) in plan.variants.iter().enumerate() {
                let wall_ns = 100_000 + 10_000 * index as u64 + block as u64;
                let turn = |number: usize| Turn {
                    turn: number as u64,
                    iterations: case.iterations_per_turn,
                    start_ns: 1_000_000 * (number as u64 + 1),
                    end_ns: 1_000_000 * (number as u64 + 1) + wall_ns,
                    user_ns: wall_ns,
                    ..Turn::default()
                };
                entries.push(Entry::Process(Box::new(ProcessEntry {
                    case: case.id.clone(),
                    block,
                    attempt: 0,
                    variant: variant.name.clone(),
                    build: plan.build_of_block(block),
                    start_position: index,
                    turns: (0..case.warmup_turns + case.turns).map(turn).collect(),
                    slices: None,
                    timeline: None,
                    container: None,
                    observation: Some(Observation::new(case.id.clone(), variant.identity.clone())),
                    error: None,
                })));
            }
            entries.push(Entry::Block(BlockEntry {
                case: case.id.clone(),
                block,
                attempt: 0,
                ended: "2026-01-01T00:00:00Z".into(),
                conditions: None,
                disturbed: false,
                dropped: None,
            }));
        }
    }
    entries
}
