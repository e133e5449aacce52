//! The name under which `cargo bench` saves what it measured.
//!
//! Criterion knows nothing of targets: it writes the figures of every target to the same place, and the
//! second run would be compared with the first as if the program had changed. So each build has a
//! baseline of its own, and `cargo bench --target x86_64-unknown-linux-musl -- --baseline gnu` compares.

/// The short name of this build: `gnu` or `musl`, with `-mimalloc` behind when that is its allocator.
pub fn name() -> &'static str {
    match (cfg!(target_env = "musl"), cfg!(feature = "mimalloc")) {
        (false, false) => "gnu",
        (false, true) => "gnu-mimalloc",
        (true, false) => "musl",
        (true, true) => "musl-mimalloc",
    }
}

/// Whether criterion's arguments say themselves what is to be saved or compared with.
pub fn is_chosen<'a>(args: impl IntoIterator<Item = &'a str>) -> bool {
    args.into_iter()
        .take_while(|arg| *arg != "--")
        .any(|arg| match arg.strip_prefix("--") {
            Some(long) => {
                let name = long.split('=').next().unwrap_or(long);
                name == "save-baseline"
                    || name == "discard-baseline"
                    || name == "load-baseline"
                    || name == "baseline"
                    || name == "baseline-lenient"
            }
            None => arg.strip_prefix('-').is_some_and(is_chosen_in_cluster),
        })
}

/// In short options behind one dash, such as `-nb gnu`, those up to the first that takes a value count.
fn is_chosen_in_cluster(letters: &str) -> bool {
    letters
        .chars()
        .find(|letter| "sbc".contains(*letter))
        .is_some_and(|letter| letter != 'c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &str, chosen: bool) {
        assert_eq!(is_chosen(args.split_whitespace()), chosen, "{args}");
    }

    #[test]
    fn criterions_options_are_recognised() {
        check("--bench", false);
        check("--bench kmeans/fit --noplot", false);
        check("--bench --save-baseline before", true);
        check("--save-baseline=before", true);
        check("--baseline gnu", true);
        check("--baseline-lenient=gnu", true);
        check("--load-baseline musl --baseline gnu", true);
        check("--discard-baseline", true);
        check("-s before", true);
        check("-nb gnu", true);
        check("-bgnu", true);
        check("-n -v", false);
        // Everything behind -c is its value.
        check("-calways", false);
        check("baseline", false);
        check("--baselines", false);
        check("--bench -- --baseline", false);
    }
}
