//! Which operations a run is made of, and how often each is drawn.

use crate::DbloadError;
use crate::operation::Operation;
use crate::random::SplitMix64;

/// Operations with their weights.
///
/// ```
/// use dbload::Mix;
///
/// assert_eq!(Mix::builtin("origin")?.operations().len(), 4);
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    operations: Vec<(Operation, u32)>,
}

impl Mix {
    /// The operations with a weight each; those of weight 0 are never drawn.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] when no operation has a weight.
    pub fn new(operations: Vec<(Operation, u32)>) -> Result<Self, DbloadError> {
        if operations.iter().all(|&(_, weight)| weight == 0) {
            return Err(DbloadError::parameter("mix", "no operation has a weight"));
        }
        Ok(Self { operations })
    }

    /// The mix of this name.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] for an unknown name.
    pub fn builtin(name: &str) -> Result<Self, DbloadError> {
        match name {
            "origin" => Self::new(Operation::ALL.map(|operation| (operation, 1)).to_vec()),
            other => Err(DbloadError::parameter(
                "mix",
                format!("{other:?} is none of origin"),
            )),
        }
    }

    /// The operations with their weights.
    pub fn operations(&self) -> &[(Operation, u32)] {
        &self.operations
    }

    pub(crate) fn draw(&self, random: &mut SplitMix64) -> Operation {
        let sum = self.operations.iter().map(|&(_, weight)| weight).sum();
        let mut drawn = random.below(sum);
        for &(operation, weight) in &self.operations {
            if drawn < weight {
                return operation;
            }
            drawn -= weight;
        }
        unreachable!("the draw is below the sum of the weights")
    }
}
