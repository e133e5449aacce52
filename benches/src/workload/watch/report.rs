//! What was seen, for people and as JSON.

use std::fmt;
use std::io::{self, Write};

use probe::{Contention, Counters, Limits, Summary, Timeline, memory_words};
use serde::Serialize;

use super::child::Exit;

/// The version of the JSON form.
const SCHEMA: u32 = 1;

#[derive(Debug)]
pub struct Report {
    pub command: Vec<String>,
    pub pid: u32,
    /// `None` for a process that was not started here.
    pub exit: Option<Exit>,
    pub wall_ns: u64,
    /// What the kernel says at the end; `None` for a process that was not started here.
    pub cost: Option<Counters>,
    /// The most memory of one process.
    pub peak_rss_bytes: Option<u64>,
    pub limits: Limits,
    pub contention: Contention,
    pub summary: Summary,
    pub timeline: Timeline,
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    command: &'a [String],
    pid: u32,
    exit: Option<Exit>,
    wall_ns: u64,
    cost: &'a Option<Counters>,
    peak_rss_bytes: Option<u64>,
    limits: &'a Limits,
    contention: &'a Contention,
    summary: &'a Summary,
    timeline: &'a Timeline,
}

impl Report {
    pub fn to_json_line(&self) -> Result<String, serde_json::Error> {
        let json = Json {
            schema: SCHEMA,
            command: &self.command,
            pid: self.pid,
            exit: self.exit,
            wall_ns: self.wall_ns,
            cost: &self.cost,
            peak_rss_bytes: self.peak_rss_bytes,
            limits: &self.limits,
            contention: &self.contention,
            summary: &self.summary,
            timeline: &self.timeline,
        };
        Ok(serde_json::to_string(&json)? + "\n")
    }

    /// Says it to people.
    pub fn tell(&self) -> io::Result<()> {
        match io::stderr().write_all(self.to_string().as_bytes()) {
            // Nobody is left to be told.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// The command as one line. It is for reading: nothing is quoted.
    pub fn title(&self) -> String {
        match self.command.is_empty() {
            true => format!("process {}", self.pid),
            false => self.command.join(" "),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        let mut line = |label: &str, value: String| writeln!(f, "{label:<24}  {value}");
        match self.exit {
            Some(Exit::Code(code)) => line("exit status", code.to_string())?,
            Some(Exit::Signal(signal)) => line("ended by signal", signal.to_string())?,
            None => {}
        }
        line("execution time", seconds(self.wall_ns))?;
        if let Some(cost) = &self.cost {
            let (user, system) = (seconds(cost.user_ns), seconds(cost.sys_ns));
            line("CPU time", format!("{user} user, {system} system"))?;
        }
        if let Some(bytes) = self.peak_rss_bytes {
            let words = memory_words(bytes as f64, self.limits.whole_memory());
            line("peak of one process", words)?;
        }
        if let Some(cost) = &self.cost {
            let (minor, major) = (cost.minor_faults, cost.major_faults);
            line("page faults", format!("{minor} minor, {major} major"))?;
            let (waits, taken) = (cost.voluntary_switches, cost.involuntary_switches);
            line(
                "context switches",
                format!("{waits} voluntary, {taken} involuntary"),
            )?;
        }
        for (label, ns) in [
            ("stopped by the quota", self.contention.throttled_ns),
            ("CPU given to others", self.contention.steal_ns),
            ("waiting for a CPU", self.contention.cpu_stall_ns),
            ("waiting for memory", self.contention.memory_stall_ns),
            ("waiting for storage", self.contention.io_stall_ns),
        ] {
            if let Some(ns) = ns.filter(|&ns| ns > 0) {
                line(label, seconds(ns))?;
            }
        }
        write!(f, "{}", self.summary)
    }
}

fn seconds(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn report() -> Report {
        let timeline = Timeline {
            interval_ns: 1_000_000_000,
            elapsed_ns: vec![1_000_000_000, 2_000_000_000, 3_000_000_000],
            cpu_percent: vec![100.0, 200.0, 150.0],
            rss_bytes: vec![100_000_000, 300_000_000, 200_000_000],
            threads: vec![1, 8, 2],
            processes: vec![1, 2, 1],
            ..Timeline::default()
        };
        let limits = Limits {
            machine_memory_bytes: Some(8_000_000_000),
            ..Limits::default()
        };
        Report {
            command: vec!["make".into(), "-j2".into(), "<all>".into()],
            pid: 77,
            exit: Some(Exit::Signal(15)),
            wall_ns: 3_100_000_000,
            cost: Some(Counters {
                wall_ns: 3_100_000_000,
                user_ns: 4_200_000_000,
                sys_ns: 300_000_000,
                minor_faults: 1_234,
                ..Counters::default()
            }),
            peak_rss_bytes: Some(250_000_000),
            limits,
            contention: Contention {
                steal_ns: Some(40_000_000),
                throttled_ns: Some(0),
                ..Contention::default()
            },
            summary: timeline.summary(&limits),
            timeline,
        }
    }

    #[test]
    fn people_see_what_it_cost() {
        let expected = "\
make -j2 <all>
ended by signal           15
execution time            3.100 s
CPU time                  4.200 s user, 0.300 s system
peak of one process       250.0 MB (3.1 % of the machine)
page faults               1234 minor, 0 major
context switches          0 voluntary, 0 involuntary
CPU given to others       0.040 s
CPU (100 % is one core)   average 150.0 %, peak 200.0 %
memory                    average 200.0 MB (2.5 % of the machine), peak 300.0 MB (3.8 % of the machine)
threads                   at most 8
processes                 at most 2
samples                   3 in 3.000 s, 0 missed
";
        assert_eq!(report().to_string(), expected);
    }

    #[test]
    fn an_attached_process_has_no_end_of_its_own() {
        let report = Report {
            command: Vec::new(),
            exit: None,
            cost: None,
            peak_rss_bytes: None,
            contention: Contention::default(),
            ..report()
        };
        let text = report.to_string();
        assert!(
            text.starts_with("process 77\nexecution time            3.100 s\nCPU (100"),
            "{text}"
        );
    }

    #[test]
    fn programs_see_everything_on_one_line() {
        let line = report().to_json_line().expect("it is JSON");
        assert_eq!(line.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        assert_eq!(value["schema"], 1);
        assert_eq!(value["exit"]["signal"], 15);
        assert_eq!(value["cost"]["user_ns"], 4_200_000_000_u64);
        assert_eq!(value["summary"]["peak_threads"], 8);
        assert_eq!(value["timeline"]["rss_bytes"][1], 300_000_000);
    }
}
