//! `cargo duet run --resume`: an interrupted run goes on, under its own plan.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use probe::Host;

use crate::analysis::{RunResult, analyse};
use crate::builds::sha256;
use crate::error::{Error, Result};
use crate::journal::{self, Journal};
use crate::measure::{Purpose, measure};
use crate::plan::Plan;
use crate::report;
use crate::results::Results;
use crate::run::catch_signals;
use crate::stage::Stage;
use crate::terminal::say;

/// Goes on with the run of a results folder after its last whole block and writes its report. A run that is
/// finished is only analysed again.
///
/// # Errors
/// A folder without a plan; files that are of a newer version, damaged, or being written by another run; another
/// machine; binaries that are missing or changed; and what a run can fail with.
pub fn resume(folder: &Path) -> Result<(Plan, RunResult, Results)> {
    let results = Results {
        folder: std::path::absolute(folder).map_err(Error::io("find", folder))?,
    };
    let plan = results.read_plan()?;
    let machine = results.read_machine()?;
    check_host(&machine.host, &Host::read())?;
    // The lock comes before the reading: another run must not write in between.
    let mut journal = Journal::open(&results.journal())?;
    let read = journal::read_planned(&results.journal(), &plan)?;
    if read.torn || read.unfinished > 0 {
        say(format_args!(
            "The journal ends in the middle of a block; what follows its last whole block is cut off, and \
             the block is run again."
        ));
        journal.cut(read.whole_bytes)?;
    }
    check_binaries(&plan)?;
    for contained in plan
        .variants
        .iter()
        .filter_map(|variant| variant.container.as_ref())
    {
        contained.engine.check(&contained.image)?;
    }
    let interrupted = catch_signals()?;
    let mut stage = Stage {
        surroundings: plan.surroundings.clone(),
        reference: plan.variants[0].binary.clone(),
        fixtures: BTreeMap::new(),
        interrupted: &interrupted,
    };
    let mut blocks = read.blocks;
    let before = blocks.len();
    let purpose = Purpose::Verdict(&results.folder);
    measure(&plan, purpose, &mut stage, &mut blocks, |block| {
        journal.append(block)
    })?;
    drop(stage);
    if blocks.len() == before {
        say("Every block of the plan had been run; nothing is left to measure.");
    }
    let result = analyse(&plan, &blocks);
    report::write(&plan, &machine, &blocks, &result, &results)?;
    Ok((plan, result, results))
}

/// Refuses another machine: half of the blocks would be another experiment. A changed kernel or setting is said
/// and goes on, because both variants of each block see the same.
fn check_host(then: &Host, now: &Host) -> Result<()> {
    let show = |value: &dyn std::fmt::Debug| format!("{value:?}");
    let machine = [
        ("processor", show(&then.cpu_model), show(&now.cpu_model)),
        (
            "number of CPUs",
            show(&then.logical_cpus),
            show(&now.logical_cpus),
        ),
        (
            "virtualisation",
            show(&then.virtualisation),
            show(&now.virtualisation),
        ),
    ];
    for (what, then, now) in machine {
        if then != now {
            return Err(Error::Usage(format!(
                "this is not the machine that the run was begun on: its {what} was {then} and is {now} here. \
                 Blocks of two machines make no common result; start a new run here"
            )));
        }
    }
    let settings = [
        ("kernel", show(&then.kernel), show(&now.kernel)),
        (
            "frequency governor",
            show(&then.governor),
            show(&now.governor),
        ),
        (
            "CPU limit",
            show(&then.cgroup_cpu_limit),
            show(&now.cgroup_cpu_limit),
        ),
        (
            "memory limit",
            show(&then.cgroup_memory_limit_bytes),
            show(&now.cgroup_memory_limit_bytes),
        ),
        (
            "policy for huge pages",
            show(&then.transparent_huge_pages),
            show(&now.transparent_huge_pages),
        ),
    ];
    for (what, then, now) in settings {
        if then != now {
            say(format_args!(
                "Since the run was begun, the {what} changed from {then} to {now}; the remaining blocks are \
                 measured under the new one."
            ));
        }
    }
    Ok(())
}

/// Refuses binaries that are not those of the plan.
fn check_binaries(plan: &Plan) -> Result<()> {
    for variant in &plan.variants {
        let first = (&variant.binary, &variant.sha256);
        let others = variant.more_builds.iter().map(|b| (&b.binary, &b.sha256));
        for (binary, expected) in std::iter::once(first).chain(others) {
            let refused = |what: String| {
                Error::Usage(format!(
                    "{}: the binary of `{}` {what}, so the run cannot go on; start a new one",
                    binary.display(),
                    variant.name
                ))
            };
            let bytes =
                fs::read(binary).map_err(|error| refused(format!("cannot be read ({error})")))?;
            if sha256(&bytes) != *expected {
                return Err(refused("changed since the plan was made".into()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host {
            cpu_model: Some("A".into()),
            logical_cpus: Some(2),
            kernel: Some("6.1".into()),
            ..Host::default()
        }
    }

    #[test]
    fn another_machine_is_refused_and_another_kernel_is_not() {
        assert!(check_host(&host(), &host()).is_ok());
        let other = Host {
            cpu_model: Some("B".into()),
            ..host()
        };
        let error = check_host(&host(), &other)
            .expect_err("refused")
            .to_string();
        assert!(
            error.contains("processor") && error.contains("\"B\""),
            "{error}"
        );
        let smaller = Host {
            logical_cpus: Some(1),
            ..host()
        };
        assert!(check_host(&host(), &smaller).is_err());
        let updated = Host {
            kernel: Some("6.2".into()),
            ..host()
        };
        assert!(check_host(&host(), &updated).is_ok());
    }
}
