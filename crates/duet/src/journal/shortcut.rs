//! A quick way through the parts that a long journal mostly consists of, as the instrument writes them: the turns of
//! a process, the identity of its program, which every line repeats, and phases without operations, whose costs the
//! turns have.
//!
//! Whatever is not exactly as it is written here is left to the general parser, which then reads the whole line: the
//! shortcut changes how long a journal takes to be read, and never what is read.

use serde::de::IgnoredAny;

use crate::process::Turn;

/// Identities that are remembered: a plan has at most eight variants.
const MOST_IDENTITIES: usize = 16;

/// Reads turns and leaves identities out.
#[derive(Debug, Default)]
pub(super) struct Shortcut {
    /// The texts of identities that were seen.
    identities: Vec<String>,
    /// The line without turns and identity.
    rest: String,
}

impl Shortcut {
    /// The turns of a line and what else is in it, with no turns, an empty identity and no phases in their places;
    /// `None` where the line is written in another way.
    pub(super) fn take(&mut self, line: &str) -> Option<(Vec<Turn>, &str)> {
        const TURNS: &str = "\"turns\":[";
        const IDENTITY: &str = "\"identity\":";
        const PHASES: &str = ",\"phases\":";
        let start = find(line, TURNS)?;
        // An object that has been opened before would make it another object's list.
        if !line.starts_with('{') || line[1..start].contains('{') {
            return None;
        }
        let mut text = &line[start + TURNS.len()..];
        let turns = turns(&mut text)?;
        self.rest.clear();
        self.rest.push_str(&line[..start + TURNS.len()]);
        self.rest.push(']');
        match find(text, IDENTITY) {
            None => self.rest.push_str(text),
            Some(place) => {
                let (before, identity) = text.split_at(place + IDENTITY.len());
                self.rest.push_str(before);
                self.rest.push_str("{}");
                let mut rest = &identity[self.length(identity)?..];
                if is_next(&mut rest, PHASES) {
                    self.rest.push_str(PHASES);
                    let mut after = rest;
                    if phases(&mut after).is_some() {
                        self.rest.push_str("{}");
                        rest = after;
                    }
                }
                self.rest.push_str(rest);
            }
        }
        Some((turns, &self.rest))
    }

    /// The length of the identity that the text begins with.
    fn length(&mut self, text: &str) -> Option<usize> {
        let known = self
            .identities
            .iter()
            .find(|known| text.starts_with(*known));
        if let Some(known) = known {
            return Some(known.len());
        }
        if !text.starts_with('{') {
            return None;
        }
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let length = values.byte_offset();
        if self.identities.len() < MOST_IDENTITIES {
            self.identities.push(text[..length].into());
        }
        Some(length)
    }
}

/// The place of a key with what follows it. In a string it would have a backslash before its first quotation mark.
fn find(text: &str, key: &str) -> Option<usize> {
    let place = text.find(key)?;
    (!text[..place].ends_with('\\')).then_some(place)
}

/// Reads turns up to the end of their list.
fn turns(text: &mut &str) -> Option<Vec<Turn>> {
    let mut turns = Vec::new();
    if is_next(text, "]") {
        return Some(turns);
    }
    loop {
        turns.push(turn(text)?);
        match () {
            () if is_next(text, ",") => {}
            () if is_next(text, "]") => return Some(turns),
            () => return None,
        }
    }
}

fn turn(text: &mut &str) -> Option<Turn> {
    let turn = Turn {
        turn: field(text, "{\"turn\":")?,
        iterations: field(text, ",\"iterations\":")?,
        start_ns: field(text, ",\"start_ns\":")?,
        end_ns: field(text, ",\"end_ns\":")?,
        user_ns: field(text, ",\"user_ns\":")?,
        sys_ns: field(text, ",\"sys_ns\":")?,
        minor_faults: field(text, ",\"minor_faults\":")?,
        major_faults: field(text, ",\"major_faults\":")?,
        voluntary_switches: field(text, ",\"voluntary_switches\":")?,
        involuntary_switches: field(text, ",\"involuntary_switches\":")?,
        active_ns: field(text, ",\"active_ns\":"),
    };
    is_next(text, "}").then_some(turn)
}

/// Goes past phases that have no operations.
fn phases(text: &mut &str) -> Option<()> {
    if is_next(text, "{}") {
        return Some(());
    }
    let mut before = "{\"";
    while is_next(text, before) {
        // A name with anything unusual is left to the parser.
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        let name = text.bytes().take_while(is_plain).count();
        *text = &text[name..];
        list(text, "\":{\"iterations\":[")?;
        list(text, ",\"wall_ns\":[")?;
        list(text, ",\"user_ns\":[")?;
        list(text, ",\"sys_ns\":[")?;
        list(text, ",\"minor_faults\":[")?;
        list(text, ",\"major_faults\":[")?;
        list(text, ",\"voluntary_switches\":[")?;
        list(text, ",\"involuntary_switches\":[")?;
        if is_next(text, "}}") {
            return Some(());
        }
        before = "},\"";
    }
    None
}

/// Goes past a list of numbers.
#[inline(always)]
fn list(text: &mut &str, key: &str) -> Option<()> {
    if !is_next(text, key) {
        return None;
    }
    if is_next(text, "]") {
        return Some(());
    }
    loop {
        number(text)?;
        match () {
            () if is_next(text, ",") => {}
            () if is_next(text, "]") => return Some(()),
            () => return None,
        }
    }
}

/// Reads the number of a key.
#[inline(always)]
fn field(text: &mut &str, key: &str) -> Option<u64> {
    is_next(text, key).then(|| number(text))?
}

/// Goes past `expected` if it comes next. To compare with a text that is known when it is compiled takes no call,
/// and these comparisons are most of what the shortcut does.
#[inline(always)]
fn is_next(text: &mut &str, expected: &str) -> bool {
    match text.strip_prefix(expected) {
        Some(rest) => {
            *text = rest;
            true
        }
        None => false,
    }
}

/// A whole number as JSON writes it: no sign, no leading zeros, and not the beginning of another number.
fn number(text: &mut &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let (mut digits, mut number) = (0, 0u64);
    while let Some(byte) = bytes.get(digits).filter(|byte| byte.is_ascii_digit()) {
        number = number
            .checked_mul(10)?
            .checked_add(u64::from(byte - b'0'))?;
        digits += 1;
    }
    let leading_zero = digits > 1 && bytes[0] == b'0';
    if digits == 0 || leading_zero || matches!(bytes.get(digits), Some(b'.' | b'e' | b'E')) {
        return None;
    }
    *text = &text[digits..];
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: &str = "{\"turn\":0,\"iterations\":2,\"start_ns\":10,\"end_ns\":30,\"user_ns\":18446744073709551615,\
        \"sys_ns\":1,\"minor_faults\":2,\"major_faults\":3,\"voluntary_switches\":4,\"involuntary_switches\":5}";

    fn line(turns: &str, identity: &str) -> String {
        format!(
            "{{\"kind\":\"process\",\"case\":\"a\",\"turns\":[{turns}],\"observation\":{{\"identity\":{identity},\"x\":1}}}}"
        )
    }

    #[test]
    fn turns_and_identity_are_taken_out() {
        let mut shortcut = Shortcut::default();
        let sliced = TURN.replace('}', ",\"active_ns\":7}");
        let identities = ["{\"libc\":\"a}\\\"\",\"e\":{}}", "{}", "{\"libc\":\"b\"}"];
        for (number, identity) in identities.iter().chain(&identities).enumerate() {
            for turns in [String::new(), TURN.into(), format!("{TURN},{sliced}")] {
                let text = line(&turns, identity);
                let (taken, rest) = shortcut.take(&text).expect("as it is written");
                assert_eq!(rest, line("", "{}"));
                let expected: Vec<Turn> =
                    serde_json::from_str(&format!("[{turns}]")).expect("JSON");
                assert_eq!(taken, expected, "line {number}");
            }
        }
        assert_eq!(shortcut.identities.len(), 3, "each is remembered once");
        let without = "{\"turns\":[],\"observation\":null}";
        assert_eq!(shortcut.take(without), Some((Vec::new(), without)));
    }

    #[track_caller]
    fn check_phases(phases: &str, taken: bool) {
        let text = line(TURN, &format!("{{}},\"phases\":{phases}"));
        let mut shortcut = Shortcut::default();
        let (_, rest) = shortcut
            .take(&text)
            .expect("turns and identity are as they are written");
        let phases = if taken { "{}" } else { phases };
        assert_eq!(rest, line("", &format!("{{}},\"phases\":{phases}")));
    }

    #[test]
    fn phases_without_operations_are_taken_out() {
        let lists = |numbers: &str| {
            let keys = [
                "iterations",
                "wall_ns",
                "user_ns",
                "sys_ns",
                "minor_faults",
                "major_faults",
                "voluntary_switches",
                "involuntary_switches",
            ];
            keys.map(|key| format!("\"{key}\":[{numbers}]")).join(",")
        };
        check_phases("{}", true);
        check_phases(&format!("{{\"fit\":{{{}}}}}", lists("1,20")), true);
        check_phases(
            &format!("{{\"fit\":{{{}}},\"a-b_2\":{{{}}}}}", lists(""), lists("0")),
            true,
        );
        check_phases(
            &format!("{{\"fit\":{{{},\"histogram\":null}}}}", lists("1")),
            false,
        );
        check_phases(&format!("{{\"f\\\"it\":{{{}}}}}", lists("1")), false);
        check_phases(&format!("{{\"fit\":{{{}}}}}", lists("1,")), false);
        check_phases(&format!("{{\"fit\":{{{}}}}}", lists("1.5")), false);
        check_phases(&format!("{{\"fit\":{{{}}},}}", lists("1")), false);
        check_phases("{\"fit\":{}}", false);
        check_phases("[]", false);
    }

    #[test]
    fn what_is_written_in_another_way_is_left_to_the_parser() {
        let mut shortcut = Shortcut::default();
        for (from, to) in [
            ("\"turns\"", "\"turn\""),
            ("\"turns\":", "\"turns\": "),
            ("\"case\":\"a\"", "\"case\":{\"turns\":[]}"),
            ("\"turn\":0", "\"turn\":00"),
            ("\"turn\":0", "\"turn\":0.0"),
            ("\"turn\":0", "\"turn\":0e1"),
            ("\"turn\":0", "\"turn\":-1"),
            ("\"turn\":0", "\"turn\":null"),
            ("551615,", "551616,"),
            ("\"sys_ns\":1,", ""),
            ("}]", "}}]"),
            ("}]", "},]"),
            ("\"identity\":{}", "\"identity\":7"),
            ("\"identity\":{}", "\"identity\":{\"a\"}"),
            ("\"identity\":{}", "\"identity\":{"),
        ] {
            let text = line(TURN, "{}");
            assert!(text.contains(from), "{from}");
            assert_eq!(shortcut.take(&text.replacen(from, to, 1)), None, "{to}");
        }
    }
}
