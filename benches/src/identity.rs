//! What this program is: see [`probe::Identity`].

use probe::Identity;

use crate::allocator;

/// The identity of the running program, with its allocator proved and the revision of its source, as the
/// build script found it.
///
/// # Example
///
/// ```
/// let identity = benches::identity::of_this_program();
/// assert_eq!(identity.allocator, benches::allocator::name());
/// assert_eq!(identity.git_revision.is_some(), identity.git_dirty.is_some());
/// ```
pub fn of_this_program() -> Identity {
    let dirty = match option_env!("WORKLOAD_GIT_DIRTY") {
        Some("true") => Some(true),
        Some("false") => Some(false),
        _ => None,
    };
    Identity::of_this_process(&allocator::name())
        .with_source(option_env!("WORKLOAD_GIT_REVISION"), dirty)
}
