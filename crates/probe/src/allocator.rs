//! Which allocator serves a program, proved by blocks that it hands out.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, c_void};

/// An allocator that a program may have been linked with: its name, and its own function that says whether
/// a block is in its heap.
pub type Candidate = (&'static str, fn(*const c_void) -> bool);

/// Blocks of each kind for the proof: enough for several pages of small ones.
const BLOCKS: usize = 256;
const BLOCK_BYTES: usize = 64;
const SMALLEST_PAGE: usize = 4096;

/// The name of the allocator that serves Rust's allocations in this process, found from fresh ones.
///
/// - a candidate's name where that allocator says that a block lies in its heap;
/// - `preloaded:` with a file's name where a library has put its `malloc` before the C library's;
/// - `system` where the blocks share pages with those of the C library's `malloc`: two allocators never
///   share a page;
/// - `unknown` otherwise.
///
/// ```
/// assert_eq!(probe::allocator_name(&[]), "system");
/// ```
#[must_use]
pub fn allocator_name(candidates: &[Candidate]) -> String {
    let layout = Layout::new::<[u8; BLOCK_BYTES]>();
    // SAFETY: the layout has a size other than zero.
    let block = unsafe { alloc(layout) };
    if block.is_null() {
        return "unknown".to_owned();
    }
    let owner = candidates
        .iter()
        .find(|(_, owns)| owns(block.cast_const().cast()));
    // SAFETY: the block was allocated above with this layout.
    unsafe { dealloc(block, layout) };
    if let Some((name, _)) = owner {
        return (*name).to_owned();
    }
    match (object_of(libc_function()), object_of(malloc_function())) {
        (Some(libc), Some(malloc)) if libc.base != malloc.base => {
            return format!("preloaded:{}", malloc.file_name);
        }
        // A static program has no objects to tell apart, nor a loader to put one before the other.
        _ => {}
    }
    let name = if shares_pages_with_malloc() {
        "system"
    } else {
        "unknown"
    };
    name.to_owned()
}

/// Whether Rust's blocks and the C library's lie in the same pages, allocated by turns.
fn shares_pages_with_malloc() -> bool {
    let layout = Layout::new::<[u8; BLOCK_BYTES]>();
    let mut ours = Vec::with_capacity(BLOCKS);
    let mut theirs = Vec::with_capacity(BLOCKS);
    for _ in 0..BLOCKS {
        // SAFETY: the layout has a size other than zero.
        ours.push(unsafe { alloc(layout) });
        // SAFETY: any size may be asked for.
        theirs.push(unsafe { libc::malloc(BLOCK_BYTES) });
    }
    let page = |address: usize| address / SMALLEST_PAGE;
    let mut pages: Vec<usize> = theirs.iter().map(|block| page(block.addr())).collect();
    pages.sort_unstable();
    let shared = ours
        .iter()
        .any(|block| !block.is_null() && pages.binary_search(&page(block.addr())).is_ok());
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        if !ours.is_null() {
            // SAFETY: the block was allocated above with this layout.
            unsafe { dealloc(ours, layout) };
        }
        // SAFETY: the block came from `malloc` (or is null, which is allowed).
        unsafe { libc::free(theirs) };
    }
    shared
}

/// A loaded file: the program itself or a shared library.
struct Object {
    base: usize,
    file_name: String,
}

/// The file that a function was loaded from, when the loader knows.
fn object_of(function: *const c_void) -> Option<Object> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `info` is a valid place for the answer.
    let found = unsafe { libc::dladdr(function, &mut info) } != 0;
    if !found || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader gives a C string that lives as long as the object, which stays loaded.
    let path = unsafe { CStr::from_ptr(info.dli_fname) }.to_string_lossy();
    let file_name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    Some(Object {
        base: info.dli_fbase.addr(),
        file_name,
    })
}

fn malloc_function() -> *const c_void {
    libc::malloc as *const c_void
}

/// A function that nobody replaces.
fn libc_function() -> *const c_void {
    libc::getpid as *const c_void
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_that_owns_the_block_is_the_one() {
        let candidates: &[Candidate] = &[("no", |_| false), ("yes", |block| !block.is_null())];
        assert_eq!(allocator_name(candidates), "yes");
    }

    #[test]
    fn the_system_is_proved_and_not_what_is_left_over() {
        assert_eq!(allocator_name(&[("no", |_| false)]), "system");
        assert!(shares_pages_with_malloc());
    }
}
