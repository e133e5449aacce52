//! `workload serve-postgres`: a database server for other processes.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use dbload::Server;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;

/// How long a server that has ended by itself may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Starts a server (or takes that of `DATABASE_URL`), says where it is, and keeps it until standard input ends
/// or SIGTERM or SIGINT comes; a server of its own that ends before is a failure.
pub fn serve() -> Result<(), Failure> {
    let (sender, end) = mpsc::channel();
    // Before the server is started, so that a signal in the meantime does not leave one behind.
    end_on_signals(sender.clone())?;
    let server = Server::obtain().map_err(|error| Failure::failed(error.to_string()))?;
    let mut out = io::stdout().lock();
    writeln!(out, "DATABASE_URL={}\nready", server.url())?;
    out.flush()?;
    end_with_input(sender);
    // Both senders live as long as the process: there is always an end to wait for.
    while end.recv_timeout(LOOK_EVERY).is_err() {
        if let Some(error) = server.failure() {
            return Err(Failure::failed(error.to_string()));
        }
    }
    Ok(())
}

fn end_on_signals(sender: Sender<()>) -> Result<(), Failure> {
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
    thread::spawn(move || {
        for _ in signals.forever() {
            // The receiver is gone when the end has begun already.
            let _ = sender.send(());
        }
    });
    Ok(())
}

fn end_with_input(sender: Sender<()>) {
    thread::spawn(move || {
        let mut ignored = [0; 1024];
        while io::stdin()
            .lock()
            .read(&mut ignored)
            .is_ok_and(|bytes| bytes > 0)
        {}
        let _ = sender.send(());
    });
}
