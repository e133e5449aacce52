//! Prints the identity of this program and the facts about its host as one JSON object.

use std::io::{self, Write};

use probe::{Host, Identity};

fn main() -> io::Result<()> {
    let report = serde_json::json!({
        "identity": Identity::of_this_process("system"),
        "host": Host::read(),
    });
    writeln!(io::stdout(), "{report:#}")
}
