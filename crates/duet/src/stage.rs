//! What is around the processes of a run.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::fixture::{Environment, RunningFixture};
use crate::plan::Surroundings;

/// The fixtures that stand and the user's interrupt.
pub struct Stage<'a> {
    /// What may have to stand.
    pub surroundings: Surroundings,
    /// The reference variant's binary.
    pub reference: PathBuf,
    /// Each fixture that was asked for: running, or why not.
    pub fixtures: BTreeMap<String, std::result::Result<RunningFixture, String>>,
    /// Set when the user interrupts the run.
    pub interrupted: &'a AtomicBool,
}

impl Stage<'_> {
    /// The environment that the fixtures give, started now if they were not needed before.
    ///
    /// # Errors
    /// Why one of them cannot be had.
    pub fn environment(&mut self, needs: &[String]) -> std::result::Result<Environment, String> {
        let mut environment = Environment::new();
        for name in needs {
            let fixture = self.fixtures.entry(name.clone()).or_insert_with(|| {
                let Surroundings {
                    workspace,
                    program,
                    fixtures,
                } = &self.surroundings;
                let settings = fixtures.get(name).ok_or("the plan has no such fixture")?;
                RunningFixture::start(settings, program, &self.reference, workspace)
            });
            match fixture {
                Ok(running) => environment.extend(running.environment.clone()),
                Err(reason) => return Err(format!("the fixture `{name}` is not there: {reason}")),
            }
        }
        Ok(environment)
    }

    /// # Errors
    /// The user's interrupt, if there was one; `what` says what it leaves.
    pub fn interruption(&self, what: &str) -> Result<()> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted(what.into())),
            false => Ok(()),
        }
    }
}
