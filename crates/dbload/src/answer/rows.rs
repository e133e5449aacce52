//! The rows of answers: how they are decoded, and what of them is in the checksum, which is all.

use super::checksum::Checksum;
use crate::connection::{ConnectionError, Row};
use crate::user::{Gender, User};

impl User {
    /// The user whose seven columns begin at `first`.
    pub(super) fn decode(row: &Row<'_>, first: usize) -> Result<Self, ConnectionError> {
        Ok(Self {
            id: row.try_get(first)?,
            uid: row.try_get(first + 1)?,
            name: row.try_get(first + 2)?,
            age: row.try_get(first + 3)?,
            gender: row.try_get(first + 4)?,
            nickname: row.try_get(first + 5)?,
            pic: row.try_get(first + 6)?,
        })
    }

    pub(super) fn add_to(&self, checksum: &mut Checksum) {
        checksum.integer(self.id);
        checksum.bytes(self.uid.as_bytes());
        checksum.bytes(self.name.as_bytes());
        checksum.integer(self.age);
        checksum.bytes(self.gender.as_str().as_bytes());
        checksum.bytes(self.nickname.as_bytes());
        checksum.optional(self.pic.as_deref());
    }
}

/// A row of [`Operation::CountExtremes`](crate::Operation::CountExtremes).
pub(super) struct Group {
    pub(super) gender: Gender,
    pub(super) users: i64,
    pub(super) pictures: i64,
    pub(super) youngest: i16,
    pub(super) oldest: i16,
    pub(super) first_name: String,
    pub(super) last_name: String,
}

impl Group {
    pub(super) fn decode(row: &Row<'_>) -> Result<Self, ConnectionError> {
        Ok(Self {
            gender: row.try_get(0)?,
            users: row.try_get(1)?,
            pictures: row.try_get(2)?,
            youngest: row.try_get(3)?,
            oldest: row.try_get(4)?,
            first_name: row.try_get(5)?,
            last_name: row.try_get(6)?,
        })
    }

    pub(super) fn add_to(&self, checksum: &mut Checksum) {
        checksum.bytes(self.gender.as_str().as_bytes());
        checksum.integer(self.users);
        checksum.integer(self.pictures);
        checksum.integer(self.youngest);
        checksum.integer(self.oldest);
        checksum.bytes(self.first_name.as_bytes());
        checksum.bytes(self.last_name.as_bytes());
    }
}

/// A row of [`Operation::AgeGender`](crate::Operation::AgeGender).
pub(super) struct AgeGroup {
    pub(super) age: i16,
    pub(super) gender: Gender,
    pub(super) users: i64,
    pub(super) pictures: i64,
    /// The characters of all nicknames together.
    pub(super) characters: i64,
    pub(super) first_nickname: String,
    pub(super) last_nickname: String,
}

impl AgeGroup {
    pub(super) fn decode(row: &Row<'_>) -> Result<Self, ConnectionError> {
        Ok(Self {
            age: row.try_get(0)?,
            gender: row.try_get(1)?,
            users: row.try_get(2)?,
            pictures: row.try_get(3)?,
            characters: row.try_get(4)?,
            first_nickname: row.try_get(5)?,
            last_nickname: row.try_get(6)?,
        })
    }

    pub(super) fn add_to(&self, checksum: &mut Checksum) {
        checksum.integer(self.age);
        checksum.bytes(self.gender.as_str().as_bytes());
        checksum.integer(self.users);
        checksum.integer(self.pictures);
        checksum.integer(self.characters);
        checksum.bytes(self.first_nickname.as_bytes());
        checksum.bytes(self.last_nickname.as_bytes());
    }
}

/// A row of [`Operation::TopNicknames`](crate::Operation::TopNicknames).
pub(super) struct Place {
    pub(super) gender: Gender,
    /// From 1.
    pub(super) place: i64,
    pub(super) nickname: String,
    pub(super) users: i64,
}

impl Place {
    pub(super) fn decode(row: &Row<'_>) -> Result<Self, ConnectionError> {
        Ok(Self {
            gender: row.try_get(0)?,
            place: row.try_get(1)?,
            nickname: row.try_get(2)?,
            users: row.try_get(3)?,
        })
    }

    pub(super) fn add_to(&self, checksum: &mut Checksum) {
        checksum.bytes(self.gender.as_str().as_bytes());
        checksum.integer(self.place);
        checksum.bytes(self.nickname.as_bytes());
        checksum.integer(self.users);
    }
}

/// A row of [`Operation::Neighbours`](crate::Operation::Neighbours).
pub(super) struct Neighbour {
    /// The name that the user follows.
    pub(super) anchor: String,
    pub(super) user: User,
}

impl Neighbour {
    pub(super) fn decode(row: &Row<'_>) -> Result<Self, ConnectionError> {
        Ok(Self {
            anchor: row.try_get(0)?,
            user: User::decode(row, 1)?,
        })
    }

    pub(super) fn add_to(&self, checksum: &mut Checksum) {
        checksum.bytes(self.anchor.as_bytes());
        self.user.add_to(checksum);
    }
}
