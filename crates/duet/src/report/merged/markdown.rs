//! `report.md` of several machines.

use std::fmt::Write;

use super::{caveats, range, sentences};
use crate::merge::{Merged, MergedMachine};
use crate::report::markdown::escape;
use crate::report::words;

/// The report.
pub fn markdown(merged: &Merged) -> String {
    let mut text = String::new();
    write_all(&mut text, merged).expect("writing to a string does not fail");
    text
}

fn write_all(text: &mut String, merged: &Merged) -> std::fmt::Result {
    let count = merged.machines.len();
    writeln!(
        text,
        "# Ratios to {} on {count} machines\n",
        escape(&merged.reference)
    )?;
    for sentence in sentences(merged) {
        writeln!(text, "- {}", escape(&sentence))?;
    }
    let names: Vec<&str> = merged.machines.iter().map(|m| m.name.as_str()).collect();
    writeln!(
        text,
        "\n| case | variant | {} | machines | range | median |",
        names.join(" | ")
    )?;
    writeln!(text, "|---|---|{}---|---:|---:|", "---|".repeat(count))?;
    for comparison in &merged.comparisons {
        write!(
            text,
            "| {} | {} |",
            escape(&comparison.case),
            escape(&comparison.variant)
        )?;
        for on in &comparison.machines {
            match on {
                Some(on) => {
                    let (ratio, interval) =
                        (words::percent(on.ratio), words::interval(on.interval_95));
                    write!(text, " **{}** {ratio} ({interval}) |", on.verdict)?;
                }
                None => write!(text, " – |")?,
            }
        }
        let (words, median) = (
            comparison.agreement.words(),
            words::percent(comparison.median),
        );
        writeln!(text, " {words} | {} | {median} |", range(comparison))?;
    }
    writeln!(
        text,
        "\nRatios to {}, with 95 % intervals.\n",
        escape(&merged.reference)
    )?;
    for caveat in caveats(merged) {
        writeln!(text, "- {}", escape(&caveat))?;
    }
    writeln!(text, "\n## Machines\n")?;
    writeln!(
        text,
        "| | processor | CPUs | memory | kernel | C libraries | suite | planned | blocks | dropped |"
    )?;
    writeln!(text, "|---|---|---:|---:|---|---|---|---|---:|---:|")?;
    for machine in &merged.machines {
        let MachineWords {
            cpu,
            cpus,
            memory,
            kernel,
            libcs,
        } = MachineWords::of(machine);
        writeln!(
            text,
            "| {} | {} | {cpus} | {memory} | {} | {} | {} | {} | {} | {} |",
            machine.name,
            escape(&cpu),
            escape(&kernel),
            escape(&libcs),
            escape(&machine.suite),
            escape(&machine.created),
            machine.blocks,
            machine.dropped
        )?;
    }
    Ok(())
}

/// The facts of a machine as words.
#[derive(Debug)]
pub(super) struct MachineWords {
    pub(super) cpu: String,
    pub(super) cpus: String,
    pub(super) memory: String,
    pub(super) kernel: String,
    pub(super) libcs: String,
}

impl MachineWords {
    pub(super) fn of(machine: &MergedMachine) -> Self {
        let unknown = || "?".to_string();
        let libcs: Vec<String> = machine
            .libcs
            .iter()
            .map(|(variant, libc)| format!("{variant}: {libc}"))
            .collect();
        let guest = machine.virtualisation.as_ref();
        Self {
            cpu: machine.cpu.clone().unwrap_or_else(unknown)
                + &guest.map_or(String::new(), |kind| format!(" ({kind})")),
            cpus: machine
                .logical_cpus
                .map_or_else(unknown, |cpus| cpus.to_string()),
            memory: machine
                .memory_bytes
                .map_or_else(unknown, |bytes| words::bytes(bytes as f64)),
            kernel: machine.kernel.clone().unwrap_or_else(unknown),
            libcs: libcs.join("; "),
        }
    }
}
