//! The child's side of a paced run: another program says when to work and for how long.
//!
//! | the parent writes | the child answers, one JSON object a line |
//! |---|---|
//! | (nothing) | `{"ready":true}` once its set-up is done |
//! | `go N` | runs N iterations, then `{"turn":T,"iterations":N,"start_ns":S,"end_ns":E,…}` with T from 0, S and E on the monotonic clock, and the counters of [`probe::Counters`] but the wall time |
//! | `end`, or end of file | the observation, whose phases hold one entry a turn; then it exits |

use std::io::{self, BufRead, Write};

use probe::Observation;
use serde::Serialize;

use crate::run::Run;
use crate::session::WorkloadError;

/// Why a paced run ended early.
#[derive(Debug, thiserror::Error)]
pub enum PacedError {
    /// A line that is no command; the run cannot know what was meant.
    #[error("unknown command {0:?}; the commands are `go N`, with N at least 1, and `end`")]
    Command(String),
    /// The workload failed.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The pipe to or from the parent broke.
    #[error("the connection to the program that sets the pace broke: {0}")]
    Pipe(#[from] io::Error),
    /// The answer could not be written as JSON.
    #[error("cannot write the answer: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Debug, PartialEq, Eq)]
enum Command {
    Go(u64),
    End,
}

#[derive(Serialize)]
struct TurnLine {
    turn: u64,
    iterations: u64,
    start_ns: u64,
    end_ns: u64,
    user_ns: u64,
    sys_ns: u64,
    minor_faults: u64,
    major_faults: u64,
    voluntary_switches: u64,
    involuntary_switches: u64,
}

/// Says that the run is ready, obeys the commands until `end` or the end of `input`, and writes and returns
/// the observation.
///
/// # Errors
///
/// See [`PacedError`]; after an error nothing more is written.
pub fn serve(
    mut run: Run,
    input: impl BufRead,
    mut output: impl Write,
) -> Result<Observation, PacedError> {
    send(&mut output, r#"{"ready":true}"#)?;
    let mut turns = 0;
    for line in input.lines() {
        match parse(&line?)? {
            Command::End => break,
            Command::Go(iterations) => {
                let turn = run.turn(iterations)?;
                let line = TurnLine {
                    turn: turns,
                    iterations,
                    start_ns: turn.start_ns,
                    end_ns: turn.end_ns,
                    user_ns: turn.counters.user_ns,
                    sys_ns: turn.counters.sys_ns,
                    minor_faults: turn.counters.minor_faults,
                    major_faults: turn.counters.major_faults,
                    voluntary_switches: turn.counters.voluntary_switches,
                    involuntary_switches: turn.counters.involuntary_switches,
                };
                send(&mut output, &serde_json::to_string(&line)?)?;
                turns += 1;
            }
        }
    }
    // No sampler has run: its thread would be a part of what is compared.
    let observation = run.finish(None)?;
    let line = observation.to_json_line().map_err(WorkloadError::from)?;
    send(&mut output, &line)?;
    Ok(observation)
}

fn parse(line: &str) -> Result<Command, PacedError> {
    let mut words = line.split_ascii_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("end"), None, None) => Some(Command::End),
        (Some("go"), Some(count), None) if count.bytes().all(|b| b.is_ascii_digit()) => {
            count.parse().ok().filter(|&n| n > 0).map(Command::Go)
        }
        _ => None,
    }
    .ok_or_else(|| PacedError::Command(line.to_owned()))
}

/// Flushed at once: the parent waits for every line.
fn send(output: &mut impl Write, line: &str) -> io::Result<()> {
    writeln!(output, "{line}")?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::session::{Outcome, Session};

    /// Counts its iterations and fails at the one that it is told to.
    struct Counting {
        ran: u64,
        fails_at: u64,
    }

    impl Session for Counting {
        fn phases(&self) -> &[&'static str] {
            &["first", "second"]
        }

        fn run(&mut self, phase: usize) -> Result<(), WorkloadError> {
            self.ran += u64::from(phase == 0);
            if self.ran == self.fails_at {
                return Err(WorkloadError::Wrong(
                    "the iteration was told to fail".to_owned(),
                ));
            }
            Ok(())
        }

        fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
            Ok(Outcome::default()
                .result("ran", self.ran)
                .fingerprint("answer", 42))
        }
    }

    fn talk(commands: &str, fails_at: u64) -> (Result<Observation, PacedError>, Vec<Value>) {
        let run = Run::new("test/counting/1", Box::new(Counting { ran: 0, fails_at }));
        let mut output = Vec::new();
        let result = serve(run, commands.as_bytes(), &mut output);
        let output = String::from_utf8(output).expect("JSON is UTF-8");
        let lines = output
            .lines()
            .map(|line| serde_json::from_str(line).expect("every line is JSON"))
            .collect();
        (result, lines)
    }

    #[test]
    fn answers_every_turn_and_ends_with_the_observation() {
        let (result, lines) = talk("go 3\ngo 1\nend\ngo 5\n", u64::MAX);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0], serde_json::json!({"ready": true}));
        assert_eq!(
            (&lines[1]["turn"], &lines[1]["iterations"]),
            (&0.into(), &3.into())
        );
        assert_eq!(
            (&lines[2]["turn"], &lines[2]["iterations"]),
            (&1.into(), &1.into())
        );
        for field in [
            "user_ns",
            "sys_ns",
            "minor_faults",
            "major_faults",
            "voluntary_switches",
            "involuntary_switches",
        ] {
            assert!(lines[1][field].is_u64(), "{field} is missing");
        }
        let time = |line: usize, field: &str| lines[line][field].as_u64().expect("a time");
        assert!(time(1, "start_ns") <= time(1, "end_ns"));
        assert!(time(1, "end_ns") <= time(2, "start_ns"));

        let observation = result.expect("the run succeeds");
        assert_eq!(observation.result["ran"], 4);
        assert_eq!(observation.phases["first"].iterations, [3, 1]);
        assert_eq!(observation.phases["second"].iterations, [3, 1]);
        assert_eq!(
            lines[3],
            serde_json::to_value(&observation).expect("serializes")
        );
    }

    #[test]
    fn the_phases_of_a_turn_add_up_to_it() {
        let (_, lines) = talk("go 1000\n", u64::MAX);
        let turn_ns = lines[1]["end_ns"]
            .as_u64()
            .zip(lines[1]["start_ns"].as_u64());
        let turn_ns = turn_ns.map(|(end, start)| end - start).expect("times");
        let wall = |phase: &str| {
            lines[2]["phases"][phase]["wall_ns"][0]
                .as_u64()
                .expect("a time")
        };
        assert_eq!(wall("first") + wall("second"), turn_ns);
    }

    #[test]
    fn the_end_of_the_input_ends_the_run() {
        let (result, lines) = talk("go 2", u64::MAX);
        assert_eq!(result.expect("the run succeeds").result["ran"], 2);
        assert_eq!(lines.len(), 3);
        let (result, lines) = talk("", u64::MAX);
        assert!(result.expect("the run succeeds").phases["first"].is_empty());
        assert_eq!(lines.len(), 2);
    }

    #[test]
    fn a_failing_iteration_stops_the_run_without_an_observation() {
        let (result, lines) = talk("go 2\ngo 2\nend\n", 4);
        assert!(matches!(
            result,
            Err(PacedError::Workload(WorkloadError::Wrong(_)))
        ));
        assert_eq!(lines.len(), 2);
    }

    #[track_caller]
    fn check(line: &str, expected: Option<Command>) {
        match parse(line) {
            Ok(command) => assert_eq!(Some(command), expected),
            Err(error) => {
                assert_eq!(expected, None);
                assert!(error.to_string().contains(&format!("{line:?}")), "{error}");
            }
        }
    }

    #[test]
    fn only_the_two_commands_are_understood() {
        check("go 1", Some(Command::Go(1)));
        check("  go\t20 \r", Some(Command::Go(20)));
        check("end", Some(Command::End));
        for line in [
            "", "go", "go 0", "go x", "go -1", "go +1", "go 1.5", "go 1 2", "end now",
        ] {
            check(line, None);
        }
        check("GO 1", None);
        check("stop", None);
        check("go 99999999999999999999", None);
    }

    #[test]
    fn an_unknown_command_stops_the_run_without_an_observation() {
        let (result, lines) = talk("go 1\nstop\n", u64::MAX);
        assert!(matches!(result, Err(PacedError::Command(line)) if line == "stop"));
        assert_eq!(lines.len(), 2);
    }
}
