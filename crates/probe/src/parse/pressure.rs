//! Pressure stall information: `/proc/pressure/*` and `*.pressure` of control groups.
//!
//! Two lines, `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and `full …`; the form is described in the
//! kernel's `accounting/psi.rst`.

use serde::{Deserialize, Serialize};

use super::{fraction, lines, number, words};

/// How long tasks were held up for want of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stall {
    /// At least one task waited.
    pub some: Option<StallTime>,
    /// All tasks that had something to do waited. `None` for the CPU before 5.13, and of no meaning for
    /// the CPU of the whole machine, where it is 0.
    pub full: Option<StallTime>,
}

/// The time of one kind of stall.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StallTime {
    /// The share of the last 10 seconds, in percent.
    pub avg10_percent: Option<f64>,
    /// The share of the last 60 seconds, in percent.
    pub avg60_percent: Option<f64>,
    /// The share of the last 300 seconds, in percent.
    pub avg300_percent: Option<f64>,
    /// All the time so far, in nanoseconds (counted in microseconds).
    pub total_ns: Option<u64>,
}

/// Reads the text of a pressure file; `None` where it has neither line.
pub(crate) fn stall(text: &[u8]) -> Option<Stall> {
    let mut stall = Stall::default();
    for line in lines(text) {
        let mut words = words(line);
        let place = match words.next() {
            Some(b"some") => &mut stall.some,
            Some(b"full") => &mut stall.full,
            _ => continue,
        };
        let time = place.get_or_insert_default();
        for word in words {
            let Some(equals) = word.iter().position(|&byte| byte == b'=') else {
                continue;
            };
            let value = &word[equals + 1..];
            match &word[..equals] {
                b"avg10" => time.avg10_percent = fraction(value),
                b"avg60" => time.avg60_percent = fraction(value),
                b"avg300" => time.avg300_percent = fraction(value),
                b"total" => time.total_ns = number(value).and_then(|us| us.checked_mul(1_000)),
                _ => {}
            }
        }
    }
    (stall.some.is_some() || stall.full.is_some()).then_some(stall)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(averages: [f64; 3], total_us: u64) -> Option<StallTime> {
        Some(StallTime {
            avg10_percent: Some(averages[0]),
            avg60_percent: Some(averages[1]),
            avg300_percent: Some(averages[2]),
            total_ns: Some(total_us * 1_000),
        })
    }

    #[test]
    fn captured_texts() {
        assert_eq!(
            stall(include_bytes!(
                "../../tests/fixtures/linux-6.18/pressure-cpu"
            )),
            Some(Stall {
                some: time([18.84, 12.12, 5.53], 26_889_918),
                full: time([0.0; 3], 0),
            })
        );
        // Before 5.13, the CPU has one line.
        assert_eq!(
            stall(include_bytes!(
                "../../tests/fixtures/linux-5.10/pressure-cpu"
            )),
            Some(Stall {
                some: time([0.53, 1.21, 0.88], 1_234_567),
                full: None,
            })
        );
    }

    #[test]
    fn other_texts() {
        assert_eq!(stall(b""), None);
        assert_eq!(stall(b"none avg10=1"), None);
        let partly = stall(b"some avg10=x new=7 total\nfull total=18446744073709551615\n");
        assert_eq!(
            partly,
            Some(Stall {
                some: Some(StallTime::default()),
                full: Some(StallTime::default())
            })
        );
    }
}
