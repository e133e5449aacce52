//! The other files of a process: `status`, `statm`, `io`, `schedstat`, `children`.

use super::{keyed, lines, number, size, words};

/// The fields of `/proc/<pid>/status` that are of use here, in bytes and counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) peak_rss_bytes: Option<u64>,
    pub(crate) rss_bytes: Option<u64>,
    pub(crate) rss_anon_bytes: Option<u64>,
    pub(crate) rss_file_bytes: Option<u64>,
    pub(crate) rss_shmem_bytes: Option<u64>,
    pub(crate) threads: Option<u64>,
}

impl Status {
    /// Reads a text in one pass: the file is long, and a reading looks for six of its lines.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut status = Self::default();
        for line in lines(text) {
            let Some(colon) = line.iter().position(|&byte| byte == b':') else {
                continue;
            };
            let rest = &line[colon + 1..];
            match &line[..colon] {
                b"VmHWM" => status.peak_rss_bytes = size(rest),
                b"VmRSS" => status.rss_bytes = size(rest),
                b"RssAnon" => status.rss_anon_bytes = size(rest),
                b"RssFile" => status.rss_file_bytes = size(rest),
                b"RssShmem" => status.rss_shmem_bytes = size(rest),
                b"Threads" => status.threads = words(rest).next().and_then(number),
                _ => {}
            }
        }
        status
    }
}

/// The switches of one thread, voluntary and involuntary, from its `status`. (The one of the process has
/// those of its first thread only.)
pub(crate) fn switches(status: &[u8]) -> (Option<u64>, Option<u64>) {
    (
        keyed(status, "voluntary_ctxt_switches"),
        keyed(status, "nonvoluntary_ctxt_switches"),
    )
}

/// `statm`: the resident pages, and those of them that belong to files or shared memory.
pub(crate) fn statm(text: &[u8]) -> (Option<u64>, Option<u64>) {
    let mut pages = words(text).skip(1).map(number);
    (pages.next().flatten(), pages.next().flatten())
}

/// `io`: the bytes that were really read from and written to storage.
pub(crate) fn io(text: &[u8]) -> (Option<u64>, Option<u64>) {
    (keyed(text, "read_bytes"), keyed(text, "write_bytes"))
}

/// `schedstat`: nanoseconds on a CPU, and nanoseconds waiting for one.
pub(crate) fn schedstat(text: &[u8]) -> (Option<u64>, Option<u64>) {
    let mut values = words(text).map(number);
    (values.next().flatten(), values.next().flatten())
}

/// `task/<tid>/children`: process numbers.
pub(crate) fn children(text: &[u8]) -> impl Iterator<Item = u32> {
    words(text).filter_map(|word| u32::try_from(number(word)?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_status(text: &[u8], expected: Status) {
        assert_eq!(Status::parse(text), expected);
    }

    #[test]
    fn status_of_several_kernels() {
        check_status(
            include_bytes!("../../tests/fixtures/linux-6.18/status"),
            Status {
                peak_rss_bytes: Some(1692 << 10),
                rss_bytes: Some(1692 << 10),
                rss_anon_bytes: Some(116 << 10),
                rss_file_bytes: Some(1576 << 10),
                rss_shmem_bytes: Some(0),
                threads: Some(1),
            },
        );
        // Before 4.5 there are no parts.
        check_status(
            include_bytes!("../../tests/fixtures/linux-3.10/status"),
            Status {
                peak_rss_bytes: Some(170_112 << 10),
                rss_bytes: Some(163_840 << 10),
                threads: Some(26),
                ..Status::default()
            },
        );
        // A thread of the kernel, and a process that has ended, have no memory.
        check_status(
            include_bytes!("../../tests/fixtures/linux-5.10/status-kernel-thread"),
            Status {
                threads: Some(1),
                ..Status::default()
            },
        );
        // A sandbox that tells little.
        check_status(
            include_bytes!("../../tests/fixtures/sandbox/status"),
            Status {
                rss_bytes: Some(9_216 << 10),
                threads: Some(3),
                ..Status::default()
            },
        );
    }

    #[test]
    fn status_with_values_of_no_use() {
        check_status(b"", Status::default());
        check_status(
            b"VmHWM:\nVmRSS:\tunknown kB\nThreads:\t-1\n",
            Status::default(),
        );
        check_status(b"VmHWM", Status::default());
        check_status(b"VmHWM:\t18446744073709551615 kB", Status::default());
    }

    #[test]
    fn switches_of_a_thread() {
        let text = include_bytes!("../../tests/fixtures/linux-3.10/status");
        assert_eq!(switches(text), (Some(1_502), Some(37)));
        assert_eq!(switches(b"Threads:\t1\n"), (None, None));
    }

    #[test]
    fn statm_has_pages() {
        assert_eq!(statm(b"765 425 397 5 0 123 0\n"), (Some(425), Some(397)));
        assert_eq!(statm(b"0 0 0 0 0 0 0\n"), (Some(0), Some(0)));
        assert_eq!(statm(b"765 x 397"), (None, Some(397)));
        assert_eq!(statm(b"765"), (None, None));
        assert_eq!(statm(b""), (None, None));
    }

    #[test]
    fn io_is_what_reached_the_storage() {
        let text = include_bytes!("../../tests/fixtures/linux-6.18/io");
        assert_eq!(io(text), (Some(0), Some(4096)));
        assert_eq!(io(b"rchar: 1\nwchar: 2\n"), (None, None));
    }

    #[test]
    fn schedstat_is_time_on_and_for_a_cpu() {
        assert_eq!(
            schedstat(b"1076429 557341 2\n"),
            (Some(1_076_429), Some(557_341))
        );
        assert_eq!(schedstat(b""), (None, None));
    }

    #[test]
    fn children_are_numbers() {
        assert_eq!(children(b"12 345 ").collect::<Vec<_>>(), [12, 345]);
        assert_eq!(children(b"").count(), 0);
        assert_eq!(children(b"x 99999999999 7").collect::<Vec<_>>(), [7]);
    }
}
