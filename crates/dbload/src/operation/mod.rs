//! What can be asked of the database: names, statements, and the requests that fill in parameters.

mod request;
mod search_index;
mod statements;

use std::fmt;
use std::str::FromStr;

pub use request::Request;
pub(crate) use request::words;
pub(crate) use search_index::create as create_search_index;

use crate::DbloadError;

/// The most users that one [`Operation::NameRange`] asks for.
pub const MAX_RANGE: u32 = 10_000;

/// How many users one [`Operation::UsersByUids`] asks for, where there are as many.
pub const UIDS: u32 = 1_000;

/// The most users on a page of [`Operation::PageKeyset`] and [`Operation::PageOffset`], and the most
/// that [`Operation::Search`] finds.
pub const PAGE: u32 = 50;

/// How many users one [`Operation::Neighbours`] looks around, where there are as many.
pub const ANCHORS: u32 = 20;

/// How many users follow each anchor of [`Operation::Neighbours`], where there are as many.
pub const NEIGHBOURS: u32 = 5;

/// How many nicknames [`Operation::TopNicknames`] lists for each gender, where there are as many.
pub const TOP: u32 = 10;

/// A kind of read or write.
///
/// Reads see the users of the dataset and nothing else, and writes leave those as the seed has them.
/// The answer to a read is therefore known beforehand ([`Request::expected_answer`]), also while
/// others write:
///
/// - [`InsertUser`](Self::InsertUser) adds users with numbers from 1,000,000,000 on, far above those of
///   any dataset. Reads that go over whole tables leave these out by their numbers; the rest cannot
///   meet them.
/// - [`UpdateProfile`](Self::UpdateProfile) writes what the profile holds already. To the database
///   this is an update like any other: a new version of the row, locked and logged.
/// - [`DeleteUser`](Self::DeleteUser) takes away users that were inserted, each once.
///
/// The name of an operation in text is in snake case, in both directions:
///
/// ```
/// use dbload::Operation;
///
/// assert_eq!(Operation::NameRange.to_string(), "name_range");
/// assert_eq!("count_extremes".parse::<Operation>()?, Operation::CountExtremes);
/// assert!(Operation::InsertUser.is_write());
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
    /// One user by identifier, joined over the three tables.
    UserByUid,
    /// Figures of the profiles for every age and gender: an aggregate of some 80 rows.
    AgeGender,
    /// The [`TOP`] most frequent nicknames of each gender, ranked by a window function.
    TopNicknames,
    /// A page of [`PAGE`] users in the order of names, found by the last name of the page before: the
    /// same work for every page.
    PageKeyset,
    /// The same page, found by counting off all users before it: the work grows with the page number.
    PageOffset,
    /// The [`NEIGHBOURS`] users whose names follow, for each of [`ANCHORS`] users at random: a lateral
    /// join.
    Neighbours,
    /// Up to [`PAGE`] users whose nicknames contain two words: PostgreSQL's own full-text search, which
    /// needs no extension, over an index that the first pool with this operation makes.
    Search,
    /// A new user with info and profile: three rows in one transaction of five round trips.
    InsertUser,
    /// The profile of a user, by identifier, written anew.
    UpdateProfile,
    /// The user that was inserted longest ago through the same pool, with info and profile, by cascade;
    /// none where all of these are gone.
    DeleteUser,
}

impl Operation {
    /// All operations, reads first.
    pub const ALL: [Self; 14] = [
        Self::UserByName,
        Self::NameRange,
        Self::UsersByUids,
        Self::CountExtremes,
        Self::UserByUid,
        Self::AgeGender,
        Self::TopNicknames,
        Self::PageKeyset,
        Self::PageOffset,
        Self::Neighbours,
        Self::Search,
        Self::InsertUser,
        Self::UpdateProfile,
        Self::DeleteUser,
    ];

    /// The name in snake case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserByName => "user_by_name",
            Self::NameRange => "name_range",
            Self::UsersByUids => "users_by_uids",
            Self::CountExtremes => "count_extremes",
            Self::UserByUid => "user_by_uid",
            Self::AgeGender => "age_gender",
            Self::TopNicknames => "top_nicknames",
            Self::PageKeyset => "page_keyset",
            Self::PageOffset => "page_offset",
            Self::Neighbours => "neighbours",
            Self::Search => "search",
            Self::InsertUser => "insert_user",
            Self::UpdateProfile => "update_profile",
            Self::DeleteUser => "delete_user",
        }
    }

    /// What it does, in a line for people.
    pub const fn about(self) -> &'static str {
        match self {
            Self::UserByName => "One user by name",
            Self::NameRange => "Up to 10,000 users with neighbouring names",
            Self::UsersByUids => "1,000 users by their identifiers",
            Self::CountExtremes => "Counts and extremes over all users",
            Self::UserByUid => "One user by identifier",
            Self::AgeGender => "Figures of the profiles for every age and gender",
            Self::TopNicknames => "The most frequent nicknames, by a window function",
            Self::PageKeyset => "A page of 50 users, found by the last name before it",
            Self::PageOffset => "The same page, found by counting off the users before it",
            Self::Neighbours => "The users that follow each of 20, by a lateral join",
            Self::Search => "Up to 50 users by two words of their nicknames",
            Self::InsertUser => "A new user with info and profile, in one transaction",
            Self::UpdateProfile => "The profile of a user, written anew",
            Self::DeleteUser => "A user that was inserted, deleted with info and profile",
        }
    }

    /// Whether it changes rows.
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::InsertUser | Self::UpdateProfile | Self::DeleteUser
        )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for (number, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, number, "{operation}");
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
}
