//! A quick way through the lines of processes, which a long journal consists of, as the instrument writes them.
//!
//! The general parser does not know which key comes next. Here the line is gone through from its beginning to its
//! end, and whatever is not exactly as it is written here is left to the general parser, which then reads the whole
//! line: the shortcut changes how long a journal takes to be read, and never what is read.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::line::{Named, Parsed, ParsedObservation};
use crate::process::{TimeLine, Turn};

/// Identities that are remembered: a plan has at most eight variants.
const MOST_IDENTITIES: usize = 16;

/// Reads lines, and remembers the identities in them, which every line of a variant repeats.
#[derive(Debug, Default)]
pub(super) struct Shortcut {
    /// The texts of identities that were seen.
    identities: Vec<String>,
}

impl Shortcut {
    /// What a line says; `None` where it is written in another way.
    pub(super) fn read<'a>(&mut self, line: &'a str) -> Option<Parsed<'a>> {
        let mut rest = Rest(line);
        let parsed = Parsed {
            case: rest.name("{\"kind\":\"process\",\"case\":\"")?,
            block: rest.number(",\"block\":")?.try_into().ok()?,
            attempt: rest.number(",\"attempt\":")?.try_into().ok()?,
            variant: rest.name(",\"variant\":\"")?,
            build: rest.number(",\"build\":")?.try_into().ok()?,
            start_position: rest.number(",\"start_position\":")?.try_into().ok()?,
            turns: turns(&mut rest)?,
            slices: match rest.passes(",\"slices\":") {
                true => rest.value()?,
                false => None,
            },
            timeline: match rest.passes(",\"timeline\":") {
                true => Some(timeline(&mut rest)?),
                false => None,
            },
            // Lines of processes in containers have one, and so go the long way.
            container: None,
            observation: Some(self.observation(&mut rest)?),
            error: None,
        };
        rest.pass(",\"error\":null}")?;
        rest.0.is_empty().then_some(parsed)
    }

    fn observation<'a>(&mut self, rest: &mut Rest<'a>) -> Option<ParsedObservation<'a>> {
        rest.number(",\"observation\":{\"schema\":")?;
        rest.name(",\"case\":\"")?;
        rest.pass(",\"identity\":")?;
        self.pass_identity(rest)?;
        rest.pass(",\"phases\":")?;
        let phases = match pass_phases(rest) {
            true => Named::default(),
            false => rest.value()?,
        };
        rest.pass(",\"peak_rss_bytes\":")?;
        let peak_rss_bytes = rest.value()?;
        rest.number(",\"setup_ns\":")?;
        rest.pass(",\"timeline\":")?;
        let timeline = rest.value()?;
        rest.pass(",\"result\":")?;
        let result = rest.value()?;
        rest.pass(",\"fingerprint\":")?;
        let IgnoredAny = rest.value()?;
        rest.pass("}")?;
        Some(ParsedObservation {
            phases,
            peak_rss_bytes,
            timeline,
            result,
        })
    }

    fn pass_identity(&mut self, rest: &mut Rest) -> Option<()> {
        if self.identities.iter().any(|known| rest.passes(known)) {
            return Some(());
        }
        let text = rest.0;
        let IgnoredAny = rest.value()?;
        if text.starts_with('{') && self.identities.len() < MOST_IDENTITIES {
            let length = text.len() - rest.0.len();
            self.identities.push(text[..length].into());
        }
        Some(())
    }
}

fn turns(rest: &mut Rest) -> Option<Vec<Turn>> {
    let mut turns = Vec::new();
    rest.list(",\"turns\":[", |rest| {
        turns.push(turn(rest)?);
        Some(())
    })?;
    Some(turns)
}

fn turn(rest: &mut Rest) -> Option<Turn> {
    let turn = Turn {
        turn: rest.number("{\"turn\":")?,
        iterations: rest.number(",\"iterations\":")?,
        start_ns: rest.number(",\"start_ns\":")?,
        end_ns: rest.number(",\"end_ns\":")?,
        user_ns: rest.number(",\"user_ns\":")?,
        sys_ns: rest.number(",\"sys_ns\":")?,
        minor_faults: rest.number(",\"minor_faults\":")?,
        major_faults: rest.number(",\"major_faults\":")?,
        voluntary_switches: rest.number(",\"voluntary_switches\":")?,
        involuntary_switches: rest.number(",\"involuntary_switches\":")?,
        active_ns: rest.number(",\"active_ns\":"),
    };
    rest.pass("}")?;
    Some(turn)
}

fn timeline(rest: &mut Rest) -> Option<TimeLine> {
    let timeline = TimeLine {
        ran_ns: rest.numbers("{\"ran_ns\":[")?,
        cpu_ns: rest.numbers(",\"cpu_ns\":[")?,
        rss_bytes: rest.numbers(",\"rss_bytes\":[")?,
    };
    rest.pass("}")?;
    Some(timeline)
}

/// Passes phases that have no operations: the costs of their entries are those of the turns.
fn pass_phases(rest: &mut Rest) -> bool {
    if rest.passes("{}") {
        return true;
    }
    let mut ahead = Rest(rest.0);
    let mut before = "{\"";
    while let Some(()) = pass_phase(&mut ahead, before) {
        if ahead.passes("}") {
            *rest = ahead;
            return true;
        }
        before = ",\"";
    }
    false
}

fn pass_phase(rest: &mut Rest, before: &str) -> Option<()> {
    rest.name(before)?;
    rest.pass_numbers(":{\"iterations\":[")?;
    rest.pass_numbers(",\"wall_ns\":[")?;
    rest.pass_numbers(",\"user_ns\":[")?;
    rest.pass_numbers(",\"sys_ns\":[")?;
    rest.pass_numbers(",\"minor_faults\":[")?;
    rest.pass_numbers(",\"major_faults\":[")?;
    rest.pass_numbers(",\"voluntary_switches\":[")?;
    rest.pass_numbers(",\"involuntary_switches\":[")?;
    rest.pass("}")
}

/// What is left of a line. Nothing is passed by a method that gives nothing, or the line is given up.
#[derive(Debug)]
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Passes `expected` if it comes next. To compare with a text that is known when it is compiled takes no call,
    /// and these comparisons are most of what the shortcut does.
    #[inline(always)]
    fn passes(&mut self, expected: &str) -> bool {
        match self.0.strip_prefix(expected) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    #[inline(always)]
    fn pass(&mut self, expected: &str) -> Option<()> {
        self.passes(expected).then_some(())
    }

    /// The string that follows `key` and its own quotation mark; one with escapes is left to the parser.
    #[inline(always)]
    fn name(&mut self, key: &str) -> Option<Cow<'a, str>> {
        self.pass(key)?;
        let is_unusual = |byte: u8| matches!(byte, b'"' | b'\\' | ..b' ');
        let end = self.0.bytes().position(is_unusual)?;
        let name = &self.0[..end];
        self.0 = self.0[end..].strip_prefix('"')?;
        Some(name.into())
    }

    /// The number that follows `key`.
    #[inline(always)]
    fn number(&mut self, key: &str) -> Option<u64> {
        self.pass(key)?;
        self.digits()?.parse().ok()
    }

    /// Passes the list that `key` begins, each of its entries by `pass`.
    #[inline(always)]
    fn list(&mut self, key: &str, mut pass: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.pass(key)?;
        if self.passes("]") {
            return Some(());
        }
        loop {
            pass(self)?;
            if !self.passes(",") {
                return self.pass("]");
            }
        }
    }

    fn numbers(&mut self, key: &str) -> Option<Vec<u64>> {
        let mut numbers = Vec::new();
        self.list(key, |rest| {
            numbers.push(rest.digits()?.parse().ok()?);
            Some(())
        })?;
        Some(numbers)
    }

    #[inline(always)]
    fn pass_numbers(&mut self, key: &str) -> Option<()> {
        self.list(key, |rest| rest.digits().map(drop))
    }

    /// A whole number as JSON writes it: no sign, no leading zeros, and not the beginning of another number.
    #[inline(always)]
    fn digits(&mut self) -> Option<&'a str> {
        let bytes = self.0.as_bytes();
        let digits = bytes
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let leading_zero = digits > 1 && bytes[0] == b'0';
        if digits == 0 || leading_zero || matches!(bytes.get(digits), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        let number;
        (number, self.0) = self.0.split_at(digits);
        Some(number)
    }

    /// Any value, by the general parser.
    fn value<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let mut values = serde_json::Deserializer::from_str(self.0).into_iter::<T>();
        let value = values.next()?.ok()?;
        self.0 = &self.0[values.byte_offset()..];
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Entry;
    use crate::testing::{entries, plan};

    const LISTS: &str = "\"iterations\":[1],\"wall_ns\":[20],\"user_ns\":[20],\"sys_ns\":[0],\"minor_faults\":[1],\
        \"major_faults\":[],\"voluntary_switches\":[0],\"involuntary_switches\":[18446744073709551615]";

    /// A line with all that the instrument writes of a process.
    fn line() -> String {
        let mut entries = entries(&plan(1, &["a/b/c"]));
        let Entry::Process(process) = &mut entries[0] else {
            panic!("a block begins with a process");
        };
        process.turns.truncate(2);
        process.turns[1].active_ns = Some(7);
        process.timeline = Some(TimeLine {
            ran_ns: vec![0, 1],
            cpu_ns: vec![2, 3],
            rss_bytes: vec![4, 5],
        });
        let observation = process.observation.as_mut().expect("it went well");
        observation.peak_rss_bytes = Some(8);
        observation.result.insert("inertia".into(), 128.5.into());
        let line = serde_json::to_string(&entries[0]).expect("JSON");
        line.replacen(
            "\"phases\":{}",
            &format!("\"phases\":{{\"fit\":{{{LISTS}}}}}"),
            1,
        )
    }

    /// The line is read by the shortcut, and as the parser reads it but for phases without operations.
    #[track_caller]
    fn check_read(shortcut: &mut Shortcut, line: &str) {
        let by_shortcut = shortcut
            .read(line)
            .unwrap_or_else(|| panic!("not read: {line}"));
        let mut by_parser: Parsed = serde_json::from_str(line).expect("a line of a process");
        if let Some(observation) = &mut by_parser.observation {
            observation
                .phases
                .0
                .retain(|(_, phase)| phase.histogram.is_some());
        }
        assert_eq!(by_shortcut, by_parser);
    }

    #[test]
    fn lines_are_read_as_the_parser_reads_them() {
        let line = line();
        let mut shortcut = Shortcut::default();
        check_read(&mut shortcut, &line);
        for (from, to) in [
            ("\"libc\":\"", "\"libc\":\"}\\\"{"),
            ("\"peak_rss_bytes\":8", "\"peak_rss_bytes\":null"),
            ("128.5", "-1.5e300,\"b\":[{}],\"a\":null"),
            (
                "\"fingerprint\":{}",
                "\"fingerprint\":{\"a\":[1,{\"b\":\"}\"}]}",
            ),
            (
                "\"fit\":",
                &format!("\"a-b_2\":{{{}}},\"fit\":", LISTS.replace("[1]", "[1,2,3]")),
            ),
            (
                ",\"timeline\":{",
                ",\"slices\":{\"count\":1,\"slice_ns\":2,\"stop_ns_median\":3,\"stop_ns_max\":4,\"overlap_ns\":5},\
                 \"timeline\":{",
            ),
        ] {
            assert!(line.contains(from), "`{from}` is not in {line}");
            check_read(&mut shortcut, &line.replacen(from, to, 1));
            check_read(&mut shortcut, &line);
        }
        assert_eq!(shortcut.identities.len(), 2, "each is remembered once");
        let without = |part: &str| {
            let (before, rest) = line.split_once(part).expect("it is there");
            let (_, after) = rest.split_once(']').expect("a list ends");
            (before.to_string(), after.to_string())
        };
        let (before, after) = without("\"turns\":[");
        check_read(&mut shortcut, &format!("{before}\"turns\":[]{after}"));
    }

    #[test]
    fn operations_are_left_to_the_parser() {
        let histogram = serde_json::to_string(&probe::Histogram::default()).expect("JSON");
        let line = line();
        let line = line.replacen("615]", &format!("615],\"histogram\":{histogram}"), 1);
        check_read(&mut Shortcut::default(), &line);
    }

    #[test]
    fn what_is_written_in_another_way_is_left_to_the_parser() {
        let line = line();
        for (from, to) in [
            ("{\"kind\"", " {\"kind\""),
            (
                "\"kind\":\"process\",",
                "\"kind\":\"process\",\"pilot\":true,",
            ),
            ("\"turns\":", "\"turns\": "),
            ("\"case\":\"a/b/c\"", "\"case\":\"a\\u0062\""),
            ("\"case\":\"a/b/c\"", "\"case\":\"\t\""),
            ("\"turn\":0", "\"turn\":00"),
            ("\"turn\":0", "\"turn\":0.0"),
            ("\"turn\":0", "\"turn\":0e1"),
            ("\"turn\":0", "\"turn\":-1"),
            ("\"turn\":0", "\"turn\":null"),
            ("\"build\":0", "\"build\":4294967296"),
            (
                "\"start_ns\":1000000,",
                "\"start_ns\":18446744073709551616,",
            ),
            ("\"sys_ns\":0,", ""),
            ("}]", "}}]"),
            ("}]", "},]"),
            ("\"wall_ns\":[20]", "\"wall_ns\":[20,]"),
            ("\"fit\":{", "\"fit\":{}},{"),
            ("\"identity\":{", "\"identity\":{,"),
            ("\"fingerprint\":{}", "\"fingerprint\":{"),
            ("\"result\":", "\"more\":1,\"result\":"),
            ("\"error\":null", "\"error\":\"it crashed\""),
            ("\"error\":null}", "\"error\":null} "),
        ] {
            assert!(line.contains(from), "`{from}` is not in {line}");
            let line = line.replacen(from, to, 1);
            assert_eq!(Shortcut::default().read(&line), None, "{to}");
        }
    }
}
