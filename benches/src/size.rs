//! Row counts as people write them: `500`, `5k`, `100k`, `1m`.

/// Writes a count the short way: `1m` and `100k` for round millions and thousands, else every digit.
///
/// # Example
///
/// ```
/// assert_eq!(benches::size::format(100_000), "100k");
/// assert_eq!(benches::size::format(1_500), "1500");
/// ```
pub fn format(count: usize) -> String {
    match count {
        0 => "0".to_owned(),
        n if n % 1_000_000 == 0 => format!("{}m", n / 1_000_000),
        n if n % 1_000 == 0 => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

/// Reads a count: digits, underscores between them allowed, with `k` (thousand) or `m` (million)
/// behind. The reverse of [`format`](fn@format).
///
/// # Errors
///
/// A sentence for the person who typed it, when the text is no such count or does not fit `usize`.
pub fn parse(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'k' | b'K') => (&text[..text.len() - 1], 1_000),
        Some(b'm' | b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    if !starts_with_digit || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return Err("write a whole number such as 500, 5k, 100_000 or 1m".to_owned());
    }
    digits
        .replace('_', "")
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(unit))
        .ok_or_else(|| "the number is too large".to_owned())
}

/// As [`parse`], but refuses 0.
///
/// # Errors
///
/// As [`parse`]; and for 0.
pub fn parse_positive(text: &str) -> Result<usize, String> {
    match parse(text)? {
        0 => Err("must be at least 1".to_owned()),
        n => Ok(n),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: usize, text: &str) {
        assert_eq!(format(count), text);
        assert_eq!(parse(text), Ok(count));
    }

    #[test]
    fn counts_are_written_short_and_read_back() {
        check(0, "0");
        check(7, "7");
        check(500, "500");
        check(1_000, "1k");
        check(1_500, "1500");
        check(100_000, "100k");
        check(1_000_000, "1m");
        check(2_500_000, "2500k");
    }

    #[test]
    fn other_spellings_are_read() {
        assert_eq!(parse("100_000"), Ok(100_000));
        assert_eq!(parse("5K"), Ok(5_000));
        assert_eq!(parse("5M"), Ok(5_000_000));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "k", "-1", "+1", "1.5k", "_1", "1 000", "1g", "1km", "é"] {
            assert!(parse(text).is_err(), "{text:?} was read");
        }
        assert_eq!(
            parse("99999999999999999999"),
            Err("the number is too large".to_owned())
        );
        assert_eq!(
            parse("99999999999999999m"),
            Err("the number is too large".to_owned())
        );
        assert!(parse_positive("0").is_err());
        assert_eq!(parse_positive("1"), Ok(1));
    }
}
