//! The checksum of an answer.

use super::Answer;

/// A multiplicative hash over words of eight bytes: an answer of megabytes must not cost more in its
/// checksum than in its decoding, as a hash over single bytes would.
pub(super) struct Checksum(u64);

impl Checksum {
    pub(super) fn new() -> Self {
        Self(0x6462_6c6f_6164_0001)
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// The length comes first, so that moving a byte from one field to the next is noticed.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    pub(super) fn integer(&mut self, value: impl Into<i64>) {
        self.word(value.into().cast_unsigned());
    }

    pub(super) fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.bytes(text.as_bytes()),
            // No text has this length.
            None => self.word(u64::MAX),
        }
    }

    pub(super) fn answer(self, rows: u64) -> Answer {
        Answer {
            rows,
            checksum: self.0,
        }
    }
}
