//! What else went on while a block ran, and whether that spoils it.
//!
//! | reading | source | the share is of |
//! |---|---|---|
//! | throttled | `cpu.stat` of the control group: time for which its CPU quota stopped it | |
//! | stolen | `/proc/stat`: CPU time that the hypervisor gave to other guests | the CPU time that was asked for: busy and stolen |
//! | foreign | `/proc/stat`: busy CPU time less that of this process and its descendants | the time of all CPUs |
//!
//! The descendants are the processes of the block and the fixtures. A reading that cannot be had is `None`
//! and closes no gate.

use std::fs;

use probe::Pressure;
use serde::{Deserialize, Serialize};

/// The disturbances from which a block is dropped; `[gates]` in `duet.toml`. Each is a share from 0 to 1,
/// and 1 lets everything through.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// Of the block's time, the share for which the control group's quota may stop it, summed over CPUs.
    pub throttled: f64,
    /// Of the CPU time that was asked for, the share that the hypervisor may give to others.
    pub steal: f64,
    /// Of the time of all CPUs, the share that foreign programs may use.
    pub foreign: f64,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            // A stop by the quota is a stop of one process and not of its partner.
            throttled: 0.0,
            steal: 0.05,
            // Interleaving cancels load that stays. Above a quarter of the machine it does not stay
            // beside the block: with two CPUs that is half of one.
            foreign: 0.25,
        }
    }
}

impl Gates {
    /// Lets everything through.
    pub const OPEN: Self = Self {
        throttled: 1.0,
        steal: 1.0,
        foreign: 1.0,
    };

    /// # Errors
    /// A limit that is no share.
    pub fn check(&self) -> Result<(), String> {
        let limits = [
            ("throttled", self.throttled),
            ("steal", self.steal),
            ("foreign", self.foreign),
        ];
        match limits
            .iter()
            .find(|(_, limit)| !(0.0..=1.0).contains(limit))
        {
            Some((name, limit)) => Err(format!(
                "[gates] {name} = {limit} must be a share from 0 to 1, for example 0.05 for 5 %; 1 drops nothing"
            )),
            None => Ok(()),
        }
    }
}

/// What went on beside the processes of a block, from before the first was started until after the last
/// ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// Time for which the control group's CPU quota stopped it, nanoseconds, summed over CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
    /// CPU time that the hypervisor gave to other guests, as a share of what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_share: Option<f64>,
    /// CPU time of foreign programs, as a share of the time of all CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_share: Option<f64>,
}

/// The readings at the start of a block.
#[derive(Debug)]
pub struct Watch {
    start: Moment,
    all_are_ours: bool,
}

/// What a block's window came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The readings.
    pub conditions: Conditions,
    /// The gate that is closed: which reading is above which limit, and what to do.
    pub closed: Option<String>,
}

impl Watch {
    /// Begins the window. It takes about half a millisecond. `all_are_ours`: whether all that is measured
    /// descends from this process. What a container engine starts does not, and could not be told from what
    /// is foreign.
    pub fn start(all_are_ours: bool) -> Self {
        Self {
            start: Moment::now(),
            all_are_ours,
        }
    }

    /// Ends the window.
    pub fn end(self, gates: &Gates) -> Finding {
        let window = Moment::now().since(&self.start);
        Window {
            own_ns: window.own_ns.filter(|_| self.all_are_ours),
            ..window
        }
        .judge(gates)
    }
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    monotonic_ns: u64,
    throttled_ns: Option<u64>,
    machine: Option<Ticks>,
    /// CPU time of this process and its descendants, in nanoseconds.
    own_ns: Option<u64>,
}

/// CPU time of the machine, in ticks, summed over CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    steal: u64,
    all: u64,
}

/// The counters between two moments.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    wall_ns: u64,
    throttled_ns: Option<u64>,
    machine: Option<Ticks>,
    own_ns: Option<u64>,
}

impl Moment {
    fn now() -> Self {
        let pressure = Pressure::of_this_process();
        Self {
            monotonic_ns: pressure.monotonic_ns,
            throttled_ns: pressure.throttled_ns,
            machine: fs::read_to_string("/proc/stat")
                .ok()
                .and_then(|text| Ticks::parse(&text)),
            own_ns: own_cpu_ns(),
        }
    }

    fn since(&self, earlier: &Self) -> Window {
        let less = |now: Option<u64>, then: Option<u64>| Some(now?.saturating_sub(then?));
        Window {
            wall_ns: self.monotonic_ns.saturating_sub(earlier.monotonic_ns),
            throttled_ns: less(self.throttled_ns, earlier.throttled_ns),
            machine: self
                .machine
                .zip(earlier.machine)
                .map(|(now, then)| now.less(&then)),
            own_ns: less(self.own_ns, earlier.own_ns),
        }
    }
}

impl Ticks {
    /// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; the guest's
    /// time behind them is a part of user.
    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().next()?.strip_prefix("cpu ")?;
        let fields: Vec<u64> = line
            .split_ascii_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = fields[..] else {
            return None;
        };
        let busy = user + nice + system + irq + softirq;
        Some(Self {
            busy,
            steal,
            all: busy + steal + idle + iowait,
        })
    }

    fn less(&self, earlier: &Self) -> Self {
        Self {
            busy: self.busy.saturating_sub(earlier.busy),
            steal: self.steal.saturating_sub(earlier.steal),
            all: self.all.saturating_sub(earlier.all),
        }
    }
}

impl Window {
    fn judge(&self, gates: &Gates) -> Finding {
        let tick_ns = 1e9 / rustix::param::clock_ticks_per_second() as f64;
        let throttled_share = self
            .throttled_ns
            .map(|ns| ns as f64 / self.wall_ns.max(1) as f64);
        let machine = self.machine.filter(|ticks| ticks.all > 0);
        let asked = machine.map(|ticks| (ticks.busy + ticks.steal) as f64);
        let steal_share = machine
            .zip(asked)
            .map(|(ticks, asked)| ticks.steal as f64 / asked.max(1.0));
        let foreign_ticks = machine
            .zip(self.own_ns)
            .map(|(ticks, own)| (ticks.busy as f64 - own as f64 / tick_ns).max(0.0));
        let foreign_share = machine
            .zip(foreign_ticks)
            .map(|(ticks, foreign)| foreign / ticks.all as f64);
        // The kernel finds out who uses a CPU by looking once a tick: a count of n is uncertain by about
        // √n, and a short block must not be dropped for that.
        let noise = |ticks: f64| 2.0 + 2.0 * ticks.sqrt();
        let stolen = machine.zip(asked).is_some_and(|(ticks, asked)| {
            let steal = ticks.steal as f64;
            steal - gates.steal * asked > noise(steal)
        });
        let foreign = machine.zip(foreign_ticks).is_some_and(|(ticks, foreign)| {
            foreign - gates.foreign * ticks.all as f64 > noise(ticks.busy as f64)
        });
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let closed = match (throttled_share, steal_share, foreign_share) {
            (Some(share), _, _) if gates.throttled < 1.0 && share > gates.throttled => {
                Some(format!(
                    "the CPU quota of the control group stopped it for {} of its time (limit {}); raise the \
                 quota, or `throttled` under [gates]",
                    percent(share),
                    percent(gates.throttled)
                ))
            }
            (_, Some(share), _) if stolen => Some(format!(
                "the hypervisor gave {} of the CPU time to other guests (limit {}); wait for a quieter \
                 hour, or raise `steal` under [gates]",
                percent(share),
                percent(gates.steal)
            )),
            (_, _, Some(share)) if foreign => Some(format!(
                "other programs used {} of the CPUs (limit {}); end them, or raise `foreign` under [gates]",
                percent(share),
                percent(gates.foreign)
            )),
            _ => None,
        };
        Finding {
            conditions: Conditions {
                throttled_ns: self.throttled_ns,
                steal_share,
                foreign_share,
            },
            closed,
        }
    }
}

/// CPU time of this process, of the children that it has waited for, and of the descendants that live, with
/// those that they have waited for; nanoseconds.
fn own_cpu_ns() -> Option<u64> {
    let mut ticks = 0;
    // `None` as the parent: this process. A tree that is being changed is walked as far as it is there.
    let mut waiting = vec![std::process::id()];
    while let Some(pid) = waiting.pop() {
        let Some((process, children)) = cpu_ticks_and_children(pid) else {
            if pid == std::process::id() {
                return None;
            }
            continue;
        };
        ticks += process;
        waiting.extend(children);
    }
    Some((ticks as f64 * 1e9 / rustix::param::clock_ticks_per_second() as f64) as u64)
}

/// Of one process: its CPU time and that of the children it has waited for, in ticks, and its children.
fn cpu_ticks_and_children(pid: u32) -> Option<(u64, Vec<u32>)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = parse_cpu_ticks(&stat)?;
    let mut children = Vec::new();
    // Each thread has its own children; only a kernel without CONFIG_PROC_CHILDREN has no such file.
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(list) => children.extend(
                list.split_ascii_whitespace()
                    .filter_map(|pid| pid.parse::<u32>().ok()),
            ),
            Err(error)
                if thread.path().exists() && error.kind() == std::io::ErrorKind::NotFound =>
            {
                return None;
            }
            Err(_) => {}
        }
    }
    Some((ticks, children))
}

/// The fields utime, stime, cutime and cstime (14 to 17) of `/proc/PID/stat`, added up. The name before
/// them may hold anything, so they are counted from its closing parenthesis.
fn parse_cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<u64> = fields
        .split_ascii_whitespace()
        .skip(11)
        .take(4)
        .map_while(|field| field.parse().ok())
        .collect();
    (times.len() == 4).then(|| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_ticks_are_read() {
        let text = "cpu  100 5 20 800 40 3 2 30 60 0\ncpu0 1 2 3\n";
        let expected = Ticks {
            busy: 130,
            steal: 30,
            all: 1000,
        };
        assert_eq!(Ticks::parse(text), Some(expected));
        assert_eq!(Ticks::parse("cpu  100 5 20 800"), None, "older than 2.6.11");
        assert_eq!(Ticks::parse("cpu0 100 5 20 800 40 3 2 30"), None);
        assert_eq!(Ticks::parse(""), None);
    }

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "77 (a) b (c)) S 1 77 77 0 -1 4194560 100 200 0 0 11 22 33 44 20 0 1 0 5 6";
        assert_eq!(parse_cpu_ticks(stat), Some(110));
        assert_eq!(parse_cpu_ticks("77 (a) S 1 2 3"), None);
        assert_eq!(parse_cpu_ticks("nothing"), None);
    }

    /// Two seconds on two CPUs, of which the block itself used `own` ticks.
    fn window(busy: u64, steal: u64, own: u64) -> Window {
        Window {
            wall_ns: 2_000_000_000,
            throttled_ns: Some(0),
            machine: Some(Ticks {
                busy,
                steal,
                all: 400,
            }),
            own_ns: Some(own * 10_000_000),
        }
    }

    #[track_caller]
    fn check(window: &Window, gates: &Gates, closed: Option<&str>) {
        let finding = window.judge(gates);
        match (closed, &finding.closed) {
            (None, None) => {}
            (Some(part), Some(words)) if words.contains(part) => {}
            _ => panic!("expected {closed:?}: {finding:?}"),
        }
    }

    #[test]
    fn disturbances_close_their_gate() {
        let gates = Gates::default();
        check(&window(200, 0, 200), &gates, None);
        check(&window(300, 0, 200), &gates, None);
        check(
            &window(360, 0, 200),
            &gates,
            Some("other programs used 40.0 % of the CPUs (limit 25.0 %)"),
        );
        check(&window(200, 8, 200), &gates, None);
        check(
            &window(200, 60, 200),
            &gates,
            Some("gave 23.1 % of the CPU time to other guests"),
        );
        let throttled = Window {
            throttled_ns: Some(20_000_000),
            ..window(200, 0, 200)
        };
        check(&throttled, &gates, Some("stopped it for 1.0 %"));
        let lenient = Gates {
            throttled: 0.02,
            steal: 1.0,
            foreign: 1.0,
        };
        check(&throttled, &lenient, None);
        check(&window(400, 0, 0), &lenient, None);
        check(&window(100, 300, 100), &lenient, None);
    }

    #[test]
    fn a_tick_of_noise_does_not_drop_a_short_block() {
        // Forty milliseconds on two CPUs: a tick is an eighth of the window.
        let short = |busy, steal| Window {
            machine: Some(Ticks {
                busy,
                steal,
                all: 8,
            }),
            ..window(0, 0, 1)
        };
        check(&short(4, 0), &Gates::default(), None);
        check(&short(2, 1), &Gates::default(), None);
    }

    #[test]
    fn what_cannot_be_read_closes_nothing_and_is_not_nought() {
        let blind = Window {
            wall_ns: 1_000_000_000,
            ..Window::default()
        };
        let finding = blind.judge(&Gates {
            throttled: 0.0,
            steal: 0.0,
            foreign: 0.0,
        });
        assert_eq!(finding.conditions, Conditions::default());
        assert_eq!(finding.closed, None);
        let empty = Window {
            machine: Some(Ticks::default()),
            ..blind
        };
        assert_eq!(empty.judge(&Gates::default()).conditions.steal_share, None);
    }

    #[test]
    fn own_work_is_not_foreign() {
        // Ticks are 10 ms: a fifth of a second of work is well above their noise.
        let before = own_cpu_ns().expect("/proc is there");
        let start = probe::Usage::now();
        while probe::Usage::now().since(&start).cpu_ns() < 200_000_000 {
            std::hint::black_box((0..10_000_u64).sum::<u64>());
        }
        let used = own_cpu_ns().expect("/proc is there") - before;
        assert!(used >= 150_000_000, "{used} ns");
    }

    #[test]
    fn what_is_measured_elsewhere_is_not_taken_for_foreign() {
        let elsewhere = Watch::start(false).end(&Gates::default());
        assert_eq!(elsewhere.conditions.foreign_share, None);
        std::thread::sleep(std::time::Duration::from_millis(50));
        let watch = Watch::start(true);
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(watch.end(&Gates::OPEN).conditions.foreign_share.is_some());
    }

    #[test]
    fn limits_are_shares() {
        assert_eq!(Gates::default().check(), Ok(()));
        for steal in [-0.1, 1.1, f64::NAN, 5.0] {
            let gates = Gates {
                steal,
                ..Gates::default()
            };
            let complaint = gates.check().expect_err("no share");
            assert!(
                complaint.contains("steal = ") && complaint.contains("0 to 1"),
                "{complaint}"
            );
        }
    }
}
