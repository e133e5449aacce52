//! What goes on on the machine while this program does nothing for a second.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use probe::Pressure;

use super::readings::{Reading, Second};

/// How long the machine is watched.
const WATCHED: Duration = Duration::from_secs(1);

const STAT: &str = "/proc/stat";
const THROTTLING: &str = "cpu.stat of the control group";

/// How many busy processes are named, and the least that they must use, in CPUs.
const NAMED: usize = 3;
const LEAST_CPUS: f64 = 0.02;

/// Watches for a second.
pub fn read() -> Second {
    let before = (Pressure::of_this_process(), ticks(), processes());
    std::thread::sleep(WATCHED);
    let after = (Pressure::of_this_process(), ticks(), processes());
    let cpu = match (&before.1, &after.1) {
        (Ok(before), Ok(after)) => shares(before, after),
        (Err(error), _) | (_, Err(error)) => Err(error.clone()),
    };
    let contention = after.0.since(&before.0);
    Second {
        foreign: Reading::new(STAT, cpu.clone().map(|shares| shares.busy)),
        busiest: busiest(
            &before.2,
            &after.2,
            cpu.ok().map(|shares| shares.ticks_a_cpu),
        ),
        steal: match (&before.1, &after.1) {
            (Ok(before), Ok(after)) => {
                Reading::new(STAT, shares(before, after).map(|shares| shares.steal))
            }
            (Err(error), _) | (_, Err(error)) => Reading::new(STAT, Err(error.clone())),
        },
        throttled: Reading::new(
            THROTTLING,
            match (contention.throttled_periods, after.0.throttled_periods) {
                (Some(now), Some(ever)) => Ok((now, ever)),
                _ => Err("there is none, or it does not count them".into()),
            },
        ),
        group_bytes: after.0.memory_current_bytes,
    }
}

/// What the CPUs did, in clock ticks summed over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    steal: u64,
    all: u64,
    cpus: u64,
}

fn ticks() -> Result<Ticks, String> {
    let text = fs::read_to_string(STAT).map_err(|error| error.to_string())?;
    parse_ticks(&text).ok_or_else(|| "the file does not tell".into())
}

/// Reads the text of `/proc/stat`. Its first line is
/// `cpu user nice system idle iowait irq softirq steal guest guest_nice`, where guests are in `user`, too.
fn parse_ticks(text: &str) -> Option<Ticks> {
    let figures: Vec<u64> = text
        .lines()
        .next()?
        .strip_prefix("cpu ")?
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal] = *figures.first_chunk()?;
    let busy = [user, nice, system, irq, softirq];
    let is_cpu = |line: &&str| {
        let rest = line.strip_prefix("cpu").unwrap_or_default();
        rest.starts_with(|first: char| first.is_ascii_digit())
    };
    let busy = busy.iter().try_fold(0u64, |sum, &t| sum.checked_add(t))?;
    let all = [idle, iowait, steal];
    Some(Ticks {
        busy,
        steal,
        all: all.iter().try_fold(busy, |sum, &t| sum.checked_add(t))?,
        cpus: text.lines().filter(is_cpu).count() as u64,
    })
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Shares {
    busy: f64,
    steal: f64,
    ticks_a_cpu: f64,
}

fn shares(before: &Ticks, after: &Ticks) -> Result<Shares, String> {
    let all = after.all.saturating_sub(before.all);
    if all == 0 || after.cpus == 0 {
        return Err("the figures stand still".into());
    }
    let share = |after: u64, before: u64| after.saturating_sub(before) as f64 / all as f64;
    Ok(Shares {
        busy: share(after.busy, before.busy),
        steal: share(after.steal, before.steal),
        ticks_a_cpu: all as f64 / after.cpus as f64,
    })
}

/// The CPU time of every process that can be seen, in clock ticks, with its name.
fn processes() -> BTreeMap<u32, (String, u64)> {
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if let Some(pid) = pid
            && pid != std::process::id()
            && let Ok(text) = fs::read(entry.path().join("stat"))
            && let Some(process) = parse_process(&String::from_utf8_lossy(&text))
        {
            processes.insert(pid, process);
        }
    }
    processes
}

/// Reads the text of `/proc/<pid>/stat`: the name, in parentheses, may hold parentheses itself.
fn parse_process(text: &str) -> Option<(String, u64)> {
    let (name, rest) = (text.find('(')?, text.rfind(')')?);
    let mut fields = text[rest + 1..].split_whitespace();
    // Numbered as in proc(5): the first field here is 3.
    let user: u64 = fields.nth(14 - 3)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let name: String = text
        .get(name + 1..rest)?
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    Some((name, user.checked_add(system)?))
}

fn busiest(
    before: &BTreeMap<u32, (String, u64)>,
    after: &BTreeMap<u32, (String, u64)>,
    ticks_a_cpu: Option<f64>,
) -> Vec<(String, f64)> {
    let Some(ticks_a_cpu) = ticks_a_cpu else {
        return Vec::new();
    };
    let mut used: Vec<(String, f64)> = after
        .iter()
        .map(|(pid, (name, ticks))| {
            let earlier = before.get(pid).map_or(0, |(_, ticks)| *ticks);
            let cpus = ticks.saturating_sub(earlier) as f64 / ticks_a_cpu;
            (format!("{name} ({pid})"), cpus)
        })
        .filter(|(_, cpus)| *cpus >= LEAST_CPUS)
        .collect();
    used.sort_by(|a, b| b.1.total_cmp(&a.1));
    used.truncate(NAMED);
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_all_cpus() {
        let text = |user: u64, idle: u64, steal: u64| {
            format!(
                "cpu  {user} 0 100 {idle} 5 0 10 {steal} 7 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nctxt 5\n"
            )
        };
        let before = parse_ticks(&text(1000, 2000, 50)).expect("ticks");
        assert_eq!(before.cpus, 2);
        assert_eq!((before.busy, before.all), (1110, 3165));
        let after = parse_ticks(&text(1050, 2140, 60)).expect("ticks");
        let shares = shares(&before, &after).expect("time went by");
        assert_eq!(shares.busy, 0.25);
        assert_eq!(shares.steal, 0.05);
        assert_eq!(shares.ticks_a_cpu, 100.0);
        assert!(super::shares(&before, &before).is_err());
    }

    #[test]
    fn other_texts_tell_nothing() {
        for text in ["", "cpu 1 2 3 4", "cpu0 1 2 3 4 5 6 7 8", "intr 5"] {
            assert_eq!(parse_ticks(text), None, "{text}");
        }
        let max = u64::MAX;
        assert_eq!(parse_ticks(&format!("cpu {max} {max} 0 0 0 0 0 0")), None);
    }

    #[test]
    fn a_process_may_be_called_anything() {
        let text = "12 (a) R) b) S 1 12 12 0 -1 4 5 0 6 0 30 12 0 0";
        assert_eq!(parse_process(text), Some(("a) R) b".into(), 42)));
        assert_eq!(parse_process("12 (a"), None);
        assert_eq!(parse_process(") ("), None);
    }

    #[test]
    fn the_busiest_come_first() {
        let of = |ticks: [u64; 3]| {
            let named = ["idle", "cc", "ld"].iter().zip(ticks).zip(1..);
            named
                .map(|((name, ticks), pid)| (pid, ((*name).to_string(), ticks)))
                .collect::<BTreeMap<u32, _>>()
        };
        let busy = busiest(&of([5, 5, 5]), &of([5, 25, 105]), Some(100.0));
        assert_eq!(busy, [("ld (3)".into(), 1.0), ("cc (2)".into(), 0.2)]);
    }
}
