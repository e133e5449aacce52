//! `workload identity`.

use std::io::{self, Write};

use benches::allocator;
use probe::Identity;

use crate::failure::Failure;

pub fn print(json: bool) -> Result<(), Failure> {
    let identity = Identity::of_this_process(&allocator::name());
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
