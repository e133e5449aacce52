//! The tables of the page: verdicts, costs, resources, validity, machine.

use super::case::CaseView;
use crate::analysis::{Comparison, Estimate, RunResult, Share};
use crate::machine::Machine;
use crate::plan::{Interleave, Plan};
use crate::report::words;
use crate::stats::Verdict;

/// A name and what is known of it.
#[derive(Debug)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Fact {
    pub(super) fn new(name: &str, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
        }
    }
}

/// A row of the verdict table; the numbers are what it is sorted by.
#[derive(Debug)]
pub struct VerdictRow {
    /// The number of the case's details; absent where there are none.
    pub number: Option<usize>,
    /// The case.
    pub case: String,
    /// The variant.
    pub variant: String,
    /// The reference's time in words, and its nanoseconds.
    pub time: String,
    /// See `time`.
    pub time_ns: f64,
    /// The ratio in words, and as a number.
    pub ratio: String,
    /// See `ratio`.
    pub ratio_number: f64,
    /// The interval in words.
    pub interval: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the difference is real and smaller than the margin.
    pub within_margin: bool,
    /// Whether the verdict rests on CPU time.
    pub cpu: bool,
    /// The minimal detectable effect in words, and as a number.
    pub detects: String,
    /// See `detects`.
    pub detects_number: f64,
    /// Valid blocks.
    pub blocks: usize,
}

/// The rows of the verdict table in the plan's order.
pub fn verdict_rows(result: &RunResult, cases: &[CaseView]) -> Vec<VerdictRow> {
    let row = |c: &Comparison| {
        let estimate = c.primary();
        VerdictRow {
            number: cases
                .iter()
                .find(|case| case.id == c.case)
                .map(|case| case.number),
            case: c.case.clone(),
            variant: c.variant.clone(),
            time: words::time(c.reference_wall_ns),
            time_ns: c.reference_wall_ns,
            ratio: words::percent(estimate.ratio),
            ratio_number: estimate.ratio,
            interval: words::interval(estimate.interval_95),
            verdict: c.verdict,
            within_margin: c.within_margin && c.verdict != Verdict::Equivalent,
            cpu: c.rests_on_cpu(),
            detects: words::detectable(estimate),
            detects_number: estimate.detectable.unwrap_or(f64::MAX),
            blocks: estimate.blocks,
        }
    };
    result.comparisons.iter().map(row).collect()
}

/// The metrics of the table of resources.
pub const RESOURCES: [&str; 7] = [
    "wall_ns",
    "cpu_ns",
    "peak_rss_bytes",
    "minor_faults",
    "major_faults",
    "voluntary_switches",
    "involuntary_switches",
];

/// Case, variant, and the ratio of each of [`RESOURCES`].
pub fn resource_rows(result: &RunResult) -> Vec<(String, String, Vec<String>)> {
    let cell = |c: &Comparison, metric: &str| -> String {
        let estimate: Option<&Estimate> = match metric {
            "wall_ns" => Some(&c.wall),
            _ => c.exploratory.get(metric),
        };
        let Some(estimate) = estimate else {
            return "–".into();
        };
        let star = if estimate.p_adjusted <= 0.05 {
            " *"
        } else {
            ""
        };
        format!("{}{star}", words::percent(estimate.ratio))
    };
    let row = |c: &Comparison| {
        let cells = RESOURCES.iter().map(|metric| cell(c, metric)).collect();
        (c.case.clone(), c.variant.clone(), cells)
    };
    result.comparisons.iter().map(row).collect()
}

/// What the figures rest on.
pub fn validity(plan: &Plan, result: &RunResult) -> Vec<Fact> {
    let valid: usize = result.cases.iter().map(|case| case.blocks).sum();
    let planned: usize = plan.cases.iter().map(|case| plan.blocks_of(case)).sum();
    let mut facts = vec![Fact::new(
        "Blocks",
        format!(
            "{valid} valid of {planned} planned; {} dropped by the gates and listed below",
            result.dropped.len()
        ),
    )];
    let builds = match result.builds {
        0 | 1 => "one of each variant: layout is not covered".into(),
        builds => format!("{builds} of each variant, laid out in different ways"),
    };
    facts.push(Fact::new("Builds", builds));
    let mut modes: Vec<(Interleave, usize)> = Vec::new();
    for case in &plan.cases {
        match modes.iter_mut().find(|(mode, _)| *mode == case.interleave) {
            Some((_, count)) => *count += 1,
            None => modes.push((case.interleave, 1)),
        }
    }
    let modes: Vec<String> = modes
        .iter()
        .map(|(mode, count)| format!("{} in {count}", mode.words()))
        .collect();
    facts.push(Fact::new(
        "Interleaving",
        format!("{} cases", modes.join(", ")),
    ));
    let sds: Vec<f64> = result
        .comparisons
        .iter()
        .filter_map(|c| c.primary().block_sd)
        .collect();
    if let Some(median) = crate::stats::median(&sds) {
        let highest = sds.iter().copied().fold(0.0, f64::max);
        facts.push(Fact::new(
            "Noise",
            format!(
                "standard deviation of a block's log-ratio {:.2} % at the median over the comparisons, {:.2} % at the highest",
                median * 100.0,
                highest * 100.0
            ),
        ));
    }
    facts.push(Fact::new("What else went on", disturbances(result)));
    let checks = |name: &str, p: &dyn Fn(&Comparison) -> Option<f64>| {
        let tested = result.comparisons.iter().filter(|c| p(c).is_some()).count();
        let low: Vec<String> = result
            .comparisons
            .iter()
            .filter(|c| p(c).is_some_and(|p| p < 0.05))
            .map(|c| match plan.variants.len() {
                2 => c.case.clone(),
                _ => format!("{} ({})", c.case, c.variant),
            })
            .collect();
        (tested > 0).then(|| {
            let which = if low.is_empty() { String::new() } else { format!(": {}", low.join(", ")) };
            Fact::new(
                name,
                format!(
                    "{} of {tested} comparisons below p = 0.05, about {:.0} expected by chance{which}",
                    low.len(),
                    (tested as f64 * 0.05).ceil()
                ),
            )
        })
    };
    facts.extend(checks("Drift over the run", &|c| Some(c.checks.drift?.p)));
    facts.extend(checks("Effect of the start order", &|c| {
        Some(c.checks.order?.p)
    }));
    facts
}

/// What else went on while the valid blocks ran, in words.
fn disturbances(result: &RunResult) -> String {
    let found = &result.disturbances;
    let share = |name: &str, share: Option<Share>| match share {
        Some(share) => format!(
            "{name} {:.1} % at the median, {:.1} % at the highest",
            share.median * 100.0,
            share.highest * 100.0
        ),
        None => format!("{name} not known"),
    };
    let throttled = match found.throttled_ns {
        Some(0) => "no throttling by a CPU quota".into(),
        Some(ns) => format!("throttled for {}", words::time(ns as f64)),
        None => "throttling not known".into(),
    };
    format!(
        "in the blocks that count: {}; {}; {throttled}",
        share("stolen CPU time", found.steal_share),
        share("foreign load", found.foreign_share)
    )
}

/// The machine and what ran on it.
pub fn machine(plan: &Plan, machine: &Machine) -> Vec<Fact> {
    let host = &machine.host;
    let mut facts = Vec::new();
    let mut known = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| Fact::new(name, value)));
    };
    known("Processor", host.cpu_model.clone());
    known(
        "CPUs",
        host.logical_cpus.map(|all| match host.available_cpus {
            Some(available) if available != all => format!("{all}, {available} of them usable"),
            _ => all.to_string(),
        }),
    );
    known(
        "CPU limit",
        host.cgroup_cpu_limit
            .map(|limit| format!("{limit} CPUs by control group")),
    );
    known(
        "Memory",
        host.memory_bytes.map(|bytes| words::bytes(bytes as f64)),
    );
    known(
        "Memory limit",
        host.cgroup_memory_limit_bytes
            .map(|bytes| format!("{} by control group", words::bytes(bytes as f64))),
    );
    known("Kernel", host.kernel.clone());
    known("Virtual machine", host.virtualisation.clone());
    known("Container", host.container.clone());
    known("Frequency governor", host.governor.clone());
    known("Clock source", host.clock_source.clone());
    known(
        "Transparent huge pages",
        host.transparent_huge_pages.clone(),
    );
    known(
        "Address-space randomisation",
        host.address_space_randomization.map(|level| match level {
            0 => "off".into(),
            1 => "1 (partly)".into(),
            2 => "2 (full)".into(),
            other => other.to_string(),
        }),
    );
    known(
        "Load average at the start",
        host.load_average
            .map(|[one, five, fifteen]| format!("{one} / {five} / {fifteen}")),
    );
    known("Compiler", machine.rustc.clone());
    known(
        "Source",
        machine.git.as_ref().map(|git| {
            format!(
                "{}{}",
                git.revision,
                if git.dirty {
                    ", with local changes"
                } else {
                    ""
                }
            )
        }),
    );
    known(
        "Plan",
        Some(format!(
            "made {}, seed {}, {} blocks a case",
            plan.created, plan.seed, plan.blocks
        )),
    );
    facts
}

/// What a variant is.
#[derive(Debug)]
pub struct VariantRow {
    /// Its name.
    pub name: String,
    /// Target triple.
    pub target: String,
    /// C library with version.
    pub libc: String,
    /// Linkage.
    pub linkage: String,
    /// Allocator.
    pub allocator: String,
    /// Everything else in which it differs from the default.
    pub more: String,
    /// The head of the binary's SHA-256.
    pub sha256: String,
}

/// The variants as the running binaries described themselves.
pub fn variant_rows(plan: &Plan) -> Vec<VariantRow> {
    plan.variants
        .iter()
        .map(|variant| {
            let (identity, settings) = (&variant.identity, &variant.settings);
            let mut more = Vec::new();
            more.extend(
                settings
                    .toolchain
                    .as_ref()
                    .map(|toolchain| format!("toolchain {toolchain}")),
            );
            if !settings.rustflags.is_empty() {
                more.push(format!("flags {}", settings.rustflags.join(" ")));
            }
            more.extend(
                settings
                    .env
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
            if let Some(contained) = &variant.container {
                let id = contained.image.id.trim_start_matches("sha256:");
                let id: String = id.chars().take(12).collect();
                more.push(format!(
                    "in containers of the image {id} by {} {}",
                    contained.engine.client, contained.engine.version
                ));
            }
            if !settings.runner.is_empty() {
                more.push(format!("run by {}", settings.runner.join(" ")));
            }
            VariantRow {
                name: variant.name.clone(),
                target: settings.target.clone(),
                libc: format!(
                    "{} {}",
                    identity.libc,
                    identity.libc_version.as_deref().unwrap_or("?")
                ),
                linkage: identity.linkage.to_string(),
                allocator: identity.allocator.clone(),
                more: more.join("; "),
                sha256: variant.sha256.chars().take(12).collect(),
            }
        })
        .collect()
}
