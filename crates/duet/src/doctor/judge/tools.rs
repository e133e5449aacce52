//! What a run needs of this machine.

use super::{Subject, gigabytes};
use crate::doctor::readings::{Reading, Tools};
use crate::doctor::{Finding, Level};

/// Room on the disk that a release build of all variants may take, and without which nothing can be written.
const ROOMY_BYTES: u64 = 4_000_000_000;
const TIGHT_BYTES: u64 = 200_000_000;

pub(super) fn judge(tools: &Tools) -> Vec<Finding> {
    let mut findings = vec![project(tools), rustc(tools)];
    findings.extend(
        tools
            .targets
            .iter()
            .map(|(name, found)| target(name, found)),
    );
    findings.push(linker(tools));
    findings.extend(tools.postgres.as_ref().map(postgres));
    findings.extend(tools.missing_runners.iter().map(missing_runner));
    findings.extend(engines(tools));
    findings.push(writable(tools));
    findings.push(disk(tools));
    findings
}

fn project(tools: &Tools) -> Finding {
    let subject = Subject {
        id: "project",
        source: "duet.toml and cargo metadata",
        why: "A run needs to know which program to build, in which variants, and with which cases.",
    };
    match &tools.project {
        Ok(name) => subject.ok(name),
        Err(error) => subject.at(Level::Problem, "nothing to measure here", error),
    }
}

fn rustc(tools: &Tools) -> Finding {
    let subject = Subject {
        id: "compiler",
        source: &tools.rustc.source,
        why: "Every variant is built here, by the compiler of the workspace.",
    };
    match &tools.rustc.value {
        Ok(version) => subject.ok(version),
        Err(reason) => subject.at(
            Level::Problem,
            reason,
            "install Rust from https://rustup.rs, and open a new shell",
        ),
    }
}

fn target(name: &str, found: &Reading<bool>) -> Finding {
    let id = format!("target {name}");
    let subject = Subject {
        id: &id,
        source: &found.source,
        why: "A variant can only be built where the standard library of its target is installed.",
    };
    match &found.value {
        Ok(true) => subject.ok("installed"),
        Ok(false) => subject.at(
            Level::Warning,
            "not installed",
            format!(
                "rustup target add {}  # a run tries it by itself",
                name.split(' ').next().unwrap_or(name)
            ),
        ),
        Err(error) => subject.at(
            Level::Warning,
            error,
            "install the toolchain or correct the variant's target in duet.toml",
        ),
    }
}

fn linker(tools: &Tools) -> Finding {
    let subject = Subject {
        id: "linker",
        source: &tools.linker.source,
        why: "Rust links with the system's C compiler, for the musl target, too.",
    };
    match &tools.linker.value {
        Ok(version) => subject.ok(version),
        Err(reason) => subject.at(
            // Not a problem by itself: cargo's configuration may name another linker.
            Level::Warning,
            reason,
            "apt-get install gcc libc6-dev; dnf install gcc; apk add gcc musl-dev",
        ),
    }
}

fn postgres(found: &Reading<String>) -> Finding {
    let subject = Subject {
        id: "PostgreSQL",
        source: &found.source,
        why: "The database cases run against a server of DATABASE_URL or a temporary one of these programs.",
    };
    match &found.value {
        Ok(place) => subject.ok(place),
        Err(reason) => subject.at(
            Level::Warning,
            format!("{reason}: those cases will not be run"),
            "apt-get install postgresql; dnf install postgresql-server; apk add postgresql",
        ),
    }
}

fn missing_runner((variant, runner): &(String, String)) -> Finding {
    Subject {
        id: "runner",
        source: "duet.toml and PATH",
        why: "A variant's runner is the command that starts its program.",
    }
    .at(
        Level::Problem,
        format!("`{runner}` of variant `{variant}` is no program of this machine"),
        format!("install {runner}, or leave the variant out: cargo duet --variants a,b"),
    )
}

fn engines(tools: &Tools) -> Vec<Finding> {
    if tools.engines.is_empty() {
        let read = "no engine, and none needed for the others";
        return vec![engine_subject("docker, podman on PATH").ok(read)];
    }
    let found = tools.engines.iter().map(|(name, answer)| {
        let source = format!("{name} info");
        let subject = engine_subject(&source);
        match answer {
            Ok(version) => subject.ok(format!("{name} {version} answers")),
            Err(reason) => subject.at(
                Level::Note,
                format!("{name} is there and does not answer: {reason}"),
                format!(
                    "{name} info  # says why; sudo systemctl start {name} if it is not running"
                ),
            ),
        }
    });
    found.collect()
}

fn engine_subject(source: &str) -> Subject<'_> {
    Subject {
        id: "containers",
        source,
        why: "Only variants that run in an image need a container engine.",
    }
}

fn writable(tools: &Tools) -> Finding {
    let subject = Subject {
        id: "target folder",
        source: &tools.target_writable.source,
        why: "Builds and results are written below cargo's target folder.",
    };
    match &tools.target_writable.value {
        Ok(()) => subject.ok("can be written to"),
        Err(reason) => subject.at(
            Level::Problem,
            format!("cannot be written to: {reason}"),
            "CARGO_TARGET_DIR=/some/folder cargo duet",
        ),
    }
}

fn disk(tools: &Tools) -> Finding {
    let reading = &tools.target_free_bytes;
    let subject = Subject {
        id: "disk",
        source: &reading.source,
        why: "Each variant is a release build of its own, and a full disk ends a run.",
    };
    subject.known(reading, |&free| {
        let read = format!("{} free", gigabytes(free));
        match free {
            TIGHT_BYTES.. if free >= ROOMY_BYTES => subject.ok(read),
            TIGHT_BYTES.. => subject.at(
                Level::Warning,
                read,
                "cargo clean, or CARGO_TARGET_DIR=/some/larger/folder cargo duet",
            ),
            _ => subject.at(
                Level::Problem,
                read,
                "cargo clean, or CARGO_TARGET_DIR=/some/larger/folder cargo duet",
            ),
        }
    })
}
