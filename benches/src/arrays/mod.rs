//! Arrays that workloads read and write.

pub mod matrix;
pub mod npy;
pub mod output;

use std::fs;
use std::path::Path;

use crate::session::WorkloadError;

/// Refuses to write to a file that is read or written already. Files that only are read come first; of each the name of
/// its option is given.
///
/// # Errors
///
/// [`WorkloadError::Input`], naming the options.
pub fn check_apart(
    read: &[(&str, Option<&Path>)],
    written: &[(&str, Option<&Path>)],
) -> Result<(), WorkloadError> {
    let mut taken: Vec<(&str, &Path)> = Vec::new();
    taken.extend(read.iter().filter_map(|&(name, path)| Some((name, path?))));
    for (name, path) in written
        .iter()
        .filter_map(|&(name, path)| Some((name, path?)))
    {
        if let Some((other, _)) = taken.iter().find(|(_, other)| same(other, path)) {
            return Err(WorkloadError::Input(format!(
                "{name} would overwrite the file of {other}, {}: name another",
                path.display()
            )));
        }
        taken.push((name, path));
    }
    Ok(())
}

/// Whether two paths lead to the same file, or would if it were there.
fn same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// The name of a file without its ending. A case's name stands in tables, in lists separated by commas and between
/// slashes: other characters than letters, digits, dots, hyphens and underscores become underscores.
pub fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-');
    stem.chars()
        .map(|c| if kept(c) { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_stem(path: &str, expected: &str) {
        assert_eq!(stem(Path::new(path)), expected);
    }

    #[test]
    fn files_give_names_that_fit_into_lists() {
        check_stem("/data/iris.npy", "iris");
        check_stem("iris", "iris");
        check_stem("a b,c.v2.npy", "a_b_c.v2");
        check_stem("größe-1.npy", "größe-1");
    }
}
