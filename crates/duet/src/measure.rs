//! The blocks of a plan, run and journaled one after the other, from the start or from where an earlier run
//! of the same plan was interrupted.

use std::collections::BTreeMap;
use std::path::Path;

use crate::block::{Block, Outcome};
use crate::error::{Error, Result};
use crate::journal::{self, BlockEntry, Entry, KeptBlock};
use crate::plan::{Plan, PlannedCase};
use crate::progress::{Progress, so_far};
use crate::run::now;
use crate::stage::Stage;
use crate::terminal::{duration, say};

/// Attempts at a block: itself and one replacement.
const ATTEMPTS: usize = 2;

/// Blocks that a case may lose to its own processes, replacement included, before it is given up.
const LOST_BLOCKS_ALLOWED: usize = 2;

/// Blocks that a case may lose to what else goes on, as a share of those planned: beyond that the host is
/// not fit for its limits.
const DISTURBED_SHARE_ALLOWED: f64 = 0.5;

/// What blocks are run for; it decides the words that people see.
#[derive(Debug, Clone, Copy)]
pub enum Purpose<'a> {
    /// To learn the noise of the cases, before the plan is complete.
    Pilot,
    /// For the verdict. The results folder is named where the run is interrupted.
    Verdict(&'a Path),
}

/// Runs the blocks of the plan that `blocks` do not have yet. Each attempt at one is given to `write` and
/// added to `blocks`.
///
/// # Errors
/// The user's interrupt, or those of `write`.
pub fn measure(
    plan: &Plan,
    purpose: Purpose,
    stage: &mut Stage,
    blocks: &mut Vec<KeptBlock>,
    mut write: impl FnMut(&[Entry]) -> Result<()>,
) -> Result<()> {
    let mut done = Done::of(blocks);
    let steps: Vec<(usize, usize)> = plan
        .sequence()
        .into_iter()
        .filter(|(case, block)| done.next_attempt(&plan.cases[*case].id, *block).is_some())
        .collect();
    if steps.is_empty() {
        return Ok(());
    }
    announce(plan, purpose, &steps);
    let progress = Progress::new(
        match purpose {
            Purpose::Pilot => "blocks of the pilot",
            Purpose::Verdict(_) => "blocks",
        },
        steps.len(),
        seconds_of(plan, &steps),
    );
    for (number, (index, block)) in steps.iter().enumerate() {
        if number > 0 && number % plan.cases.len() == 0 {
            progress.milestone();
        }
        let case = &plan.cases[*index];
        progress.begin(&case.id);
        let disturbed_allowed = (plan.blocks_of(case) as f64 * DISTURBED_SHARE_ALLOWED) as usize;
        let disturbed_allowed = disturbed_allowed.max(LOST_BLOCKS_ALLOWED);
        let before = done.lost(&case.id);
        if before.to_its_processes < LOST_BLOCKS_ALLOWED && before.disturbed < disturbed_allowed {
            let first = done.next_attempt(&case.id, *block).unwrap_or(0);
            let ended = run_block(plan, case, *block, first, stage, |entries| {
                write(entries)?;
                report_drops(entries, &progress);
                Ok(())
            })?;
            let Some(ended) = ended else {
                return Err(interruption(purpose, number, steps.len()));
            };
            done.add(&ended);
            blocks.extend(ended);
            progress.show(|| so_far(plan, case, blocks));
            let lost = done.lost(&case.id);
            if lost.disturbed == disturbed_allowed && lost != before {
                progress.say(format_args!(
                    "GIVEN UP {}: {disturbed_allowed} of its {} blocks were disturbed, and so were their \
                     replacements. `cargo duet doctor` shows what goes on here; [gates] in duet.toml sets the \
                     limits, and 1.0 there lets everything through",
                    case.id,
                    plan.blocks_of(case)
                ));
            } else if lost.to_its_processes == LOST_BLOCKS_ALLOWED && lost != before {
                progress.say(format_args!(
                    "GIVEN UP {}: too many blocks were dropped",
                    case.id
                ));
            }
        }
        progress.end(plan.block_seconds(case));
    }
    progress.milestone();
    progress.finish();
    Ok(())
}

/// Runs a block, and once more if it must be dropped; `first` is the first attempt that is left. Each attempt is
/// given to `write` when it ends. `None` if the user interrupts it.
///
/// # Errors
/// Those of `write`.
fn run_block(
    plan: &Plan,
    case: &PlannedCase,
    number: usize,
    first: usize,
    stage: &mut Stage,
    mut write: impl FnMut(&[Entry]) -> Result<()>,
) -> Result<Option<Vec<KeptBlock>>> {
    let mut ended = Vec::new();
    for attempt in first..ATTEMPTS {
        let outcome = match stage.environment(&case.needs) {
            Ok(environment) => Block {
                plan,
                case,
                number,
                attempt,
                environment: &environment,
                interrupted: stage.interrupted,
            }
            .run(),
            Err(reason) => Some(Outcome::not_begun(reason)),
        };
        let Some(outcome) = outcome else {
            return Ok(None);
        };
        let valid = outcome.dropped.is_none();
        let mut entries: Vec<Entry> = outcome
            .processes
            .into_iter()
            .map(|entry| Entry::Process(Box::new(entry)))
            .collect();
        entries.push(Entry::Block(BlockEntry {
            case: case.id.clone(),
            block: number,
            attempt,
            ended: now(),
            conditions: outcome.conditions,
            disturbed: outcome.disturbed,
            dropped: outcome.dropped,
        }));
        write(&entries)?;
        ended.extend(journal::keep(&entries));
        if valid {
            break;
        }
    }
    Ok(Some(ended))
}

/// Says which blocks of `entries` are dropped and why.
fn report_drops(entries: &[Entry], progress: &Progress) {
    for entry in entries {
        if let Entry::Block(BlockEntry {
            case,
            block,
            dropped: Some(reason),
            ..
        }) = entry
        {
            progress.say(format_args!("DROPPED block {block} of {case}: {reason}"));
        }
    }
}

/// The seconds that steps are estimated to take.
fn seconds_of(plan: &Plan, steps: &[(usize, usize)]) -> f64 {
    let cases = steps.iter().map(|(case, _)| &plan.cases[*case]);
    cases.map(|case| plan.block_seconds(case)).sum()
}

fn announce(plan: &Plan, purpose: Purpose, steps: &[(usize, usize)]) {
    let measure = format!(
        "{} blocks of {} cases, {} variants in each, about {}",
        steps.len(),
        plan.cases.len(),
        plan.variants.len(),
        duration(seconds_of(plan, steps))
    );
    match purpose {
        Purpose::Pilot => say(format_args!("Pilot, to learn the noise: {measure}")),
        Purpose::Verdict(folder) => say(format_args!(
            "Measuring {measure}; results in {}",
            folder.display()
        )),
    }
}

fn interruption(purpose: Purpose, done: usize, total: usize) -> Error {
    let Purpose::Verdict(folder) = purpose else {
        return Error::Interrupted(
            "interrupted in the pilot, before the plan was complete; nothing was measured".into(),
        );
    };
    let folder = folder.display();
    Error::Interrupted(format!(
        "interrupted after {done} of {total} blocks, which are in the journal.\n\
         Go on with:             cargo duet run --resume {folder}\n\
         See what they say with: cargo duet report {folder}"
    ))
}

/// Which blocks have ended, and how.
#[derive(Debug, Default)]
struct Done {
    blocks: BTreeMap<(String, usize), Attempts>,
    /// Those that are lost for good, by case.
    lost: BTreeMap<String, Lost>,
}

/// The attempts at a block.
#[derive(Debug, Default)]
struct Attempts {
    count: usize,
    /// Whether one of them is valid.
    valid: bool,
    /// Whether the last one was dropped for what else went on.
    disturbed: bool,
}

/// Blocks of a case that are lost for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Lost {
    to_its_processes: usize,
    disturbed: usize,
}

impl Done {
    fn of(blocks: &[KeptBlock]) -> Self {
        let mut done = Self::default();
        done.add(blocks);
        done
    }

    fn add(&mut self, blocks: &[KeptBlock]) {
        for ended in blocks {
            let key = (ended.case.to_string(), ended.block);
            let attempts = self.blocks.entry(key).or_default();
            let lost = self.lost.entry(ended.case.to_string()).or_default();
            lost.count(attempts, -1);
            if attempts.count <= ended.attempt {
                attempts.count = ended.attempt + 1;
                attempts.disturbed = ended.disturbed;
            }
            attempts.valid |= ended.dropped.is_none();
            lost.count(attempts, 1);
        }
    }

    /// The attempt at a block that comes next; `None` where none is left or needed.
    fn next_attempt(&self, case: &str, block: usize) -> Option<usize> {
        match self.blocks.get(&(case.to_string(), block)) {
            None => Some(0),
            Some(past) => (!past.valid && past.count < ATTEMPTS).then_some(past.count),
        }
    }

    /// Blocks of a case that are lost for good.
    fn lost(&self, case: &str) -> Lost {
        self.lost.get(case).copied().unwrap_or_default()
    }
}

impl Lost {
    /// Counts a block if it is lost, or takes it back.
    fn count(&mut self, attempts: &Attempts, by: isize) {
        if attempts.valid || attempts.count < ATTEMPTS {
            return;
        }
        let place = match attempts.disturbed {
            true => &mut self.disturbed,
            false => &mut self.to_its_processes,
        };
        *place = place.saturating_add_signed(by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(block: usize, attempt: usize, dropped: bool) -> KeptBlock {
        KeptBlock {
            case: "a/b/c".into(),
            block,
            attempt,
            processes: Box::default(),
            conditions: None,
            disturbed: block == 4,
            dropped: dropped.then(|| "load".into()),
        }
    }

    #[test]
    fn what_is_left_follows_from_the_journal() {
        let done = Done::of(&[
            end(0, 0, false),
            end(1, 0, true),
            end(2, 0, true),
            end(2, 1, false),
            end(3, 0, true),
            end(3, 1, true),
            end(4, 0, true),
            end(4, 1, true),
        ]);
        let next: Vec<_> = (0..6)
            .map(|block| done.next_attempt("a/b/c", block))
            .collect();
        assert_eq!(next, [None, Some(1), None, None, None, Some(0)]);
        assert_eq!(done.next_attempt("x/y/z", 0), Some(0));
        let lost = Lost {
            to_its_processes: 1,
            disturbed: 1,
        };
        assert_eq!(done.lost("a/b/c"), lost);
        assert_eq!(done.lost("x/y/z"), Lost::default());
    }
}
