//! Counters belong to a whole process, and tests share theirs. So each section that is measured
//! runs as a *role* in a process of its own: this test program again, with one test chosen.

use std::process::{Command, Output};
use std::{env, hint};

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use crate::{accuracy, denied, family, identity, process, readings, sampler};

const ROLE: &str = "PROBE_TEST_ROLE";
const MARK: &str = "role-report:";

/// Runs a role in a process of its own, with these variables added, and returns its report.
#[track_caller]
pub fn run(role: &str, environment: &[(&str, &str)]) -> Value {
    let output = command(role)
        .envs(environment.iter().copied())
        .output()
        .expect("a running test can be started again");
    report(role, &output)
}

/// The command line of a role.
pub fn command(role: &str) -> Command {
    let mut command =
        Command::new(env::current_exe().expect("the path of a running test is known"));
    command
        .args([
            "child::role",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(ROLE, role);
    command
}

/// What a role reported.
#[track_caller]
pub fn report(role: &str, output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let report = stdout
        .split_once(MARK)
        .and_then(|(_, rest)| rest.lines().next())
        .unwrap_or_else(|| {
            panic!(
                "role {role}: {stdout}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        });
    serde_json::from_str(report).expect("a role reports JSON")
}

#[track_caller]
pub fn number(report: &Value, key: &str) -> u64 {
    report[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no number {key} in {report}"))
}

#[test]
#[ignore = "does nothing by itself: other tests run it in processes of their own"]
#[expect(
    clippy::print_stdout,
    reason = "the report goes through the pipe to the parent"
)]
fn role() {
    let Ok(role) = env::var(ROLE) else { return };
    let report = match role.as_str() {
        "burn" => readings::burn_role(),
        "sleep" => readings::sleep_role(),
        "contend" => readings::contend_role(),
        "touch" => readings::touch_role(),
        "fault" => readings::fault_role(),
        "peak" => readings::peak_role(),
        "one-second" => accuracy::one_second_role(),
        "half-idle" => accuracy::half_idle_role(),
        "touched" => accuracy::touched_role(),
        "no-allocation" => process::no_allocation_role(),
        "unprivileged" => denied::unprivileged_role(),
        "hidden" => denied::hidden_role(),
        "no-proc" => denied::no_proc_role(),
        "parent" => family::parent_role(),
        "grown" => family::grown_role(),
        "sampler-allocations" => sampler::allocations_role(),
        "sampler-cost" => sampler::cost_role(),
        "sampled" => sampler::sampled_role(),
        "dropped" => sampler::dropped_role(),
        "identity" => identity::identity_role(),
        other => panic!("unknown role {other}"),
    };
    println!("{MARK}{report}");
}

/// Uses at least `cpu_ns` of CPU time in this thread, and returns how much it was.
pub fn burn(cpu_ns: u64) -> u64 {
    let start = thread_cpu_ns();
    loop {
        // The thread's clock is a system call: asked rarely, so that the time is spent in user mode.
        let mut state = 1u64;
        for step in 0..200_000 {
            state = hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005) ^ step);
        }
        let used = thread_cpu_ns() - start;
        if used >= cpu_ns {
            return used;
        }
    }
}

/// CPU time of this thread.
pub fn thread_cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
