//! Who waits for a connection of a pool in a thread that other tasks share.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// First come, first served. Clones are the same queue.
///
/// Only the first may take a connection; whoever gives one back, or leaves the queue, calls who is the first
/// then. So the tasks of one thread cannot keep a connection among themselves.
#[derive(Clone, Default)]
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// As many as wait: hardly ever anybody, and then nobody takes the lock.
    length: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<(u64, Waker)>,
    next_ticket: u64,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        // Whoever enters looks for a connection after that, under the lock under which one is given back.
        self.0.length.load(Ordering::Relaxed) == 0
    }

    /// Queues the task that has its turn.
    pub(super) async fn enter(&self) -> Place<'_> {
        poll_fn(|context| {
            let mut line = self.line();
            let ticket = line.next_ticket;
            line.next_ticket += 1;
            line.waiting.push_back((ticket, context.waker().clone()));
            self.0.length.store(line.waiting.len(), Ordering::Relaxed);
            Poll::Ready(Place {
                queue: self,
                ticket,
                calls_next: true,
            })
        })
        .await
    }

    /// For whoever has a connection.
    pub(super) fn caller(&self) -> Caller<'_> {
        Caller(self)
    }

    fn call_first(&self) {
        if let Some((_, waker)) = self.line().waiting.front() {
            waker.wake_by_ref();
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, until it is dropped.
pub(super) struct Place<'a> {
    queue: &'a Queue,
    ticket: u64,
    /// Whether the next one has something to look for when this one leaves.
    pub(super) calls_next: bool,
}

impl Place<'_> {
    pub(super) fn is_first(&self) -> bool {
        let line = self.queue.line();
        let first = line.waiting.front();
        first.is_some_and(|(ticket, _)| *ticket == self.ticket)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        // Mostly the first.
        let position = line
            .waiting
            .iter()
            .position(|(ticket, _)| *ticket == self.ticket);
        position.and_then(|position| line.waiting.remove(position));
        let left = line.waiting.len();
        self.queue.0.length.store(left, Ordering::Relaxed);
        drop(line);
        if self.calls_next {
            self.queue.call_first();
        }
    }
}

/// Calls the first in the queue when it is dropped.
pub(super) struct Caller<'a>(&'a Queue);

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.0.call_first();
        }
    }
}
