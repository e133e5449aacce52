//! Hands the build's target triple, compiler version, target features and profile to the crate, which
//! reports them as part of the identity of the program it is linked into.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").expect("cargo sets TARGET for build scripts");
    println!("cargo::rustc-env=PROBE_TARGET={target}");
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    println!("cargo::rustc-env=PROBE_TARGET_FEATURES={features}");
    for (name, of) in [
        ("PROBE_PROFILE", "PROFILE"),
        ("PROBE_OPT_LEVEL", "OPT_LEVEL"),
    ] {
        println!(
            "cargo::rustc-env={name}={}",
            env::var(of).unwrap_or_default()
        );
    }
    let rustc = env::var("RUSTC").expect("cargo sets RUSTC for build scripts");
    let version = Command::new(&rustc)
        .arg("--version")
        .output()
        .unwrap_or_else(|error| panic!("cannot run {rustc} --version: {error}"));
    let version = String::from_utf8_lossy(&version.stdout);
    println!("cargo::rustc-env=PROBE_RUSTC={}", version.trim());
}
