//! The account that a server runs under.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::geteuid;

use crate::DbloadError;

/// An unprivileged account to change to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// Makes `command` run as this account; the supplementary groups of root are given up too.
    pub(super) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }
}

/// The account to change to before a server is started: none for an ordinary user; for root, as
/// which PostgreSQL refuses to run, the account of the packaged server, or else the one for nobody.
pub(super) fn unprivileged() -> Result<Option<Account>, DbloadError> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    // The file is read directly: a name service has no say in these two accounts, and a static
    // program could not ask one.
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    match find(&passwd) {
        Some(account) => Ok(Some(account)),
        None => Err(DbloadError::start(
            "changing from root to an unprivileged account, as PostgreSQL demands",
            "/etc/passwd has neither postgres nor nobody; run as another user, or name a running server in DATABASE_URL",
        )),
    }
}

/// The user id that the server's files will have.
pub(super) fn owner(account: Option<&Account>) -> u32 {
    account.map_or_else(|| geteuid().as_raw(), |account| account.uid)
}

fn find(passwd: &str) -> Option<Account> {
    let account = |wanted: &str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| *name == wanted)?;
            let uid = fields.nth(1)?.parse().ok().filter(|&uid| uid != 0)?;
            let gid = fields.next()?.parse().ok()?;
            Some(Account {
                name: name.into(),
                uid,
                gid,
            })
        })
    };
    account("postgres").or_else(|| account("nobody"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_found(passwd: &str, expected: Option<(&str, u32, u32)>) {
        let found = find(passwd);
        assert_eq!(
            found
                .as_ref()
                .map(|account| (account.name.as_str(), account.uid, account.gid)),
            expected
        );
    }

    #[test]
    fn the_server_account_comes_before_nobody_and_root_is_never_taken() {
        let nobody = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:nobody:/:/sbin/nologin\n";
        let postgres =
            "postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash";
        check_found(nobody, Some(("nobody", 65534, 65533)));
        check_found(&format!("{nobody}{postgres}"), Some(("postgres", 101, 104)));
        check_found(
            &format!("{nobody}postgres:x:0:0::/:/bin/sh"),
            Some(("nobody", 65534, 65533)),
        );
        check_found(
            &format!("{nobody}postgres:x:many:0::/:/bin/sh"),
            Some(("nobody", 65534, 65533)),
        );
        check_found("nobodyelse:x:5:5::/:/bin/sh\nnobody", None);
        check_found("", None);
    }
}
