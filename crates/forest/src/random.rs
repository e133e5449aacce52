//! Random numbers.

/// A stream of random numbers that a seed determines: SplitMix64 (G. L. Steele, D. Lea and C. H.
/// Flood, *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014). Its state is one number,
/// so that every node of every tree can have a stream of its own: what is drawn at a node does not
/// depend on the order in which nodes are grown.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The stream of the `index`-th of several things that share a seed.
    pub(crate) fn nth(seed: u64, index: u64) -> Self {
        let mut mixed = Random(seed);
        let seed = mixed.next();
        let mut mixed = Random(seed ^ index.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Random(mixed.next())
    }

    /// A number of 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in [0, 1), of 53 random bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // The bias is at most end / 2⁶⁴.
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// Puts things into random order.
    pub(crate) fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation.
    #[test]
    fn the_stream_is_that_of_the_paper() {
        let mut random = Random::new(1234567);
        let expected = [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
        ];
        assert_eq!([(); 3].map(|()| random.next()), expected);
    }

    #[test]
    fn draws_are_spread_evenly() {
        let mut counts = [0_i32; 10];
        for index in 0..10_000 {
            counts[Random::nth(7, index).below(10)] += 1;
        }
        // Four standard deviations.
        assert!(counts.iter().all(|n| (n - 1000).abs() < 120), "{counts:?}");
    }
}
