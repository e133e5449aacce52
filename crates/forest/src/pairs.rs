//! The places of a few ranks by comparing all with each other.

/// Ranks that are compared with one at the same time: what four registers hold.
const LANES: usize = 64;

/// The most ranks for which this is the fastest way.
const MOST: usize = 2 * LANES;

/// A few ranks and their places. Finding these takes many comparisons, but there is nothing to guess for the
/// processor, which makes many of them at a time.
pub(crate) struct Pairs {
    /// The ranks less 2¹⁵: there are instructions that compare numbers with a sign.
    ranks: [i16; MOST],
    /// For each rank how many are less.
    places: [i16; MOST],
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs {
            ranks: [0; MOST],
            places: [0; MOST],
        }
    }
}

impl Pairs {
    /// Whether it can be done for `n` out of so many ranks.
    #[inline(always)]
    pub(crate) fn fit(n: usize, n_ranks: usize) -> bool {
        n <= MOST && n_ranks <= 1 << 16
    }

    /// The places of ranks that all differ; nothing if they do not.
    #[inline(always)]
    pub(crate) fn places(
        &mut self,
        ranks: impl ExactSizeIterator<Item = u32>,
    ) -> Option<impl Iterator<Item = u32>> {
        let n = ranks.len();
        for (signed, rank) in self.ranks.iter_mut().zip(ranks) {
            *signed = (rank as u16 ^ 1 << 15) as i16;
        }
        let (lanes, _) = self.ranks.as_chunks();
        let (places, _) = self.places.as_chunks_mut();
        for (lanes, places) in lanes.iter().zip(places).take(n.div_ceil(LANES)) {
            *places = numbers_less(&self.ranks[..n], lanes);
        }
        let places = self.places[..n].iter().map(|&place| place as u32);
        // Equal ranks have one place, and those that follow it are missing in the sum.
        let sum: u32 = places.clone().sum();
        (sum as usize == n * n.saturating_sub(1) / 2).then_some(places)
    }

    /// The rank at a place; there must be one.
    pub(crate) fn nth(&self, place: u32) -> u32 {
        let found = self.places.iter().position(|&other| other as u32 == place);
        found.map_or(0, |at| u32::from(self.ranks[at] as u16 ^ 1 << 15))
    }
}

/// How many ranks are less than each of these.
#[inline(always)]
fn numbers_less(ranks: &[i16], lanes: &[i16; LANES]) -> [i16; LANES] {
    let mut less = [0; LANES];
    for &rank in ranks {
        for (less, &lane) in less.iter_mut().zip(lanes) {
            *less += i16::from(rank < lane);
        }
    }
    less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_have_places_where_all_differ() {
        let mut pairs = Pairs::default();
        for ranks in [&[40_000, 0, 65_535, 7, 32_768, 32_767][..], &[3], &[]] {
            let mut sorted = ranks.to_vec();
            sorted.sort_unstable();
            let place = |rank| sorted.iter().position(|other| other == rank).unwrap() as u32;
            let expected: Vec<u32> = ranks.iter().map(place).collect();
            let found: Vec<u32> = pairs.places(ranks.iter().copied()).unwrap().collect();
            assert_eq!(found, expected);
            for (&rank, place) in ranks.iter().zip(expected) {
                assert_eq!(pairs.nth(place), rank);
            }
        }
        assert!(pairs.places([5, 1, 5].into_iter()).is_none());
        assert!(pairs.places((0..128).map(|i| i / 127 * 126)).is_none());
    }
}
