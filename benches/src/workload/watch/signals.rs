//! Signals while a program is watched.
//!
//! What a person types at the terminal (Ctrl-C) goes to the whole foreground group, and so to the command as
//! well: only what is sent to this program alone is passed on.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// `si_code` of a signal that the kernel sends by itself, as for a key at the terminal.
const SI_KERNEL: i32 = 0x80;

/// The pidfd of the command; below 0 before it is started.
static CHILD_FD: AtomicI32 = AtomicI32::new(-1);
static CHILD_PID: AtomicI32 = AtomicI32::new(0);
/// Signals that came before the command was there, a bit each.
static PENDING: AtomicU64 = AtomicU64::new(0);

/// Passes signals on from now on. Those that come before [`to`] are kept for then.
pub fn pass_on() -> io::Result<()> {
    for signal in PASSED_ON {
        // Started by `nohup`: the command is to ignore it as well, which it inherits as long as nobody
        // handles it here.
        if is_ignored(signal)? {
            continue;
        }
        // SAFETY: the action makes system calls that a signal handler may make, and touches atomics only.
        unsafe { signal_hook_registry::register_sigaction(signal, handle) }?;
    }
    Ok(())
}

/// The command is there. The descriptor has to stay open as long as this program lives.
pub fn to(pidfd: &OwnedFd, pid: u32) {
    CHILD_PID.store(i32::try_from(pid).unwrap_or(0), Ordering::SeqCst);
    CHILD_FD.store(pidfd.as_raw_fd(), Ordering::SeqCst);
    send_pending();
}

/// A flag that is set when somebody asks this program to stop.
pub fn ask_to_stop() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        if !is_ignored(signal)? {
            signal_hook::flag::register(signal, Arc::clone(&stop))?;
        }
    }
    Ok(stop)
}

fn handle(info: &libc::siginfo_t) {
    if info.si_code == SI_KERNEL && is_in_own_group() {
        return;
    }
    PENDING.fetch_or(1 << (info.si_signo & 63), Ordering::SeqCst);
    send_pending();
}

fn send_pending() {
    let fd = CHILD_FD.load(Ordering::SeqCst);
    if fd < 0 {
        return;
    }
    let pending = PENDING.swap(0, Ordering::SeqCst);
    for signal in PASSED_ON {
        if pending & (1 << signal) != 0 {
            // SAFETY: plain numbers and a null pointer; a process that has ended makes the call fail.
            unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    fd,
                    signal,
                    std::ptr::null::<libc::siginfo_t>(),
                    0,
                )
            };
        }
    }
}

/// Whether the command is in the group of this program, which the terminal signals as one.
fn is_in_own_group() -> bool {
    // SAFETY: the calls take and give plain numbers.
    unsafe { libc::getpgid(CHILD_PID.load(Ordering::SeqCst)) == libc::getpgrp() }
}

/// Whether nothing happens when this signal comes, as after `nohup`.
pub fn is_ignored(signal: i32) -> io::Result<bool> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is changed, and the pointer is to a writable place.
    if unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled the place.
    Ok(unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN)
}
