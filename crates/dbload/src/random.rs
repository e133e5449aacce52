//! The generator behind users and parameters.

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
/// 2014): a 64-bit counter and a mixing function.
///
/// It is small, has no platform dependence, and can be started anywhere, which is what makes the
/// user with a given number computable without the users before it.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The generator of the reference implementation, started at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// An independent generator for each `stream` of one `seed`.
    ///
    /// Both numbers go through the mixing function, as two plain counters would give streams that
    /// are shifted copies of each other.
    pub(crate) fn stream(seed: u64, stream: u64) -> Self {
        Self::new(mix(
            seed.wrapping_add(GAMMA) ^ mix(stream.wrapping_add(GAMMA))
        ))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number in `0..bound`, by the high half of a 128-bit product (Lemire 2019, without the
    /// rejection step: the bias is below the bound divided by 2⁶⁴, at most 2⁻³²).
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let high = (u128::from(self.next()) * u128::from(bound)) >> 64;
        u32::try_from(high).expect("the high half is below the bound, which is a u32")
    }
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_reference_implementation() {
        let mut random = SplitMix64::new(1_234_567);
        let drawn: Vec<u64> = (0..5).map(|_| random.next()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| SplitMix64::stream(seed, stream).next();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(0, 0), first(0, 1));
        assert_ne!(first(0, 0), first(1, 0));
    }

    #[test]
    fn draws_reach_every_number_below_the_bound_and_no_other() {
        let mut random = SplitMix64::new(7);
        let mut counts = [0_u32; 5];
        for _ in 0..5_000 {
            counts[random.below(5) as usize] += 1;
        }
        assert!(
            counts.iter().all(|&count| (800..1_200).contains(&count)),
            "{counts:?}"
        );
        assert_eq!(random.below(1), 0);
    }
}
