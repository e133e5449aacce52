//! Large pages for large arrays.

/// Below this an array has hardly a large page inside.
#[cfg(target_os = "linux")]
const LEAST_BYTES: usize = 4 << 20;

/// So many zeros, which the system gives when they are written to: from large pages where it can, as mapping memory by
/// small ones takes longer than what is done with each page, above all in a virtual machine.
pub(crate) fn zeros<T: Clone + Default>(len: usize) -> Vec<T> {
    #[cfg_attr(not(target_os = "linux"), expect(unused_mut))]
    let mut array = vec![T::default(); len];
    #[cfg(target_os = "linux")]
    ask_for(&mut array);
    array
}

/// Asks for large pages under an array. Nothing depends on the answer.
#[cfg(target_os = "linux")]
fn ask_for<T>(array: &mut [T]) {
    use rustix::mm::{Advice, madvise};

    if size_of_val(array) < LEAST_BYTES {
        return;
    }
    let page = rustix::param::page_size();
    let start = array.as_mut_ptr().cast::<u8>();
    let skipped = start.align_offset(page);
    let len = (size_of_val(array) - skipped) / page * page;
    // SAFETY: the pages are whole and inside the array, and this kind of advice changes no value.
    let _ = unsafe { madvise(start.add(skipped).cast(), len, Advice::LinuxHugepage) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use super::*;

    /// Whether the mapping that an address is in has been advised, in the words of `proc(5)`.
    fn is_advised(address: usize) -> bool {
        let maps = fs::read_to_string("/proc/self/smaps").expect("proc is mounted");
        let mut lines = maps.lines().skip_while(|line| {
            let range = line
                .split_whitespace()
                .next()
                .and_then(|range| range.split_once('-'));
            let range =
                range.map(|(start, end)| [start, end].map(|end| usize::from_str_radix(end, 16)));
            !matches!(range, Some([Ok(start), Ok(end)]) if (start..end).contains(&address))
        });
        let flags = lines.find_map(|line| line.strip_prefix("VmFlags:"));
        flags
            .expect("a mapping")
            .split_whitespace()
            .any(|flag| flag == "hg")
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "what is not run says so")]
    fn large_arrays_are_advised_and_keep_their_values() {
        if fs::metadata("/sys/kernel/mm/transparent_hugepage").is_err() {
            eprintln!("NOT RUN: this kernel has no transparent huge pages");
            return;
        }
        let mut large = vec![0_u16; 4 * LEAST_BYTES];
        large[LEAST_BYTES] = 7;
        ask_for(&mut large[1..]);
        assert!(is_advised(&raw const large[LEAST_BYTES] as usize));
        assert_eq!(large.iter().map(|&value| u64::from(value)).sum::<u64>(), 7);
    }

    #[test]
    fn small_arrays_are_left_alone() {
        for len in [0, 1, LEAST_BYTES - 1] {
            ask_for(&mut vec![0_u8; len]);
        }
    }
}
