use std::fs;

use probe::{Identity, Libc, Linkage};
use serde_json::Value;

use crate::child::run;

#[test]
fn it_is_what_this_test_was_built_as() {
    let identity = Identity::of_this_process("system");
    let musl = cfg!(target_env = "musl");
    assert_eq!(identity.libc, if musl { Libc::Musl } else { Libc::Glibc });
    let dynamic = !cfg!(target_feature = "crt-static");
    assert_eq!(
        identity.linkage == Linkage::Dynamic,
        dynamic,
        "{}",
        identity.linkage
    );
    assert_eq!(identity.allocator, "system");
    assert!(
        identity
            .target
            .ends_with(if musl { "-musl" } else { "-gnu" }),
        "{}",
        identity.target
    );
    assert!(identity.rustc.starts_with("rustc 1."), "{}", identity.rustc);
    let sse2 = identity
        .target_features
        .iter()
        .any(|feature| feature == "sse2");
    assert_eq!(sse2, cfg!(target_feature = "sse2"));
    assert_eq!(identity.debug_assertions, cfg!(debug_assertions));
}

#[test]
fn the_libc_states_a_version() {
    let version = Identity::of_this_process("system")
        .libc_version
        .expect("both libcs have one");
    let numbers: Vec<u32> = version
        .split('.')
        .map(|part| part.parse().expect("the version is numbers"))
        .collect();
    let least = if cfg!(target_env = "musl") {
        [1, 1]
    } else {
        [2, 17]
    };
    assert!(numbers[..2] >= least[..], "{version}");
}

#[test]
fn the_linkage_agrees_with_what_the_kernel_shows() {
    let identity = Identity::of_this_process("system");
    let maps = fs::read_to_string("/proc/self/maps").expect("/proc is readable");
    let loader = maps.lines().any(|line| {
        line.rsplit('/')
            .next()
            .is_some_and(|name| name.starts_with("ld-"))
    });
    assert_eq!(identity.linkage == Linkage::Dynamic, loader, "{maps}");
    // The type in the ELF header: 2 runs at a fixed address, 3 anywhere.
    let program = fs::read("/proc/self/exe").expect("a program can read itself");
    let fixed = u16::from_ne_bytes([program[16], program[17]]) == 2;
    match identity.linkage {
        Linkage::Static => assert!(fixed),
        Linkage::StaticPie => assert!(!fixed),
        Linkage::Dynamic => {}
    }
}

pub fn identity_role() -> Value {
    serde_json::to_value(Identity::of_this_process("system")).expect("an identity is JSON")
}

#[test]
fn variables_for_the_libc_are_part_of_it_and_others_are_not() {
    let identity = run(
        "identity",
        &[
            ("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=32768"),
            ("PROBE_TEST_SECRET", "x"),
        ],
    );
    let environment = &identity["environment"];
    assert_eq!(
        environment["GLIBC_TUNABLES"],
        "glibc.malloc.mmap_threshold=32768"
    );
    assert!(environment.get("PROBE_TEST_SECRET").is_none());
    assert!(environment.get("PATH").is_none());
}
