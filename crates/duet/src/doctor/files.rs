//! What is in files under `/proc` and `/sys`.

use std::io;

use probe::Host;

use super::readings::{Files, Reading};

/// The text of a file.
type Read<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// Where the processors' frequencies are ruled.
pub(super) const GOVERNOR: &str = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
/// Intel's driver has a switch of its own, turned the other way round.
pub(super) const NO_TURBO: &str = "/sys/devices/system/cpu/intel_pstate/no_turbo";
pub(super) const BOOST: &str = "/sys/devices/system/cpu/cpufreq/boost";
const SMT: &str = "/sys/devices/system/cpu/smt/active";
const ASLR: &str = "/proc/sys/kernel/randomize_va_space";
const PERSONALITY: &str = "/proc/self/personality";
pub(super) const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
pub(super) const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
const CLOCKS: &str = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
const NODES: &str = "/sys/devices/system/node/online";
const LOAD: &str = "/proc/loadavg";
const MEMORY: &str = "/proc/meminfo";

/// `ADDR_NO_RANDOMIZE` of the kernel's `personality.h`, as `setarch --addr-no-randomize` sets it.
const ADDR_NO_RANDOMIZE: u32 = 0x0004_0000;

/// Reads the files. What `probe` has read already is taken from `host`; `read` then only tells why there is
/// nothing.
pub fn read(host: &Host, read: Read) -> Files {
    Files {
        governor: told(GOVERNOR, host.governor.clone(), read),
        boost: boost(read),
        smt: parsed(SMT, read, flag),
        aslr: told(ASLR, host.address_space_randomization, read),
        aslr_exempt: parsed(PERSONALITY, read, |text| {
            let personality = u32::from_str_radix(text.trim(), 16).ok()?;
            Some(personality & ADDR_NO_RANDOMIZE != 0)
        }),
        huge_pages: told(HUGE_PAGES, host.transparent_huge_pages.clone(), read),
        clock: told(CLOCK, host.clock_source.clone(), read),
        clocks: parsed(CLOCKS, read, |text| {
            Some(text.split_whitespace().map(String::from).collect())
        }),
        nodes: parsed(NODES, read, count),
        load: told(LOAD, host.load_average.map(|averages| averages[0]), read),
        available_bytes: parsed(MEMORY, read, |text| kilobytes(text, "MemAvailable")),
        swap: parsed(MEMORY, read, |text| {
            let total = kilobytes(text, "SwapTotal")?;
            Some((total, total.saturating_sub(kilobytes(text, "SwapFree")?)))
        }),
    }
}

/// A value that was read already, or why it could not be had.
fn told<T>(path: &str, value: Option<T>, read: Read) -> Reading<T> {
    let value = value.ok_or_else(|| match read(path) {
        Ok(_) => "the file does not tell".into(),
        Err(error) => reason(&error),
    });
    Reading::new(path, value)
}

fn parsed<T>(path: &str, read: Read, parse: impl FnOnce(&str) -> Option<T>) -> Reading<T> {
    let value = match read(path) {
        Ok(text) => parse(&text).ok_or_else(|| "the file does not tell".into()),
        Err(error) => Err(reason(&error)),
    };
    Reading::new(path, value)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

fn boost(read: Read) -> Reading<bool> {
    let turbo = parsed(NO_TURBO, read, |text| flag(text).map(|off| !off));
    match turbo.value {
        Ok(_) => turbo,
        Err(_) => parsed(BOOST, read, flag),
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// How many numbers a list such as `0-3,8` has.
fn count(list: &str) -> Option<usize> {
    let mut count = 0;
    for part in list.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        count += last.checked_sub(first)?.checked_add(1)?;
    }
    Some(count)
}

/// A line of `/proc/meminfo`, in bytes.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let rest = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    let number: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_numbers_are_counted() {
        assert_eq!(count("0\n"), Some(1));
        assert_eq!(count("0-3,8\n"), Some(5));
        assert_eq!(count(""), None);
        assert_eq!(count("3-1"), None);
        assert_eq!(count("0-18446744073709551615"), None);
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let denied = |_: &str| Err(io::Error::from(io::ErrorKind::PermissionDenied));
        let files = read(&Host::default(), &denied);
        assert_eq!(files.smt.value, Err("permission denied".into()));
        assert_eq!(files.governor.value, Err("permission denied".into()));
        let nonsense = |_: &str| Ok("what?".to_string());
        let files = read(&Host::default(), &nonsense);
        assert_eq!(files.boost.value, Err("the file does not tell".into()));
        assert_eq!(files.swap.value, Err("the file does not tell".into()));
        assert_eq!(files.clock.value, Err("the file does not tell".into()));
    }

    #[test]
    fn intels_switch_is_turned_the_other_way_round() {
        let of = |wanted: &'static str, text: &'static str| {
            let read = move |path: &str| match path == wanted {
                true => Ok(text.to_string()),
                false => Err(io::Error::from(io::ErrorKind::NotFound)),
            };
            boost(&read)
        };
        assert_eq!(of(NO_TURBO, "0\n").value, Ok(true));
        assert_eq!(of(NO_TURBO, "1\n").value, Ok(false));
        assert_eq!(of(BOOST, "1\n"), Reading::new(BOOST, Ok(true)));
        assert!(of("/x", "1").value.is_err());
    }
}
