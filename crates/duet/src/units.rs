//! Shares and lengths of time as people type them.

use std::time::Duration;

/// The largest share that is taken for meant: tenfold.
const LARGEST_SHARE: f64 = 10.0;

/// A share: `2%`, `2.5 %` or `0.02`, from 0 to 1000 %. It fits clap's `value_parser`.
///
/// A bare number of 1 or more is refused: who types `5` means `5%`, which as a share would be 500 %.
///
/// # Errors
/// Anything else, with what to type instead.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let trimmed = text.trim();
    let (number, unit) = match trimmed.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (trimmed, 1.0),
    };
    let value: f64 = number.parse().map_err(|_| {
        format!("`{text}` is not a share; type a percentage such as 2% or a number such as 0.02")
    })?;
    let share = value / unit;
    if !(0.0..=LARGEST_SHARE).contains(&share) {
        return Err(format!("`{text}` is not a share between 0% and 1000%"));
    }
    if unit == 1.0 && share >= 1.0 {
        return Err(format!(
            "`{text}` would be {} %; type {number}% if that is what you mean",
            100.0 * share
        ));
    }
    // "-0" is within the range and would be printed with its sign.
    Ok(share.abs())
}

/// A difference that is to be found: a share as [`parse_share`] reads it, above 0 and below 100 %.
///
/// # Errors
/// Anything else, with what to type instead.
pub fn parse_difference(text: &str) -> Result<f64, String> {
    match parse_share(text)? {
        share if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err(format!(
            "`{text}` is no difference between 0% and 100%; type for example 2%"
        )),
    }
}

/// A length of time: `90s`, `20m`, `1h 30m`, anything that [`humantime`] reads and that is not zero. It
/// fits clap's `value_parser`.
///
/// # Errors
/// Anything else, with what to type instead.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text.trim()) {
        Ok(duration) if duration.is_zero() => Err(format!("`{text}` is no time at all")),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!(
            "`{text}` is not a length of time ({error}); type for example 90s, 20m or 1h30m"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_share(text: &str, expected: f64) {
        let share = parse_share(text).expect("a share");
        assert!((share - expected).abs() < 1e-12, "{share}");
        assert!(share.is_sign_positive());
    }

    #[test]
    fn shares_with_and_without_a_percent_sign() {
        check_share("2%", 0.02);
        check_share(" 2.5 % ", 0.025);
        check_share("0.02", 0.02);
        check_share(".5", 0.5);
        check_share("0%", 0.0);
        check_share("-0", 0.0);
        check_share("150%", 1.5);
        check_share("1e-3", 0.001);
    }

    #[track_caller]
    fn check_refused<T: std::fmt::Debug>(result: Result<T, String>, part: &str) {
        let message = result.expect_err("refused");
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }

    #[test]
    fn what_is_no_share_is_refused_with_what_to_type() {
        check_refused(parse_share("5"), "type 5%");
        check_refused(parse_share("1"), "type 1%");
        check_refused(parse_share("two"), "such as 2%");
        check_refused(parse_share(""), "such as 2%");
        check_refused(parse_share("%"), "such as 2%");
        check_refused(parse_share("2%%"), "such as 2%");
        check_refused(parse_share("-2%"), "between 0% and 1000%");
        check_refused(parse_share("nan"), "between 0% and 1000%");
        check_refused(parse_share("inf%"), "between 0% and 1000%");
        check_refused(parse_share("2000%"), "between 0% and 1000%");
    }

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(parse_duration("20m"), Ok(Duration::from_secs(1200)));
        assert_eq!(parse_duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration(" 90s "), Ok(Duration::from_secs(90)));
        check_refused(parse_duration("20"), "20m");
        check_refused(parse_duration("soon"), "20m");
        check_refused(parse_duration("-5m"), "20m");
        check_refused(parse_duration("0s"), "no time");
        check_refused(parse_duration("99999999999999999999h"), "20m");
    }
}
