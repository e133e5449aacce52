//! Programs that are linked with musl dynamically, on a system of another C library.
//!
//! What Rust brings for musl is enough for static programs only. A dynamic one is linked against a musl that is
//! installed, by its own linker driver, `musl-gcc`; it runs on the musl of the system (or the image) that it is started
//! in. Unwinding would need libgcc_s, which exists there for glibc alone: Rust's own `libunwind.a` is put in its
//! place, by a linker script of that name, so that nothing but musl is needed at run time.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::config::Variant;
use crate::toolchain;

/// The compiler flags; `folder` is where the linker script is written.
///
/// # Errors
/// What is missing, and how to get it.
pub(super) fn dynamic(
    workspace: &Path,
    settings: &Variant,
    folder: &Path,
) -> Result<Vec<String>, String> {
    if Command::new("musl-gcc").arg("--version").output().is_err() {
        return Err(
            "a dynamic program for musl needs a musl to link with, and `musl-gcc` is not there; install it (Debian, \
             Ubuntu: apt-get install musl-tools), or write link = \"static\""
                .into(),
        );
    }
    let mut rustc = toolchain::tool("rustc", settings.toolchain.as_deref(), workspace);
    let output = rustc
        .args(["--print", "target-libdir", "--target", &settings.target])
        .output();
    let output = output.map_err(|error| format!("rustc cannot be run: {error}"))?;
    let libraries = String::from_utf8_lossy(&output.stdout).trim().to_string();
    let unwind = Path::new(&libraries).join("self-contained/libunwind.a");
    if !unwind.is_file() {
        return Err(format!(
            "there is no {} for a dynamic program",
            unwind.display()
        ));
    }
    let script = folder.join("libgcc_s.so");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&script, format!("INPUT({})\n", unwind.display())))
        .map_err(|error| format!("cannot write {}: {error}", script.display()))?;
    Ok(vec![
        "-Clinker=musl-gcc".into(),
        "-Clink-self-contained=no".into(),
        format!("-Lnative={}", folder.display()),
    ])
}
