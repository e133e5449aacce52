//! Which operations a load is made of, and how often each comes.

mod parse;

use std::fmt;

use crate::DbloadError;
use crate::operation::Operation;
use crate::random::SplitMix64;

/// Operations with their weights, as data.
///
/// In text it is a table of TOML with a whole number for each operation that shall come; one that is not
/// named, or has the weight 0, does not. The weights need not add up to anything.
///
/// Three are built in: `origin`, four queries in equal shares; `read`, all reads in the shares that an
/// application might have; `read-write`, the same reads with one operation in five a write, where
/// as many users are deleted as inserted.
///
/// ```
/// use dbload::{Mix, Operation};
///
/// let mix = Mix::parse("[mix]\nuser_by_name = 90\nupdate_profile = 10\n")?;
/// assert_eq!(mix.weights(), [(Operation::UserByName, 90), (Operation::UpdateProfile, 10)]);
/// assert_eq!(Mix::parse(&mix.to_string())?, mix);
///
/// let error = Mix::parse("[mix]\nuser_by_name = 90\nuser_by_mail = 10\n").unwrap_err().to_string();
/// assert!(error.starts_with("the mix cannot be used: line 3:"), "{error}");
/// assert!(Mix::builtin("read-write")?.operations().any(Operation::is_write));
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// In the order of [`Operation::ALL`], each once, no weight 0, and a sum that is a `u32`.
    operations: Vec<(Operation, u32)>,
}

/// The names and texts of those that are built in.
const BUILTIN: [(&str, &str); 3] = [
    ("origin", include_str!("origin.toml")),
    ("read", include_str!("read.toml")),
    ("read-write", include_str!("read-write.toml")),
];

impl Mix {
    /// The names of those that are built in.
    pub const BUILTIN: [&str; 3] = [BUILTIN[0].0, BUILTIN[1].0, BUILTIN[2].0];

    /// A mix of these weights. Those of an operation that is given twice add up.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Mix`] when all weights are 0, or the sum is above 4,294,967,295.
    pub fn new(weights: impl IntoIterator<Item = (Operation, u32)>) -> Result<Self, DbloadError> {
        let mut sums = [0_u64; Operation::ALL.len()];
        for (operation, weight) in weights {
            let sum = &mut sums[operation as usize];
            *sum = sum.saturating_add(weight.into());
        }
        let total = sums
            .iter()
            .fold(0, |sum: u64, &one| sum.saturating_add(one));
        if total == 0 {
            return Err(DbloadError::mix(None, "all weights are 0"));
        }
        if total > u32::MAX.into() {
            let reason = format!("the weights add up to {total}, above {}", u32::MAX);
            return Err(DbloadError::mix(None, reason));
        }
        let operations = Operation::ALL
            .into_iter()
            .zip(sums)
            .filter(|&(_, sum)| sum > 0)
            .map(|(operation, sum)| {
                let weight = u32::try_from(sum).expect("a part is not above the whole");
                (operation, weight)
            })
            .collect();
        Ok(Self { operations })
    }

    /// A mix that is built in.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Mix`] for another name than those of [`Mix::BUILTIN`].
    pub fn builtin(name: &str) -> Result<Self, DbloadError> {
        let found = BUILTIN.iter().find(|(known, _)| *known == name);
        let Some((_, text)) = found else {
            let known = Self::BUILTIN.join(", ");
            return Err(DbloadError::mix(
                None,
                format!("{name:?} is none of {known}"),
            ));
        };
        Self::parse(text)
    }

    /// Reads a mix from TOML.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Mix`] with the number of the line for what is no TOML, an operation that there is
    /// not, or a weight that is no whole number from 0 to 4,294,967,295; without one for weights that
    /// [`Mix::new`] refuses.
    pub fn parse(text: &str) -> Result<Self, DbloadError> {
        parse::parse(text)
    }

    /// The operations with their weights, in the order of [`Operation::ALL`].
    pub fn weights(&self) -> &[(Operation, u32)] {
        &self.operations
    }

    /// The operations, for [`Pool::connect_for`](crate::Pool::connect_for).
    pub fn operations(&self) -> impl ExactSizeIterator<Item = Operation> {
        self.operations.iter().map(|&(operation, _)| operation)
    }

    /// Draws an operation, each with the probability of its share. Costs one draw and a walk over the
    /// weights.
    pub(crate) fn draw(&self, random: &mut SplitMix64) -> Operation {
        let total = self.operations.iter().map(|&(_, weight)| weight).sum();
        let mut left = random.below(total);
        for &(operation, weight) in &self.operations {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return operation,
            }
        }
        unreachable!("what is drawn is below the sum of the weights")
    }
}

/// As [`Mix::parse`] reads it.
impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[mix]")?;
        self.operations
            .iter()
            .try_for_each(|(operation, weight)| writeln!(f, "{operation} = {weight}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_good_and_goes_both_ways() {
        for name in Mix::BUILTIN {
            let mix = Mix::builtin(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(Mix::parse(&mix.to_string()).expect("its own text"), mix);
            let writes = mix.operations().any(Operation::is_write);
            assert_eq!(writes, name == "read-write", "{name}");
        }
        let reads = Operation::ALL
            .into_iter()
            .filter(|operation| !operation.is_write());
        let read = Mix::builtin("read").expect("built in");
        assert!(read.operations().eq(reads));
        let error = Mix::builtin("write").expect_err("not built in").to_string();
        assert!(
            error.contains("\"write\" is none of origin, read, read-write"),
            "{error}"
        );
    }

    #[test]
    fn read_write_deletes_as_many_as_it_inserts_and_one_in_five_writes() {
        let mix = Mix::builtin("read-write").expect("built in");
        let share = |wanted: fn(Operation) -> bool| -> u32 {
            let of_these = mix.weights().iter().filter(|(one, _)| wanted(*one));
            of_these.map(|(_, weight)| weight).sum()
        };
        assert_eq!(share(|_| true), 100);
        assert_eq!(share(Operation::is_write), 20);
        assert_eq!(
            share(|one| one == Operation::InsertUser),
            share(|one| one == Operation::DeleteUser)
        );
    }

    /// The chi-square statistic of the draws must be below its 99.99 % quantile. The seeds are fixed: it
    /// always is or never.
    #[track_caller]
    fn check_draws(mix: &Mix, quantile: f64) {
        const DRAWS: u32 = 100_000;
        let mut counts = [0_u32; Operation::ALL.len()];
        let mut random = SplitMix64::new(11);
        for _ in 0..DRAWS {
            counts[mix.draw(&mut random) as usize] += 1;
        }
        let total: u32 = mix.weights().iter().map(|(_, weight)| weight).sum();
        let mut drawn = 0;
        let mut chi_square = 0.0;
        for &(operation, weight) in mix.weights() {
            let count = counts[operation as usize];
            let expected = f64::from(DRAWS) * f64::from(weight) / f64::from(total);
            chi_square += (f64::from(count) - expected).powi(2) / expected;
            drawn += count;
        }
        assert_eq!(drawn, DRAWS, "operations that are not in the mix");
        assert!(chi_square < quantile, "{chi_square}: {counts:?}");
    }

    #[test]
    fn draws_come_as_often_as_their_weights_say() {
        // Three, ten and nine degrees of freedom.
        check_draws(&Mix::builtin("origin").expect("built in"), 21.1);
        check_draws(&Mix::builtin("read").expect("built in"), 35.6);
        check_draws(&Mix::builtin("read-write").expect("built in"), 33.7);
        let one = [(Operation::Search, 3)];
        check_draws(&Mix::new(one).expect("a good mix"), 1e-9);
        let uneven = [(Operation::Search, 1), (Operation::InsertUser, 99_999)];
        check_draws(&Mix::new(uneven).expect("a good mix"), 15.1);
        let large = [(Operation::Search, u32::MAX - 1), (Operation::AgeGender, 1)];
        let large = Mix::new(large).expect("a good mix");
        assert_eq!(large.draw(&mut SplitMix64::new(1)), Operation::Search);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let mix = Mix::builtin("read").expect("built in");
        let draws = |seed| {
            let mut random = SplitMix64::new(seed);
            (0..50)
                .map(|_| mix.draw(&mut random))
                .collect::<Vec<Operation>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn weights_of_one_operation_add_up_and_the_sum_has_a_limit() {
        let twice = [
            (Operation::Search, 2),
            (Operation::UserByName, 0),
            (Operation::Search, 3),
        ];
        let mix = Mix::new(twice).expect("a good mix");
        assert_eq!(mix.weights(), [(Operation::Search, 5)]);
        let refused = |weights: &[(Operation, u32)]| {
            Mix::new(weights.iter().copied())
                .expect_err("a bad mix")
                .to_string()
        };
        assert!(refused(&[]).contains("all weights are 0"));
        assert!(refused(&[(Operation::Search, 0)]).contains("all weights are 0"));
        let large = refused(&[(Operation::Search, u32::MAX), (Operation::AgeGender, 1)]);
        assert!(large.contains("add up to 4294967296"), "{large}");
    }
}
