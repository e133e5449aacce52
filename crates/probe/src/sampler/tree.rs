//! A process with its descendants, read again and again.

use std::fs::File;

use rustix::fs::{Mode, OFlags, RawDir};

use crate::ProbeError;
use crate::clock::CpuClock;
use crate::file::{KeptFile, ShortPath, read_at_start};
use crate::parse::process::children;
use crate::parse::stat::Stat;
use crate::process::ticks_to_ns;

/// Room for this many processes is made at the start; more of them make room for themselves.
const ROOM: usize = 256;

/// The file of a thread with the numbers of the processes that it has started.
const CHILDREN: &str = "children";

/// How often descendants are looked for at most. Those that live shorter are known by the CPU time that
/// their parent gets when it waits for them.
const LOOK_EVERY_NS: u64 = 100_000_000;

/// The time that the kernel's ticks may lack in a parent's sum of its children's: one tick for user and one
/// for system time.
const ROUNDING_TICKS: u64 = 2;

/// What a tree used and holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeReading {
    /// CPU time of all its processes so far, also of those that have ended.
    pub(crate) cpu_ns: u64,
    /// Resident memory, summed over the processes; what they share counts for each of them.
    pub(crate) rss_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) processes: u64,
}

/// A process, with or without its descendants.
pub(crate) struct Tree {
    members: Vec<Member>,
    ledger: Ledger,
    descend: bool,
    looked_ns: Option<u64>,
    page_size: u64,
}

struct Member {
    pid: u32,
    stat: KeptFile,
    clock: Option<CpuClock>,
    account: Account,
    /// For how many readings it has been gone: 0 while it is there.
    gone: u32,
}

/// The CPU time of one process as it was last seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Account {
    parent: u32,
    own_ns: u64,
    /// That of the children that it has waited for.
    children_ns: u64,
    /// By how much that has grown in the last reading and in the one before, less what is accounted for.
    /// Both, because a child may be waited for between the readings of its parent and of itself.
    grown_ns: [u64; 2],
}

impl Tree {
    /// The tree below `pid`, or that process alone.
    pub(crate) fn open(pid: u32, descend: bool) -> Result<Self, ProbeError> {
        let mut members = Vec::with_capacity(ROOM);
        members.push(Member::open(pid)?);
        if descend {
            // The first thread's number is the process's.
            KeptFile::open(Some(pid), &format!("task/{pid}/{CHILDREN}")).map_err(|error| {
                match error {
                    ProbeError::Read { path, .. } => ProbeError::NoChildren { pid, path },
                    other => other,
                }
            })?;
        }
        Ok(Self {
            members,
            ledger: Ledger::default(),
            descend,
            looked_ns: None,
            page_size: rustix::param::page_size() as u64,
        })
    }

    /// Reads all processes; `None` once every one of them has ended.
    pub(crate) fn read(&mut self, now_ns: u64) -> Option<TreeReading> {
        let due = |looked_ns: u64| now_ns.saturating_sub(looked_ns) >= LOOK_EVERY_NS;
        if self.descend && self.looked_ns.is_none_or(due) {
            self.looked_ns = Some(now_ns);
            self.look();
        }
        let mut reading = TreeReading {
            cpu_ns: 0,
            rss_bytes: 0,
            threads: 0,
            processes: 0,
        };
        for member in &mut self.members {
            let Some(stat) = member.read() else { continue };
            if !stat.has_ended() {
                reading.processes += 1;
                reading.threads += stat.threads.unwrap_or(1);
                reading.rss_bytes += stat.rss_pages.unwrap_or(0).saturating_mul(self.page_size);
            }
        }
        self.settle();
        let known = self.members.iter().map(|member| &member.account);
        reading.cpu_ns = self.ledger.total_ns(known);
        (reading.processes > 0).then_some(reading)
    }

    /// Settles the accounts of the processes that are gone, and forgets them. Children stand behind their
    /// parents, so that they are settled first and read last.
    fn settle(&mut self) {
        for place in (0..self.members.len()).rev() {
            let (before, from) = self.members.split_at_mut(place);
            let [gone, ..] = from else { continue };
            if gone.gone == 0 {
                continue;
            }
            let parent = before
                .iter_mut()
                .find(|member| member.pid == gone.account.parent)
                .map(|parent| (&mut parent.account, parent.gone == 0));
            if self.ledger.settle(&gone.account, parent, gone.gone > 1) {
                self.members.remove(place);
            }
        }
    }

    /// Adds the descendants that are not known yet.
    fn look(&mut self) {
        // Those that are added are looked at in turn.
        let mut next = 0;
        while let Some(member) = self.members.get(next) {
            let pid = member.pid;
            let members = &mut self.members;
            for_each_thread(pid, &mut |tid| {
                for_each_child(pid, tid, &mut |child| {
                    let known = members.iter().any(|member| member.pid == child);
                    // One that has ended meanwhile is in its parent's sum.
                    if !known && let Ok(member) = Member::open(child) {
                        members.push(member);
                    }
                });
            });
            next += 1;
        }
    }
}

impl Member {
    fn open(pid: u32) -> Result<Self, ProbeError> {
        Ok(Self {
            pid,
            stat: KeptFile::open(Some(pid), "stat")?,
            clock: CpuClock::of(Some(pid)),
            account: Account::default(),
            gone: 0,
        })
    }

    fn read(&mut self) -> Option<Stat> {
        if self.gone > 0 {
            self.gone += 1;
            return None;
        }
        let clock_ns = self.clock.and_then(CpuClock::read);
        let mut buffer = [0; 1_280];
        // After the clock, whose number could be another process's by now if this could not be read.
        let Ok(text) = self.stat.read(&mut buffer) else {
            self.gone = 1;
            return None;
        };
        let stat = Stat::parse(text);
        let account = &mut self.account;
        account.parent = stat.parent.and_then(|pid| pid.try_into().ok()).unwrap_or(0);
        let own_ns = clock_ns.or_else(|| stat.own_ticks().map(ticks_to_ns));
        account.own_ns = own_ns.unwrap_or(0).max(account.own_ns);
        let children_ns = stat.children_ticks().map_or(0, ticks_to_ns);
        let grown_ns = children_ns.saturating_sub(account.children_ns);
        account.grown_ns = [grown_ns, account.grown_ns[0]];
        account.children_ns = children_ns.max(account.children_ns);
        Some(stat)
    }
}

impl Account {
    fn total_ns(&self) -> u64 {
        self.own_ns + self.children_ns
    }
}

/// What became of the CPU time of processes that are gone.
#[derive(Debug, Default)]
struct Ledger {
    /// Of those for which nobody waited.
    kept_ns: u64,
    highest_ns: u64,
}

impl Ledger {
    /// A process is gone: its time is in its parent's sum if that has waited for it, and kept here if not
    /// (the parent is gone before it, or ignores SIGCHLD, or is no part of the tree). Whether that is
    /// settled; if not, and it is not the `last` try, the parent's next reading may show the wait.
    fn settle(&mut self, gone: &Account, parent: Option<(&mut Account, bool)>, last: bool) -> bool {
        let gone_ns = gone.total_ns();
        match parent {
            // The parent is to be settled itself: what it is settled with includes this one's.
            Some((parent, false)) => parent.own_ns += gone_ns,
            Some((parent, true)) => {
                let grown_ns = parent.grown_ns[0] + parent.grown_ns[1];
                if grown_ns + ticks_to_ns(ROUNDING_TICKS) >= gone_ns {
                    let left_ns = gone_ns.saturating_sub(parent.grown_ns[1]);
                    parent.grown_ns[1] = parent.grown_ns[1].saturating_sub(gone_ns);
                    parent.grown_ns[0] = parent.grown_ns[0].saturating_sub(left_ns);
                } else if last {
                    self.kept_ns += gone_ns;
                } else {
                    return false;
                }
            }
            None => self.kept_ns += gone_ns,
        }
        true
    }

    /// All time so far. The rounding of the kernel's ticks never makes it go back.
    fn total_ns<'a>(&mut self, known: impl Iterator<Item = &'a Account>) -> u64 {
        let total_ns = self.kept_ns + known.map(Account::total_ns).sum::<u64>();
        self.highest_ns = self.highest_ns.max(total_ns);
        self.highest_ns
    }
}

fn for_each_thread(pid: u32, found: &mut dyn FnMut(u32)) {
    let Some(path) = ShortPath::new(format_args!("/proc/{pid}/task")) else {
        return;
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(path.as_str(), flags, Mode::empty()) else {
        return;
    };
    let mut buffer = [std::mem::MaybeUninit::uninit(); 2_048];
    let mut entries = RawDir::new(folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name().to_str();
        if let Some(tid) = name.ok().and_then(|name| name.parse().ok()) {
            found(tid);
        }
    }
}

fn for_each_child(pid: u32, tid: u32, found: &mut dyn FnMut(u32)) {
    let path = ShortPath::new(format_args!("/proc/{pid}/task/{tid}/{CHILDREN}"));
    let Some(Ok(file)) = path.map(|path| File::open(path.as_str())) else {
        return;
    };
    let mut buffer = [0; 4_096];
    if let Ok(text) = read_at_start(&file, &mut buffer) {
        children(text).for_each(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn account(own_ms: u64, children_ms: u64, grown_ms: u64) -> Account {
        Account {
            parent: 1,
            own_ns: own_ms * MS,
            children_ns: children_ms * MS,
            grown_ns: [grown_ms * MS, 0],
        }
    }

    #[track_caller]
    fn check(gone: &[Account], mut parent: Account, kept_ms: u64) {
        let mut ledger = Ledger::default();
        for gone in gone {
            assert!(ledger.settle(gone, Some((&mut parent, true)), true));
        }
        assert_eq!(ledger.kept_ns, kept_ms * MS);
    }

    #[test]
    fn the_time_of_a_child_that_was_waited_for_counts_once() {
        check(&[account(500, 0, 0)], account(10, 500, 500), 0);
        // The sum is in ticks of 10 ms, rounded down.
        check(&[account(505, 0, 0)], account(10, 490, 490), 0);
        // With the children that it had waited for itself.
        check(&[account(100, 400, 0)], account(10, 500, 500), 0);
        check(
            &[account(300, 0, 0), account(200, 0, 0)],
            account(10, 500, 500),
            0,
        );
    }

    #[test]
    fn the_time_of_a_child_that_nobody_waited_for_is_kept() {
        check(&[account(500, 0, 0)], account(10, 0, 0), 500);
        check(
            &[account(300, 0, 0), account(200, 0, 0)],
            account(10, 300, 300),
            200,
        );
        let mut ledger = Ledger::default();
        assert!(ledger.settle(&account(70, 30, 0), None, false));
        assert_eq!(ledger.kept_ns, 100 * MS);
    }

    #[test]
    fn a_child_whose_parent_goes_with_it_is_settled_with_the_parent() {
        let mut ledger = Ledger::default();
        let (mut parent, mut grandparent) = (account(10, 0, 0), account(5, 210, 210));
        assert!(ledger.settle(&account(200, 0, 0), Some((&mut parent, false)), false));
        assert!(ledger.settle(&parent, Some((&mut grandparent, true)), false));
        assert_eq!(ledger.kept_ns, 0);
    }

    #[test]
    fn a_wait_between_two_readings_shows_in_the_next_one() {
        let mut ledger = Ledger::default();
        let gone = account(200, 0, 0);
        let mut parent = account(10, 0, 0);
        assert!(!ledger.settle(&gone, Some((&mut parent, true)), false));
        parent.grown_ns = [200 * MS, 0];
        assert!(ledger.settle(&gone, Some((&mut parent, true)), true));
        // Or in the one before, if the child was seen to be gone late.
        parent.grown_ns = [50 * MS, 160 * MS];
        assert!(ledger.settle(&gone, Some((&mut parent, true)), false));
        assert_eq!((ledger.kept_ns, parent.grown_ns), (0, [10 * MS, 0]));
    }

    #[test]
    fn the_total_never_goes_back() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.total_ns([account(500, 0, 0)].iter()), 500 * MS);
        assert_eq!(ledger.total_ns([account(10, 480, 480)].iter()), 500 * MS);
        assert_eq!(ledger.total_ns([account(30, 480, 0)].iter()), 510 * MS);
    }

    #[test]
    fn a_process_that_is_not_there_is_gone() {
        for descend in [false, true] {
            let error = Tree::open(1 << 23, descend).err().expect("nobody is there");
            assert!(matches!(error, ProbeError::Gone { .. }), "{error}");
        }
    }
}
