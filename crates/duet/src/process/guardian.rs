//! A process that outlives this one by a moment and kills what it would leave behind.
//!
//! A killed tool cannot clean up. Its children die with it (`PR_SET_PDEATHSIG`), but not what they have
//! started themselves. So a fork of the tool waits on a socket whose other end only the tool holds: when
//! that closes, however the tool ended, it kills the process groups that were registered and not signed
//! off. A child registers itself between fork and exec, so that no moment is left in which it is unknown.

use std::ffi::{CString, c_char};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::container::SWEEP_COMMAND_C;
use rustix::process::{Pid, Signal, kill_process_group};

/// The tool's end of the line to the guardian.
#[derive(Debug)]
pub struct Guardian {
    line: UnixStream,
}

/// A place in the guardian's list, taken by one process group.
#[derive(Debug, Clone, Copy)]
pub struct Ward(u32);

/// The client and the label of containers that may have to be removed when the tool is gone.
static CONTAINERS: OnceLock<(CString, CString)> = OnceLock::new();

/// From now on the guardian also removes the containers that have this label. To be called before the first process
/// is started: the guardian is a copy of this one as it was then.
pub fn guard_containers(client: &str, label: &str) {
    // Neither has a zero in it: the client is a command that was run, the label is ours.
    if let (Ok(client), Ok(label)) = (CString::new(client), CString::new(label)) {
        let _ = CONTAINERS.set((client, label));
    }
}

/// A message: the ward's number and its process group, 0 when it needs no guarding any more.
type Message = [u8; 8];

fn message(ward: Ward, group: i32) -> Message {
    let mut message = [0; 8];
    message[..4].copy_from_slice(&ward.0.to_ne_bytes());
    message[4..].copy_from_slice(&group.to_ne_bytes());
    message
}

/// The guardian of this process, started when it is first asked for. `None` where it cannot be: then
/// only the children themselves die with the tool.
pub fn guardian() -> Option<&'static Guardian> {
    static GUARDIAN: OnceLock<Option<Guardian>> = OnceLock::new();
    GUARDIAN.get_or_init(|| Guardian::start().ok()).as_ref()
}

impl Guardian {
    fn start() -> io::Result<Self> {
        let (line, other) = UnixStream::pair()?;
        let sweep = SWEEP_COMMAND_C.as_ptr();
        let words = CONTAINERS.get().map(|(client, label)| {
            let name: *const c_char = c"duet".as_ptr();
            [
                name,
                sweep,
                client.as_ptr(),
                label.as_ptr(),
                std::ptr::null(),
            ]
        });
        // SAFETY: this process may have threads, so the child may only do what is safe in a signal
        // handler; `watch` makes system calls on memory of its own stack and nothing else.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => watch(other.as_raw_fd(), words.as_ref()),
            _ => Ok(Self { line }),
        }
    }

    /// A new place in the list.
    pub fn ward() -> Ward {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        Ward(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The line, for a child that registers itself.
    pub fn line(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// The ward's group is gone, or never was.
    pub fn sign_off(&self, ward: Ward) {
        // A guardian that somebody killed cannot be told, and need not be.
        let _ = (&self.line).write_all(&message(ward, 0));
    }
}

/// Registers the calling process, which leads a group of its own. Safe between fork and exec.
pub fn register(line: BorrowedFd<'_>, ward: Ward) {
    let message = message(ward, rustix::process::getpid().as_raw_nonzero().get());
    // Not `write`: were the guardian gone, that would kill the child with SIGPIPE.
    // SAFETY: the pointer and the length are those of a live array.
    unsafe {
        libc::send(
            line.as_raw_fd(),
            message.as_ptr().cast(),
            message.len(),
            libc::MSG_NOSIGNAL,
        );
    }
}

/// Process groups at a time; a block has at most eight.
const WARDS: usize = 64;

/// The guardian's whole life. `sweep` is the command line that removes containers, ready to be executed.
fn watch(line: RawFd, sweep: Option<&[*const c_char; 5]>) -> ! {
    // Out of reach of the signals that a terminal sends to the tool's group.
    let _ = rustix::process::setsid();
    close_all_but(line);
    let mut wards = [(0_u32, 0_i32); WARDS];
    let mut buffer = [0_u8; 64];
    loop {
        // SAFETY: the pointer and the length are those of a live array.
        let read = unsafe { libc::read(line, buffer.as_mut_ptr().cast(), buffer.len()) };
        if read < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
            continue;
        }
        let Ok(read @ 1..) = usize::try_from(read) else {
            break;
        };
        for message in buffer[..read].chunks_exact(8) {
            let number = u32::from_ne_bytes([message[0], message[1], message[2], message[3]]);
            let group = i32::from_ne_bytes([message[4], message[5], message[6], message[7]]);
            for ward in &mut wards {
                let is_place = if group == 0 {
                    ward.0 == number
                } else {
                    ward.0 == 0
                };
                if is_place {
                    *ward = if group == 0 { (0, 0) } else { (number, group) };
                    break;
                }
            }
        }
    }
    for (_, group) in wards {
        if let Some(group) = Pid::from_raw(group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    if let Some(sweep) = sweep {
        // SAFETY: the list ends with a null pointer, and its strings are of this process's memory, which is a copy
        // of the tool's. It returns only where the program cannot be executed.
        unsafe { libc::execv(c"/proc/self/exe".as_ptr(), sweep.as_ptr()) };
    }
    // SAFETY: it ends the process without running anything that belongs to the tool.
    unsafe { libc::_exit(0) }
}

/// Closes what the fork took over: the tool's output, which somebody may wait to see closed, the input of
/// fixtures, which end when it closes, the lock of a journal.
fn close_all_but(line: RawFd) {
    let line = line.cast_unsigned();
    let close = |from: u32, to: u32| {
        // SAFETY: no memory is passed; nothing in this process uses these descriptors any more.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) } == 0;
        if !closed {
            // Before Linux 5.9: one by one, as many as a process has by default.
            for descriptor in from..=to.min(1023) {
                // SAFETY: as above.
                unsafe { libc::close(descriptor.cast_signed()) };
            }
        }
    };
    if line > 0 {
        close(0, line - 1);
    }
    close(line + 1, u32::MAX);
}
