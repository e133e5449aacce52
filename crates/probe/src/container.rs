//! Which container this process is in, from the marks that the engines leave.

use std::path::Path;

use procfs::FromRead;
use procfs::process::MountInfos;

/// The kind of container, `unknown` where only its root tells; `None` for what looks like none.
///
/// `text` gives the text of a file. Marks of the process itself (its control group) come before those of
/// the file system, which an image may have inherited.
pub(crate) fn kind(text: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if text("/run/.containerenv").is_some() {
        return Some("podman".into());
    }
    // systemd's convention for every engine that starts it: `systemd-nspawn`, `lxc`, `docker`, ….
    if let Some(kind) = text("/run/systemd/container").map(|kind| kind.trim().to_owned())
        && !kind.is_empty()
    {
        return Some(kind);
    }
    let cgroup = text("/proc/self/cgroup").unwrap_or_default();
    let by_path = [
        ("kubepods", "kubernetes"),
        ("/docker", "docker"),
        ("libpod", "podman"),
        ("/lxc", "lxc"),
        ("machine.slice/systemd-nspawn", "systemd-nspawn"),
    ];
    if let Some((_, kind)) = by_path.iter().find(|(mark, _)| cgroup.contains(mark)) {
        return Some((*kind).into());
    }
    if text("/.dockerenv").is_some() {
        return Some("docker".into());
    }
    // An overlay (`overlay`, `fuse.fuse-overlayfs`) as the root is what engines give to their containers.
    let mountinfo = text("/proc/self/mountinfo").unwrap_or_default();
    let MountInfos(mounts) = MountInfos::from_read(mountinfo.as_bytes()).ok()?;
    mounts
        .iter()
        .any(|mount| mount.mount_point == Path::new("/") && mount.fs_type.contains("overlay"))
        .then(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../tests/fixtures/", $name))
        };
    }

    const CGROUP: &str = "/proc/self/cgroup";
    const MOUNTINFO: &str = "/proc/self/mountinfo";

    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Option<&str>) {
        let text = |path: &str| {
            let (_, text) = files.iter().find(|(name, _)| *name == path)?;
            Some((*text).to_owned())
        };
        assert_eq!(kind(&text).as_deref(), expected);
    }

    #[test]
    fn containers_by_their_marks() {
        check(
            &[(CGROUP, "0::/kubepods.slice/kubepods-pod1.slice\n")],
            Some("kubernetes"),
        );
        check(&[(CGROUP, fixture!("podman-v2/cgroup"))], Some("podman"));
        check(&[(CGROUP, fixture!("docker-v1/cgroup"))], Some("docker"));
        check(&[(CGROUP, "0::/lxc.payload.web\n")], Some("lxc"));
        check(
            &[("/run/.containerenv", "engine=\"podman-5\"\n")],
            Some("podman"),
        );
        check(
            &[("/run/systemd/container", "systemd-nspawn\n")],
            Some("systemd-nspawn"),
        );
        check(&[(CGROUP, "0::/\n"), ("/.dockerenv", "")], Some("docker"));
        check(
            &[(MOUNTINFO, fixture!("docker-v2/mountinfo"))],
            Some("unknown"),
        );
        check(
            &[(MOUNTINFO, fixture!("podman-v2/mountinfo"))],
            Some("unknown"),
        );
    }

    #[test]
    fn no_container() {
        check(&[], None);
        check(
            &[
                (MOUNTINFO, fixture!("bare-v2/mountinfo")),
                (CGROUP, fixture!("bare-v2/cgroup")),
            ],
            None,
        );
        check(&[(CGROUP, fixture!("systemd-v2/cgroup"))], None);
        check(&[("/run/systemd/container", "\n")], None);
    }
}
