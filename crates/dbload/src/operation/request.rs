//! An operation with its parameters, drawn from a seed.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{ANCHORS, MAX_RANGE, Operation, PAGE, UIDS};
use crate::random::SplitMix64;
use crate::user::{Gender, Users};

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
    /// The user with this identifier.
    UserByUid {
        /// The identifier.
        uid: Uuid,
    },
    /// Figures of the profiles for every age and gender.
    AgeGender,
    /// The most frequent nicknames of each gender.
    TopNicknames,
    /// The page that follows a name.
    PageKeyset {
        /// The last name of the page before; empty for the first page.
        after: String,
    },
    /// The page that follows this many users.
    PageOffset {
        /// How many users come before the page.
        offset: i64,
    },
    /// The users that follow each of these.
    Neighbours {
        /// The identifiers of the users that are followed, each once.
        uids: Vec<Uuid>,
    },
    /// The users whose nicknames contain all of these words.
    Search {
        /// The words, with spaces between them.
        words: String,
    },
    /// A new user. Its number and identifier come from the database, so that no two are ever the same;
    /// its name follows from the identifier.
    InsertUser {
        /// Its age, 20 to 60.
        age: i16,
        /// Its gender.
        gender: Gender,
        /// Its nickname, of at most 50 characters.
        nickname: String,
        /// The address of its picture, of at most 256 characters.
        pic: Option<String>,
    },
    /// The profile of a user, as it shall be.
    UpdateProfile {
        /// The identifier of the user.
        uid: Uuid,
        /// The nickname, of at most 50 characters.
        nickname: String,
        /// The address of the picture, of at most 256 characters.
        pic: Option<String>,
    },
    /// The user to delete is the one that was inserted longest ago through the same pool.
    DeleteUser,
}

impl Request {
    /// The operation.
    pub fn operation(&self) -> Operation {
        match self {
            Self::UserByName { .. } => Operation::UserByName,
            Self::NameRange { .. } => Operation::NameRange,
            Self::UsersByUids { .. } => Operation::UsersByUids,
            Self::CountExtremes => Operation::CountExtremes,
            Self::UserByUid { .. } => Operation::UserByUid,
            Self::AgeGender => Operation::AgeGender,
            Self::TopNicknames => Operation::TopNicknames,
            Self::PageKeyset { .. } => Operation::PageKeyset,
            Self::PageOffset { .. } => Operation::PageOffset,
            Self::Neighbours { .. } => Operation::Neighbours,
            Self::Search { .. } => Operation::Search,
            Self::InsertUser { .. } => Operation::InsertUser,
            Self::UpdateProfile { .. } => Operation::UpdateProfile,
            Self::DeleteUser => Operation::DeleteUser,
        }
    }

    /// Draws the parameters of `operation`, all uniform: a user; the length of a range, then its start;
    /// a sample without repetition; a page, which the two ways of asking for it draw alike.
    ///
    /// The words of a search are the first two of a user's nickname, so that there is something to find.
    /// A new user has the age, gender, nickname and picture of one that is there.
    pub(crate) fn draw(operation: Operation, users: &Users, random: &mut SplitMix64) -> Self {
        let count = users.count();
        let mut id = || 1 + random.below(count);
        match operation {
            Operation::UserByName => Self::UserByName {
                name: Users::name(id()),
            },
            Operation::UserByUid => Self::UserByUid {
                uid: users.uid(id()),
            },
            Operation::NameRange => {
                let length = 1 + random.below(count.min(MAX_RANGE));
                let first = 1 + random.below(count - length + 1);
                Self::NameRange {
                    first: Users::name(first),
                    last: Users::name(first + length - 1),
                }
            }
            Operation::UsersByUids => Self::UsersByUids {
                uids: uids(users, UIDS, random),
            },
            Operation::CountExtremes => Self::CountExtremes,
            Operation::AgeGender => Self::AgeGender,
            Operation::TopNicknames => Self::TopNicknames,
            Operation::PageKeyset => Self::PageKeyset {
                after: match users_before_page(count, random) {
                    0 => String::new(),
                    last => Users::name(last),
                },
            },
            Operation::PageOffset => Self::PageOffset {
                offset: users_before_page(count, random).into(),
            },
            Operation::Neighbours => Self::Neighbours {
                uids: uids(users, ANCHORS, random),
            },
            Operation::Search => {
                let nickname = users.user(id()).nickname;
                let words: Vec<&str> = words(&nickname).take(2).collect();
                Self::Search {
                    words: words.join(" "),
                }
            }
            Operation::InsertUser => {
                let like = users.user(id());
                Self::InsertUser {
                    age: like.age,
                    gender: like.gender,
                    nickname: like.nickname,
                    pic: like.pic,
                }
            }
            Operation::UpdateProfile => {
                let user = users.user(id());
                Self::UpdateProfile {
                    uid: user.uid,
                    nickname: user.nickname,
                    pic: user.pic,
                }
            }
            Operation::DeleteUser => Self::DeleteUser,
        }
    }
}

/// The words that a search finds in a text.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

fn users_before_page(count: u32, random: &mut SplitMix64) -> u32 {
    PAGE * random.below(count.div_ceil(PAGE))
}

fn uids(users: &Users, size: u32, random: &mut SplitMix64) -> Vec<Uuid> {
    let ids = sample(users.count(), users.count().min(size), random);
    ids.into_iter().map(|id| users.uid(id)).collect()
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

    #[test]
    fn both_ways_of_paging_draw_the_same_pages_up_to_the_last() {
        let users = Users::new(42, 101);
        let draw = |operation, seed| Request::draw(operation, &users, &mut SplitMix64::new(seed));
        let mut seen = BTreeSet::new();
        for seed in 0..100 {
            let (Request::PageOffset { offset }, Request::PageKeyset { after }) = (
                draw(Operation::PageOffset, seed),
                draw(Operation::PageKeyset, seed),
            ) else {
                panic!("other operations");
            };
            let last = u32::try_from(offset).expect("an offset is a number of users");
            let name = match last {
                0 => String::new(),
                last => Users::name(last),
            };
            assert_eq!(after, name);
            seen.insert(offset);
        }
        assert_eq!(seen, [0, 50, 100].into());
    }

    #[test]
    fn a_search_is_for_two_words() {
        let Request::Search { words: drawn } = Request::draw(
            Operation::Search,
            &Users::new(42, 9),
            &mut SplitMix64::new(1),
        ) else {
            panic!("another operation");
        };
        assert_eq!(words(&drawn).count(), 2, "{drawn}");
        assert_eq!(
            words("__a_b-c 한국").collect::<Vec<_>>(),
            ["a", "b", "c", "한국"]
        );
    }
}
