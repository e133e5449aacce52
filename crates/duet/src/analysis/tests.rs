//! Analysis of made-up journals, whose right answer is known.

use super::*;
use crate::journal::{BlockEntry, Entry, ProcessEntry, keep};
use crate::plan::{Interleave, PlannedCase};
use crate::process::Turn;
use crate::stats::Verdict;
use crate::testing;
use probe::{Identity, Observation};

/// Analyses what is kept of these entries.
fn analyse(plan: &Plan, entries: &[Entry]) -> RunResult {
    super::analyse(plan, &keep(entries))
}

fn case(id: &str, interleave: Interleave) -> PlannedCase {
    PlannedCase {
        interleave,
        ..testing::plan(1, &[id]).cases.remove(0)
    }
}

fn plan(blocks: usize, cases: Vec<PlannedCase>) -> Plan {
    Plan {
        cases,
        ..testing::plan(blocks, &[])
    }
}

/// A process whose turns take these times, in nanoseconds.
fn process(case: &str, block: usize, variant: &str, wall_ns: &[u64], peak_rss: u64) -> Entry {
    let turn = |(number, wall): (usize, &u64)| Turn {
        turn: number as u64,
        iterations: 2,
        start_ns: 1_000_000,
        end_ns: 1_000_000 + wall,
        user_ns: wall * 2,
        minor_faults: 5,
        ..Turn::default()
    };
    let mut observation = Observation::new(case, Identity::of_this_process("system"));
    observation.peak_rss_bytes = Some(peak_rss);
    Entry::Process(Box::new(ProcessEntry {
        case: case.into(),
        block,
        attempt: 0,
        variant: variant.into(),
        build: 0,
        start_position: 0,
        turns: wall_ns.iter().enumerate().map(turn).collect(),
        slices: None,
        timeline: None,
        container: None,
        observation: Some(observation),
        error: None,
    }))
}

fn end(case: &str, block: usize, dropped: Option<&str>) -> Entry {
    Entry::Block(BlockEntry {
        case: case.into(),
        block,
        attempt: 0,
        conditions: None,
        disturbed: false,
        ended: String::new(),
        dropped: dropped.map(String::from),
    })
}

/// Blocks in which the reference's turns take 100, 200, 400 µs after a warm-up of any length, and the
/// variant's `factor` times as much, give or take a per cent from block to block.
fn journal(case: &str, blocks: usize, factor: f64) -> Vec<Entry> {
    let mut entries = Vec::new();
    for block in 0..blocks {
        let wobble = 1.0 + 0.01 * ((block % 3) as f64 - 1.0);
        let times = [999_999.0, 100_000.0, 200_000.0, 400_000.0];
        let reference = times.map(|time| time as u64);
        let variant = times.map(|time| (time * factor * wobble) as u64);
        entries.push(process(case, block, "b", &variant, 200));
        entries.push(process(case, block, "a", &reference, 100));
        entries.push(end(case, block, None));
    }
    entries
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!(
        (got / expected - 1.0).abs() < 1e-4,
        "{got} is not {expected}"
    );
}

#[test]
fn a_known_difference_is_found_with_its_size() {
    for interleave in [Interleave::Lockstep, Interleave::Sequential] {
        let plan = plan(9, vec![case("w/p/s", interleave)]);
        let result = analyse(&plan, &journal("w/p/s", 9, 1.1));
        let comparison = &result.comparisons[0];
        assert_eq!(comparison.verdict, Verdict::Slower);
        close(comparison.wall.ratio, 1.1);
        close(comparison.exploratory["cpu_ns"].ratio, 1.1);
        close(comparison.exploratory["peak_rss_bytes"].ratio, 2.0);
        close(comparison.exploratory["minor_faults"].ratio, 1.0);
        assert!(
            !comparison.exploratory.contains_key("voluntary_switches"),
            "zero has no ratio"
        );
        // The warm-up turn is set aside; a turn has two iterations.
        close(comparison.reference_wall_ns, 100_000.0);
        let interval = comparison
            .wall
            .interval_95
            .expect("nine blocks have an interval");
        assert!(interval.low < 1.1 && 1.1 < interval.high, "{interval:?}");
        assert!(
            comparison
                .wall
                .detectable
                .is_some_and(|effect| effect < 0.03)
        );
    }
}

#[test]
fn the_other_verdicts() {
    let plan = plan(9, vec![case("w/p/s", Interleave::Lockstep)]);
    let verdict = |factor: f64| analyse(&plan, &journal("w/p/s", 9, factor)).comparisons[0].verdict;
    assert_eq!(verdict(0.9), Verdict::Faster);
    assert_eq!(verdict(1.0), Verdict::Equivalent);
    let mut noisy = journal("w/p/s", 9, 1.0);
    for (block, entry) in noisy.iter_mut().step_by(3).enumerate() {
        let factor = if block % 2 == 0 { 2 } else { 1 };
        let times = [999_999, 100_000, 200_000, 400_000].map(|time| time * factor);
        *entry = process("w/p/s", block, "b", &times, 200);
    }
    assert_eq!(
        analyse(&plan, &noisy).comparisons[0].verdict,
        Verdict::Inconclusive
    );
}

#[test]
fn lockstep_pairs_turns_of_the_same_number() {
    // Both drift by a factor of four within the block; turn by turn nothing differs but one outlier.
    let plan = plan(6, vec![case("w/p/s", Interleave::Lockstep)]);
    let mut entries = Vec::new();
    for block in 0..6 {
        entries.push(process(
            "w/p/s",
            block,
            "a",
            &[1, 100_000, 200_000, 400_000],
            1,
        ));
        entries.push(process(
            "w/p/s",
            block,
            "b",
            &[1, 100_000, 900_000, 400_000],
            1,
        ));
        entries.push(end("w/p/s", block, None));
    }
    close(analyse(&plan, &entries).comparisons[0].wall.ratio, 1.0);
}

#[test]
fn dropped_torn_and_repeated_blocks_do_not_count() {
    let plan = plan(8, vec![case("w/p/s", Interleave::Lockstep)]);
    let mut entries = journal("w/p/s", 6, 1.1);
    entries[2] = end("w/p/s", 0, Some("foreign load"));
    // A block without its end was cut off by a kill.
    let last = entries.pop();
    assert!(matches!(last, Some(Entry::Block(_))));
    // Block 1 once more, with other times; blocks beyond the plan.
    entries.extend(journal("w/p/s", 2, 5.0).split_off(3));
    entries.extend([process("w/p/s", 8, "a", &[1; 4], 1), end("w/p/s", 8, None)]);
    // Entries of a case that the plan does not have.
    entries.extend(journal("alien/p/s", 2, 1.0));
    let result = analyse(&plan, &entries);
    assert_eq!(result.comparisons.len(), 1);
    assert_eq!(result.comparisons[0].wall.blocks, 4);
    close(result.comparisons[0].wall.ratio, 1.1);
    assert_eq!(result.dropped.len(), 1);
    assert_eq!(result.dropped[0].reason, "foreign load");
}

#[test]
fn few_blocks_are_inconclusive_and_none_is_not_run() {
    let plan = plan(6, vec![case("w/p/s", Interleave::Lockstep)]);
    for blocks in 1..6 {
        let result = analyse(&plan, &journal("w/p/s", blocks, 1.5));
        let comparison = &result.comparisons[0];
        assert_eq!(comparison.verdict, Verdict::Inconclusive, "{blocks} blocks");
        assert_eq!(comparison.wall.interval_95, None);
    }
    let dropped = [
        end("w/p/s", 0, Some("a: it crashed")),
        end("w/p/s", 1, Some("other")),
    ];
    let result = analyse(&plan, &dropped);
    assert!(result.comparisons.is_empty());
    assert_eq!(result.not_run[0].reason, "a: it crashed");
    assert_eq!(
        analyse(&plan, &[]).not_run[0].reason,
        "the run ended before its first block"
    );
}

#[test]
fn many_comparisons_are_corrected_where_that_is_possible() {
    let ids: Vec<String> = (0..8).map(|number| format!("w/p/{number}")).collect();
    let cases = || {
        ids.iter()
            .map(|id| case(id, Interleave::Lockstep))
            .collect::<Vec<_>>()
    };
    let entries = |blocks: usize| -> Vec<Entry> {
        ids.iter().flat_map(|id| journal(id, blocks, 1.1)).collect()
    };
    // Eight comparisons of six blocks: 8 × 2⁻⁵ > 5 %.
    let six = analyse(&plan(6, cases()), &entries(6));
    assert_eq!(six.correction.method, CorrectionMethod::None);
    assert_eq!(
        six.comparisons[0].verdict,
        Verdict::Slower,
        "by its own 95 % interval"
    );
    let ten = analyse(&plan(10, cases()), &entries(10));
    assert_eq!(ten.correction.method, CorrectionMethod::Holm);
    close(ten.comparisons[0].wall.p_adjusted, 8.0 * 2f64.powi(-9));
    assert_eq!(ten.comparisons[7].verdict, Verdict::Slower);
}

#[test]
fn clocks_that_stand_still_have_no_ratio() {
    let plan = plan(1, vec![case("w/p/s", Interleave::Lockstep)]);
    let entries = [
        process("w/p/s", 0, "a", &[0; 4], 1),
        process("w/p/s", 0, "b", &[0; 4], 1),
        end("w/p/s", 0, None),
    ];
    let result = analyse(&plan, &entries);
    assert!(result.comparisons.is_empty());
    assert_eq!(result.not_run.len(), 1, "it is listed, not lost");
}

#[test]
fn many_blocks_are_analysed_as_few_are() {
    // Enough for several threads; cases of one length after the other.
    let ids: Vec<String> = (0..7).map(|number| format!("w/p/{number}")).collect();
    let cases: Vec<PlannedCase> = ids
        .iter()
        .map(|id| case(id, Interleave::Lockstep))
        .collect();
    let blocks = ALONE_UP_TO / ids.len() + 1;
    let factors = (0..7).map(|number| 1.0 + 0.1 * f64::from(number));
    let of_each: Vec<Vec<Entry>> = ids
        .iter()
        .zip(factors)
        .map(|(id, f)| journal(id, blocks, f))
        .collect();
    let all = analyse(&plan(blocks, cases.clone()), &of_each.concat());
    for ((case, entries), found) in cases.into_iter().zip(of_each).zip(&all.comparisons) {
        let id = case.id.clone();
        let alone = analyse(&plan(blocks, vec![case]), &entries);
        assert_eq!(
            (&found.case, &found.wall.log_ratios),
            (&id, &alone.comparisons[0].wall.log_ratios)
        );
        assert_eq!(found.wall.secondary, alone.comparisons[0].wall.secondary);
    }
}
