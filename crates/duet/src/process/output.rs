//! What a process prints: its answers line by line, and its last words.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The longest line that a process may print; the observation of a long run is a few megabytes.
const LONGEST_LINE_BYTES: u64 = 64 << 20;

/// Lines of standard error that are kept for the message of a failure.
const KEPT_ERROR_LINES: usize = 12;

/// The lines that come from a stream, read by a thread of their own; it ends with the stream.
pub fn lines(stream: impl Read + Send + 'static) -> Receiver<io::Result<String>> {
    // Room for one line: a process that floods its output is made to wait, not buffered.
    let (sender, lines) = sync_channel(1);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = Vec::new();
            let read = (&mut reader)
                .take(LONGEST_LINE_BYTES)
                .read_until(b'\n', &mut line);
            let answer = match read {
                Ok(0) => return,
                Ok(_) if line.len() as u64 == LONGEST_LINE_BYTES => {
                    let limit = LONGEST_LINE_BYTES >> 20;
                    Err(io::Error::other(format!("a line of more than {limit} MiB")))
                }
                Ok(_) => Ok(String::from_utf8_lossy(&line).trim_end().to_string()),
                Err(error) => Err(error),
            };
            let is_over = answer.is_err();
            if sender.send(answer).is_err() || is_over {
                return;
            }
        }
    });
    lines
}

/// The last lines that a process prints on its standard error.
pub struct LastWords {
    kept: Arc<Mutex<VecDeque<String>>>,
    listener: JoinHandle<()>,
}

impl LastWords {
    /// Reads all that comes, so that the process never waits for room, and keeps the end.
    pub fn listen(stderr: impl Read + Send + 'static) -> Self {
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let shared = Arc::clone(&kept);
        let listener = std::thread::spawn(move || {
            let mut reader = BufReader::new(stderr);
            let mut line = Vec::new();
            while (&mut reader)
                .take(64 << 10)
                .read_until(b'\n', &mut line)
                .is_ok_and(|n| n > 0)
            {
                let words = String::from_utf8_lossy(&line).trim().to_string();
                line.clear();
                let mut kept = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if !words.is_empty() {
                    kept.push_back(words);
                }
                if kept.len() > KEPT_ERROR_LINES {
                    kept.pop_front();
                }
            }
        });
        Self { kept, listener }
    }

    /// What was heard, in one line. Waits a moment for the end of the stream, and no longer, because a
    /// descendant of the process may hold it open.
    pub fn heard(&self) -> String {
        let patience = Instant::now() + Duration::from_millis(200);
        while !self.listener.is_finished() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" | ")
    }
}
