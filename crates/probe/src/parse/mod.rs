//! The texts of the kernel's files, as pure functions from bytes to values.
//!
//! Nothing here opens a file, allocates, or fails: what is not in the text, or not in the form that is
//! known, is `None`, and what is not known is passed over. So captured texts of any kernel can be tested,
//! and the parsers can run inside a measured program.

pub(crate) mod cgroup;
pub(crate) mod machine;
pub(crate) mod memory;
pub(crate) mod pressure;
pub(crate) mod process;
pub(crate) mod stat;

#[cfg(test)]
mod fuzz;

/// The words of a text, which are separated by white space.
pub(crate) fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// The lines of a text.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
}

/// A word of decimal digits as a number; `None` for anything else, a sign or too large a number among them.
pub(crate) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// A word as a decimal fraction that is finite and not negative.
pub(crate) fn fraction(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word)
        .ok()?
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
}

/// What stands behind `key` in the first line that begins with it. The key has to be the whole name:
/// behind it come a colon or white space.
pub(crate) fn value<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    lines(text).find_map(|line| {
        let rest = line.strip_prefix(key.as_bytes())?;
        match rest.first()? {
            b':' => Some(&rest[1..]),
            byte if byte.is_ascii_whitespace() => Some(rest),
            _ => None,
        }
    })
}

/// The number behind `key`, as in `nr_throttled 12` or `Threads: 4`.
pub(crate) fn keyed(text: &[u8], key: &str) -> Option<u64> {
    number(words(value(text, key)?).next()?)
}

/// The bytes behind `key`, as in `VmHWM: 1692 kB`.
pub(crate) fn kilobytes(text: &[u8], key: &str) -> Option<u64> {
    size(value(text, key)?)
}

/// A size that the kernel gives in kB, of 1024 bytes each, in bytes.
pub(crate) fn size(text: &[u8]) -> Option<u64> {
    let mut words = words(text);
    let kilobytes = number(words.next()?)?;
    (words.next() == Some(b"kB")).then(|| kilobytes.checked_mul(1024))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_number(word: &str, expected: Option<u64>) {
        assert_eq!(number(word.as_bytes()), expected);
    }

    #[test]
    fn numbers_are_digits() {
        check_number("0", Some(0));
        check_number("0042", Some(42));
        check_number("18446744073709551615", Some(u64::MAX));
        check_number("18446744073709551616", None);
        check_number("-1", None);
        check_number("+1", None);
        check_number("", None);
        check_number("12a", None);
        check_number("max", None);
    }

    #[track_caller]
    fn check_keyed(text: &str, key: &str, expected: Option<u64>) {
        assert_eq!(keyed(text.as_bytes(), key), expected);
    }

    #[test]
    fn keys_match_as_a_whole() {
        check_keyed("nr_periods 7\nnr_throttled 12\n", "nr_throttled", Some(12));
        check_keyed("Threads:\t4\n", "Threads", Some(4));
        check_keyed("VmRSSX: 4\nVmRSS: 5", "VmRSS", Some(5));
        check_keyed("nr_throttled", "nr_throttled", None);
        check_keyed("nr_throttled x\n", "nr_throttled", None);
        check_keyed("", "nr_throttled", None);
        // The first line of a name counts, also when it is of no use.
        check_keyed("a x\na 3\n", "a", None);
    }

    #[track_caller]
    fn check_kilobytes(text: &str, expected: Option<u64>) {
        assert_eq!(kilobytes(text.as_bytes(), "Rss"), expected);
    }

    #[test]
    fn sizes_need_their_unit() {
        check_kilobytes("Rss:                1636 kB\n", Some(1636 * 1024));
        check_kilobytes("Rss:                1636\n", None);
        check_kilobytes("Rss:                1636 MB\n", None);
        check_kilobytes("Rss: 18446744073709551615 kB\n", None);
    }

    #[test]
    fn fractions_are_finite_and_not_negative() {
        assert_eq!(fraction(b"0.05"), Some(0.05));
        for word in ["-1", "nan", "inf", "", "x"] {
            assert_eq!(fraction(word.as_bytes()), None, "{word}");
        }
        assert_eq!(fraction(b"\xff"), None);
    }
}
