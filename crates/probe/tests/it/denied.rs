//! Processes that may not be looked at. Where this machine does not let a test make the situation, the test
//! says so on standard error; the reasons themselves are told apart in the unit tests of `error.rs`.

use std::ffi::CString;
use std::io::Write as _;

use probe::Process;
use serde_json::{Value, json};

use crate::child::run;

/// The user called nobody, who owns nothing.
const NOBODY: u32 = 65_534;

/// Becomes nobody, if there are rights to lose.
fn drop_rights() {
    if rustix::process::geteuid().is_root() {
        // SAFETY: the calls take plain numbers.
        let status = unsafe {
            libc::setgroups(0, std::ptr::null())
                | libc::setresgid(NOBODY, NOBODY, NOBODY)
                | libc::setresuid(NOBODY, NOBODY, NOBODY)
        };
        assert_eq!(status, 0, "root may become nobody");
    }
}

/// Errors of all readings of a process, as people see them.
fn errors(pid: u32) -> Vec<String> {
    match Process::of(pid) {
        Err(error) => vec![error.to_string()],
        Ok(process) => {
            let glance = process.glance().err().map(|error| error.to_string());
            let pss = process.pss_bytes().err().map(|error| error.to_string());
            glance.into_iter().chain(pss).collect()
        }
    }
}

pub fn unprivileged_role() -> Value {
    // The parent belongs to root where this does, and else there is a first process that belongs to root.
    let pid = if rustix::process::geteuid().is_root() {
        std::os::unix::process::parent_id()
    } else {
        1
    };
    drop_rights();
    let reading = Process::of(pid).and_then(|process| process.reading());
    json!({
        "errors": errors(pid),
        "rss_is_known": reading.as_ref().is_ok_and(|reading| reading.rss_bytes.is_some()),
        "read_bytes_are_known": reading.is_ok_and(|reading| reading.read_bytes.is_some()),
    })
}

#[test]
fn a_process_of_somebody_else_shows_some_and_explains_the_rest() {
    let report = run("unprivileged", &[]);
    assert_eq!(report["rss_is_known"], true, "{report}");
    assert_eq!(report["read_bytes_are_known"], false, "{report}");
    let errors = report["errors"].to_string();
    assert!(errors.contains("not allowed to read /proc/"), "{report}");
    assert!(
        errors.contains("smaps_rollup") && errors.contains("as root"),
        "{report}"
    );
}

/// A view of the file system that others do not see, in which `/proc` can be changed.
fn own_mounts() -> Result<(), String> {
    let answer = |what: &str, status: i32| match status {
        0 => Ok(()),
        _ => Err(format!("{what}: {}", std::io::Error::last_os_error())),
    };
    // SAFETY: the call takes a plain number.
    answer("unshare", unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    mount(c"none", c"/", c"", libc::MS_REC | libc::MS_PRIVATE, c"")
}

fn mount(
    source: &std::ffi::CStr,
    target: &std::ffi::CStr,
    kind: &std::ffi::CStr,
    flags: libc::c_ulong,
    options: &std::ffi::CStr,
) -> Result<(), String> {
    // SAFETY: all strings live through the call.
    let status = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            options.as_ptr().cast(),
        )
    };
    match status {
        0 => Ok(()),
        _ => Err(format!(
            "mount on {target:?}: {}",
            std::io::Error::last_os_error()
        )),
    }
}

pub fn hidden_role() -> Value {
    let options = CString::new("hidepid=2").expect("a constant without zeros");
    if let Err(refused) = own_mounts().and_then(|()| mount(c"proc", c"/proc", c"proc", 0, &options))
    {
        return json!({"refused": refused});
    }
    let parent = std::os::unix::process::parent_id();
    drop_rights();
    json!({"errors": errors(parent), "own": errors(std::process::id())})
}

pub fn no_proc_role() -> Value {
    if let Err(refused) = own_mounts().and_then(|()| mount(c"none", c"/proc", c"tmpfs", 0, c"")) {
        return json!({"refused": refused});
    }
    let this = Process::this().map(drop).map_err(|error| error.to_string());
    let sampler = probe::Sampler::start(std::time::Duration::from_millis(100))
        .map(drop)
        .map_err(|error| error.to_string());
    json!({"errors": [this.err(), sampler.err()], "others": errors(1)})
}

/// Says loudly where a test could not run.
fn is_refused(report: &Value) -> bool {
    let refused = report["refused"].as_str();
    if let Some(reason) = refused {
        let _ = writeln!(
            std::io::stderr(),
            "NOT TESTED: this needs the right to mount (root): {reason}"
        );
    }
    refused.is_some()
}

#[test]
fn a_process_that_proc_hides_is_not_taken_for_gone() {
    let report = run("hidden", &[]);
    if is_refused(&report) {
        return;
    }
    let errors = report["errors"].to_string();
    assert!(
        errors.contains("/proc hides it") && errors.contains("hidepid"),
        "{report}"
    );
}

#[test]
fn without_proc_everything_says_what_to_do() {
    let report = run("no-proc", &[]);
    if is_refused(&report) {
        return;
    }
    for error in [
        &report["errors"][0],
        &report["errors"][1],
        &report["others"][0],
    ] {
        let error = error.as_str().expect("an error");
        assert!(error.contains("/proc is not mounted"), "{report}");
        assert!(error.contains("mount -t proc"), "{report}");
    }
}
