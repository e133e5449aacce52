//! The allocator of every program that links this crate, and the proof of which one it is.
//!
//! With the feature `mimalloc` it is mimalloc, else that of the C library.

#[cfg(feature = "mimalloc")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The name of the allocator that serves this process, proved by its blocks: see [`probe::allocator_name`].
///
/// # Example
///
/// ```
/// let expected = if cfg!(feature = "mimalloc") { "mimalloc" } else { "system" };
/// assert_eq!(benches::allocator::name(), expected);
/// ```
pub fn name() -> String {
    probe::allocator_name(CANDIDATES)
}

#[cfg(feature = "mimalloc")]
const CANDIDATES: &[probe::Candidate] = &[("mimalloc", |block| {
    // SAFETY: the function only looks the address up; any address will do.
    unsafe { libmimalloc_sys::mi_is_in_heap_region(block) }
})];

/// Nothing else is linked in.
#[cfg(not(feature = "mimalloc"))]
const CANDIDATES: &[probe::Candidate] = &[];
