//! Arrays in files of NumPy's format `.npy`.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use ndarray::{ArrayView1, ArrayView2};
use ndarray_npy::{ViewNpyError, ViewNpyExt};

use super::matrix::{Element, Matrix};
use crate::session::WorkloadError;

/// An array of one of the types that rows can have.
pub enum Npy {
    /// `float32`.
    F32(Matrix<f32>),
    /// `float64`.
    F64(Matrix<f64>),
}

/// Opens a file with an array of two dimensions. In C order the values stay where they are: in pages of the file,
/// which the system reads as they are needed and may drop again, so that the file can be larger than
/// the free memory. In Fortran order they are copied into C order.
///
/// # Errors
///
/// [`WorkloadError::Input`], naming the file and the remedy, when it cannot be read, is no such file, is
/// cut off, or holds something else.
pub fn open(path: &Path) -> Result<Npy, WorkloadError> {
    let refused = |reason: String| WorkloadError::Input(format!("{}: {reason}", path.display()));
    let file = map(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    let file = Arc::new(file);
    let read = match read::<f64>(&file) {
        Err(Refusal::Npy(ViewNpyError::WrongDescriptor(_))) => read::<f32>(&file).map(Npy::F32),
        other => other.map(Npy::F64),
    };
    read.map_err(|refusal| refused(explain(&refusal)))
}

/// Reads an array of one dimension with a whole number for each row: integers of any type, or booleans.
///
/// # Errors
///
/// [`WorkloadError::Input`], naming the file and the remedy, when it cannot be read or holds something else.
pub fn open_labels(path: &Path) -> Result<Vec<i64>, WorkloadError> {
    let refused = |reason: String| WorkloadError::Input(format!("{}: {reason}", path.display()));
    let file = map(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    macro_rules! first_of {
        ($($type:ty),*) => {{
            $(match ArrayView1::<$type>::view_npy(&file) {
                Err(ViewNpyError::WrongDescriptor(_)) => (),
                Ok(labels) => return Ok(labels.iter().map(|&label| i64::from(label)).collect()),
                Err(error) => return Err(refused(explain_labels(&error))),
            })*
        }};
    }
    first_of!(i64, i32, u32, i16, u16, i8, u8);
    match <ArrayView1<bool>>::view_npy(&file) {
        Ok(labels) => Ok(labels.iter().map(|&label| i64::from(label)).collect()),
        Err(error) => Err(refused(explain_labels(&error))),
    }
}

fn explain_labels(error: &ViewNpyError) -> String {
    use ViewNpyError as Error;
    match error {
        Error::WrongDescriptor(found) => format!(
            "its values are of the type {found}, which is none of labels; \
             convert them: numpy.save(file, array.astype('int64'))"
        ),
        Error::WrongNdim(_, found) => format!(
            "it has {found} dimensions, not the one of labels; \
             bring it into shape: numpy.save(file, array.ravel())"
        ),
        Error::NonNativeEndian => "its values are in the byte order of other machines; \
             convert them: numpy.save(file, array.astype('int64'))"
            .to_owned(),
        Error::InvalidData(error) => format!("it is damaged ({error}); save or copy it again"),
        other => explain_file(other),
    }
}

fn map(path: &Path) -> io::Result<Mmap> {
    // Before it is opened: opening a named pipe waits for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other(
            "it is no regular file, which is needed to read it in place",
        ));
    }
    let file = File::open(path)?;
    // SAFETY: The mapping is private to this process and only read. What remains is that somebody else
    // changes the file meanwhile; then values change, or the process is ended by SIGBUS when the file shrinks. No
    // bit pattern is invalid for the numbers in it. The help says that the file must not change.
    unsafe { Mmap::map(&file) }
}

/// Why a file cannot be used.
enum Refusal {
    Npy(ViewNpyError),
    Memory { bytes: usize },
}

fn read<F: Element>(file: &Arc<Mmap>) -> Result<Matrix<F>, Refusal> {
    let array = ArrayView2::<F>::view_npy(file).map_err(Refusal::Npy)?;
    let (n_samples, n_features) = array.dim();
    let bytes = array.len() * size_of::<F>();
    if array.is_standard_layout() {
        // Nothing comes after the values: the view has been refused otherwise.
        let start = file.len() - bytes;
        return Ok(Matrix::mapped(file.clone(), start, n_samples, n_features));
    }
    let mut values = Vec::new();
    values
        .try_reserve_exact(array.len())
        .map_err(|_| Refusal::Memory { bytes })?;
    // Iteration is in row-major order whatever the layout.
    values.extend(array.iter().copied());
    Ok(Matrix::owned(values, n_samples, n_features))
}

fn explain(refusal: &Refusal) -> String {
    use ViewNpyError as Error;
    match refusal {
        Refusal::Memory { bytes } => format!(
            "there is no memory for the copy of {bytes} bytes that Fortran order needs; \
             save it in C order: numpy.save(file, numpy.ascontiguousarray(array))"
        ),
        Refusal::Npy(Error::WrongDescriptor(found)) => format!(
            "its values are of the type {found}, not float32 or float64; \
             convert them: numpy.save(file, array.astype('float64'))"
        ),
        Refusal::Npy(Error::NonNativeEndian) => "its values are in the byte order of other \
             machines; convert them: numpy.save(file, array.astype('float64'))"
            .to_owned(),
        Refusal::Npy(Error::WrongNdim(_, found)) => format!(
            "it has {found} dimension{}, not the two of rows and columns; \
             bring it into shape: numpy.save(file, array.reshape(rows, columns))",
            if *found == 1 { "" } else { "s" }
        ),
        Refusal::Npy(error) => explain_file(error),
    }
}

/// What can be wrong with a file whatever is in it.
fn explain_file(error: &ViewNpyError) -> String {
    use ViewNpyError as Error;
    match error {
        Error::MissingBytes(missing) => format!(
            "it is cut off: {missing} bytes of the values are missing; save or copy it again"
        ),
        Error::MisalignedData => "its values do not start at a multiple of their \
             size, so that they cannot be read in place; save it again: numpy.save(file, array)"
            .to_owned(),
        Error::ExtraBytes(extra) => format!(
            "{extra} bytes follow the values, so that it is no single array; \
             save it again: numpy.save(file, array)"
        ),
        error @ (Error::Io(_) | Error::ParseHeader(_)) => format!(
            "it is no .npy file, or its beginning is damaged ({error}); \
             write it with numpy.save(file, array)"
        ),
        error => error.to_string(),
    }
}
