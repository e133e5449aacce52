//! What `--operation` takes: the names of the operations, and a few words of its own.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use dbload::{Mix, Operation};

/// What is asked of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbloadOperation {
    /// One operation.
    One(Operation),
    /// All users are stored anew.
    Load,
    /// The operations of the mix `origin`, a phase each.
    Origin,
    /// All operations, a phase each.
    All,
}

impl DbloadOperation {
    const EVERY: [Self; Operation::ALL.len() + 3] = {
        let mut every = [Self::Load; Operation::ALL.len() + 3];
        let mut next = 0;
        while next < Operation::ALL.len() {
            every[next] = Self::One(Operation::ALL[next]);
            next += 1;
        }
        every[next + 1] = Self::Origin;
        every[next + 2] = Self::All;
        every
    };

    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::One(operation) => operation.as_str(),
            Self::Load => "load",
            Self::Origin => "origin",
            Self::All => "all",
        }
    }

    /// The phases of an iteration; `None` for a load.
    ///
    /// A deletion has a phase before it that inserts, as there would be nobody to delete.
    pub(super) fn phases(self) -> Option<Vec<Operation>> {
        match self {
            Self::One(Operation::DeleteUser) => {
                Some(vec![Operation::InsertUser, Operation::DeleteUser])
            }
            Self::One(operation) => Some(vec![operation]),
            Self::Load => None,
            Self::Origin => {
                let origin = Mix::builtin("origin").expect("this name is among those built in");
                Some(origin.operations().collect())
            }
            Self::All => Some(Operation::ALL.to_vec()),
        }
    }
}

impl ValueEnum for DbloadOperation {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::EVERY
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::One(operation) => operation.about(),
            Self::Load => "All users are stored anew",
            Self::Origin => "The four queries of the original comparison, a phase each",
            Self::All => "All but load, a phase each",
        };
        Some(PossibleValue::new(self.as_str()).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_means_something_else() {
        for (index, operation) in DbloadOperation::EVERY.into_iter().enumerate() {
            let found = DbloadOperation::from_str(operation.as_str(), false);
            assert_eq!(found, Ok(operation));
            assert!(!DbloadOperation::EVERY[..index].contains(&operation));
        }
        assert_eq!(
            DbloadOperation::from_str("search", false),
            Ok(DbloadOperation::One(Operation::Search))
        );
        assert_eq!(DbloadOperation::Load.phases(), None);
        assert_eq!(
            DbloadOperation::Origin.phases().map(|all| all.len()),
            Some(4)
        );
    }
}
