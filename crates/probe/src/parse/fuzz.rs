//! No bytes make a parser panic: neither arbitrary ones nor captured texts that were damaged.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{cgroup, machine, memory, pressure, process, stat};
use crate::{container, host, limits};

const CAPTURED: [&[u8]; 17] = [
    include_bytes!("../../tests/fixtures/linux-6.18/stat"),
    include_bytes!("../../tests/fixtures/linux-3.10/stat"),
    include_bytes!("../../tests/fixtures/linux-6.18/status"),
    include_bytes!("../../tests/fixtures/linux-3.10/status"),
    include_bytes!("../../tests/fixtures/linux-6.18/io"),
    include_bytes!("../../tests/fixtures/linux-6.18/smaps_rollup"),
    include_bytes!("../../tests/fixtures/linux-6.18/machine-stat"),
    include_bytes!("../../tests/fixtures/linux-6.18/pressure-cpu"),
    include_bytes!("../../tests/fixtures/docker-v1/cpu.stat"),
    include_bytes!("../../tests/fixtures/docker-v2/cpu.stat"),
    include_bytes!("../../tests/fixtures/docker-v1/cgroup"),
    include_bytes!("../../tests/fixtures/docker-v1/mountinfo"),
    include_bytes!("../../tests/fixtures/docker-v2/mountinfo"),
    include_bytes!("../../tests/fixtures/podman-v2/cgroup"),
    include_bytes!("../../tests/fixtures/bare-hybrid/cgroup"),
    include_bytes!("../../tests/fixtures/bare-hybrid/meminfo"),
    include_bytes!("../../tests/fixtures/bare-hybrid/cpuinfo"),
];

/// Gives a text to every parser.
fn parse_all(text: &[u8]) {
    let stat = stat::Stat::parse(text);
    let _ = (stat.own_ticks(), stat.children_ticks(), stat.has_ended());
    process::Status::parse(text);
    process::switches(text);
    process::statm(text);
    process::io(text);
    process::schedstat(text);
    process::children(text).for_each(drop);
    memory::pss_bytes(text);
    memory::total_bytes(text);
    machine::steal_ticks(text);
    machine::load_average(text);
    pressure::stall(text);
    cgroup::cpu_max(text);
    cgroup::cfs_quota(text, text);
    cgroup::memory_limit(text);
    cgroup::cpu_stat(text);
    // These open what they find, so that one text is every file.
    let every_file = |_: &Path| Some(text.to_vec());
    let _ = limits::from_files("self", &every_file).whole_memory();
    crate::pressure::from_files("self", &every_file);
    host::from_files(&every_file);
    let words = String::from_utf8_lossy(text);
    container::kind(&|_| Some(words.clone().into_owned()));
}

/// A captured text with some bytes replaced, and cut off somewhere.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    let text = (0..CAPTURED.len()).prop_map(|index| CAPTURED[index]);
    (text, changes, any::<prop::sample::Index>()).prop_map(|(text, changes, end)| {
        let mut text = text.to_vec();
        for (place, byte) in changes {
            let place = place.index(text.len());
            text[place] = byte;
        }
        text.truncate(end.index(text.len()) + 1);
        text
    })
}

proptest! {
    // Nothing is written beside the sources: a failing input is printed.
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes(text in vec(any::<u8>(), 0..400)) {
        parse_all(&text);
    }

    #[test]
    fn words_and_numbers(text in r"([a-zA-Z_:/()=. \t\n-]{0,6}[0-9]{0,21}){0,40}") {
        parse_all(text.as_bytes());
    }

    #[test]
    fn captured_texts_with_damage(text in damaged()) {
        parse_all(&text);
    }

    #[test]
    fn numbers_come_back(value: u64) {
        let text = format!("nr_throttled {value}\n");
        prop_assert_eq!(super::keyed(text.as_bytes(), "nr_throttled"), Some(value));
    }
}
