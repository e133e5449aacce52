//! Sets of ranks as bits, which know how many of them come before one.

/// 64 ranks: which of them are in the set, and how many come before them. Both lie together because both are
/// asked for together.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    bits: u64,
    before: u32,
}

/// A set of ranks.
#[derive(Debug, Default)]
pub(crate) struct Words(Vec<Word>);

impl Words {
    /// The empty set of ranks below this number.
    #[inline(always)]
    pub(crate) fn clear(&mut self, n_ranks: usize) {
        self.0.clear();
        self.0.resize(n_ranks.div_ceil(64), Word::default());
    }

    /// Adds a rank; returns 1 if it was there already.
    #[inline(always)]
    pub(crate) fn set(&mut self, rank: u32) -> u64 {
        let word = &mut self.0[rank as usize / 64];
        let was = word.bits >> (rank % 64) & 1;
        word.bits |= 1 << (rank % 64);
        was
    }

    /// Counts the ranks, after which [`before`](Self::before) knows about them.
    #[inline(always)]
    pub(crate) fn count(&mut self) -> u32 {
        let mut sum = 0;
        for word in &mut self.0 {
            word.before = sum;
            sum += word.bits.count_ones();
        }
        sum
    }

    /// How many ranks come before one.
    #[inline(always)]
    pub(crate) fn before(&self, rank: u32) -> u32 {
        let word = self.0[rank as usize / 64];
        let below = word.bits & ((1 << (rank % 64)) - 1);
        word.before + below.count_ones()
    }

    /// The rank that so many come before; there must be one.
    pub(crate) fn nth(&self, before: u32) -> u32 {
        let index = self.0.partition_point(|word| word.before <= before) - 1;
        let Word {
            mut bits,
            before: sum,
        } = self.0[index];
        for _ in sum..before {
            bits &= bits - 1;
        }
        index as u32 * 64 + bits.trailing_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_counted() {
        let mut words = Words::default();
        for ranks in [&[0, 1, 63, 64, 200, 299][..], &[5], &[128, 191]] {
            words.clear(300);
            for &rank in ranks {
                assert_eq!(words.set(rank), 0);
                assert_eq!(words.set(rank), 1);
            }
            assert_eq!(words.count(), ranks.len() as u32);
            for (before, &rank) in (0..).zip(ranks) {
                assert_eq!((words.before(rank), words.nth(before)), (before, rank));
            }
            assert_eq!(
                words.before(299),
                ranks.iter().filter(|&&rank| rank < 299).count() as u32
            );
        }
    }
}
