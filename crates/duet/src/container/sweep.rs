//! What removes a killed tool's containers.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{LABEL, output};

/// The command by which the guardian starts [`sweep`]; not for people.
pub const SWEEP_COMMAND: &str = "sweep-containers";

/// The same for the system call by which the guardian does that.
pub const SWEEP_COMMAND_C: &std::ffi::CStr = c"sweep-containers";

/// An engine may make a container a moment after its client was killed.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// Removes the containers of the process of the tool that this label is of, and those that still come up within the
/// next seconds.
pub fn sweep(client: &str, label: &str) {
    let filter = format!("label={LABEL}={label}");
    let deadline = Instant::now() + AFTERWARDS;
    while Instant::now() < deadline {
        let mut list = Command::new(client);
        list.args(["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter]);
        let Ok(found) = output(&mut list) else {
            return;
        };
        let found = String::from_utf8_lossy(&found.stdout);
        let ids: Vec<&str> = found.split_whitespace().collect();
        if !ids.is_empty() {
            let _ = output(
                Command::new(client)
                    .args(["rm", "--force", "--volumes"])
                    .args(ids),
            );
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
