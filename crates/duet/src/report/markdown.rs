//! `report.md`: the result for people, in GitHub-flavoured Markdown.

use std::fmt::Write;

use super::costs::cost_rows;
use super::{answers, words};
use crate::analysis::{OverTime, RunResult};
use crate::machine::Machine;
use crate::plan::{Plan, PlannedCase};
use crate::stats::Verdict;

/// The report.
pub fn markdown(plan: &Plan, machine: &Machine, result: &RunResult) -> String {
    let mut text = String::new();
    write_all(&mut text, plan, machine, result).expect("writing to a string does not fail");
    text
}

fn write_all(
    text: &mut String,
    plan: &Plan,
    machine: &Machine,
    result: &RunResult,
) -> std::fmt::Result {
    let names: Vec<&str> = plan
        .variants
        .iter()
        .map(|variant| variant.name.as_str())
        .collect();
    writeln!(
        text,
        "# {}: suite {}\n",
        escape(&names.join(" / ")),
        escape(&plan.suite)
    )?;
    for answer in answers(plan, result) {
        writeln!(text, "{}\n", escape(&answer.headline))?;
        for sentence in &answer.sentences {
            writeln!(text, "- {}", escape(sentence))?;
        }
        writeln!(text)?;
    }
    verdicts(text, result)?;
    for caveat in words::caveats(plan, result) {
        writeln!(text, "- {}", escape(&caveat))?;
    }
    means(text, result)?;
    not_run(text, result)?;
    resources(text, result)?;
    cases(text, plan, result)?;
    over_time(text, result)?;
    variants(text, plan)?;
    costs(text, result)?;
    conditions(text, plan, machine)
}

fn verdicts(text: &mut String, result: &RunResult) -> std::fmt::Result {
    if result.comparisons.is_empty() {
        return writeln!(
            text,
            "Not one block was valid: there is nothing to compare.\n"
        );
    }
    let reference = escape(&result.reference);
    writeln!(
        text,
        "| case | variant | {reference} | ratio | 95 % interval | verdict | blocks | detects |"
    )?;
    writeln!(text, "|---|---|---:|---:|---:|---|---:|---:|")?;
    for c in &result.comparisons {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | **{}**{}{} | {} | {} |",
            escape(&c.case),
            escape(&c.variant),
            words::time(c.reference_wall_ns),
            words::percent(c.primary().ratio),
            words::interval(c.primary().interval_95),
            c.verdict,
            if c.rests_on_cpu() { " CPU" } else { "" },
            if c.within_margin && c.verdict != Verdict::Equivalent {
                ", within the margin"
            } else {
                ""
            },
            c.primary().blocks,
            words::detectable(c.primary()),
        )?;
    }
    writeln!(
        text,
        "\nRatios are wall time an iteration (CPU time where the verdict says so), variant over {reference}: the median over the blocks, with its \
         exact sign-test interval. \"Detects\" is the smallest difference that this many blocks of this noise \
         find in 80 % of runs. Margin of equivalence: ±{} %.\n",
        result.margin * 100.0
    )
}

fn means(text: &mut String, result: &RunResult) -> std::fmt::Result {
    if result.summaries.iter().all(|summary| summary.cases < 2) {
        return Ok(());
    }
    writeln!(text, "\n## On average over cases\n")?;
    writeln!(text, "| cases | variant | geometric mean | 95 % interval |")?;
    writeln!(text, "|---|---|---:|---:|")?;
    for summary in &result.summaries {
        let workload = summary.workload.as_deref().unwrap_or("all");
        writeln!(
            text,
            "| {} ({}) | {} | {} | {} |",
            escape(workload),
            summary.cases,
            escape(&summary.variant),
            words::percent(summary.ratio),
            words::interval(summary.interval_95)
        )?;
    }
    writeln!(
        text,
        "\nOver the cases that every variant has, each of which weighs the same; intervals by a hierarchical bootstrap. \
         Another choice of cases gives another mean: read the cases first."
    )
}

fn costs(text: &mut String, result: &RunResult) -> std::fmt::Result {
    writeln!(text, "\n## Costs\n")?;
    writeln!(
        text,
        "| variant | binary | start-up | build | peak memory, over the cases |"
    )?;
    writeln!(text, "|---|---:|---:|---:|---:|")?;
    for row in cost_rows(result) {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            escape(&row.variant),
            row.binary,
            row.startup,
            row.build,
            row.memory
        )?;
    }
    let rows = cost_rows(result);
    if rows.iter().any(|row| row.image.is_some()) {
        writeln!(
            text,
            "\nIn containers, whose start and end are in no time above; start-up is that of a whole container.\n"
        )?;
        writeln!(text, "| variant | image | containers |")?;
        writeln!(text, "|---|---|---|")?;
    }
    for row in &rows {
        if let (Some(image), Some(containers)) = (&row.image, &row.containers) {
            let variant = escape(&row.variant);
            writeln!(
                text,
                "| {variant} | {} | {} |",
                escape(image),
                escape(containers)
            )?;
        }
    }
    Ok(())
}

fn not_run(text: &mut String, result: &RunResult) -> std::fmt::Result {
    if !result.not_run.is_empty() {
        writeln!(text, "\n## Not run\n")?;
        for case in &result.not_run {
            writeln!(text, "- `{}`: {}", code(&case.case), escape(&case.reason))?;
        }
    }
    if !result.dropped.is_empty() {
        writeln!(text, "\n## Dropped blocks\n")?;
        for block in &result.dropped {
            let which = if block.attempt == 0 {
                ""
            } else {
                " (its replacement)"
            };
            let (case, reason) = (code(&block.case), escape(&block.reason));
            writeln!(text, "- `{case}`, block {}{which}: {reason}", block.block)?;
        }
    }
    Ok(())
}

fn resources(text: &mut String, result: &RunResult) -> std::fmt::Result {
    const METRICS: [(&str, &str); 6] = [
        ("cpu_ns", "CPU time"),
        ("peak_rss_bytes", "peak memory"),
        ("minor_faults", "minor faults"),
        ("major_faults", "major faults"),
        ("voluntary_switches", "waits"),
        ("involuntary_switches", "preemptions"),
    ];
    if result.comparisons.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## What else differs\n")?;
    writeln!(
        text,
        "| case | variant | {} |",
        METRICS.map(|(_, title)| title).join(" | ")
    )?;
    writeln!(text, "|---|---|---:|---:|---:|---:|---:|---:|")?;
    for c in &result.comparisons {
        write!(text, "| {} | {} |", escape(&c.case), escape(&c.variant))?;
        for (name, _) in METRICS {
            match c.exploratory.get(name) {
                Some(estimate) => {
                    let star = if estimate.p_adjusted <= 0.05 {
                        " \\*"
                    } else {
                        ""
                    };
                    let interval = words::interval(estimate.interval_95);
                    write!(
                        text,
                        " {}{star} ({interval}) |",
                        words::percent(estimate.ratio)
                    )?;
                }
                None => write!(text, " – |")?,
            }
        }
        writeln!(text)?;
    }
    writeln!(
        text,
        "\nRatios with 95 % intervals, exploratory: \\* is a difference after the Benjamini–Hochberg correction \
         over the column (Holm where the verdict rests on it); – is a metric that was zero in some block."
    )
}

fn cases(text: &mut String, plan: &Plan, result: &RunResult) -> std::fmt::Result {
    writeln!(text, "\n## Cases\n")?;
    writeln!(
        text,
        "| case | interleaving | turns × iterations | block SD | what it shows |"
    )?;
    writeln!(text, "|---|---|---:|---:|---|")?;
    for case in &plan.cases {
        let noise: Vec<String> = result
            .comparisons
            .iter()
            .filter(|c| c.case == case.id)
            .filter_map(|c| Some(format!("{:.2} %", c.primary().block_sd? * 100.0)))
            .collect();
        writeln!(
            text,
            "| {} | {} | {} × {} | {} | {} |",
            escape(&case.id),
            interleaving(case),
            case.turns,
            case.iterations_per_turn,
            if noise.is_empty() {
                "–".into()
            } else {
                noise.join(", ")
            },
            escape(&case.analysis),
        )?;
    }
    Ok(())
}

/// The widest line of text.
const LINE: usize = 20;

/// CPU and memory of each variant on each case; nothing where no process could be watched.
fn over_time(text: &mut String, result: &RunResult) -> std::fmt::Result {
    let rows = result.cases.iter().flat_map(|case| {
        let watched = case.variants.iter();
        watched
            .filter_map(|variant| Some((&case.case, &variant.variant, variant.over_time.as_ref()?)))
    });
    let rows: Vec<(&String, &String, &OverTime)> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n## CPU and memory over time\n")?;
    writeln!(
        text,
        "| case | variant | CPU: average, highest | over time | memory: average | over time |"
    )?;
    writeln!(text, "|---|---|---:|---|---:|---|")?;
    for (case, variant, of) in rows {
        let bytes: Vec<f64> = of.rss_bytes.iter().map(|bytes| *bytes as f64).collect();
        writeln!(
            text,
            "| {} | {} | {}, {} | {} | {} | {} |",
            escape(case),
            escape(variant),
            words::cpu(of.average_cpu_percent),
            words::cpu(of.peak_cpu_percent),
            words::line(&shortened(&of.cpu_percent)),
            words::bytes(of.average_rss_bytes),
            words::line(&shortened(&bytes)),
        )?;
    }
    writeln!(
        text,
        "\nWarm-up included; 100 % is one core, and time is that for which a process was let run. Figures are medians over \
         the blocks, lines those of the middle block, from 0 to their highest."
    )
}

/// Means of neighbours, so that at most [`LINE`] are left.
fn shortened(figures: &[f64]) -> Vec<f64> {
    let every = figures.len().div_ceil(LINE).max(1);
    let mean = |chunk: &[f64]| chunk.iter().sum::<f64>() / chunk.len() as f64;
    figures.chunks(every).map(mean).collect()
}

fn interleaving(case: &PlannedCase) -> &'static str {
    case.interleave.words()
}

fn variants(text: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(text, "\n## Variants\n")?;
    writeln!(
        text,
        "| variant | target | C library | linkage | allocator |"
    )?;
    writeln!(text, "|---|---|---|---|---|")?;
    for variant in &plan.variants {
        let identity = &variant.identity;
        writeln!(
            text,
            "| {} | {} | {} {} | {} | {} |",
            escape(&variant.name),
            escape(&variant.settings.target),
            identity.libc,
            escape(identity.libc_version.as_deref().unwrap_or("?")),
            identity.linkage,
            escape(&identity.allocator),
        )?;
    }
    Ok(())
}

fn conditions(text: &mut String, plan: &Plan, machine: &Machine) -> std::fmt::Result {
    let host = &machine.host;
    let known = |value: &Option<String>| escape(value.as_deref().unwrap_or("unknown"));
    writeln!(text, "\n## Machine and command\n")?;
    writeln!(
        text,
        "- processor: {}, {} CPUs",
        known(&host.cpu_model),
        host.logical_cpus.unwrap_or(0)
    )?;
    if let Some(bytes) = host.memory_bytes {
        writeln!(
            text,
            "- memory: {:.1} GiB",
            bytes as f64 / f64::from(1 << 30)
        )?;
    }
    writeln!(text, "- kernel: {}", known(&host.kernel))?;
    if let Some(kind) = &host.virtualisation {
        writeln!(text, "- virtual machine: {}", escape(kind))?;
    }
    if let Some(kind) = &host.container {
        writeln!(text, "- container: {}", escape(kind))?;
    }
    writeln!(text, "- compiler: {}", known(&machine.rustc))?;
    if let Some(git) = &machine.git {
        let dirty = if git.dirty {
            ", with local changes"
        } else {
            ""
        };
        writeln!(text, "- source: {}{dirty}", escape(&git.revision))?;
    }
    writeln!(
        text,
        "- planned: {}, seed {}, {} blocks",
        escape(&plan.created),
        plan.seed,
        plan.blocks
    )?;
    writeln!(
        text,
        "- command: `{}`",
        code(&machine.command_line.join(" "))
    )
}

/// Text that Markdown must not take for markup.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                escaped.extend(['\\', character])
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            c if c.is_control() => escaped.push(' '),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// Text between backticks, where only a backtick ends it.
fn code(text: &str) -> String {
    text.replace(char::is_control, " ").replace('`', "'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("a|b<script>"), "a\\|b&lt;script&gt;");
        assert_eq!(escape("kmeans/fit/100k-k5"), "kmeans/fit/100k-k5");
        assert_eq!(code("`x`\ny"), "'x' y");
    }

    #[test]
    fn lines_of_text_are_short_and_as_high_as_their_figures() {
        assert_eq!(words::line(&[0.0, 25.0, 100.0, 51.0]), "▁▂█▅");
        assert_eq!(words::line(&[0.0, 0.0]), "▁▁");
        assert_eq!(words::line(&[]), "");
        assert_eq!(shortened(&[1.0, 3.0]), [1.0, 3.0]);
        let long: Vec<f64> = (0..60).map(f64::from).collect();
        assert_eq!(shortened(&long).len(), LINE);
        assert_eq!(shortened(&long)[..2], [1.0, 4.0]);
    }
}
