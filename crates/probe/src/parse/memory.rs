//! `/proc/<pid>/smaps_rollup` and `/proc/meminfo`.

use super::kilobytes;

/// The proportional set size in bytes: memory that `n` processes share counts one `n`th.
pub(crate) fn pss_bytes(smaps_rollup: &[u8]) -> Option<u64> {
    kilobytes(smaps_rollup, "Pss")
}

/// The memory of the machine in bytes.
pub(crate) fn total_bytes(meminfo: &[u8]) -> Option<u64> {
    kilobytes(meminfo, "MemTotal").filter(|&bytes| bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pss_of_several_kernels() {
        let of = |text: &[u8]| pss_bytes(text);
        assert_eq!(
            of(include_bytes!(
                "../../tests/fixtures/linux-6.18/smaps_rollup"
            )),
            Some(523 << 10)
        );
        assert_eq!(
            of(include_bytes!(
                "../../tests/fixtures/linux-5.10/smaps_rollup"
            )),
            Some(1_187 << 10)
        );
        assert_eq!(of(b"Pss_Anon: 12 kB\n"), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn the_machines_memory() {
        assert_eq!(
            total_bytes(include_bytes!("../../tests/fixtures/bare-hybrid/meminfo")),
            Some(24_684_092 << 10)
        );
        assert_eq!(total_bytes(b"MemTotal: 0 kB\n"), None);
        assert_eq!(total_bytes(b"?"), None);
    }
}
