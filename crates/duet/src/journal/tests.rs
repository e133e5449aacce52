//! Journals as they are written, as kills and full disks leave them, and as nobody should.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::*;
use probe::Observation;

use crate::analysis::analyse;
use crate::plan::Plan;
use crate::process::Turn;
use crate::testing::{entries, plan};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("journal.jsonl")
}

/// Two cases of three blocks, with two variants.
fn example() -> (Plan, Vec<Entry>) {
    let plan = plan(3, &["a/b/c", "d/e/f"]);
    let entries = entries(&plan);
    (plan, entries)
}

/// The lines that a run writes for these entries.
fn lines(entries: &[Entry]) -> Vec<String> {
    let folder = folder();
    let mut journal = Journal::create(&file(&folder)).expect("a new file");
    journal.append(entries).expect("written");
    let text = fs::read_to_string(file(&folder)).expect("readable");
    text.lines().map(String::from).collect()
}

fn write(path: &Path, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, text).expect("written");
}

/// Reads lines under the plan of the example.
fn read_lines(lines: &[String]) -> crate::error::Result<Read> {
    let folder = folder();
    write(&file(&folder), lines);
    read_planned(&file(&folder), &example().0)
}

#[test]
fn what_is_appended_is_read_back() {
    let folder = folder();
    let (plan, entries) = example();
    let mut journal = Journal::create(&file(&folder)).expect("a new file");
    journal.append_pilot(&entries[..3]).expect("written");
    journal.append(&entries[..3]).expect("written");
    journal.append(&entries[3..]).expect("written");
    let back = read(&file(&folder)).expect("readable");
    assert_eq!(back.blocks, keep(&entries));
    assert_eq!(back.pilot, keep(&entries[..3]), "the pilot is kept apart");
    assert_eq!((back.torn, back.unfinished), (false, 0));
    assert_eq!(
        back.whole_bytes,
        fs::metadata(file(&folder)).expect("there").len()
    );
    assert!(
        Journal::create(&file(&folder)).is_err(),
        "never overwritten"
    );
    let error = read_planned(&file(&folder), &plan).expect_err("the plan has no pilot");
    assert!(error.to_string().contains("no pilot"), "{error}");
}

#[test]
fn the_order_of_blocks_and_of_their_processes_does_not_matter() {
    let (plan, entries) = example();
    let whole = lines(&entries);
    let mut blocks: Vec<Vec<String>> = whole.chunks(3).map(<[_]>::to_vec).collect();
    blocks.reverse();
    blocks.iter_mut().for_each(|block| block.swap(0, 1));
    let read = read_lines(&blocks.concat()).expect("the same blocks");
    assert_eq!(
        analyse(&plan, &read.blocks),
        analyse(&plan, &keep(&entries))
    );
}

#[test]
fn the_order_of_the_keys_of_a_line_does_not_matter() {
    let (_, entries) = example();
    let sorted: Vec<String> = lines(&entries)
        .iter()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line.to_string()
        })
        .collect();
    assert!(!sorted[0].starts_with("{\"kind\""), "{}", sorted[0]);
    let read = read_lines(&sorted).expect("the same lines");
    assert_eq!(read.blocks, keep(&entries));
}

#[test]
fn what_follows_the_last_whole_block_does_not_count() {
    let (_, entries) = example();
    let whole = lines(&entries);
    let text = whole.concat().len() + whole.len();
    let folder = folder();
    // Cut off at every byte of the last block.
    let last_block: usize = whole[whole.len() - 3..]
        .iter()
        .map(|line| line.len() + 1)
        .sum();
    write(&file(&folder), &whole);
    let bytes = fs::read(file(&folder)).expect("readable");
    for length in (text - last_block..text).step_by(3) {
        fs::write(file(&folder), &bytes[..length]).expect("written");
        let read = read(&file(&folder)).expect("a torn end is no error");
        assert_eq!(read.blocks, keep(&entries[..entries.len() - 3]));
        assert_eq!(read.whole_bytes, (text - last_block) as u64);
        assert_eq!(read.torn, bytes[length - 1] != b'\n');
    }
    fs::write(file(&folder), "").expect("written");
    assert!(read(&file(&folder)).expect("no lines").blocks.is_empty());
}

/// The example's lines after `change` are refused, and the message has the number of the line and `part`.
#[track_caller]
fn check_refused(change: impl Fn(&mut Vec<String>), line: usize, part: &str) {
    let mut lines = lines(&example().1);
    change(&mut lines);
    let error = read_lines(&lines).expect_err("refused").to_string();
    assert!(error.contains(&format!("line {line}:")), "{error}");
    assert!(error.contains(part), "`{part}` is not in: {error}");
}

#[test]
fn lines_that_cannot_be_there_are_named() {
    check_refused(|l| l.insert(1, "alien".into()), 2, "not an entry");
    check_refused(|l| l.insert(1, String::new()), 2, "not an entry");
    check_refused(|l| l[3] = l[3][..40].into(), 4, "not an entry");
    check_refused(|l| l[1] = l[1].replace("process", "party"), 2, "`party`");
    let with_nan =
        |l: &mut Vec<String>| l[0] = l[0].replacen("\"end_ns\":", "\"end_ns\":NaN,\"x\":", 1);
    check_refused(with_nan, 1, "not an entry");
    let negative =
        |l: &mut Vec<String>| l[0] = l[0].replacen("\"end_ns\":", "\"end_ns\":-1,\"x\":", 1);
    check_refused(negative, 1, "`-1`");
    // A block that was copied, or whose line was.
    check_refused(
        |l| l.extend_from_within(0..3),
        19,
        "block 0 of a/b/c ended on line 3 already",
    );
    check_refused(|l| l.insert(3, l[2].clone()), 4, "ended on line 3 already");
    check_refused(|l| l.insert(1, l[0].clone()), 2, "a second process of a");
    // Lines of two blocks among each other, and a block without its end.
    check_refused(|l| l.swap(2, 3), 3, "where block 0 of a/b/c has not ended");
    check_refused(|l| drop(l.remove(2)), 3, "reordered, or some are missing");
    // Another plan's lines.
    let rename = |from: &'static str, to: &'static str| {
        move |l: &mut Vec<String>| l.iter_mut().for_each(|line| *line = line.replace(from, to))
    };
    check_refused(rename("a/b/c", "x/y/z"), 1, "the plan has no case `x/y/z`");
    check_refused(
        rename("\"variant\":\"b\"", "\"variant\":\"q\""),
        2,
        "no variant `q`; it has: a, b",
    );
    check_refused(
        rename("\"block\":2", "\"block\":7"),
        7,
        "block 7 of a/b/c is beyond the 3 blocks",
    );
    check_refused(
        rename("\"build\":0", "\"build\":1"),
        1,
        "the plan says build 0",
    );
}

/// The block is listed as dropped with this reason when the turns of its first process are changed so.
#[track_caller]
fn check_invalid(change: impl Fn(&mut Vec<Turn>), reason: &str) {
    let (plan, mut entries) = example();
    let Entry::Process(process) = &mut entries[0] else {
        panic!("the first line is a process")
    };
    change(&mut process.turns);
    let read = read_lines(&lines(&entries)).expect("well-formed");
    let result = analyse(&plan, &read.blocks);
    assert_eq!(result.dropped.len(), 1);
    assert_eq!(result.dropped[0].reason, reason);
    assert_eq!(result.comparisons[0].wall.blocks, 2);
}

#[test]
fn times_that_cannot_be_make_the_block_invalid() {
    check_invalid(
        |turns| turns[1].end_ns = turns[1].start_ns,
        "a: turn 1 took no time",
    );
    check_invalid(
        |turns| turns[1].end_ns = turns[1].start_ns - 1,
        "a: the clock went back in turn 1",
    );
    check_invalid(
        |turns| turns[2].start_ns = turns[0].start_ns,
        "a: the clock went back in turn 2",
    );
    check_invalid(
        |turns| turns[0].iterations = 0,
        "a: turn 0 has no iterations",
    );
    let sliced = "a: turn 1 was let run for none of its time, or for more than it had";
    check_invalid(|turns| turns[1].active_ns = Some(0), sliced);
    check_invalid(|turns| turns[1].active_ns = Some(u64::MAX), sliced);
}

#[test]
fn a_block_that_lacks_something_is_invalid() {
    let (plan, entries) = example();
    let mut without_process = lines(&entries);
    without_process.remove(1);
    let read = read_lines(&without_process).expect("well-formed");
    let result = analyse(&plan, &read.blocks);
    assert_eq!(result.dropped[0].reason, "it has no process of b");

    let mut entries = entries;
    if let Entry::Process(process) = &mut entries[1] {
        process.observation = None;
    }
    let read = read_lines(&lines(&entries)).expect("well-formed");
    let result = analyse(&plan, &read.blocks);
    assert_eq!(result.dropped[0].reason, "b: it has no observation");
}

#[test]
fn a_second_run_is_kept_away() {
    let folder = folder();
    let first = Journal::create(&file(&folder)).expect("a new file");
    assert!(is_being_written(&file(&folder)));
    let error = Journal::open(&file(&folder))
        .expect_err("locked")
        .to_string();
    assert!(error.contains("another run is writing"), "{error}");
    assert!(read(&file(&folder)).is_ok(), "reading is not kept away");
    drop(first);
    assert!(!is_being_written(&file(&folder)));
    assert!(Journal::open(&file(&folder)).is_ok());
}

/// A disk with so much room, that writes what fits and then fails.
struct Disk {
    bytes: Vec<u8>,
    room: usize,
    can_truncate: bool,
}

impl Storage for &mut Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fitting = bytes.len().min(self.room - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..fitting]);
        match fitting == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::StorageFull.into()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        if !self.can_truncate {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        self.bytes.truncate(length as usize);
        Ok(())
    }
}

#[test]
fn a_full_disk_leaves_a_journal_that_can_go_on() {
    let (_, entries) = example();
    let whole = lines(&entries).iter().map(|line| line.len() + 1).sum();
    let path = Path::new("/results/journal.jsonl");
    for can_truncate in [true, false] {
        for room in (0..whole).step_by(509) {
            let mut disk = Disk {
                bytes: Vec::new(),
                room,
                can_truncate,
            };
            let mut journal = Journal::on(&mut disk, path, 0);
            let mut blocks = entries.chunks(3);
            let kept = blocks
                .by_ref()
                .take_while(|block| journal.append(block).is_ok())
                .count();
            assert!(kept < entries.len() / 3, "it does not fit");
            let error = journal
                .append(&entries[kept * 3..kept * 3 + 3])
                .expect_err("full");
            let words = error.to_string();
            for part in [
                "/results/journal.jsonl",
                "no storage space",
                "--resume /results",
            ] {
                assert!(words.contains(part), "`{part}` is not in: {words}");
            }
            assert_eq!(words.contains("was cut back"), can_truncate, "{words}");

            // With more room it goes on where it was, and with --resume after a cut where there was none.
            let folder = folder();
            fs::write(file(&folder), &disk.bytes).expect("written");
            let read = read(&file(&folder)).expect("readable");
            assert_eq!(read.blocks, keep(&entries[..kept * 3]));
            let mut journal = Journal::open(&file(&folder)).expect("writable");
            journal.cut(read.whole_bytes).expect("cut");
            journal.append(&entries[kept * 3..]).expect("written");
            let read = super::read(&file(&folder)).expect("readable");
            assert_eq!(read.blocks, keep(&entries));
        }
    }
}

/// An observation with everything that may be in one.
fn rich() -> Observation {
    let value = serde_json::json!({
        "schema": 1, "case": "a/b/c", "identity": probe::Identity::of_this_process("system"),
        "phases": {
            "fit": {"iterations": [2], "wall_ns": [7], "user_ns": [5], "sys_ns": [1], "minor_faults": [0],
                    "major_faults": [0], "voluntary_switches": [0], "involuntary_switches": [0]},
            "quer\"y": {"iterations": [2], "wall_ns": [7], "user_ns": [5], "sys_ns": [1], "minor_faults": [0],
                    "major_faults": [0], "voluntary_switches": [0], "involuntary_switches": [0],
                    "histogram": {"count": 3, "mean_ns": 4.5, "min_ns": 1, "p50_ns": 4, "p90_ns": 6, "p95_ns": 6,
                                  "p99_ns": 6, "p999_ns": 6, "max_ns": 9},
                    "client_cpu_ns_per_operation": 2.5},
        },
        "peak_rss_bytes": 4096, "setup_ns": 3,
        "timeline": {"interval_ns": 100, "missed_ticks": 0, "elapsed_ns": [100, 200], "cpu_percent": [50.0, 100.0],
                     "rss_bytes": [1000, 2000]},
        "result": {"text": "x", "b\u{e9}ta": -7, "whole": 12, "part": 0.5, "list": [1, {"a": 2}], "map": {"a": [3]},
                   "yes": true, "none": null},
        "fingerprint": {"hash": "abc"},
    });
    serde_json::from_value(value).expect("an observation")
}

#[test]
fn what_is_kept_is_the_same_whether_it_was_read_or_has_just_been_run() {
    let (_, mut entries) = example();
    for (number, entry) in entries.iter_mut().enumerate() {
        if let Entry::Process(process) = entry {
            process.observation = Some(rich());
            if number == 0 {
                process.timeline = Some(TimeLine {
                    ran_ns: vec![0, 1],
                    cpu_ns: vec![0, 2],
                    rss_bytes: vec![5, 6],
                });
                process.slices = Some(Slices {
                    count: 3,
                    slice_ns: 20,
                    stop_ns_median: 1,
                    stop_ns_max: 2,
                    overlap_ns: 4,
                    refill_ns: None,
                });
            }
        }
    }
    let read = read_lines(&lines(&entries)).expect("well-formed");
    assert_eq!(read.blocks, keep(&entries));
    let kept = &read.blocks[0].processes;
    let names: Vec<(&str, f64)> = kept[0].results.iter().map(|(n, x)| (&**n, *x)).collect();
    assert_eq!(names, [("b\u{e9}ta", -7.0), ("part", 0.5), ("whole", 12.0)]);
    assert_eq!(kept[0].operations.len(), 1);
    assert_eq!(&*kept[0].operations[0].phase, "quer\"y");
    assert_eq!(kept[0].operations[0].client_cpu_ns, Some(2.5));
    assert_eq!(kept[0].timeline.len(), 2);
    assert_eq!(kept[1].timeline[1].cpu_ns, 150, "its own samples");
    assert!(
        std::sync::Arc::ptr_eq(
            &read.blocks[0].processes[1].results,
            &read.blocks[2].processes[1].results
        ),
        "equal results are there once"
    );
}

#[test]
fn a_long_journal_is_read_in_pieces_in_its_order() {
    let plan = plan(2500, &["a/b/c", "d/e/f"]);
    let entries = entries(&plan);
    let folder = folder();
    let mut lines = lines(&entries);
    write(&file(&folder), &lines);
    let bytes = fs::metadata(file(&folder)).expect("there").len();
    assert!(bytes > 8 << 20, "{bytes} bytes are no long journal");
    let read = read_planned(&file(&folder), &plan).expect("well-formed");
    assert_eq!(read.blocks, keep(&entries));
    assert_eq!(
        (read.whole_bytes, read.torn, read.unfinished),
        (bytes, false, 0)
    );
    // The first of two wrong lines is named, wherever the pieces end.
    lines[9_123] = "alien".into();
    lines[14_000] = "alien".into();
    write(&file(&folder), &lines);
    let error = read_planned(&file(&folder), &plan).expect_err("alien");
    assert!(error.to_string().contains("line 9124:"), "{error}");
    // A line that is longer than a piece.
    lines.truncate(9);
    lines[4] = lines[4].replace(
        "\"result\":{}",
        &format!("\"result\":{{\"long\":\"{}\"}}", "x".repeat(5 << 20)),
    );
    write(&file(&folder), &lines);
    let read = read_planned(&file(&folder), &plan).expect("well-formed");
    assert_eq!(read.blocks, keep(&entries[..9]));
}

#[test]
fn what_a_container_used_is_read_back() {
    let (_, mut entries) = example();
    let used = ContainerUse {
        memory_peak_bytes: Some(1 << 20),
        throttled_ns: Some(5),
        ..Default::default()
    };
    if let Entry::Process(process) = &mut entries[0] {
        process.container = Some(used);
    }
    let back = read_lines(&lines(&entries)).expect("readable");
    assert_eq!(back.blocks, keep(&entries));
    assert_eq!(
        back.blocks[0].processes[0].container.as_deref(),
        Some(&used)
    );
}
