//! The measured figures as CSV, after RFC 4180: `samples.csv` with every turn, and the short form in `report.html`
//! with one row a process.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Report;
use crate::analysis::{cpu_ns_per_iteration, wall_ns_per_iteration};
use crate::journal::{KeptBlock, KeptProcess};
use crate::plan::PlannedCase;

/// The columns that both have first.
const PLACE: &str = "case,variant,block,attempt,build,start_position,valid";

/// One row a turn, times in integer nanoseconds; a process without turns has one row with its error.
///
/// `valid` is 1 where the turn's block counts, `warmup` 1 where the turn is set aside.
pub fn samples(report: &Report) -> String {
    let mut text = format!(
        "{PLACE},turn,warmup,iterations,wall_ns,user_ns,sys_ns,minor_faults,major_faults,voluntary_switches,\
         involuntary_switches,error\n"
    );
    each_process(report, |case, block, process| {
        let place = place(block, process);
        let error = field(process.error.as_deref().unwrap_or_default());
        if process.turns.is_empty() {
            let _ = writeln!(text, "{place},,,,,,,,,,,{error}");
        }
        let warmup = case.map_or(0, |case| case.warmup_turns);
        for (number, turn) in process.turns.iter().enumerate() {
            let _ = writeln!(
                text,
                "{place},{},{},{},{},{},{},{},{},{},{},{error}",
                turn.turn,
                u8::from(number < warmup),
                turn.iterations,
                turn.wall_ns,
                turn.user_ns,
                turn.sys_ns,
                turn.minor_faults,
                turn.major_faults,
                turn.voluntary_switches,
                turn.involuntary_switches,
            );
        }
    });
    text
}

/// One row a process: medians over its measured turns, for an iteration, and its peak memory.
pub fn processes(report: &Report) -> String {
    let mut text = format!("{PLACE},turns,wall_ns,cpu_ns,peak_rss_bytes,error\n");
    each_process(report, |case, block, process| {
        let whole = |figure: Option<f64>| figure.map_or(String::new(), |f| format!("{f:.0}"));
        let _ = writeln!(
            text,
            "{},{},{},{},{},{}",
            place(block, process),
            process.turns.len(),
            whole(case.and_then(|case| wall_ns_per_iteration(case, process))),
            whole(case.and_then(|case| cpu_ns_per_iteration(case, process))),
            whole(process.peak_rss_bytes.map(|bytes| bytes as f64)),
            field(process.error.as_deref().unwrap_or_default()),
        );
    });
    text
}

fn each_process(
    report: &Report,
    mut row: impl FnMut(Option<&PlannedCase>, &KeptBlock, &KeptProcess),
) {
    let cases = report.plan.cases.iter();
    let cases: BTreeMap<&str, &PlannedCase> = cases.map(|case| (case.id.as_str(), case)).collect();
    for block in report.blocks {
        let case = cases.get(&*block.case).copied();
        for process in &block.processes {
            row(case, block, process);
        }
    }
}

fn place(block: &KeptBlock, process: &KeptProcess) -> String {
    format!(
        "{},{},{},{},{},{},{}",
        field(&block.case),
        field(&process.variant),
        block.block,
        block.attempt,
        process.build,
        process.start_position,
        u8::from(block.dropped.is_none())
    )
}

/// A text as a field, in quotes where it must be.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}

/// A text as the data of a `data:` address: everything but a few harmless characters in per cent form.
pub fn data_address(text: &str) -> String {
    let mut address = String::with_capacity(text.len() * 5 / 4);
    address.push_str("data:text/csv;charset=utf-8,");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b',' | b'.' | b'-' | b'_' | b'/' => {
                address.push(char::from(byte));
            }
            _ => {
                let _ = write!(address, "%{byte:02X}");
            }
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(field("kmeans/fit/1k"), "kmeans/fit/1k");
        assert_eq!(field("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
    }

    #[test]
    fn nothing_ends_a_data_address() {
        assert_eq!(
            data_address("a,b\n\"<é>#"),
            "data:text/csv;charset=utf-8,a,b%0A%22%3C%C3%A9%3E%23"
        );
    }
}
