//! Results in files of NumPy's format `.npy`, which appear once they are complete.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ndarray::{ArrayView, Dimension};
use ndarray_npy::{WritableElement, WriteNpyError, WriteNpyExt};
use tempfile::NamedTempFile;

use crate::session::WorkloadError;

/// What a path leads to.
enum Place {
    /// A file that may be replaced, or that does not exist yet.
    File(PathBuf),
    /// A device or a pipe, which has to stay what it is.
    Special,
}

/// Finds out before a long run whether [`write`] could create the file.
///
/// # Errors
///
/// [`WorkloadError::Input`], naming the file.
pub fn check(path: &Path) -> Result<(), WorkloadError> {
    let check = || match place(path)? {
        Place::File(path) => temporary(&path).map(drop),
        Place::Special => Ok(()),
    };
    check().map_err(|error| refused(path, &error))
}

/// Writes an array. Whoever reads the file meanwhile finds what was there before, never a part.
///
/// # Errors
///
/// [`WorkloadError::Input`], naming the file.
pub fn write<A: WritableElement, D: Dimension>(
    path: &Path,
    array: ArrayView<A, D>,
) -> Result<(), WorkloadError> {
    let write = || -> Result<(), WriteNpyError> {
        match place(path)? {
            Place::Special => array.write_npy(BufWriter::new(File::create(path)?)),
            Place::File(path) => {
                let mut file = temporary(&path)?;
                array.write_npy(BufWriter::new(&mut file))?;
                file.persist(&path).map_err(|error| error.error)?;
                Ok(())
            }
        }
    };
    write().map_err(|error| refused(path, &error))
}

fn place(path: &Path) -> io::Result<Place> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(Place::Special),
        // What a symbolic link leads to is replaced, not the link.
        Ok(_) => fs::canonicalize(path).map(Place::File),
        Err(_) => Ok(Place::File(path.to_owned())),
    }
}

/// A file beside the other, so that it can take its place in one step. It is gone when it is dropped.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".workload-")
        // As of any new file; what the user's mask forbids is taken away.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

fn refused(path: &Path, error: &dyn std::error::Error) -> WorkloadError {
    WorkloadError::Input(format!(
        "cannot write {}: {error}; name a file in a folder that you may write to",
        path.display()
    ))
}
