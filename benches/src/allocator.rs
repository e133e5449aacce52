//! The allocator of every program that links this crate, and the proof of which one it is.
//!
//! With the feature `mimalloc` it is mimalloc, else that of the C library.

use std::alloc::{Layout, alloc, dealloc};
use std::ffi::{CStr, c_void};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The name of the allocator that serves this process, found from a fresh allocation of its own.
///
/// `mimalloc` when mimalloc says that the block lies in its heap; `system` when the C library serves it; and
/// `preloaded:` with a file's name when another library has put its `malloc` before the C library's.
///
/// # Panics
///
/// When there is no memory for 64 bytes.
///
/// # Example
///
/// ```
/// let expected = if cfg!(feature = "mimalloc") { "mimalloc" } else { "system" };
/// assert_eq!(benches::allocator::name(), expected);
/// ```
pub fn name() -> String {
    if serves_mimalloc() {
        return "mimalloc".to_owned();
    }
    match (object_of(libc_function()), object_of(malloc_function())) {
        (Some(libc), Some(malloc)) if libc.base != malloc.base => {
            format!("preloaded:{}", malloc.file_name)
        }
        // A static program has no objects to tell apart, nor a loader to put one before the other.
        _ => "system".to_owned(),
    }
}

/// Whether mimalloc owns what the global allocator hands out.
fn serves_mimalloc() -> bool {
    let layout = Layout::new::<[u8; 64]>();
    // SAFETY: the layout has a size other than zero, and the block goes back with the same layout.
    unsafe {
        let block = alloc(layout);
        assert!(!block.is_null(), "there is memory for 64 bytes");
        let owned = in_mimalloc_heap(block.cast_const().cast());
        dealloc(block, layout);
        owned
    }
}

#[cfg(feature = "mimalloc")]
fn in_mimalloc_heap(block: *const c_void) -> bool {
    // SAFETY: the function only looks the address up; any address will do.
    unsafe { libmimalloc_sys::mi_is_in_heap_region(block) }
}

/// mimalloc is not linked in: nothing can be in its heap.
#[cfg(not(feature = "mimalloc"))]
fn in_mimalloc_heap(_block: *const c_void) -> bool {
    false
}

/// A loaded file: the program itself or a shared library.
struct Object {
    base: usize,
    file_name: String,
}

/// The file that a function was loaded from, when the loader knows.
fn object_of(function: *const c_void) -> Option<Object> {
    let mut info = ::libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: `info` is a valid place for the answer.
    let found = unsafe { ::libc::dladdr(function, &mut info) } != 0;
    if !found || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader gives a C string that lives as long as the object, which stays loaded.
    let path = unsafe { CStr::from_ptr(info.dli_fname) }.to_string_lossy();
    let file_name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    Some(Object {
        base: info.dli_fbase as usize,
        file_name,
    })
}

fn malloc_function() -> *const c_void {
    ::libc::malloc as *const c_void
}

/// A function that nobody replaces.
fn libc_function() -> *const c_void {
    ::libc::getpid as *const c_void
}
