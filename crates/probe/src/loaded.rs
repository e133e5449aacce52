//! The objects that make up the running program: itself and what its loader mapped.

use std::ffi::{CStr, c_int, c_void};
use std::process::{Command, Stdio};

/// One object in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadedObject {
    /// Its file; empty for the program itself in some libcs.
    pub(crate) path: String,
    /// The types (`p_type`) of its program headers.
    pub(crate) segment_types: Vec<u32>,
}

/// All objects, the program itself first.
pub(crate) fn objects() -> Vec<LoadedObject> {
    unsafe extern "C" fn collect(
        info: *mut libc::dl_phdr_info,
        _size: usize,
        objects: *mut c_void,
    ) -> c_int {
        // SAFETY: dl_iterate_phdr passes a valid description of an object, whose headers stay
        // mapped during the call, and the pointer given to it below.
        let (info, objects) = unsafe { (&*info, &mut *objects.cast::<Vec<LoadedObject>>()) };
        let path = if info.dlpi_name.is_null() {
            String::new()
        } else {
            // SAFETY: a name that is not null is a C string.
            unsafe { CStr::from_ptr(info.dlpi_name) }
                .to_string_lossy()
                .into_owned()
        };
        let segment_types = (0..usize::from(info.dlpi_phnum))
            // SAFETY: there are dlpi_phnum headers from dlpi_phdr on.
            .map(|index| unsafe { (*info.dlpi_phdr.add(index)).p_type })
            .collect();
        objects.push(LoadedObject {
            path,
            segment_types,
        });
        0
    }
    let mut objects = Vec::new();
    // SAFETY: the callback matches the expected signature and gets the vector it casts to.
    unsafe { libc::dl_iterate_phdr(Some(collect), (&raw mut objects).cast()) };
    objects
}

/// The version that a musl loader prints when it is run without a program.
pub(crate) fn musl_loader_version(loader: &str) -> Option<String> {
    let output = Command::new(loader)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .ok()?;
    musl_banner_version(&String::from_utf8_lossy(&output.stderr))
}

fn musl_banner_version(banner: &str) -> Option<String> {
    let mut lines = banner.lines();
    lines.find(|line| line.starts_with("musl libc"))?;
    let version = lines.next()?.strip_prefix("Version ")?.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_itself_comes_first_and_has_code_to_load() {
        let objects = objects();
        assert!(objects[0].segment_types.contains(&libc::PT_LOAD));
    }

    #[track_caller]
    fn check_banner(banner: &str, expected: Option<&str>) {
        assert_eq!(musl_banner_version(banner).as_deref(), expected);
    }

    #[test]
    fn the_version_in_the_loaders_banner() {
        const BANNER: &str = "musl libc (x86_64)\nVersion 1.2.5\nDynamic Program Loader\n\
            Usage: /lib/ld-musl-x86_64.so.1 [options] [--] pathname [args]\n";
        check_banner(BANNER, Some("1.2.5"));
        check_banner(
            "musl libc (aarch64)\nVersion 1.2.5-git-12-g0123456\n",
            Some("1.2.5-git-12-g0123456"),
        );
        check_banner("musl libc (x86_64)\n", None);
        check_banner("musl libc (x86_64)\nVersion \n", None);
        check_banner("Version 1.2.5\n", None);
        check_banner("", None);
    }

    #[test]
    fn a_loader_that_cannot_run_or_says_something_else_tells_no_version() {
        assert_eq!(
            musl_loader_version("/nonexistent/ld-musl-x86_64.so.1"),
            None
        );
        assert_eq!(musl_loader_version("/bin/true"), None);
    }
}
