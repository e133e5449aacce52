//! Ranks of columns in as little memory as their number allows.

use crate::huge_pages;

/// Ranks that fit into 16 bits, or where they are `WIDE` a few more: most of what is read is the lower 16 bits, and
/// the upper ones are packed beside them.
#[derive(Default)]
pub(crate) struct Ranks<const WIDE: bool> {
    n_rows: usize,
    /// Column after column.
    low: Vec<u16>,
    /// Column after column, each from a word of its own on.
    high: Vec<u16>,
    shape: Shape,
}

/// How upper bits are packed: a rank has 2 to the power of this many.
#[derive(Debug, Clone, Copy, Default)]
struct Shape(u32);

impl Shape {
    /// For ranks below this number.
    fn of(n_ranks: usize) -> Self {
        let bits = n_ranks
            .saturating_sub(1)
            .checked_ilog2()
            .map_or(0, |log| log + 1);
        Shape(
            bits.saturating_sub(u16::BITS)
                .max(1)
                .next_power_of_two()
                .ilog2(),
        )
    }

    /// The words of so many rows.
    fn words(self, n_rows: usize) -> usize {
        (n_rows << self.0).div_ceil(u16::BITS as usize)
    }

    /// The word and the bit where those of a row begin.
    #[inline(always)]
    fn place(self, row: u32) -> (usize, usize) {
        let place = (row as usize) << self.0;
        (place / u16::BITS as usize, place % u16::BITS as usize)
    }
}

impl<const WIDE: bool> Ranks<WIDE> {
    /// Whether the ranks of so many rows fit.
    pub(crate) fn fit(n_rows: usize) -> bool {
        WIDE || n_rows <= 1 << u16::BITS
    }

    /// Reserves memory for columns whose lower bits take that much.
    pub(crate) fn reserve(&mut self, n_rows: usize, n_columns: usize) {
        let missing = (n_rows * n_columns).saturating_sub(self.low.len());
        self.low.reserve_exact(missing);
    }

    /// Makes room for columns whose ranks are written next; they must fit. Memory is kept.
    pub(crate) fn reshape(&mut self, n_rows: usize, n_columns: usize) {
        debug_assert!(Self::fit(n_rows));
        self.n_rows = n_rows;
        if self.low.capacity() == 0 {
            self.low = huge_pages::zeros(n_rows * n_columns);
        } else {
            // What is left over is overwritten.
            self.low.resize(n_rows * n_columns, 0);
        }
        if WIDE {
            self.shape = Shape::of(n_rows);
            self.high.clear();
            self.high.resize(self.shape.words(n_rows) * n_columns, 0);
        }
    }

    /// The ranks of a column.
    #[inline(always)]
    pub(crate) fn column(&self, column: usize) -> Column<'_, WIDE> {
        let words = if WIDE {
            self.shape.words(self.n_rows)
        } else {
            0
        };
        Column {
            low: &self.low[column * self.n_rows..][..self.n_rows],
            high: &self.high[column * words..][..words],
            shape: self.shape,
        }
    }

    /// All columns, each of which has to be written.
    pub(crate) fn unwritten(&mut self) -> impl Iterator<Item = Unwritten<'_, WIDE>> {
        let shape = self.shape;
        let mut high = self.high.chunks_exact_mut(shape.words(self.n_rows));
        let low = self.low.chunks_exact_mut(self.n_rows);
        low.map(move |low| Unwritten {
            low,
            high: high.next().unwrap_or_default(),
            shape,
        })
    }
}

/// The ranks of the rows of a column.
#[derive(Clone, Copy)]
pub(crate) struct Column<'a, const WIDE: bool> {
    low: &'a [u16],
    high: &'a [u16],
    shape: Shape,
}

impl<const WIDE: bool> Column<'_, WIDE> {
    /// The rank of a row.
    #[inline(always)]
    pub(crate) fn rank(self, row: u32) -> u32 {
        let low = u32::from(self.low[row as usize]);
        if !WIDE {
            return low;
        }
        let (word, bit) = self.shape.place(row);
        let mask = (1 << (1 << self.shape.0)) - 1;
        (u32::from(self.high[word]) >> bit & mask) << u16::BITS | low
    }

    /// The ranks of some rows, in their order.
    #[inline(always)]
    pub(crate) fn gather(self, rows: &[u32], ranks: &mut Vec<u32>) {
        ranks.resize(rows.len(), 0);
        for (rank, &row) in ranks.iter_mut().zip(rows) {
            *rank = self.rank(row);
        }
    }
}

/// A column whose ranks are still to be written, that of each row once.
pub(crate) struct Unwritten<'a, const WIDE: bool> {
    low: &'a mut [u16],
    high: &'a mut [u16],
    shape: Shape,
}

impl<const WIDE: bool> Unwritten<'_, WIDE> {
    /// Writes the rank of a row.
    #[inline(always)]
    pub(crate) fn put(&mut self, row: u32, rank: u32) {
        self.low[row as usize] = rank as u16;
        if WIDE {
            let (word, bit) = self.shape.place(row);
            self.high[word] |= ((rank >> u16::BITS) << bit) as u16;
        }
    }
}

impl Unwritten<'_, false> {
    /// Writes the ranks of all rows.
    #[inline(always)]
    pub(crate) fn fill(&mut self, ranks: impl Iterator<Item = u32>) {
        for (low, rank) in self.low.iter_mut().zip(ranks) {
            *low = rank as u16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[track_caller]
    fn check<const WIDE: bool>(n_rows: usize, bits: u32) {
        let mut ranks = Ranks::<WIDE>::default();
        let mut random = Random::new(n_rows as u64);
        // Nothing may be left over from the first time.
        for n_columns in [3, 2] {
            let values: Vec<u32> = (0..n_rows * n_columns)
                .map(|_| random.below(n_rows) as u32)
                .collect();
            ranks.reshape(n_rows, n_columns);
            let columns = ranks.unwritten().zip(values.chunks_exact(n_rows));
            for (mut column, values) in columns {
                (0..)
                    .zip(values)
                    .for_each(|(row, &rank)| column.put(row, rank));
            }
            let rows: Vec<u32> = (0..n_rows as u32).rev().collect();
            let mut found = Vec::new();
            for (column, values) in values.chunks_exact(n_rows).enumerate() {
                ranks.column(column).gather(&rows, &mut found);
                assert!(found.iter().eq(values.iter().rev()));
            }
            let all = 16 * (ranks.low.len() + ranks.high.len());
            assert!(all < n_rows * n_columns * bits as usize + 16 * n_columns);
        }
    }

    #[test]
    fn ranks_take_little_memory() {
        check::<false>(1, 16);
        check::<false>(1 << 16, 16);
        check::<true>(1, 17);
        check::<true>((1 << 16) + 1, 17);
        check::<true>((1 << 17) + 1, 18);
        check::<true>((1 << 18) + 5, 20);
        check::<true>((1 << 20) + 1, 24);
        assert_eq!(Shape::of(1 << 24).0, 3);
        assert_eq!(Shape::of((1 << 24) + 1).0, 4);
        assert_eq!(Shape::of(1 << 32).0, 4);
    }
}
