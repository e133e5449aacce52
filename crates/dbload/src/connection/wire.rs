//! Whole messages over a socket, in two buffers that are used again and again.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rustix::event::PollFlags;

use super::error::{ConnectionError, ServerError, is_timeout};
use super::stream::Stream;
use crate::deadline::{Deadline, LOOK_EVERY};
use crate::tasks;

/// The first size of the buffer for answers: that of a socket's usual portion.
const FIRST_BYTES: usize = 16 << 10;

/// A buffer that has grown beyond this for one answer is given back before the next.
const KEPT_BYTES: usize = 4 << 20;

/// The longest message: the server's own limit for a field is 1 GiB.
const LONGEST_MESSAGE: usize = 1 << 30;

/// Tag and length.
pub(super) const HEADER: usize = 5;

/// A message inside the buffer of the answer.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) tag: u8,
    /// All of it, with the header.
    pub(super) whole: Range<usize>,
}

pub(super) struct Wire {
    pub(super) stream: Stream,
    /// What goes out with the next [`send`](Self::send).
    pub(super) out: BytesMut,
    /// The answer under way from its start, then room for more.
    bytes: Vec<u8>,
    /// Up to where there is something in `bytes`.
    filled: usize,
    /// Up to where it has been dealt with.
    consumed: usize,
    /// How long the server may say nothing.
    silence: Option<Duration>,
    /// After what time a read or a write comes back, to look whether somebody still waits.
    slice: Duration,
    /// When nobody waits any more.
    deadline: Deadline,
}

impl Wire {
    pub(super) fn new(stream: Stream, deadline: Deadline) -> Self {
        Self {
            stream,
            out: BytesMut::with_capacity(1 << 10),
            bytes: vec![0; FIRST_BYTES],
            filled: 0,
            consumed: 0,
            silence: None,
            slice: LOOK_EVERY,
            deadline,
        }
    }

    /// How long the server may say nothing from now on.
    ///
    /// The socket wakes more often than that, as the deadline can come at any time.
    pub(super) fn set_time_limit(&mut self, limit: Option<Duration>) -> io::Result<()> {
        self.silence = limit;
        self.slice = limit.map_or(LOOK_EVERY, equal_slice);
        self.stream.set_time_limit(self.slice)
    }

    /// Sends what was put into `out`, in one write, and makes room for the answer.
    pub(super) async fn send(&mut self) -> Result<(), ConnectionError> {
        self.forget_consumed();
        let outcome = self.write_out().await;
        self.out.clear();
        match outcome {
            Ok(()) => Ok(()),
            Err(error) if is_timeout(&error) => Err(error.into()),
            Err(error) => Err(self
                .last_words()
                .await
                .unwrap_or(ConnectionError::Io(error))),
        }
    }

    async fn write_out(&mut self) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.out.len() {
            let write = |wire: &mut Self| wire.stream.write(&wire.out[sent..]);
            match self.patiently(PollFlags::OUT, false, write).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => sent += count,
            }
        }
        self.patiently(PollFlags::OUT, false, |wire| wire.stream.flush())
            .await
    }

    /// What the server said before it closed a connection that can no longer be written to.
    async fn last_words(&mut self) -> Option<ConnectionError> {
        let mut at = 0;
        loop {
            let frame = self.frame(at).await.ok()?;
            at = frame.whole.end;
            if frame.tag == b'E' {
                return ServerError::parse(self.message(&frame))
                    .ok()
                    .map(Into::into);
            }
        }
    }

    /// The message that begins at `at`, which is 0 or the end of another, read as far as necessary.
    pub(super) async fn frame(&mut self, at: usize) -> Result<Frame, ConnectionError> {
        loop {
            if let Some(frame) = self.frame_here(at)? {
                return Ok(frame);
            }
            self.fill().await?;
        }
    }

    /// As [`frame`](Self::frame), of what has been read; `None` while part of it is missing.
    pub(super) fn frame_here(&self, at: usize) -> Result<Option<Frame>, ConnectionError> {
        frame_in(&self.bytes[..self.filled], at)
    }

    /// The bytes of a message, with its header.
    pub(super) fn message(&self, frame: &Frame) -> &[u8] {
        &self.bytes[frame.whole.clone()]
    }

    /// The answer up to `end`.
    pub(super) fn answer(&self, end: usize) -> &[u8] {
        &self.bytes[..end]
    }

    /// Everything up to `end` may be overwritten when the next request is sent.
    pub(super) fn consume(&mut self, end: usize) {
        self.consumed = end;
    }

    /// Reads more of the answer.
    pub(super) async fn fill(&mut self) -> Result<(), ConnectionError> {
        // An answer is never there when its request has just gone, and one that fills the buffer mostly goes on.
        let mut is_there = self.stream.has_deciphered();
        if self.filled == self.bytes.len() {
            self.bytes.resize(2 * self.bytes.len(), 0);
            is_there = true;
        }
        let read = |wire: &mut Self| wire.stream.read(&mut wire.bytes[wire.filled..]);
        match self.patiently(PollFlags::IN, !is_there, read).await? {
            0 => Err(ConnectionError::closed()),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }

    /// Tries until that does not fail for the reason only that it would have to wait. Where tasks share the
    /// thread the others go on meanwhile, `waits_first` says even before the first try; else trying waits.
    async fn patiently<T>(
        &mut self,
        what: PollFlags,
        waits_first: bool,
        attempt: impl Fn(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        let shares_thread = tasks::share_thread();
        let mut tries = !(shares_thread && waits_first);
        let mut waited = Duration::ZERO;
        let mut slice_end = None;
        loop {
            if tries {
                match attempt(self) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    outcome => return outcome,
                }
            }
            tries = true;
            if shares_thread {
                let now = Instant::now();
                let end = *slice_end.get_or_insert_with(|| now + self.slice);
                if now < end {
                    tasks::wait(Some((self.stream.socket(), what)), Some(end)).await;
                    continue;
                }
                slice_end = None;
            }
            waited += self.slice;
            let late = self.silence.is_some_and(|silence| waited >= silence);
            if late || self.deadline.has_passed() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }

    fn forget_consumed(&mut self) {
        self.bytes.copy_within(self.consumed..self.filled, 0);
        self.filled -= self.consumed;
        self.consumed = 0;
        if self.bytes.len() > KEPT_BYTES && self.filled < FIRST_BYTES {
            self.bytes.truncate(FIRST_BYTES);
            self.bytes.shrink_to_fit();
        }
    }
}

/// A part of `limit`, as long as may be, of which a whole number make it up.
fn equal_slice(limit: Duration) -> Duration {
    let count = limit.as_nanos().div_ceil(LOOK_EVERY.as_nanos()).max(1);
    limit / u32::try_from(count).unwrap_or(u32::MAX)
}

/// The whole message that begins at `at`; `None` while part of it is missing.
pub(super) fn frame_in(bytes: &[u8], at: usize) -> Result<Option<Frame>, ConnectionError> {
    let Some(header) = bytes.get(at..at + HEADER) else {
        return Ok(None);
    };
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    if !(4..=LONGEST_MESSAGE).contains(&length) {
        return Err(ConnectionError::protocol(format!(
            "a message of {length} bytes"
        )));
    }
    let whole = at..at + 1 + length;
    Ok((whole.end <= bytes.len()).then_some(Frame {
        tag: header[0],
        whole,
    }))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    use super::super::stream::Socket;
    use super::*;
    use crate::tasks::{Doorbell, Way};

    #[test]
    fn messages_are_whole_however_they_arrive() {
        for way in Way::BOTH {
            let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
            let mut wire = Wire::new(Stream::Plain(Socket::new(ours)), Deadline::default());
            let long = vec![7; 3 * FIRST_BYTES];
            let sent = [message(b'D', &long), message(b'Z', b"I")].concat();
            let writer = thread::spawn(move || {
                for part in sent.chunks(10_001) {
                    theirs.write_all(part).expect("the other end is open");
                }
            });
            let first = way.run(wire.frame(0)).expect("a whole message");
            assert_eq!((first.tag, &wire.message(&first)[HEADER..]), (b'D', &*long));
            let second = way
                .run(wire.frame(first.whole.end))
                .expect("a whole message");
            assert_eq!(
                (second.tag, &wire.message(&second)[HEADER..]),
                (b'Z', &b"I"[..])
            );
            writer.join().expect("no panic");
            let end = way
                .run(wire.frame(second.whole.end))
                .expect_err("the other end is closed");
            assert_eq!(end.to_string(), "connection closed");
        }
    }

    #[test]
    fn what_came_early_is_kept_for_the_next_answer() {
        for way in Way::BOTH {
            let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
            let mut wire = Wire::new(Stream::Plain(Socket::new(ours)), Deadline::default());
            theirs
                .write_all(&[message(b'Z', b"I"), message(b'N', b"notice")].concat())
                .expect("the other end is open");
            let first = way.run(wire.frame(0)).expect("a whole message");
            wire.consume(first.whole.end);
            assert!(wire.consumed < wire.filled);
            way.run(wire.send()).expect("the other end is open");
            assert_eq!(way.run(wire.frame(0)).expect("a whole message").tag, b'N');
        }
    }

    #[test]
    fn a_wait_ends_with_its_limit_or_the_deadline() {
        for way in Way::BOTH {
            let (ours, _theirs) = UnixStream::pair().expect("a pair of sockets");
            let deadline = Deadline::default();
            let mut wire = Wire::new(Stream::Plain(Socket::new(ours)), deadline.clone());
            let mut check = |limit: Option<Duration>, least_ms: u64| {
                wire.set_time_limit(limit).expect("a socket");
                let start = Instant::now();
                let error = way.run(wire.frame(0)).expect_err("nobody says anything");
                assert!(error.is_timeout(), "{error}");
                let waited = start.elapsed();
                assert!(waited >= Duration::from_millis(least_ms), "{waited:?}");
                assert!(waited < Duration::from_secs(20), "{waited:?}");
            };
            check(Some(Duration::from_millis(50)), 45);
            check(Some(Duration::from_millis(300)), 290);
            deadline.set(Some(Duration::from_millis(100)));
            check(None, 100);
            check(Some(Duration::from_secs(60)), 0);
        }
    }

    #[test]
    fn a_request_that_the_other_end_takes_slowly_holds_nobody_up() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair of sockets");
        let mut slow = Wire::new(Stream::Plain(Socket::new(ours)), Deadline::default());
        let long = vec![7; 3 << 20];
        slow.out.extend_from_slice(&long);
        let (ours, mut echo) = UnixStream::pair().expect("a pair of sockets");
        let mut quick = Wire::new(Stream::Plain(Socket::new(ours)), Deadline::default());
        let sent = Cell::new(false);
        let received = Cell::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut bytes = [0; 6];
                while echo.read_exact(&mut bytes).is_ok() {
                    echo.write_all(&bytes).expect("the other end is open");
                }
            });
            let (to_begin, begin) = mpsc::channel();
            let taker = scope.spawn(move || {
                begin.recv().expect("the other task comes so far");
                let mut taken = vec![0; 3 << 20];
                theirs.read_exact(&mut taken).expect("all of it comes");
                taken
            });
            let sender = async {
                slow.send().await.expect("the other end is open");
                sent.set(true);
            };
            let asker = async {
                for _ in 0..100 {
                    quick.out.extend_from_slice(&message(b'Z', b"I"));
                    quick.send().await.expect("the other end is open");
                    let frame = quick.frame(0).await.expect("an echo");
                    quick.consume(frame.whole.end);
                    received.set(received.get() + 1);
                }
                assert!(!sent.get(), "nobody has taken it");
                to_begin.send(()).expect("somebody waits");
            };
            let bell = Doorbell::new(2).expect("an eventfd");
            tasks::run(&bell, vec![Box::pin(sender), Box::pin(asker)]);
            assert_eq!(taker.join().expect("no panic"), long);
            drop(quick);
        });
        assert_eq!((sent.get(), received.get()), (true, 100));
    }

    #[test]
    fn slices_make_up_the_limit() {
        let slice = |ms| equal_slice(Duration::from_millis(ms)).as_millis();
        assert_eq!(
            (slice(40), slice(250), slice(300), slice(70_000)),
            (40, 250, 150, 250)
        );
        assert!(!equal_slice(Duration::MAX).is_zero());
    }

    #[track_caller]
    fn check_length_refused(length: u32) {
        let bytes = [b"D".as_slice(), &length.to_be_bytes(), b"rest"].concat();
        let error = frame_in(&bytes, 0).expect_err("an impossible length");
        assert!(
            error
                .to_string()
                .contains(&format!("a message of {length} bytes")),
            "{error}"
        );
    }

    #[test]
    fn impossible_lengths_are_refused_before_anything_is_allocated() {
        check_length_refused(0);
        check_length_refused(3);
        check_length_refused(u32::MAX);
        assert!(frame_in(b"D\0\0\0", 0).expect("no length yet").is_none());
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("a short message");
        [&[tag], length.to_be_bytes().as_slice(), body].concat()
    }
}
