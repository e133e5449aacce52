//! Files of the kernel that stay open and are read again and again.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::ProbeError;

/// A file below `/proc` or `/sys` that is read from its beginning each time, without allocating.
///
/// A file of a process stays that of *this* process: once it has ended, reading fails, also when its
/// number is in use again.
#[derive(Debug)]
pub(crate) struct KeptFile {
    file: File,
    pid: Option<u32>,
    path: String,
}

impl KeptFile {
    /// Opens a file of a process; `None` is this one.
    pub(crate) fn open(pid: Option<u32>, name: &str) -> Result<Self, ProbeError> {
        let path = match pid {
            Some(pid) => format!("/proc/{pid}/{name}"),
            None => format!("/proc/self/{name}"),
        };
        match File::open(&path) {
            Ok(file) => Ok(Self { file, pid, path }),
            Err(source) => Err(ProbeError::reading(&path, pid, source)),
        }
    }

    /// Its text now, as much of it as fits into the buffer in whole lines.
    pub(crate) fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], ProbeError> {
        read_at_start(&self.file, buffer)
            .map_err(|source| ProbeError::reading(&self.path, self.pid, source))
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }
}

/// The text of a file, as much of it as fits into the buffer in whole words.
///
/// One call is enough for the files read here: the kernel makes the whole text of a file of a process at
/// once. A buffer that is filled to its end may have cut a number in two, which would be a wrong one.
pub(crate) fn read_at_start<'b>(file: &File, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let length = loop {
        match file.read_at(buffer, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other?,
        }
    };
    let text = &buffer[..length];
    if length < buffer.len() {
        return Ok(text);
    }
    let whole = text.iter().rposition(u8::is_ascii_whitespace).unwrap_or(0);
    Ok(&text[..whole])
}

/// A path made without allocating; long enough for every path below `/proc/<pid>/task/<tid>/`.
pub(crate) struct ShortPath {
    bytes: [u8; 64],
    length: usize,
}

impl ShortPath {
    /// `None` where the path is longer than any that is meant to be made.
    pub(crate) fn new(path: fmt::Arguments<'_>) -> Option<Self> {
        let mut short = Self {
            bytes: [0; 64],
            length: 0,
        };
        short.write_fmt(path).ok()?;
        Some(short)
    }

    pub(crate) fn as_str(&self) -> &str {
        // Only whole `str`s were written.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Write for ShortPath {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length + part.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_full_buffer_ends_with_a_whole_word() {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(b"12 345 6789\n").expect("it can be written");
        let read = |length: usize| {
            let mut buffer = vec![0; length];
            read_at_start(&file, &mut buffer)
                .expect("it can be read")
                .to_vec()
        };
        assert_eq!(read(100), b"12 345 6789\n");
        assert_eq!(read(8), b"12 345");
        assert_eq!(read(2), b"");
    }

    #[test]
    fn short_paths_are_made_whole_or_not_at_all() {
        let path = ShortPath::new(format_args!(
            "/proc/{}/task/{}/children",
            u32::MAX,
            u32::MAX
        ));
        assert_eq!(
            path.expect("it fits").as_str(),
            "/proc/4294967295/task/4294967295/children"
        );
        assert!(ShortPath::new(format_args!("{:65}", "")).is_none());
    }

    #[test]
    fn files_of_nobody_are_gone() {
        let error = KeptFile::open(Some(1 << 23), "stat").expect_err("no such process");
        assert!(matches!(error, ProbeError::Gone { .. }), "{error}");
    }
}
