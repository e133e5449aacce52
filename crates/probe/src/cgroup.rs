//! Where the control groups of a process are.
//!
//! The kernel enforces the limit of every group on the way from the process's own group up to the
//! root, so the effective one is the smallest. See the kernel's `admin-guide/cgroup-v2.rst` and
//! `admin-guide/cgroup-v1/`.

use std::path::{Path, PathBuf};

use procfs::process::MountInfos;
use procfs::{FromRead, ProcessCGroups};

/// Where the control files of one controller are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// 1 or 2.
    pub(crate) version: u8,
    /// The folders of the process's group and of all groups above it that can be seen.
    pub(crate) folders: Vec<PathBuf>,
}

/// The hierarchy that controls `controller` for a process: its number, or `self`.
///
/// The folders are looked for in the mounts of *this* process, since it is this one that reads them.
pub(crate) fn of_process(
    controller: &str,
    process: &str,
    read: &dyn Fn(&Path) -> Option<Vec<u8>>,
) -> Option<Hierarchy> {
    let text = |path: String| Some(String::from_utf8_lossy(&read(Path::new(&path))?).into_owned());
    let cgroup = text(format!("/proc/{process}/cgroup"))?;
    let mountinfo = text("/proc/self/mountinfo".into())?;
    hierarchy(controller, &cgroup, &mountinfo)
}

/// The hierarchy that controls `controller` (`cpu`, `memory`) for a process.
///
/// `cgroup` is the text of `/proc/self/cgroup`, `mountinfo` that of `/proc/self/mountinfo`. A
/// controller is in version 1 where a version-1 hierarchy lists it, else in version 2.
pub(crate) fn hierarchy(controller: &str, cgroup: &str, mountinfo: &str) -> Option<Hierarchy> {
    let ProcessCGroups(groups) = ProcessCGroups::from_read(cgroup.as_bytes()).ok()?;
    let MountInfos(mounts) = MountInfos::from_read(mountinfo.as_bytes()).ok()?;
    let version_1 = groups
        .iter()
        .find(|group| group.controllers.iter().any(|c| c == controller));
    let (version, group) = match version_1 {
        Some(group) => (1, group),
        None => (2, groups.iter().find(|group| group.hierarchy == 0)?),
    };
    // A later mount at the same place hides the earlier one.
    let mount = mounts.iter().rev().find(|mount| match version {
        1 => mount.fs_type == "cgroup" && mount.super_options.contains_key(controller),
        _ => mount.fs_type == "cgroup2",
    })?;
    Some(Hierarchy {
        version,
        folders: folders(&mount.mount_point, &mount.root, &group.pathname),
    })
}

/// The folder of `group` and all above it, in a mount that shows the hierarchy from `root` on.
fn folders(mount_point: &Path, root: &str, group: &str) -> Vec<PathBuf> {
    // Where the group is not below the root of the mount (a container that sees its own group as
    // the mount's root, but its outer path in /proc/self/cgroup, or a path that climbs out of the
    // namespace), the mount's root is the nearest group that can be seen.
    let below = Path::new(group).strip_prefix(root).unwrap_or(Path::new(""));
    let climbs = below.components().any(|part| part.as_os_str() == "..");
    let below = if climbs { Path::new("") } else { below };
    below
        .ancestors()
        .map(|part| mount_point.join(part))
        .collect()
}

/// The smallest of the limits that `limit` finds in the folders.
pub(crate) fn smallest<T: PartialOrd>(
    hierarchy: &Hierarchy,
    limit: impl Fn(&Path) -> Option<T>,
) -> Option<T> {
    hierarchy
        .folders
        .iter()
        .filter_map(|folder| limit(folder))
        .reduce(|a, b| if b < a { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE_V2: (&str, &str) = (
        include_str!("../tests/fixtures/bare-v2/cgroup"),
        include_str!("../tests/fixtures/bare-v2/mountinfo"),
    );
    const DOCKER_V2: (&str, &str) = (
        include_str!("../tests/fixtures/docker-v2/cgroup"),
        include_str!("../tests/fixtures/docker-v2/mountinfo"),
    );
    const DOCKER_V1: (&str, &str) = (
        include_str!("../tests/fixtures/docker-v1/cgroup"),
        include_str!("../tests/fixtures/docker-v1/mountinfo"),
    );
    const BARE_HYBRID: (&str, &str) = (
        include_str!("../tests/fixtures/bare-hybrid/cgroup"),
        include_str!("../tests/fixtures/bare-hybrid/mountinfo"),
    );
    const PODMAN_V2: (&str, &str) = (
        include_str!("../tests/fixtures/podman-v2/cgroup"),
        include_str!("../tests/fixtures/podman-v2/mountinfo"),
    );
    const SYSTEMD_V2: (&str, &str) = (
        include_str!("../tests/fixtures/systemd-v2/cgroup"),
        include_str!("../tests/fixtures/systemd-v2/mountinfo"),
    );

    #[track_caller]
    fn check((cgroup, mountinfo): (&str, &str), controller: &str, version: u8, folders: &[&str]) {
        let found = hierarchy(controller, cgroup, mountinfo).expect("the fixture has a hierarchy");
        assert_eq!(found.version, version);
        assert_eq!(
            found.folders,
            folders.iter().map(PathBuf::from).collect::<Vec<_>>()
        );
    }

    #[test]
    fn hierarchies_of_captured_systems() {
        check(
            BARE_V2,
            "memory",
            2,
            &[
                "/sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope",
                "/sys/fs/cgroup/user.slice/user-1000.slice",
                "/sys/fs/cgroup/user.slice",
                "/sys/fs/cgroup/",
            ],
        );
        check(DOCKER_V2, "cpu", 2, &["/sys/fs/cgroup/"]);
        // A mount of the container's own group: what is below it is the path's rest.
        check(
            PODMAN_V2,
            "memory",
            2,
            &["/sys/fs/cgroup/container", "/sys/fs/cgroup/"],
        );
        check(
            SYSTEMD_V2,
            "cpu",
            2,
            &[
                "/sys/fs/cgroup/system.slice/my\\x2dservice.service",
                "/sys/fs/cgroup/system.slice",
                "/sys/fs/cgroup/",
            ],
        );
        check(DOCKER_V1, "cpu", 1, &["/sys/fs/cgroup/cpu,cpuacct/"]);
        check(DOCKER_V1, "memory", 1, &["/sys/fs/cgroup/memory/"]);
        check(
            BARE_HYBRID,
            "memory",
            1,
            &[
                "/sys/fs/cgroup/memory/session/1",
                "/sys/fs/cgroup/memory/session",
                "/sys/fs/cgroup/memory/",
            ],
        );
        check(BARE_HYBRID, "cpu", 1, &["/sys/fs/cgroup/cpu/"]);
        // Not in any version-1 hierarchy of this system, hence in version 2.
        check(BARE_HYBRID, "io", 2, &["/sys/fs/cgroup/unified/"]);
    }

    #[test]
    fn a_group_outside_of_the_mount_is_seen_as_its_root() {
        let mount_point = Path::new("/sys/fs/cgroup");
        assert_eq!(folders(mount_point, "/a", "/b/c"), [mount_point]);
        assert_eq!(folders(mount_point, "/", "/../b"), [mount_point]);
        assert_eq!(folders(mount_point, "/a", "/a"), [mount_point]);
        assert_eq!(
            folders(mount_point, "/a", "/a/b"),
            [mount_point.join("b"), mount_point.into()]
        );
    }

    #[test]
    fn without_control_groups_there_is_no_hierarchy() {
        assert_eq!(hierarchy("cpu", "", ""), None);
        assert_eq!(hierarchy("cpu", BARE_V2.0, ""), None);
        assert_eq!(hierarchy("cpu", "not a cgroup line", BARE_V2.1), None);
    }

    #[test]
    fn the_smallest_limit_on_the_way_up_counts() {
        let found = hierarchy("memory", BARE_V2.0, BARE_V2.1).expect("the fixture has a hierarchy");
        let limit = |folder: &Path| match folder.ends_with("user-1000.slice") {
            true => Some(3),
            false => folder.ends_with("user.slice").then_some(5),
        };
        assert_eq!(smallest(&found, limit), Some(3));
        assert_eq!(smallest(&found, |_| None::<u64>), None);
    }
}
