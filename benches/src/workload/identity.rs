//! `workload identity`.

use std::io::{self, Write};

use benches::identity;
use probe::{Host, Identity};

use crate::failure::Failure;

pub fn print(json: bool) -> Result<(), Failure> {
    let identity = identity::of_this_program();
    let mut out = io::stdout().lock();
    if json {
        let line = serde_json::to_string(&identity)
            .map_err(|error| Failure::failed(format!("cannot write the identity: {error}")))?;
        writeln!(out, "{line}")?;
        return Ok(());
    }
    writeln!(out, "libc       {}", libc(&identity))?;
    writeln!(out, "linkage    {}", identity.linkage)?;
    writeln!(out, "allocator  {}", identity.allocator)?;
    writeln!(out, "target     {}", identity.target)?;
    writeln!(out, "compiler   {}", identity.rustc)?;
    if let (Some(profile), Some(level)) = (&identity.profile, &identity.opt_level) {
        writeln!(out, "profile    {profile}, opt-level {level}")?;
    }
    if let Some(revision) = &identity.git_revision {
        let dirty = match identity.git_dirty {
            Some(true) => ", with changes",
            _ => "",
        };
        writeln!(out, "source     {revision}{dirty}")?;
    }
    let host = Host::read();
    if let Some(model) = &host.cpu_model {
        writeln!(out, "processor  {model}")?;
        writeln!(out, "           {}", host.cpu_flags.join(" "))?;
    }
    for (name, value) in &identity.environment {
        writeln!(out, "           {name}={value}")?;
    }
    Ok(())
}

/// `musl 1.2.5, static-pie, allocator system`
pub fn in_short(identity: &Identity) -> String {
    format!(
        "{}, {}, allocator {}",
        libc(identity),
        identity.linkage,
        identity.allocator
    )
}

fn libc(identity: &Identity) -> String {
    let version = identity
        .libc_version
        .as_deref()
        .unwrap_or("(version unknown)");
    format!("{} {version}", identity.libc)
}
