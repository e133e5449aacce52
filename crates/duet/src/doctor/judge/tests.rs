//! Readings of several hosts, and what is found on each.

use std::io;
use std::time::Duration;

use probe::Host;

use super::judge;
use crate::doctor::files;
use crate::doctor::readings::{Reading, Readings, Second, Server, Stops, Tools, Trial};
use crate::doctor::{Finding, Level, diagnose, show};

type Texts = &'static [(&'static str, &'static str)];

/// Files of a quiet machine that is set up for measuring.
const QUIET: Texts = &[
    (
        "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
        "performance\n",
    ),
    ("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n"),
    ("/sys/devices/system/cpu/smt/active", "0\n"),
    ("/proc/self/personality", "00000000\n"),
    (
        "/sys/devices/system/clocksource/clocksource0/available_clocksource",
        "tsc hpet acpi_pm \n",
    ),
    ("/sys/devices/system/node/online", "0\n"),
    (
        "/proc/meminfo",
        "MemTotal:       32594184 kB\nMemFree:         1250316 kB\nMemAvailable:   24113452 kB\n\
         SwapTotal:             0 kB\nSwapFree:              0 kB\n",
    ),
];

fn read(texts: Texts) -> impl Fn(&str) -> io::Result<String> {
    move |path| {
        let found = texts.iter().find(|(name, _)| *name == path);
        found
            .map(|(_, text)| (*text).to_string())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The host that goes with [`QUIET`].
fn quiet_host() -> Host {
    Host {
        logical_cpus: Some(8),
        available_cpus: Some(8),
        governor: Some("performance".into()),
        clock_source: Some("tsc".into()),
        transparent_huge_pages: Some("madvise".into()),
        address_space_randomization: Some(2),
        cgroup_version: Some(2),
        load_average: Some([0.1, 0.2, 0.3]),
        ..Host::default()
    }
}

fn readings(host: Host, texts: Texts) -> Readings {
    Readings {
        files: files::read(&host, &read(texts)),
        host,
        second: Second {
            foreign: Reading::new("/proc/stat", Ok(0.004)),
            busiest: Vec::new(),
            steal: Reading::new("/proc/stat", Ok(0.0)),
            throttled: Reading::new("cpu.stat", Err("there is none".into())),
            group_bytes: None,
        },
        tools: Tools {
            project: Ok("duet.toml".into()),
            rustc: Reading::new("rustc --version", Ok("rustc 1.95.0".into())),
            targets: vec![(
                "x86_64-unknown-linux-musl".into(),
                Reading::new("rustc", Ok(true)),
            )],
            linker: Reading::new("cc --version", Ok("cc (Debian) 12.2".into())),
            postgres: Some(Reading::new("PATH", Ok("/usr/bin".into()))),
            engines: Vec::new(),
            missing_runners: Vec::new(),
            target_writable: Reading::new("/w/target", Ok(())),
            target_free_bytes: Reading::new("/w/target", Ok(100_000_000_000)),
        },
        servers: Vec::new(),
        trial: Trial {
            stops: Reading::new(
                "SIGSTOP",
                Ok(Stops {
                    stop_median: Duration::from_micros(70),
                    stop_max: Duration::from_micros(900),
                    continue_median: Duration::from_micros(40),
                    count: 20,
                }),
            ),
            pinned: Reading::new("sched_setaffinity", Ok((8, 8))),
        },
    }
}

/// Exactly these subjects are not in order, at these levels, and each has words with this part; the text fits
/// its width.
#[track_caller]
fn check(readings: &Readings, expected: &[(&str, Level, &str)]) {
    let findings = judge(readings);
    let wrong: Vec<&Finding> = findings
        .iter()
        .filter(|finding| finding.level != Level::Ok)
        .collect();
    let names = |list: &[(&str, Level)]| {
        let mut list: Vec<String> = list
            .iter()
            .map(|(id, level)| format!("{id}: {level:?}"))
            .collect();
        list.sort();
        list
    };
    let got: Vec<(&str, Level)> = wrong.iter().map(|f| (f.id.as_str(), f.level)).collect();
    let want: Vec<(&str, Level)> = expected
        .iter()
        .map(|(id, level, _)| (*id, *level))
        .collect();
    assert_eq!(names(&got), names(&want));
    for (id, level, part) in expected {
        let words = |f: &&&Finding| {
            let todo = f.todo.as_deref().unwrap_or_default();
            f.id == *id && f.level == *level && format!("{} {todo}", f.read).contains(part)
        };
        assert!(wrong.iter().any(|f| words(&f)), "`{part}`: {wrong:#?}");
    }
    let diagnosis = diagnose(readings);
    let impossible = expected
        .iter()
        .any(|(_, level, _)| *level == Level::Problem);
    assert_eq!(diagnosis.possible, !impossible);
    for line in show::text(&diagnosis, Level::Ok, false).lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
    for finding in &findings {
        assert!(finding.why.ends_with('.'), "{finding:?}");
    }
}

#[test]
fn a_quiet_machine_has_nothing_to_complain_of() {
    check(&readings(quiet_host(), QUIET), &[]);
}

#[test]
fn bare_metal_with_powersave() {
    let host = Host {
        governor: Some("powersave".into()),
        transparent_huge_pages: Some("always".into()),
        address_space_randomization: Some(0),
        clock_source: Some("hpet".into()),
        load_average: Some([7.5, 3.0, 1.0]),
        ..quiet_host()
    };
    let texts: Texts = &[
        ("/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
        ("/sys/devices/system/cpu/smt/active", "1\n"),
        ("/proc/self/personality", "00000000\n"),
        (
            "/sys/devices/system/clocksource/clocksource0/available_clocksource",
            "hpet acpi_pm tsc\n",
        ),
        ("/sys/devices/system/node/online", "0-1\n"),
        (
            "/proc/meminfo",
            "MemAvailable:   2113452 kB\nSwapTotal:    8388604 kB\nSwapFree:    4194300 kB\n",
        ),
    ];
    let mut readings = readings(host, texts);
    readings.second.foreign = Reading::new("/proc/stat", Ok(0.4));
    readings.second.busiest = vec![("firefox (4711)".into(), 2.5)];
    check(
        &readings,
        &[
            ("governor", Level::Warning, "echo performance | sudo tee"),
            ("turbo", Level::Note, "no_turbo"),
            ("SMT", Level::Note, "smt/control"),
            ("ASLR", Level::Warning, "randomize_va_space=2"),
            ("huge pages", Level::Note, "echo madvise"),
            ("clock", Level::Warning, "echo tsc | sudo tee"),
            ("NUMA", Level::Note, "2 nodes"),
            ("memory", Level::Note, "2.2 GB free"),
            ("swap", Level::Warning, "4.3 GB of 8.6 GB in use"),
            ("other programs", Level::Warning, "firefox (4711) 2.50 CPUs"),
            ("load", Level::Note, "7.50"),
        ],
    );
}

#[test]
fn a_small_virtual_machine_with_neighbours() {
    let host = Host {
        governor: None,
        logical_cpus: Some(2),
        virtualisation: Some("kvm".into()),
        clock_source: Some("kvm-clock".into()),
        ..quiet_host()
    };
    let texts: Texts = &[
        ("/sys/devices/system/cpu/smt/active", "0\n"),
        ("/proc/self/personality", "00040000\n"),
        ("/sys/devices/system/node/online", "0\n"),
        (
            "/proc/meminfo",
            "MemAvailable:   24113452 kB\nSwapTotal:    100 kB\nSwapFree:    99 kB\n",
        ),
    ];
    let mut readings = readings(host, texts);
    readings.second.steal = Reading::new("/proc/stat", Ok(0.08));
    readings.second.foreign = Reading::new("/proc/stat", Ok(0.05));
    readings.trial.pinned = Reading::new("sched_setaffinity", Ok((1, 1)));
    readings.trial.stops = Reading::new("SIGSTOP", Err("not confirmed within 2 s".into()));
    readings.servers = vec![
        Server {
            folder: "/dev/shm/dbload-a".into(),
            is_running: true,
        },
        Server {
            folder: "/dev/shm/dbload-b".into(),
            is_running: false,
        },
    ];
    check(
        &readings,
        &[
            ("governor", Level::Note, "the host of this virtual machine"),
            ("turbo", Level::Note, "could not be read: there is no"),
            ("ASLR", Level::Warning, "setarch"),
            ("virtualisation", Level::Note, "a guest of kvm"),
            ("stolen time", Level::Warning, "8.0 %"),
            ("other programs", Level::Note, "5.0 %"),
            ("swap", Level::Note, "in use"),
            ("CPUs", Level::Note, "only one"),
            ("stopping", Level::Warning, "not confirmed"),
            ("temporary server", Level::Note, "one is running"),
            ("temporary server", Level::Note, "rm -r /dev/shm/dbload-b"),
        ],
    );
}

#[test]
fn a_container_with_a_quota_and_little_room() {
    let host = Host {
        container: Some("docker".into()),
        cgroup_cpu_limit: Some(1.5),
        cgroup_memory_limit_bytes: Some(1 << 30),
        ..quiet_host()
    };
    let mut readings = readings(host, QUIET);
    readings.second.throttled = Reading::new("cpu.stat", Ok((3, 120)));
    readings.second.group_bytes = Some(1 << 29);
    readings.tools.target_free_bytes = Reading::new("/w/target", Ok(1_500_000_000));
    readings.tools.targets[0].1 = Reading::new("rustc", Ok(false));
    readings.tools.postgres = Some(Reading::new("PATH", Err("neither".into())));
    readings.tools.engines = vec![("docker".into(), Err("permission denied".into()))];
    check(
        &readings,
        &[
            ("container", Level::Note, "docker"),
            ("CPU quota", Level::Warning, "1.50 CPUs of 8"),
            ("throttling", Level::Warning, "3 times in a second, 120"),
            ("memory", Level::Warning, "537 MB free"),
            ("disk", Level::Warning, "1.5 GB free"),
            (
                "target x86_64-unknown-linux-musl",
                Level::Warning,
                "rustup target add x86_64-unknown-linux-musl ",
            ),
            ("PostgreSQL", Level::Warning, "apt-get install postgresql"),
            ("containers", Level::Note, "docker info"),
        ],
    );
    readings.second.throttled = Reading::new("cpu.stat", Ok((0, 120)));
    let throttling = judge(&readings);
    let throttling = throttling.iter().find(|f| f.id == "throttling");
    assert_eq!(throttling.map(|f| f.level), Some(Level::Note));
    // A quota of all CPUs holds nobody up.
    readings.host.cgroup_cpu_limit = Some(8.0);
    let quota = judge(&readings);
    let quota = quota.iter().find(|f| f.id == "CPU quota");
    assert_eq!(quota.map(|f| f.level), Some(Level::Ok));
}

#[test]
fn nothing_may_be_read() {
    let mut readings = readings(Host::default(), &[]);
    let none = || "permission denied".to_string();
    readings.second.foreign = Reading::new("/proc/stat", Err(none()));
    readings.second.steal = Reading::new("/proc/stat", Err(none()));
    readings.trial.pinned = Reading::new("sched_setaffinity", Err(none()));
    readings.tools.target_free_bytes = Reading::new("/w/target", Err(none()));
    let unread = [
        "governor",
        "turbo",
        "SMT",
        "ASLR",
        "huge pages",
        "clock",
        "NUMA",
        "load",
        "memory",
        "swap",
        "other programs",
        "stolen time",
        "CPU quota",
        "CPUs",
        "disk",
    ];
    let expected = unread.map(|id| (id, Level::Note, "could not be read: "));
    check(&readings, &expected);
}

#[test]
fn what_makes_measuring_impossible_is_a_problem() {
    let mut readings = readings(quiet_host(), QUIET);
    readings.tools.project = Err("there is neither a duet.toml\nnor a workspace".into());
    readings.tools.rustc = Reading::new("rustc --version", Err("not found".into()));
    readings.tools.linker = Reading::new("cc --version", Err("not found".into()));
    readings.tools.targets = vec![("z80".into(), Reading::new("rustc", Err("unknown".into())))];
    readings.tools.missing_runners = vec![("alpine".into(), "podman".into())];
    readings.tools.engines = vec![("docker".into(), Ok("27.1".into()))];
    readings.tools.target_writable = Reading::new("/w/target", Err("read-only".into()));
    readings.tools.target_free_bytes = Reading::new("/w/target", Ok(1_000_000));
    check(
        &readings,
        &[
            ("project", Level::Problem, "duet.toml"),
            ("compiler", Level::Problem, "https://rustup.rs"),
            ("linker", Level::Warning, "apt-get install gcc"),
            ("target z80", Level::Warning, "correct the variant's target"),
            ("runner", Level::Problem, "`podman` of variant `alpine`"),
            ("target folder", Level::Problem, "CARGO_TARGET_DIR"),
            ("disk", Level::Problem, "1 MB free"),
        ],
    );
}
