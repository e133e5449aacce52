//! What came back: how many rows, and a checksum of everything in them.

mod checksum;
mod expected;
mod rows;

use crate::connection::{ConnectionError, Rows};
use crate::operation::Operation;
use crate::user::User;
use checksum::Checksum;
use rows::{AgeGroup, Group, Neighbour, Place};

/// The answer to a request, small enough to keep and to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Answer {
    /// How many rows came back; for a write, how many the database inserted, updated or deleted, without
    /// those that a cascade took along.
    pub rows: u64,
    /// A checksum over every field of every row, in the order of the rows. Equal data give an equal
    /// checksum on every platform. It is not cryptographic. The rows of a write are not in it.
    pub checksum: u64,
}

impl Answer {
    /// Decodes every field of every row into owned values, as an application would.
    pub(crate) fn decode(operation: Operation, rows: &Rows<'_>) -> Result<Self, ConnectionError> {
        let mut checksum = Checksum::new();
        for row in rows.iter() {
            let row = &row;
            match operation {
                Operation::CountExtremes => Group::decode(row)?.add_to(&mut checksum),
                Operation::AgeGender => AgeGroup::decode(row)?.add_to(&mut checksum),
                Operation::TopNicknames => Place::decode(row)?.add_to(&mut checksum),
                Operation::Neighbours => Neighbour::decode(row)?.add_to(&mut checksum),
                Operation::UserByName
                | Operation::UserByUid
                | Operation::NameRange
                | Operation::UsersByUids
                | Operation::PageKeyset
                | Operation::PageOffset
                | Operation::Search
                | Operation::InsertUser
                | Operation::UpdateProfile
                | Operation::DeleteUser => User::decode(row, 0)?.add_to(&mut checksum),
            }
        }
        Ok(checksum.answer(rows.len()))
    }

    /// The answer to a write that affected this many rows.
    pub(crate) fn affected(rows: u64) -> Self {
        Checksum::new().answer(rows)
    }
}
