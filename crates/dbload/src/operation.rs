//! The four operations, their statements, and the requests that fill in their parameters.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::DbloadError;
use crate::random::SplitMix64;
use crate::user::Users;

/// The most users that one [`Operation::NameRange`] asks for.
pub const MAX_RANGE: u32 = 10_000;

/// How many users one [`Operation::UsersByUids`] asks for, where there are as many.
pub const UIDS: u32 = 1_000;

/// A kind of query.
///
/// The name of an operation in text is in snake case, in both directions:
///
/// ```
/// use dbload::Operation;
///
/// assert_eq!(Operation::NameRange.to_string(), "name_range");
/// assert_eq!("count_extremes".parse::<Operation>()?, Operation::CountExtremes);
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// One user by name, joined over the three tables: latency of a small answer.
    UserByName,
    /// Up to [`MAX_RANGE`] users with neighbouring names, joined over the three tables: a large
    /// answer.
    NameRange,
    /// [`UIDS`] users at random, by an array of their identifiers: a large request.
    UsersByUids,
    /// Counts and extremes per gender over all users: the server works, the client waits.
    CountExtremes,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 4] = [
        Self::UserByName,
        Self::NameRange,
        Self::UsersByUids,
        Self::CountExtremes,
    ];

    /// The name in snake case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserByName => "user_by_name",
            Self::NameRange => "name_range",
            Self::UsersByUids => "users_by_uids",
            Self::CountExtremes => "count_extremes",
        }
    }

    /// The statement over the tables of `schema`, which is a checked identifier.
    pub(crate) fn sql(self, schema: &str) -> String {
        let users = format!(
            "SELECT u.id, u.uid, i.name, i.age, i.gender, p.nickname, p.pic \
             FROM \"{schema}\".users_tbl u \
             JOIN \"{schema}\".user_info_tbl i ON i.uid = u.uid \
             JOIN \"{schema}\".user_profile_tbl p ON p.uid = u.uid"
        );
        match self {
            Self::UserByName => format!("{users} WHERE i.name = $1"),
            Self::NameRange => format!("{users} WHERE i.name BETWEEN $1 AND $2 ORDER BY i.name"),
            Self::UsersByUids => format!("{users} WHERE u.uid = ANY($1) ORDER BY u.id"),
            Self::CountExtremes => format!(
                "SELECT i.gender, count(*), count(p.pic), min(i.age), max(i.age), min(i.name), max(i.name) \
                 FROM \"{schema}\".user_info_tbl i JOIN \"{schema}\".user_profile_tbl p ON p.uid = i.uid \
                 GROUP BY i.gender ORDER BY i.gender"
            ),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Operation {
    type Err = DbloadError;

    fn from_str(text: &str) -> Result<Self, DbloadError> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.as_str() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                DbloadError::parameter("operation", format!("{text:?} is none of {known}"))
            })
    }
}

/// An operation with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// The user of this name.
    UserByName {
        /// The name.
        name: String,
    },
    /// The users of these names and all between them.
    NameRange {
        /// The first name of the range.
        first: String,
        /// The last name of the range, included.
        last: String,
    },
    /// The users with these identifiers.
    UsersByUids {
        /// The identifiers, each once.
        uids: Vec<Uuid>,
    },
    /// Counts and extremes of all users.
    CountExtremes,
}

impl Request {
    /// The operation.
    pub fn operation(&self) -> Operation {
        match self {
            Self::UserByName { .. } => Operation::UserByName,
            Self::NameRange { .. } => Operation::NameRange,
            Self::UsersByUids { .. } => Operation::UsersByUids,
            Self::CountExtremes => Operation::CountExtremes,
        }
    }

    /// Draws the parameters of `operation`, all uniform: the name; the length of the range, then its
    /// start; a sample without repetition.
    pub(crate) fn draw(operation: Operation, users: &Users, random: &mut SplitMix64) -> Self {
        let count = users.count();
        match operation {
            Operation::UserByName => Self::UserByName {
                name: Users::name(1 + random.below(count)),
            },
            Operation::NameRange => {
                let length = 1 + random.below(count.min(MAX_RANGE));
                let first = 1 + random.below(count - length + 1);
                Self::NameRange {
                    first: Users::name(first),
                    last: Users::name(first + length - 1),
                }
            }
            Operation::UsersByUids => {
                let ids = sample(count, count.min(UIDS), random);
                Self::UsersByUids {
                    uids: ids.into_iter().map(|id| users.uid(id)).collect(),
                }
            }
            Operation::CountExtremes => Self::CountExtremes,
        }
    }
}

/// `size` different numbers from `1..=count` in random order of drawing: Floyd's algorithm (Bentley
/// and Floyd, "A sample of brilliance", CACM 30(9), 1987), one draw a number.
fn sample(count: u32, size: u32, random: &mut SplitMix64) -> Vec<u32> {
    let mut taken = BTreeSet::new();
    let mut sample = Vec::with_capacity(size as usize);
    for largest in count - size + 1..=count {
        let drawn = 1 + random.below(largest);
        let chosen = if taken.insert(drawn) { drawn } else { largest };
        // When the draw is taken already, the largest cannot be: no earlier draw could reach it.
        taken.insert(chosen);
        sample.push(chosen);
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for operation in Operation::ALL {
            assert_eq!(
                operation
                    .to_string()
                    .parse::<Operation>()
                    .expect("a name of its own"),
                operation
            );
        }
        let error = "name-range"
            .parse::<Operation>()
            .expect_err("not in snake case")
            .to_string();
        assert!(
            error.contains("\"name-range\" is none of user_by_name, name_range"),
            "{error}"
        );
    }

    #[track_caller]
    fn check_sample(count: u32, size: u32) {
        let mut random = SplitMix64::new(u64::from(count) << 32 | u64::from(size));
        for _ in 0..50 {
            let drawn = sample(count, size, &mut random);
            let different: BTreeSet<u32> = drawn.iter().copied().collect();
            assert_eq!(drawn.len(), size as usize);
            assert_eq!(different.len(), size as usize);
            assert!(different.iter().all(|id| (1..=count).contains(id)));
        }
    }

    #[test]
    fn samples_are_without_repetition() {
        check_sample(1, 1);
        check_sample(2, 1);
        check_sample(10, 10);
        check_sample(10, 9);
        check_sample(5_000, 1_000);
    }

    #[test]
    fn samples_are_uniform() {
        let mut random = SplitMix64::new(1);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            for id in sample(10, 3, &mut random) {
                counts[id as usize - 1] += 1;
            }
        }
        assert!(
            counts.iter().all(|count| (2_800..3_200).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn ranges_stay_inside_the_users_and_reach_both_ends() {
        let users = Users::new(42, 3);
        let mut random = SplitMix64::new(42);
        let mut seen = BTreeSet::new();
        for _ in 0..500 {
            match Request::draw(Operation::NameRange, &users, &mut random) {
                Request::NameRange { first, last } => seen.insert((first, last)),
                other => panic!("another operation: {other:?}"),
            };
        }
        let names = |first, last| (Users::name(first), Users::name(last));
        let all = [
            names(1, 1),
            names(1, 2),
            names(1, 3),
            names(2, 2),
            names(2, 3),
            names(3, 3),
        ];
        assert_eq!(seen, all.into_iter().collect());
    }

    #[test]
    fn a_single_user_is_enough_for_every_operation() {
        let users = Users::new(42, 1);
        let mut random = SplitMix64::new(42);
        for operation in Operation::ALL {
            assert_eq!(
                Request::draw(operation, &users, &mut random).operation(),
                operation
            );
        }
    }
}
