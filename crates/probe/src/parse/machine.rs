//! `/proc/stat` and `/proc/loadavg`.

use super::{fraction, number, value, words};

/// Ticks that a hypervisor gave to others while a CPU of this machine had something to do, summed over CPUs.
pub(crate) fn steal_ticks(stat: &[u8]) -> Option<u64> {
    // cpu user nice system idle iowait irq softirq steal guest guest_nice
    words(value(stat, "cpu")?).nth(7).and_then(number)
}

/// The load averages over 1, 5 and 15 minutes.
pub(crate) fn load_average(loadavg: &[u8]) -> Option<[f64; 3]> {
    let mut averages = words(loadavg).map_while(fraction);
    Some([averages.next()?, averages.next()?, averages.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_figure_of_the_first_line() {
        let of = |text: &[u8]| steal_ticks(text);
        assert_eq!(
            of(include_bytes!(
                "../../tests/fixtures/linux-6.18/machine-stat"
            )),
            Some(1008)
        );
        // Before 2.6.11 there were seven figures; some sandboxes have four.
        assert_eq!(of(b"cpu  1 2 3 4 5 6 7\n"), None);
        assert_eq!(of(b"cpu0 1 2 3 4 5 6 7 8\n"), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn load_averages() {
        assert_eq!(
            load_average(b"0.05 0.08 0.09 1/102 6858\n"),
            Some([0.05, 0.08, 0.09])
        );
        assert_eq!(load_average(b"0.05 0.08"), None);
        assert_eq!(load_average(b"?"), None);
        assert_eq!(load_average(b""), None);
    }
}
