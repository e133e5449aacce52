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

    /// Adds ranks.
    #[inline(always)]
    pub(crate) fn add(&mut self, ranks: &[u32]) {
        let words = &mut self.0[..];
        for &rank in ranks {
            words[rank as usize / 64].bits |= 1 << (rank % 64);
        }
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

    /// For each of some ranks how many come before it.
    #[inline(always)]
    pub(crate) fn before(&self, ranks: &[u32]) -> impl Iterator<Item = u32> {
        let words = &self.0[..];
        ranks.iter().map(|rank| {
            let word = words[*rank as usize / 64];
            let below = word.bits & ((1 << (rank % 64)) - 1);
            word.before + below.count_ones()
        })
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
            words.add(ranks);
            words.add(&ranks[..1]);
            assert_eq!(words.count(), ranks.len() as u32);
            let before: Vec<u32> = words.before(ranks).collect();
            assert!(before.iter().copied().eq(0..ranks.len() as u32));
            for (before, &rank) in (0..).zip(ranks) {
                assert_eq!(words.nth(before), rank);
            }
            let below = ranks.iter().filter(|&&rank| rank < 299).count() as u32;
            assert!(words.before(&[299]).eq([below]));
        }
    }
}
