//! `/proc/<pid>/stat`.

use super::{number, words};

/// The fields of `/proc/<pid>/stat` that are of use here, in the file's own units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `D`, `Z` (ended, but not waited for yet), …
    pub(crate) state: Option<u8>,
    pub(crate) parent: Option<u64>,
    pub(crate) minor_faults: Option<u64>,
    pub(crate) major_faults: Option<u64>,
    /// CPU time of all threads, the ended ones included, in clock ticks.
    pub(crate) user_ticks: Option<u64>,
    pub(crate) system_ticks: Option<u64>,
    /// CPU time of the children that were waited for, and of theirs, in clock ticks.
    pub(crate) children_user_ticks: Option<u64>,
    pub(crate) children_system_ticks: Option<u64>,
    pub(crate) threads: Option<u64>,
    pub(crate) rss_pages: Option<u64>,
}

impl Stat {
    /// Reads a text. The name of the program, in parentheses, may itself hold anything, parentheses,
    /// blanks and line ends among it: the fields begin behind the *last* closing one.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let Some(end) = text.iter().rposition(|&byte| byte == b')') else {
            return Self::default();
        };
        let mut stat = Self::default();
        // Numbered as in proc(5), where the state is field 3.
        for (field, word) in words(&text[end + 1..]).enumerate().map(|(i, w)| (i + 3, w)) {
            match field {
                3 => stat.state = word.first().copied(),
                4 => stat.parent = number(word),
                10 => stat.minor_faults = number(word),
                12 => stat.major_faults = number(word),
                14 => stat.user_ticks = number(word),
                15 => stat.system_ticks = number(word),
                16 => stat.children_user_ticks = number(word),
                17 => stat.children_system_ticks = number(word),
                20 => stat.threads = number(word),
                24 => {
                    stat.rss_pages = number(word);
                    break;
                }
                _ => {}
            }
        }
        stat
    }

    /// CPU time of this process itself, in ticks.
    pub(crate) fn own_ticks(&self) -> Option<u64> {
        self.user_ticks?.checked_add(self.system_ticks?)
    }

    /// CPU time of the children that were waited for, in ticks.
    pub(crate) fn children_ticks(&self) -> Option<u64> {
        self.children_user_ticks?
            .checked_add(self.children_system_ticks?)
    }

    /// Whether the process has ended and only waits to be waited for.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, Some(b'Z' | b'X' | b'x'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &[u8], expected: Stat) {
        assert_eq!(Stat::parse(text), expected);
    }

    #[test]
    fn captured_texts() {
        check(
            include_bytes!("../../tests/fixtures/linux-6.18/stat"),
            Stat {
                state: Some(b'R'),
                parent: Some(5632),
                minor_faults: Some(99),
                major_faults: Some(0),
                user_ticks: Some(0),
                system_ticks: Some(0),
                children_user_ticks: Some(0),
                children_system_ticks: Some(0),
                threads: Some(1),
                rss_pages: Some(381),
            },
        );
        // 44 fields, of a server with children that it waited for.
        check(
            include_bytes!("../../tests/fixtures/linux-3.10/stat"),
            Stat {
                state: Some(b'S'),
                parent: Some(1),
                minor_faults: Some(51_234),
                major_faults: Some(17),
                user_ticks: Some(123_456),
                system_ticks: Some(7_890),
                children_user_ticks: Some(4_321),
                children_system_ticks: Some(987),
                threads: Some(26),
                rss_pages: Some(40_960),
            },
        );
    }

    #[test]
    fn a_name_may_look_like_fields() {
        let stat = Stat::parse(b"12 (a) R 1 (b)\n) Z 7 12 12 0 -1 4 5 0 6 0 8 9");
        assert!(stat.has_ended());
        assert_eq!((stat.parent, stat.minor_faults), (Some(7), Some(5)));
        assert_eq!(stat.own_ticks(), Some(17));
        assert_eq!(stat.children_ticks(), None);
    }

    #[test]
    fn nothing_is_read_from_other_texts() {
        check(b"", Stat::default());
        check(b"12 (cat", Stat::default());
        check(b"12 (cat)", Stat::default());
        let negative = Stat::parse(b"12 (cat) R -1");
        assert_eq!(negative.parent, None);
    }
}
