//! Plans and journals with made-up figures that look like those of real runs.

use std::path::Path;

use duet::journal::{Entry, ProcessEntry};
use duet::machine::Machine;
use duet::plan::{Interleave, NotRun, PLAN_SCHEMA, Plan, PlannedCase, PlannedVariant};
use duet::process::Turn;
use probe::{Histogram, Host, Identity, Libc, Linkage, Observation, Phase, Timeline};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A run that never happened.
#[derive(Debug)]
pub struct MadeUp {
    pub plan: Plan,
    pub machine: Machine,
    pub entries: Vec<Entry>,
}

/// A case: id, arguments, nanoseconds of an iteration, factor of musl, of musl's peak memory, what it shows.
type Case = (&'static str, &'static str, f64, f64, f64, &'static str);

const CASES: [Case; 20] = [
    (
        "kmeans/fit/1k-k5",
        "kmeans --samples 1k --clusters 5",
        15.5e6,
        1.064,
        0.9,
        "Ten restarts over 1 MB: distances from the cache, and handing small pieces of work to threads.",
    ),
    (
        "kmeans/fit/5k-k5",
        "kmeans --samples 5k --clusters 5",
        78.3e6,
        1.028,
        0.95,
        "Ten restarts over 5 MB: floating point and the last-level cache.",
    ),
    (
        "kmeans/fit/5k-k7",
        "kmeans --samples 5k --clusters 7",
        101e6,
        1.012,
        0.95,
        "As above with more centroids: more arithmetic for each byte.",
    ),
    (
        "kmeans/fit/100k-k5",
        "kmeans --samples 100k --clusters 5",
        1.61e9,
        1.002,
        0.97,
        "Ten restarts over 100 MB: memory bandwidth and rayon; one large allocation.",
    ),
    (
        "kmeans/fit/100k-k7",
        "kmeans --samples 100k --clusters 7",
        2.03e9,
        0.998,
        0.97,
        "As above with more centroids.",
    ),
    (
        "forest/train/1k-t10",
        "forest --phase train --samples 1k --trees 10",
        45e6,
        1.71,
        0.8,
        "Ten small trees: thousands of short-lived blocks of memory on all threads.",
    ),
    (
        "forest/train/2k-t5",
        "forest --phase train --samples 2k --trees 5",
        68.7e6,
        1.602,
        0.8,
        "Fewer and larger trees: sorting and counting in the cache.",
    ),
    (
        "forest/train/5k-t10",
        "forest --phase train --samples 5k --trees 10",
        301e6,
        1.55,
        0.82,
        "Sorting and counting, with many short-lived blocks of memory on all threads.",
    ),
    (
        "forest/train/10k-t10",
        "forest --phase train --samples 10k --trees 10",
        711e6,
        1.52,
        0.82,
        "As above, twice the rows.",
    ),
    (
        "forest/predict/5k-t10",
        "forest --phase predict --samples 5k --trees 10",
        5.18e6,
        1.308,
        0.9,
        "Descending trees: dependent loads, no allocation.",
    ),
    (
        "dbload/query/user-by-name",
        "dbload --operation user_by_name",
        81.8e3,
        1.009,
        0.7,
        "One row by a unique name: a round trip and little else.",
    ),
    (
        "dbload/query/name-range",
        "dbload --operation name_range",
        32.4e6,
        1.175,
        0.7,
        "Up to 10,000 users over three tables: decoding rows, many small strings.",
    ),
    (
        "dbload/query/users-by-uids",
        "dbload --operation users_by_uids",
        9.51e6,
        1.107,
        0.7,
        "1,000 random users in one query: encoding an array, decoding rows.",
    ),
    (
        "libc/malloc/churn",
        "libc --operation malloc",
        8.06e6,
        1.677,
        1.0,
        "Mixed small blocks on one thread, with a resident heap.",
    ),
    (
        "libc/malloc/churn-t4",
        "libc --operation malloc --threads 4",
        69.5e6,
        2.31,
        1.0,
        "The same on four threads: the lock of the allocator.",
    ),
    (
        "libc/malloc/large",
        "libc --operation malloc --pattern large",
        1.28e6,
        26.26,
        1.0,
        "Large blocks: the policy of mapping memory.",
    ),
    (
        "libc/memcpy/64",
        "libc --operation memcpy --bytes 64",
        6.74e6,
        4.13,
        1.0,
        "Copies of 64 bytes: the cost of the call.",
    ),
    (
        "libc/memcpy/4kib",
        "libc --operation memcpy --bytes 4096",
        3.19e6,
        1.058,
        1.0,
        "Copies of 4 KiB, in the cache.",
    ),
    (
        "libc/memcpy/1mib",
        "libc --operation memcpy --bytes 1048576",
        6.12e6,
        1.062,
        1.0,
        "Copies of 1 MiB, in the last-level cache.",
    ),
    (
        "libc/math/sin-exp-ln",
        "libc --operation math",
        7.52e6,
        0.8,
        1.0,
        "Sine, exponential and logarithm of the platform.",
    ),
];

/// Standard normal, roughly: twelve uniform numbers.
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let uniform =
        |rng: &mut Xoshiro256PlusPlus| (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    (0..12).map(|_| uniform(rng)).sum::<f64>() - 6.0
}

/// A variant's identity, the same on every machine that runs the test.
pub fn identity(libc: Libc, linkage: Linkage, allocator: &str) -> Identity {
    let mut identity = Identity::of_this_process(allocator);
    identity.libc = libc;
    identity.libc_version = Some(if libc == Libc::Musl { "1.2.5" } else { "2.36" }.into());
    identity.linkage = linkage;
    identity
}

fn variant(name: &str, index: usize) -> PlannedVariant {
    let musl = name.starts_with("musl");
    let (libc, linkage) = if musl {
        (Libc::Musl, Linkage::StaticPie)
    } else {
        (Libc::Glibc, Linkage::Dynamic)
    };
    let start = if musl { 410_000 } else { 920_000 };
    let mut variant: PlannedVariant = data(json!({
        "name": name,
        "binary": format!("target/duet/run/bin/{name}/workload"),
        "sha256": format!("{index:064x}"),
        "binary_bytes": 9_400_000 + 310_000 * index,
        "identity": identity(libc, linkage, if name.contains("mimalloc") { "mimalloc" } else { "system" }),
        "build_seconds": 131.0 + 7.0 * index as f64,
        "settings": { "target": format!("x86_64-unknown-linux-{}", if musl { "musl" } else { "gnu" }) },
    }));
    variant.startup_ns = Some((0..20).map(|n| start + n % 7 * 11_000).collect());
    variant
}

/// Plain data from JSON: what is not given has its default.
#[track_caller]
fn data<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("it fits")
}

/// A case without expectations.
pub fn case(id: &str, args: &[&str], turns: usize, analysis: &str) -> PlannedCase {
    data(json!({
        "id": id, "args": args, "interleave": "lockstep", "iterations_per_turn": 1, "warmup_turns": 2,
        "turns": turns, "calibrated_seconds": 0.001, "setup_seconds": 0.01, "timeout_seconds": 60,
        "tolerance": 1e-9, "analysis": analysis,
    }))
}

/// A plan of these variants, the reference first.
pub fn plan(variants: &[&str], blocks: usize, cases: Vec<PlannedCase>) -> Plan {
    let variants: Vec<PlannedVariant> = variants
        .iter()
        .enumerate()
        .map(|(index, name)| variant(name, index))
        .collect();
    data(json!({
        "schema": PLAN_SCHEMA, "created": "2026-01-02T03:04:05Z", "suite": "standard", "seed": 7, "blocks": blocks,
        "margin": 0.03, "variants": variants, "cases": cases,
    }))
}

/// A machine with this processor.
pub fn machine(cpu: &str) -> Machine {
    data(json!({
        "schema": 1,
        "host": Host {
            cpu_model: Some(cpu.into()),
            logical_cpus: Some(2),
            available_cpus: Some(2),
            memory_bytes: Some(8 << 30),
            kernel: Some("6.1.0-28-amd64".into()),
            governor: Some("performance".into()),
            clock_source: Some("tsc".into()),
            transparent_huge_pages: Some("madvise".into()),
            address_space_randomization: Some(2),
            virtualisation: Some("kvm".into()),
            load_average: Some([0.25, 0.5, 0.75]),
            ..Host::default()
        },
        "id": cpu,
        "rustc": "rustc 1.95.0",
        "git": { "revision": "0123456789abcdef0123456789abcdef01234567", "dirty": false },
        "command_line": ["cargo-duet", "run", "--suite", "standard"],
        "duet_version": "0.1.0",
    }))
}

/// The twenty cases, with as many turns in each process; `seed` moves the noise.
pub fn run(variants: &[&str], blocks: usize, turns: usize, seed: u64) -> MadeUp {
    let cases: Vec<PlannedCase> = CASES
        .iter()
        .map(|(id, args, ns, _, _, analysis)| {
            let args: Vec<&str> = args.split(' ').collect();
            let mut case = case(id, &args, turns, analysis);
            if *ns > 2.5e8 {
                case.interleave = Interleave::Sequential;
                case.warmup_turns = 1;
                case.turns = 2;
            }
            case
        })
        .collect();
    let mut plan = plan(variants, blocks, cases);
    plan.not_run.push(NotRun {
        case: "dbload/load/10k".into(),
        reason: "fixture `postgres`: no server programs were found; apt-get install postgresql"
            .into(),
    });
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut entries = Vec::new();
    for block in 0..blocks {
        for (planned, made) in plan.cases.iter().zip(CASES) {
            if block == 3 && planned.id == "libc/malloc/large" {
                entries.push(end(
                    &planned.id,
                    block,
                    0,
                    Some("the machine was busy with other work: 18 % of a CPU"),
                ));
            }
            let host = 1.0 + 0.04 * normal(&mut rng);
            let order = plan.start_order(&planned.id, block);
            for (index, variant) in plan.variants.iter().enumerate() {
                let position = order.iter().position(|v| *v == index).unwrap();
                entries.push(process(
                    planned,
                    made,
                    &plan.variants[index].name,
                    block,
                    position,
                    host,
                    &mut rng,
                    &variant.identity,
                ));
            }
            entries.push(end(
                &planned.id,
                block,
                usize::from(block == 3 && planned.id == "libc/malloc/large"),
                None,
            ));
        }
    }
    MadeUp {
        plan,
        machine: machine("AMD EPYC 7B13"),
        entries,
    }
}

/// The end of a block.
pub fn end(case: &str, block: usize, attempt: usize, dropped: Option<&str>) -> Entry {
    Entry::Block(data(json!({
        "case": case, "block": block, "attempt": attempt, "ended": "2026-01-02T03:05:06Z", "dropped": dropped,
    })))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the figures of one process, used in one place"
)]
fn process(
    planned: &PlannedCase,
    (_, args, ns, factor, memory, _): Case,
    variant: &str,
    block: usize,
    position: usize,
    host: f64,
    rng: &mut Xoshiro256PlusPlus,
    identity: &Identity,
) -> Entry {
    let is_musl = variant.starts_with("musl");
    // Another allocator takes most of musl's cost away, at some memory.
    let factor = match (is_musl, variant.contains("mimalloc")) {
        (true, false) => factor,
        (true, true) => 1.0 + (factor - 1.0).clamp(-0.2, 0.06) * 0.3,
        (false, true) => 0.97,
        (false, false) => 1.0,
    };
    let own = 1.0 + 0.012 * normal(rng);
    let mut clock = 5_000_000_000 + block as u64 * 1_000_000_000;
    let turns = (0..planned.warmup_turns + planned.turns)
        .map(|turn| {
            let slow = if turn < planned.warmup_turns {
                1.4
            } else {
                1.0
            };
            let tail = 1.0 + 0.02 * normal(rng).abs().powi(2);
            let wall = ns * factor * host * own * slow * tail;
            let threads = if args.contains("libc") && !args.contains("threads") {
                1.0
            } else {
                1.8
            };
            let server = if args.contains("dbload") {
                0.12 * (1.0 + (factor - 1.0) * 3.0) / factor
            } else {
                threads
            };
            let start_ns = clock;
            clock += wall as u64;
            Turn {
                turn: turn as u64,
                iterations: 1,
                start_ns,
                end_ns: clock,
                user_ns: (wall * server * 0.9) as u64,
                sys_ns: (wall * server * 0.1) as u64,
                minor_faults: 40 + rng.next_u64() % 20,
                major_faults: 0,
                voluntary_switches: 3 + rng.next_u64() % 4,
                involuntary_switches: rng.next_u64() % 3,
                ..Turn::default()
            }
        })
        .collect();
    let mut observation = Observation::new(planned.id.clone(), identity.clone());
    let base = 9e6 + (ns / 1e9).sqrt() * 40e6;
    let peak = base * if is_musl { memory } else { 1.0 }
        + if variant.contains("mimalloc") {
            12e6
        } else {
            0.0
        };
    observation.peak_rss_bytes = Some((peak * (1.0 + 0.003 * normal(rng))) as u64);
    if args.contains("kmeans") {
        observation
            .result
            .insert("inertia".into(), (ns / 1e3).into());
        observation.result.insert(
            "iterations".into(),
            ((ns / 1e6).log2().ceil() as u64 + 8).into(),
        );
    }
    if args.contains("dbload") {
        let phase = Phase {
            histogram: Some(Histogram {
                count: 400,
                mean_ns: ns * factor,
                min_ns: (ns * 0.8) as u64,
                p50_ns: (ns * factor) as u64,
                p90_ns: (ns * factor * 1.2) as u64,
                p95_ns: (ns * factor * 1.3) as u64,
                p99_ns: (ns * factor * 1.9) as u64,
                p999_ns: (ns * factor * 3.1) as u64,
                max_ns: (ns * factor * 5.0) as u64,
            }),
            client_cpu_ns_per_operation: Some(ns * 0.12 * (1.0 + (factor - 1.0) * 3.0)),
            ..Phase::default()
        };
        observation.phases.insert("query".into(), phase);
    }
    if planned.interleave == Interleave::Sequential {
        let samples: u64 = 40;
        observation.timeline = Some(Timeline {
            interval_ns: 100_000_000,
            elapsed_ns: (1..=samples).map(|n| n * 100_000_000).collect(),
            cpu_percent: (0..samples)
                .map(|n| {
                    if n < 4 {
                        99.0
                    } else {
                        185.0 + 8.0 * normal(rng)
                    }
                })
                .collect(),
            rss_bytes: (0..samples)
                .map(|n| (peak * (0.3 + 0.7 * (n as f64 / 8.0).min(1.0))) as u64)
                .collect(),
            ..Timeline::default()
        });
    }
    let attempt = usize::from(block == 3 && planned.id == "libc/malloc/large");
    let mut process: ProcessEntry = data(json!({
        "case": planned.id, "block": block, "attempt": attempt, "variant": variant, "start_position": position,
        "turns": [],
    }));
    process.turns = turns;
    process.observation = Some(observation);
    Entry::Process(Box::new(process))
}

impl MadeUp {
    /// Writes the folder that such a run leaves.
    pub fn write(&self, folder: &Path) {
        std::fs::create_dir_all(folder).expect("a writable folder");
        let write = |name: &str, text: String| {
            std::fs::write(folder.join(name), text).expect("a writable folder");
        };
        write(
            "plan.toml",
            toml::to_string(&self.plan).expect("plain data"),
        );
        write(
            "machine.json",
            serde_json::to_string(&self.machine).expect("plain data"),
        );
        let lines = self
            .entries
            .iter()
            .map(|entry| serde_json::to_string(entry).expect("plain data") + "\n");
        write("journal.jsonl", lines.collect());
    }
}
