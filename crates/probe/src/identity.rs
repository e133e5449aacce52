use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::loaded::{self, LoadedObject};

/// Which C library a program runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Libc {
    /// The GNU C Library.
    Glibc,
    /// musl.
    Musl,
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
        })
    }
}

/// How a program is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linkage {
    /// A dynamic loader maps shared libraries at the start.
    Dynamic,
    /// Everything is in the one file, at a fixed address.
    Static,
    /// Everything is in the one file, which relocates itself to a random address.
    StaticPie,
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dynamic => "dynamic",
            Self::Static => "static",
            Self::StaticPie => "static-pie",
        })
    }
}

/// What is running: the libc, linkage, allocator and build of this process.
///
/// Libc and linkage are evidence from the running program, not what the build was meant to be.
/// The linkage is read from the program headers in memory. In a dynamic program the libc is the one
/// among the objects that the loader mapped, so that a program built for glibc that runs on musl
/// through a compatibility layer is reported as musl; in a static one it is the library whose
/// version symbol was linked in. Target, compiler and target features are those that this crate
/// was built with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The C library.
    pub libc: Libc,
    /// Its version, as it states it at run time.
    pub libc_version: Option<String>,
    /// How the program is linked.
    pub linkage: Linkage,
    /// The allocator, as named (and proved) by the program.
    pub allocator: String,
    /// The target triple.
    pub target: String,
    /// What `rustc --version` says.
    pub rustc: String,
    /// The processor features that the compiler was allowed to use everywhere (`sse2`, `avx2`, …).
    pub target_features: Vec<String>,
    /// Whether the program was built with debug assertions: then its times mean nothing.
    pub debug_assertions: bool,
    /// The profile of the build: `release`, `debug`, or the one of these two that it inherits from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The level of optimisation: `0` to `3`, `s`, `z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_level: Option<String>,
    /// The git revision of the program's source; `None` where the program does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_revision: Option<String>,
    /// Whether the source differed from that revision; `None` where the program does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_dirty: Option<bool>,
    /// The environment variables that change the behaviour of the loader, the libc or the
    /// allocator (`GLIBC_TUNABLES`, `LD_PRELOAD`, `MALLOC_…`, `MIMALLOC_…`, …), where set.
    ///
    /// `LD_LIBRARY_PATH` is among them only where a library was really loaded from one of its folders.
    /// `cargo run` and `cargo test` always set it, to folders that mostly hold nothing that is used: it
    /// would make two runs of one binary look different, and carry a machine's paths into reports.
    pub environment: BTreeMap<String, String>,
}

impl Identity {
    /// The identity of this process.
    ///
    /// `allocator` is the name of the global allocator, as [`allocator_name`](crate::allocator_name)
    /// proves it.
    ///
    /// A dynamic musl program learns its libc's version by running its loader, which prints it;
    /// otherwise no process is started. Take the identity outside of measured sections.
    ///
    /// ```
    /// use probe::{Identity, Libc};
    ///
    /// let identity = Identity::of_this_process("system");
    /// let musl = identity.target.ends_with("musl");
    /// assert_eq!(identity.libc, if musl { Libc::Musl } else { Libc::Glibc });
    /// ```
    #[must_use]
    pub fn of_this_process(allocator: &str) -> Self {
        let objects = loaded::objects();
        let linkage = objects.first().map_or(Linkage::Static, linkage);
        let (libc, libc_version) = match mapped_libc(&objects) {
            Some((Libc::Musl, path)) => (Libc::Musl, loaded::musl_loader_version(path)),
            Some((Libc::Glibc, _)) | None => linked::libc(),
        };
        Self {
            libc,
            libc_version,
            linkage,
            allocator: allocator.into(),
            target: env!("PROBE_TARGET").into(),
            rustc: env!("PROBE_RUSTC").into(),
            target_features: env!("PROBE_TARGET_FEATURES")
                .split(',')
                // Not of the processor; the linkage says it better.
                .filter(|feature| !feature.is_empty() && *feature != "crt-static")
                .map(String::from)
                .collect(),
            debug_assertions: cfg!(debug_assertions),
            profile: known(env!("PROBE_PROFILE")),
            opt_level: known(env!("PROBE_OPT_LEVEL")),
            git_revision: None,
            git_dirty: None,
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    let name = name.into_string().ok()?;
                    let value = value.to_string_lossy().into_owned();
                    changes_behaviour(&name, &value, &objects).then_some((name, value))
                })
                .collect(),
        }
    }

    /// The same with the state of the source that the program was built from, which only its own build
    /// script can know: the git revision, and whether files differed from it.
    ///
    /// ```
    /// let identity = probe::Identity::of_this_process("system")
    ///     .with_source(option_env!("MY_GIT_REVISION"), Some(false));
    /// assert_eq!(identity.git_dirty, Some(false));
    /// ```
    #[must_use]
    pub fn with_source(mut self, revision: Option<&str>, dirty: Option<bool>) -> Self {
        self.git_revision = revision.and_then(known);
        self.git_dirty = dirty;
        self
    }
}

fn known(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// The linkage that a program's own headers state.
fn linkage(program: &LoadedObject) -> Linkage {
    if program.segment_types.contains(&libc::PT_INTERP) {
        Linkage::Dynamic
    } else if program.segment_types.contains(&libc::PT_DYNAMIC) {
        // Without a loader, the only reader of dynamic relocations is the program itself.
        Linkage::StaticPie
    } else {
        Linkage::Static
    }
}

/// The libc among the mapped objects and its path, `None` when no object is one (static programs).
fn mapped_libc(objects: &[LoadedObject]) -> Option<(Libc, &str)> {
    let find = |is_libc: fn(&str) -> bool| {
        objects
            .iter()
            .map(|object| object.path.as_str())
            .find(|path| path.rsplit('/').next().is_some_and(is_libc))
    };
    // musl is looked for first: under a compatibility layer for glibc programs, the file named
    // libc.so.6 is a shim, and the functions are musl's.
    find(|name| name.starts_with("ld-musl-") || name.starts_with("libc.musl-"))
        .map(|path| (Libc::Musl, path))
        .or_else(|| find(|name| name == "libc.so.6").map(|path| (Libc::Glibc, path)))
}

/// Whether the variable changes how the loader, the libc or a known allocator behaves.
fn changes_behaviour(name: &str, value: &str, objects: &[LoadedObject]) -> bool {
    if name == "LD_LIBRARY_PATH" {
        return value.split([':', ';']).any(|folder| {
            let folder = Path::new(folder);
            let is_inside = |object: &LoadedObject| Path::new(&object.path).starts_with(folder);
            folder.is_absolute() && objects.iter().any(is_inside)
        });
    }
    name == "GLIBC_TUNABLES"
        || ["LD_", "MALLOC_", "MIMALLOC_", "JEMALLOC_", "_RJEM_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// The libc that was linked, by a symbol that only it has.
mod linked {
    use super::Libc;

    #[cfg(target_env = "gnu")]
    pub(super) fn libc() -> (Libc, Option<String>) {
        // SAFETY: the function takes nothing and returns a string that lives as long as the libc.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        (Libc::Glibc, Some(version.to_string_lossy().into_owned()))
    }

    #[cfg(all(target_env = "musl", target_feature = "crt-static"))]
    pub(super) fn libc() -> (Libc, Option<String>) {
        unsafe extern "C" {
            /// The version as a C string, which musl keeps for its loader. It is hidden, which
            /// still lets it be linked from the archive into one and the same program.
            static __libc_version: std::ffi::c_char;
        }
        // SAFETY: the symbol is a constant C string of the libc that is linked in.
        let version = unsafe { std::ffi::CStr::from_ptr(&raw const __libc_version) };
        (Libc::Musl, Some(version.to_string_lossy().into_owned()))
    }

    /// Only reached when the mapped loader has an unusual name: the version is then unknown.
    #[cfg(all(target_env = "musl", not(target_feature = "crt-static")))]
    pub(super) fn libc() -> (Libc, Option<String>) {
        (Libc::Musl, None)
    }

    #[cfg(not(any(target_env = "gnu", target_env = "musl")))]
    compile_error!("probe knows programs for Linux with glibc or musl only");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(path: &str, segment_types: &[u32]) -> LoadedObject {
        LoadedObject {
            path: path.into(),
            segment_types: segment_types.into(),
        }
    }

    #[track_caller]
    fn check_linkage(segment_types: &[u32], expected: Linkage, name: &str) {
        assert_eq!(linkage(&object("", segment_types)), expected);
        assert_eq!(expected.to_string(), name);
        assert_eq!(serde_json::to_value(expected).unwrap(), name);
    }

    #[test]
    fn linkage_from_the_program_headers() {
        use ::libc::{PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_PHDR, PT_TLS};
        let dynamic = [PT_PHDR, PT_INTERP, PT_LOAD, PT_LOAD, PT_DYNAMIC, PT_TLS];
        check_linkage(&dynamic, Linkage::Dynamic, "dynamic");
        check_linkage(
            &[PT_LOAD, PT_LOAD, PT_DYNAMIC, PT_TLS],
            Linkage::StaticPie,
            "static-pie",
        );
        check_linkage(&[PT_LOAD, PT_LOAD, PT_TLS], Linkage::Static, "static");
        check_linkage(&[], Linkage::Static, "static");
    }

    #[track_caller]
    fn check_libc(paths: &[&str], expected: Option<(Libc, &str)>) {
        let objects: Vec<_> = paths.iter().map(|path| object(path, &[])).collect();
        assert_eq!(mapped_libc(&objects), expected);
    }

    #[test]
    fn libc_from_the_mapped_objects() {
        const GLIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";
        const GLIBC_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
        const MUSL: &str = "/lib/ld-musl-x86_64.so.1";
        check_libc(
            &[
                "",
                "linux-vdso.so.1",
                "/lib/x86_64-linux-gnu/libgcc_s.so.1",
                GLIBC,
                GLIBC_LOADER,
            ],
            Some((Libc::Glibc, GLIBC)),
        );
        check_libc(
            &["./program", MUSL, "/usr/lib/libgcc_s.so.1"],
            Some((Libc::Musl, MUSL)),
        );
        // A program for glibc on a musl system with a compatibility layer.
        check_libc(
            &["./program", "/lib/libc.so.6", MUSL],
            Some((Libc::Musl, MUSL)),
        );
        check_libc(&["/proc/self/exe", "[vdso]"], None);
        // Only the file's name counts, not the folder's.
        check_libc(
            &["/opt/libc.so.6/program", "/opt/ld-musl-x86_64.so.1/program"],
            None,
        );
        check_libc(&[], None);
    }

    #[track_caller]
    fn check_variable(name: &str, value: &str, expected: bool) {
        let objects = [
            object("/opt/app/bin/program", &[]),
            object("/opt/app/lib/libc.so.6", &[]),
        ];
        assert_eq!(changes_behaviour(name, value, &objects), expected);
    }

    #[test]
    fn variables_that_change_the_behaviour() {
        check_variable("GLIBC_TUNABLES", "glibc.malloc.perturb=1", true);
        check_variable("LD_PRELOAD", "x.so", true);
        check_variable("LD_BIND_NOW", "1", true);
        check_variable("MALLOC_ARENA_MAX", "1", true);
        check_variable("MIMALLOC_ARENA_EAGER_COMMIT", "1", true);
        check_variable("HOME", "/root", false);
        check_variable("DATABASE_URL", "", false);
        check_variable("OLD_PRELOAD", "x.so", false);
    }

    #[test]
    fn the_library_path_counts_where_a_library_came_from_it() {
        check_variable("LD_LIBRARY_PATH", "/usr/lib:/opt/app/lib", true);
        check_variable("LD_LIBRARY_PATH", "/opt/app/lib/", true);
        check_variable("LD_LIBRARY_PATH", "/usr/lib:/opt/application", false);
        check_variable("LD_LIBRARY_PATH", "/opt/app/li", false);
        check_variable("LD_LIBRARY_PATH", "", false);
    }
}
