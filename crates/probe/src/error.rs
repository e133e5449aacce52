use std::io;
use std::path::Path;
use std::time::Duration;

/// Why a reading, a sampler or an observation could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// A file of the kernel could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the kernel was read, but the value looked for is not in it.
    #[error("{path} has no usable {field}; this kernel or sandbox does not report it")]
    Missing {
        /// The file.
        path: String,
        /// The value looked for.
        field: &'static str,
    },
    /// The process has ended, or there never was one of this number.
    #[error("there is no process {pid} (any more): {path} is gone")]
    Gone {
        /// The process.
        pid: u32,
        /// The file that was looked for.
        path: String,
    },
    /// The process belongs to somebody else.
    #[error(
        "not allowed to read {path}; run as the user of that process, or as root (if /proc is mounted with hidepid=1, \
         only they may look)"
    )]
    Forbidden {
        /// The file.
        path: String,
    },
    /// The process exists, but `/proc` does not show it.
    #[error(
        "process {pid} runs, but /proc hides it: there is no {path} (mount option hidepid); run as the user of that \
         process, as root, or as a member of the group that the mount option gid= names"
    )]
    Hidden {
        /// The process.
        pid: u32,
        /// The file that was looked for.
        path: String,
    },
    /// There is no `/proc`.
    #[error("cannot read {path}: /proc is not mounted; mount it (mount -t proc proc /proc)")]
    NoProc {
        /// The file that was looked for.
        path: String,
    },
    /// The kernel does not tell which children a process has.
    #[error(
        "cannot see the children of process {pid}: there is no {path} (a kernel without CONFIG_PROC_CHILDREN); sample \
         the process alone"
    )]
    NoChildren {
        /// The process.
        pid: u32,
        /// The file that was looked for.
        path: String,
    },
    /// The sampling interval is out of range.
    #[error("a sampling interval of {interval:?} is not between 1 ms and 60 s; 100 ms is usual")]
    Interval {
        /// The interval asked for.
        interval: Duration,
    },
    /// The sampler's thread could not be started.
    #[error("cannot start the sampling thread: {source}; check the limit on threads (ulimit -u)")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// Text is not the JSON of an observation, or an observation cannot be written as JSON.
    #[error("not an observation: {0}")]
    Json(#[from] serde_json::Error),
    /// An observation of another version.
    #[error(
        "the observation has schema {found}, but only schema {} is understood",
        crate::SCHEMA
    )]
    Schema {
        /// The version found.
        found: u64,
    },
    /// The lists of a phase or a timeline, which run in parallel, have different lengths.
    #[error("{place}: `{field}` has {found} values, but `{reference}` has {expected}")]
    Lengths {
        /// Where in the observation.
        place: String,
        /// The list that differs.
        field: &'static str,
        /// How many values it has.
        found: usize,
        /// The list that it is compared with.
        reference: &'static str,
        /// How many values that one has.
        expected: usize,
    },
}

impl ProbeError {
    /// Why a file below `/proc` could not be opened or read. `pid` is the process that it belongs to,
    /// `None` for this process.
    pub(crate) fn reading(path: &str, pid: Option<u32>, source: io::Error) -> Self {
        explain(path, pid, source, &Surroundings)
    }
}

/// What tells one reason from another where the system's answer is the same.
trait Evidence {
    fn has_proc(&self) -> bool;
    fn shows(&self, pid: u32) -> bool;
    fn runs(&self, pid: u32) -> bool;
}

struct Surroundings;

impl Evidence for Surroundings {
    fn has_proc(&self) -> bool {
        Path::new("/proc/self/stat").exists()
    }

    fn shows(&self, pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}/stat")).exists()
    }

    fn runs(&self, pid: u32) -> bool {
        let pid = i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        // Signal 0 is never sent: only whether it could be is answered.
        pid.is_some_and(|pid| {
            matches!(
                rustix::process::test_kill_process(pid),
                Ok(()) | Err(rustix::io::Errno::PERM)
            )
        })
    }
}

fn explain(path: &str, pid: Option<u32>, source: io::Error, evidence: &dyn Evidence) -> ProbeError {
    let errno = source.raw_os_error();
    let is = |expected: rustix::io::Errno| errno == Some(expected.raw_os_error());
    let path = path.to_owned();
    if is(rustix::io::Errno::ACCESS) || is(rustix::io::Errno::PERM) {
        return ProbeError::Forbidden { path };
    }
    if is(rustix::io::Errno::NOENT) && !evidence.has_proc() {
        return ProbeError::NoProc { path };
    }
    match pid {
        Some(pid) if is(rustix::io::Errno::SRCH) => ProbeError::Gone { pid, path },
        Some(pid) if is(rustix::io::Errno::NOENT) && !evidence.shows(pid) => {
            if evidence.runs(pid) {
                ProbeError::Hidden { pid, path }
            } else {
                ProbeError::Gone { pid, path }
            }
        }
        _ => ProbeError::Read { path, source },
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;

    struct Made {
        has_proc: bool,
        shows: bool,
        runs: bool,
    }

    impl Evidence for Made {
        fn has_proc(&self) -> bool {
            self.has_proc
        }
        fn shows(&self, _pid: u32) -> bool {
            self.shows
        }
        fn runs(&self, _pid: u32) -> bool {
            self.runs
        }
    }

    const USUAL: Made = Made {
        has_proc: true,
        shows: true,
        runs: true,
    };

    #[track_caller]
    fn check(errno: Errno, pid: Option<u32>, made: &Made, words: &[&str]) {
        let path = match pid {
            Some(pid) => format!("/proc/{pid}/statm"),
            None => "/proc/self/statm".into(),
        };
        let message = explain(&path, pid, errno.into(), made).to_string();
        assert!(message.contains(&path), "{message}");
        for word in words {
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn every_reason_is_told_apart_with_the_path_and_what_to_do() {
        check(Errno::SRCH, Some(7), &USUAL, &["no process 7"]);
        let gone = Made {
            shows: false,
            runs: false,
            ..USUAL
        };
        check(Errno::NOENT, Some(7), &gone, &["no process 7"]);
        let hidden = Made {
            shows: false,
            ..USUAL
        };
        check(
            Errno::NOENT,
            Some(7),
            &hidden,
            &["hidepid", "as root", "gid="],
        );
        check(Errno::ACCESS, Some(7), &USUAL, &["not allowed", "as root"]);
        check(Errno::PERM, Some(7), &USUAL, &["not allowed", "hidepid=1"]);
        let no_proc = Made {
            has_proc: false,
            shows: false,
            runs: true,
        };
        check(
            Errno::NOENT,
            None,
            &no_proc,
            &["not mounted", "mount -t proc"],
        );
        check(Errno::NOENT, Some(7), &no_proc, &["not mounted"]);
        // The process is there, but this kernel does not have the file.
        check(Errno::NOENT, Some(7), &USUAL, &["os error 2"]);
        check(Errno::MFILE, None, &USUAL, &["os error 24"]);
    }

    #[test]
    fn real_processes_give_real_evidence() {
        let own = std::process::id();
        assert!(Surroundings.has_proc() && Surroundings.shows(own) && Surroundings.runs(own));
        // Above the largest process number that a kernel can be set to.
        let never = 1 << 23;
        assert!(!Surroundings.shows(never) && !Surroundings.runs(never));
    }
}
