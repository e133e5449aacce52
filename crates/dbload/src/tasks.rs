//! Tasks that share a thread: each waits for one thing at a time, and all of them in one `ppoll`.
//!
//! What an operation does is written once, as a future. In a thread of its own ([`at_once`]) everything
//! that it waits for blocks, so that the future is ready when it is first asked. Among others ([`run`])
//! it says what it waits for by [`wait`], and they go on meanwhile. [`share_thread`] tells which it is.

use std::cell::{Cell, RefCell};
use std::mem;
use std::os::fd::OwnedFd;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io;

thread_local! {
    static SHARED: Cell<bool> = const { Cell::new(false) };
    /// What the task that had its turn waits for.
    static WISH: RefCell<Wish> = const { RefCell::new(Wish { socket: None, until: None }) };
}

/// What a task waits for: whichever comes first.
#[derive(Default)]
struct Wish {
    /// Shared with the connection, so that it stays open for as long as the thread waits for it.
    socket: Option<(Arc<OwnedFd>, PollFlags)>,
    until: Option<Instant>,
}

/// Whether there are tasks in this thread: nothing may block then but [`run`].
pub(crate) fn share_thread() -> bool {
    SHARED.get()
}

/// Lets the other tasks of the thread go on until `socket` is ready, or the time has come, or somebody
/// calls this task, or for no reason at all: whoever waits has to look whether that is so.
pub(crate) async fn wait(socket: Option<(&Arc<OwnedFd>, PollFlags)>, until: Option<Instant>) {
    let mut had_turn = false;
    std::future::poll_fn(|_| {
        if mem::replace(&mut had_turn, true) {
            return Poll::Ready(());
        }
        let socket = socket.map(|(socket, flags)| (Arc::clone(socket), flags));
        WISH.set(Wish { socket, until });
        Poll::Pending
    })
    .await;
}

/// Does all of `work` in this thread, which blocks where it has to wait.
pub(crate) fn at_once<T>(work: impl Future<Output = T>) -> T {
    let _alone = Sharing::set(false);
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => unreachable!("nothing returns before it is done where waiting blocks"),
    }
}

/// Whether the thread is shared, until this is dropped.
struct Sharing {
    before: bool,
}

impl Sharing {
    fn set(shared: bool) -> Self {
        let before = SHARED.replace(shared);
        Self { before }
    }
}

impl Drop for Sharing {
    fn drop(&mut self) {
        SHARED.set(self.before);
    }
}

/// By what other threads call the tasks of one.
pub(crate) struct Doorbell {
    event: OwnedFd,
    state: AtomicU8,
    called: Mutex<Vec<usize>>,
    tasks: usize,
}

const AWAKE: u8 = 0;
/// The thread waits, or is about to: only then is the bell heard.
const ASLEEP: u8 = 1;
const CALLED: u8 = 2;

impl Doorbell {
    /// For a thread that will have so many tasks.
    pub(crate) fn new(tasks: usize) -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            event: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
            state: AWAKE.into(),
            called: Mutex::default(),
            tasks,
        }))
    }

    /// Gives every task a turn.
    pub(crate) fn call_all(&self) {
        self.called().extend(0..self.tasks);
        self.ring();
    }

    fn ring(&self) {
        if self.state.swap(CALLED, Ordering::AcqRel) == ASLEEP {
            // It can only fail where it was rung 2⁶⁴ − 2 times before.
            let _ = io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }

    /// Whether the thread may wait: nobody has called.
    fn falls_asleep(&self) -> bool {
        self.state
            .compare_exchange(AWAKE, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Adds the tasks that were called.
    fn awakes(&self, rung: bool, ready: &mut Vec<usize>) {
        if rung {
            let _ = io::read(&self.event, &mut [0; 8]);
        }
        if self.state.swap(AWAKE, Ordering::AcqRel) == CALLED {
            ready.append(&mut self.called());
        }
    }

    fn called(&self) -> MutexGuard<'_, Vec<usize>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls one task.
struct Caller {
    bell: Arc<Doorbell>,
    task: usize,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.bell.called().push(self.task);
        self.bell.ring();
    }
}

/// What a task does from beginning to end.
pub(crate) type Life<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

struct Task<'a> {
    /// None when it has ended.
    life: Option<Life<'a>>,
    waker: Waker,
    wish: Wish,
}

/// Lives these lives to their ends, all in this thread. Whoever can go on gets a turn before anybody gets
/// another.
pub(crate) fn run(bell: &Arc<Doorbell>, lives: Vec<Life<'_>>) {
    let _sharing = Sharing::set(true);
    let mut living = lives.len();
    let mut tasks: Vec<Task<'_>> = lives
        .into_iter()
        .enumerate()
        .map(|(task, life)| Task {
            life: Some(life),
            waker: Arc::new(Caller {
                bell: Arc::clone(bell),
                task,
            })
            .into(),
            wish: Wish::default(),
        })
        .collect();
    let mut ready: Vec<usize> = (0..tasks.len()).collect();
    let mut waiting = Vec::with_capacity(tasks.len());
    let mut memory = Vec::with_capacity(tasks.len() + 1);
    loop {
        for task in ready.drain(..) {
            let Task { life, waker, wish } = &mut tasks[task];
            let Some(living_on) = life else { continue };
            match living_on.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Pending => *wish = WISH.take(),
                Poll::Ready(()) => {
                    (*life, *wish) = (None, Wish::default());
                    living -= 1;
                }
            }
        }
        if living == 0 {
            return;
        }
        let mut sockets = emptied(memory);
        sockets.push(PollFd::new(&bell.event, PollFlags::IN));
        let now = Instant::now();
        let mut first: Option<Instant> = None;
        for (number, task) in tasks.iter().enumerate() {
            if let Some(until) = task.wish.until {
                if until <= now {
                    ready.push(number);
                    continue;
                }
                first = Some(first.map_or(until, |first| first.min(until)));
            }
            if let Some((socket, flags)) = &task.wish.socket {
                sockets.push(PollFd::new(&**socket, *flags));
                waiting.push(number);
            }
        }
        let limit = match ready.is_empty() && bell.falls_asleep() {
            true => first.map(|first| first - now),
            // The sockets are looked at all the same: times that come all the time must not keep others out.
            false => Some(Duration::ZERO),
        };
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let all = poll(&mut sockets, limit.as_ref()).is_err();
        let [rung, sockets_of_tasks @ ..] = &sockets[..] else {
            unreachable!("the first was pushed above")
        };
        for (number, socket) in waiting.drain(..).zip(sockets_of_tasks) {
            // What `ppoll` does not want to say, after a signal, is found out by trying.
            if all || !socket.revents().is_empty() {
                ready.push(number);
            }
        }
        bell.awakes(!rung.revents().is_empty(), &mut ready);
        memory = emptied(sockets);
    }
}

/// The memory of a list, for one that borrows from elsewhere. The standard library keeps it where items have
/// the same size.
fn emptied<'a>(mut list: Vec<PollFd<'_>>) -> Vec<PollFd<'a>> {
    list.clear();
    list.into_iter()
        .map(|_| unreachable!("it was emptied"))
        .collect()
}

/// Both ways in which work can be done, for tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Alone,
    Shared,
}

#[cfg(test)]
impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::Alone, Self::Shared];

    pub(crate) fn run<T>(self, work: impl Future<Output = T>) -> T {
        let Self::Shared = self else {
            return at_once(work);
        };
        let mut done = None;
        let life = async { done = Some(work.await) };
        let bell = Doorbell::new(1).expect("an eventfd");
        run(&bell, vec![Box::pin(life)]);
        done.expect("all lives have ended")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    /// Runs lives that may end in any order, and gives the order.
    fn order<'a>(lives: impl IntoIterator<Item = Life<'a>>) -> Vec<usize> {
        let ended = RefCell::new(Vec::new());
        let lives: Vec<Life<'_>> = lives
            .into_iter()
            .enumerate()
            .map(|(number, life)| {
                let ended = &ended;
                Box::pin(async move {
                    life.await;
                    ended.borrow_mut().push(number);
                }) as Life<'_>
            })
            .collect();
        let bell = Doorbell::new(lives.len()).expect("an eventfd");
        run(&bell, lives);
        ended.into_inner()
    }

    fn in_ms(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    async fn sleep(ms: u64) {
        let until = in_ms(ms);
        while Instant::now() < until {
            wait(None, Some(until)).await;
        }
    }

    /// A socket, of which the other end is in other hands.
    fn socket() -> (Arc<OwnedFd>, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        (Arc::new(ours.into()), theirs)
    }

    #[test]
    fn times_pass_for_all_tasks_at_once() {
        let start = Instant::now();
        let lives = [600, 200, 400, 0].map(|ms| Box::pin(sleep(ms)) as Life<'_>);
        assert_eq!(order(lives), [3, 1, 2, 0]);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(600), "{took:?}");
        // One after the other they would take twice that.
        assert!(took < Duration::from_millis(1_100), "{took:?}");
        assert_eq!(order([]), [0; 0]);
    }

    #[test]
    fn what_a_socket_brings_and_its_end_are_noticed() {
        let ((first, mut writer), (second, closer)) = (socket(), socket());
        let both = [&first, &second].map(|socket| async move {
            let late = in_ms(20_000);
            wait(Some((socket, PollFlags::IN)), Some(late)).await;
            assert!(Instant::now() < late);
        });
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(Duration::from_millis(20));
                drop(closer);
                // Long enough for a busy machine to notice the one before the other.
                thread::sleep(Duration::from_millis(500));
                writer.write_all(b"x").expect("the other end is open");
            });
            let [first, second] = both;
            assert_eq!(
                order([Box::pin(first) as Life<'_>, Box::pin(second)]),
                [1, 0]
            );
        });
    }

    #[test]
    fn a_socket_that_says_nothing_is_waited_for_in_vain() {
        let (socket, _open) = socket();
        let until = in_ms(20);
        let life = wait(Some((&socket, PollFlags::IN)), Some(until));
        assert_eq!(order([Box::pin(life) as Life<'_>]), [0]);
        assert!(Instant::now() >= until);
        // There is room to write.
        let late = in_ms(20_000);
        let life = wait(Some((&socket, PollFlags::OUT)), Some(late));
        assert_eq!(order([Box::pin(life) as Life<'_>]), [0]);
        assert!(Instant::now() < late);
    }

    #[test]
    fn other_threads_call_one_task_or_all() {
        let bell = Doorbell::new(3).expect("an eventfd");
        let called = Cell::new([0; 3]);
        let lives = (0..3).map(|number| {
            let (called, bell) = (&called, &bell);
            Box::pin(async move {
                let turn = async || {
                    wait(None, None).await;
                    let mut turns = called.get();
                    turns[number] += 1;
                    called.set(turns);
                };
                if number == 1 {
                    let waker =
                        std::future::poll_fn(|context| Poll::Ready(context.waker().clone()));
                    let (waker, bell) = (waker.await, Arc::clone(bell));
                    // Once while it does not wait yet, which is not lost.
                    waker.wake_by_ref();
                    thread::spawn(move || {
                        thread::sleep(Duration::from_millis(20));
                        waker.wake();
                        thread::sleep(Duration::from_millis(20));
                        bell.call_all();
                    });
                    turn().await;
                    turn().await;
                }
                turn().await;
            }) as Life<'_>
        });
        run(&bell, lives.collect());
        assert_eq!(called.get(), [1, 3, 1]);
    }

    #[test]
    fn nobody_gets_a_turn_before_all_who_can_go_on_had_theirs() {
        let (socket, mut writer) = socket();
        writer.write_all(b"x").expect("the other end is open");
        let turns = RefCell::new(Vec::new());
        let lives = (0..4).map(|number| {
            let (socket, turns) = (&socket, &turns);
            Box::pin(async move {
                for _ in 0..50 {
                    turns.borrow_mut().push(number);
                    match number {
                        // What is there all the time, and what is over.
                        0 | 1 => wait(Some((socket, PollFlags::IN)), None).await,
                        _ => wait(None, Some(Instant::now())).await,
                    }
                }
            }) as Life<'_>
        });
        run(&Doorbell::new(4).expect("an eventfd"), lives.collect());
        for round in turns.borrow().chunks(4) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn a_turn_allocates_nothing() {
        let (socket, mut writer) = socket();
        writer.write_all(b"x").expect("the other end is open");
        let allocations = |turns: u32| {
            let lives = (0..3).map(|_| {
                Box::pin(async {
                    for _ in 0..turns {
                        wait(Some((&socket, PollFlags::IN)), Some(in_ms(1_000))).await;
                    }
                }) as Life<'_>
            });
            let lives: Vec<_> = lives.collect();
            let bell = Doorbell::new(3).expect("an eventfd");
            allocation_counter::measure(|| run(&bell, lives)).count_total
        };
        assert_eq!(allocations(2), allocations(200));
    }

    #[test]
    fn work_that_is_done_at_once_shares_nothing() {
        assert!(!share_thread());
        let life = async {
            assert!(share_thread());
            at_once(async { assert!(!share_thread()) });
            assert!(share_thread());
        };
        assert_eq!(order([Box::pin(life) as Life<'_>]), [0]);
        assert!(!share_thread());
    }
}
