//! Who was inserted and is there to be deleted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
