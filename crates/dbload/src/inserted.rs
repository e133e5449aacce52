//! Who was inserted and is there to be deleted: by the pool that inserted them, or, where its process was
//! killed, by whoever opens the dataset next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postgres::Transaction;
use postgres::error::SqlState;

use crate::schema::{self, FIRST_INSERTED_ID};

/// A statement by which a connection tells others, as long as it is open, that it inserts users of its own
/// into `schema`: a shared advisory lock.
pub(crate) fn mark_in_use(schema: &str) -> String {
    format!(
        "SELECT pg_advisory_lock_shared({}); ",
        schema::inserted_lock_key(schema)
    )
}

/// Deletes the users that were inserted into `schema` and are nobody's any more; returns how many.
///
/// Users are somebody's as long as there is a connection that inserts, whoever's it is. A server or an account
/// that may only read keeps them.
pub(crate) fn delete_leftovers(
    transaction: &mut Transaction<'_>,
    schema: &str,
) -> Result<u64, postgres::Error> {
    let users = format!("\"{schema}\".users_tbl");
    let any = format!("SELECT EXISTS (SELECT FROM {users} WHERE id >= {FIRST_INSERTED_ID})");
    if !transaction.query_one(&any, &[])?.try_get::<_, bool>(0)? {
        return Ok(0);
    }
    let lock = "SELECT pg_try_advisory_xact_lock($1)";
    let key = schema::inserted_lock_key(schema);
    if !transaction
        .query_one(lock, &[&key])?
        .try_get::<_, bool>(0)?
    {
        return Ok(0);
    }
    let mut attempt = transaction.transaction()?;
    let delete = format!("DELETE FROM {users} WHERE id >= {FIRST_INSERTED_ID}");
    match attempt.execute(&delete, &[]) {
        Ok(count) => attempt.commit().map(|()| count),
        Err(error)
            if error
                .code()
                .is_some_and(|code| MAY_ONLY_READ.contains(code)) =>
        {
            attempt.rollback().map(|()| 0)
        }
        Err(error) => Err(error),
    }
}

const MAY_ONLY_READ: [SqlState; 2] = [
    SqlState::INSUFFICIENT_PRIVILEGE,
    SqlState::READ_ONLY_SQL_TRANSACTION,
];

/// The numbers of the users that were inserted through one pool, the oldest first. Clones share them.
///
/// Each is handed out once, so that no two clients ever delete the same user, and none waits for a lock
/// of another. Users of other pools and processes are unknown here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inserted(Arc<Mutex<VecDeque<i32>>>);

impl Inserted {
    pub(crate) fn add(&self, id: i32) {
        self.ids().push_back(id);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ids().is_empty()
    }

    /// Takes the oldest away.
    pub(crate) fn take(&self) -> Option<i32> {
        self.ids().pop_front()
    }

    /// Takes up to `limit` away, the oldest.
    pub(crate) fn take_many(&self, limit: usize) -> Vec<i32> {
        let mut ids = self.ids();
        let count = ids.len().min(limit);
        ids.drain(..count).collect()
    }

    /// Puts back what could not be deleted.
    pub(crate) fn put_back(&self, taken: &[i32]) {
        let mut ids = self.ids();
        taken.iter().rev().for_each(|&id| ids.push_front(id));
    }

    /// A list of numbers is whole after every step, whoever panicked.
    fn ids(&self) -> MutexGuard<'_, VecDeque<i32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_comes_first_and_each_once() {
        let inserted = Inserted::default();
        assert!(inserted.is_empty());
        (1..=5).for_each(|id| inserted.add(id));
        let clone = inserted.clone();
        assert_eq!(clone.take(), Some(1));
        assert_eq!(inserted.take_many(2), [2, 3]);
        inserted.put_back(&[2, 3]);
        assert_eq!(inserted.take_many(usize::MAX), [2, 3, 4, 5]);
        assert_eq!(clone.take(), None);
        assert_eq!(clone.take_many(3), []);
    }
}
