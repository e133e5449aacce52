//! One hash for every fingerprint: FNV-1a, 64 bits, which is the same on every machine and in every
//! version, as the standard library's hasher is not promised to be.

/// Accumulates values into a fingerprint.
#[derive(Clone, Copy, Debug)]
pub struct Fnv(u64);

impl Fnv {
    /// The hash of nothing.
    pub fn new() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    /// Adds one number.
    pub fn number(self, value: u64) -> Self {
        self.bytes(&value.to_le_bytes())
    }

    /// Adds numbers in their order, without their count.
    pub fn numbers(self, values: impl IntoIterator<Item = usize>) -> Self {
        values
            .into_iter()
            .fold(self, |hash, value| hash.number(value as u64))
    }

    /// The hash so far.
    pub fn finish(self) -> u64 {
        self.0
    }

    /// The hash as 16 hexadecimal digits: JSON's numbers do not hold 64 bits everywhere.
    pub fn hex(self) -> String {
        format!("{:016x}", self.0)
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

/// A floating-point result rounded to nine significant digits, so that a last bit which differs
/// between two C libraries' mathematics does not make two right results look different.
pub fn rounded(value: f64) -> String {
    format!("{value:.8e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_test_vectors() {
        assert_eq!(Fnv::new().finish(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fnv::new().bytes(b"a").finish(), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(Fnv::new().bytes(b"foobar").hex(), "85944171f73967e8");
    }

    #[test]
    fn order_matters() {
        assert_ne!(
            Fnv::new().numbers([1, 2]).hex(),
            Fnv::new().numbers([2, 1]).hex()
        );
    }

    #[test]
    fn last_bits_do_not_change_a_rounded_value() {
        let next = f64::from_bits(12_800_855.22_f64.to_bits() + 1);
        assert_eq!(rounded(12_800_855.22), rounded(next));
        assert_ne!(rounded(1.0), rounded(1.000_000_1));
    }
}
