//! The files that a load run writes second by second.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use dbload::{HdrLog, LatencyRecorder, Second};

use super::args::LoadRunArgs;
use crate::failure::Failure;
use crate::one_shot::cannot_write;

const CSV_HEADER: &str = "pool,second,start_s,duration_s,started,completed,failed,dropped,\
                          p50_ns,p95_ns,p99_ns,max_ns,lag_max_ns\n";

/// The files that were asked for. Each row is written when its second ends, so that a run that is killed
/// leaves what it measured.
pub struct Files {
    csv: Option<(PathBuf, File)>,
    hdr: Option<(PathBuf, HdrLog<File>)>,
    start: SystemTime,
    /// With several pools, the intervals of the log have the size as their tag.
    tagged: bool,
    failure: Option<Failure>,
}

impl Files {
    /// Made before anything else, so that a mistyped folder does not cost a run.
    pub fn create(args: &LoadRunArgs, tagged: bool) -> Result<Self, Failure> {
        if let (Some(csv), Some(hdr)) = (&args.csv, &args.hdr)
            && are_one_file(csv, hdr)
        {
            let (csv, hdr) = (csv.display(), hdr.display());
            return Err(Failure::usage(format!(
                "--csv {csv} and --hdr {hdr} are one file; name two"
            )));
        }
        let start = SystemTime::now();
        let csv = args.csv.as_ref().map(|path| {
            let begin = || {
                let mut file = File::create(path)?;
                file.write_all(CSV_HEADER.as_bytes())?;
                Ok(file)
            };
            begin()
                .map(|file| (path.clone(), file))
                .map_err(cannot_write(path))
        });
        let hdr = args.hdr.as_ref().map(|path| {
            File::create(path)
                .and_then(|file| HdrLog::begin(file, start))
                .map(|log| (path.clone(), log))
                .map_err(cannot_write(path))
        });
        Ok(Self {
            csv: csv.transpose()?,
            hdr: hdr.transpose()?,
            start,
            tagged,
            failure: None,
        })
    }

    /// Writes a second, unless one could not be written before: see [`failure`](Self::failure).
    pub fn write(&mut self, pool: &str, second: &Second, latency: &LatencyRecorder) {
        if self.failure.is_none() {
            self.failure = self.try_to_write(pool, second, latency).err();
        }
    }

    /// Why a second could not be written.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub fn into_failure(self) -> Option<Failure> {
        self.failure
    }

    fn try_to_write(
        &mut self,
        pool: &str,
        second: &Second,
        latency: &LatencyRecorder,
    ) -> Result<(), Failure> {
        let cannot_write = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| Failure::failed(format!("cannot write {path}: {error}"))
        };
        if let Some((path, file)) = &mut self.csv {
            file.write_all(row(pool, second).as_bytes())
                .map_err(cannot_write(path))?;
        }
        if let Some((path, log)) = &mut self.hdr {
            let length = Duration::from_nanos(second.duration_ns);
            let now = self.start.elapsed().unwrap_or_default();
            let tag = self.tagged.then(|| format!("pool-{pool}"));
            log.write(now.saturating_sub(length), length, tag.as_deref(), latency)
                .map_err(cannot_write(path))?;
        }
        Ok(())
    }
}

/// Whether both paths lead, or will lead, to one file. What is no regular file (`/dev/null`) may be named twice.
fn are_one_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => {
            one.is_file() && (one.dev(), one.ino()) == (other.dev(), other.ino())
        }
        (Err(_), Err(_)) => place(one).is_some_and(|one| place(other) == Some(one)),
        _ => false,
    }
}

/// Where a file will be that is not there yet.
fn place(path: &Path) -> Option<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

fn row(pool: &str, second: &Second) -> String {
    let figure = |of: fn(&dbload::LatencySummary) -> u64| {
        second
            .latency
            .as_ref()
            .map_or(String::new(), |latency| of(latency).to_string())
    };
    format!(
        "{pool},{},{:.6},{:.6},{},{},{},{},{},{},{},{},{}\n",
        second.second,
        second.start_ns as f64 / 1e9,
        second.duration_ns as f64 / 1e9,
        second.started,
        second.completed,
        second.failed,
        second.dropped,
        figure(|latency| latency.p50_ns),
        figure(|latency| latency.p95_ns),
        figure(|latency| latency.p99_ns),
        figure(|latency| latency.max_ns),
        second
            .lag_max_ns
            .map_or(String::new(), |lag| lag.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_one_file_are_recognised() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        assert!(are_one_file(&at("a"), &at("./a")));
        assert!(!are_one_file(&at("a"), &at("b")));
        File::create(at("a")).expect("a file");
        assert!(!are_one_file(&at("a"), &at("b")));
        fs::hard_link(at("a"), at("b")).expect("a link");
        assert!(are_one_file(&at("a"), &at("b")));
        assert!(!are_one_file(
            Path::new("/dev/null"),
            Path::new("/dev/null")
        ));
        assert!(!are_one_file(&at("no/a"), &at("b")));
    }

    #[test]
    fn a_second_is_a_row_and_what_is_not_known_is_empty() {
        let mut second = Second {
            second: 3,
            start_ns: 3_000_050_000,
            duration_ns: 1_000_000_000,
            started: 10,
            completed: 8,
            failed: 1,
            dropped: 2,
            latency: None,
            lag_max_ns: None,
        };
        assert_eq!(row("4", &second), "4,3,3.000050,1.000000,10,8,1,2,,,,,\n");
        let mut latency = LatencyRecorder::new();
        latency.record_ns(500);
        second.latency = latency.summary();
        second.lag_max_ns = Some(60);
        let expected = "4,3,3.000050,1.000000,10,8,1,2,500,500,500,500,60\n";
        assert_eq!(row("4", &second), expected);
        assert_eq!(CSV_HEADER.split(',').count(), expected.split(',').count());
    }
}
