//! Ranks of a column by sorting it.

use crate::ranks::Unwritten;

/// Ranks columns; keeps its memory from column to column.
#[derive(Default)]
pub(crate) struct Ranking {
    keys: Vec<u64>,
    other: Vec<u64>,
}

/// How often each digit is there, at each of the three places.
type Counts = [[u32; Ranking::BUCKETS]; 3];

impl Ranking {
    const BITS: u32 = 11;
    const BUCKETS: usize = 1 << Self::BITS;

    /// Writes down the ranks of a column; returns how many values differ. `upper` has the upper halves of the
    /// orders of its values, and `order` gives the whole order of the value of a row.
    ///
    /// The upper halves are sorted by digits, each with its row in the lower half of a word. Where upper
    /// halves are equal, the few rows, or equal values, are then sorted by comparison.
    pub(crate) fn rank<const WIDE: bool>(
        &mut self,
        upper: &[u32],
        order: impl Fn(usize) -> u64,
        ranks: &mut Unwritten<WIDE>,
    ) -> u32 {
        self.sort(upper);
        let mut rank = 0;
        let order = |key: &u64| order(*key as u32 as usize);
        let mut rest = &mut self.keys[..];
        while let Some(&first) = rest.first() {
            let upper = first >> 32;
            if rest.get(1).is_none_or(|next| next >> 32 != upper) {
                ranks.put(first as u32, rank);
                rank += 1;
                rest = &mut rest[1..];
                continue;
            }
            let same = rest.iter().take_while(|&key| key >> 32 == upper).count();
            let (run, after) = rest.split_at_mut(same);
            rest = after;
            let mut last = order(&run[0]);
            if run.iter().any(|key| order(key) != last) {
                run.sort_unstable_by_key(order);
                last = order(&run[0]);
            }
            for key in run {
                let order = order(key);
                rank += u32::from(order != last);
                last = order;
                ranks.put(*key as u32, rank);
            }
            rank += 1;
        }
        rank
    }

    /// Sorts the upper halves of a column, each with its row. All digits are counted first, and columns
    /// are not moved by digits that are equal everywhere.
    fn sort(&mut self, upper: &[u32]) {
        let n_rows = upper.len();
        let mut counts: Box<Counts> = Box::new([[0; Self::BUCKETS]; 3]);
        for &upper in upper {
            for (place, counts) in (0..).zip(counts.iter_mut()) {
                counts[digit(upper.into(), place)] += 1;
            }
        }
        let keys = upper.iter().zip(0_u64..);
        let keys = keys.map(|(&upper, row)| u64::from(upper) << 32 | row);
        self.keys.resize(n_rows, 0);
        self.other.resize(n_rows, 0);
        let mut moved = false;
        for (place, counts) in (0..).zip(counts.iter_mut()) {
            if counts.contains(&(n_rows as u32)) {
                continue;
            }
            if moved {
                sort_by_digit(self.keys.iter().copied(), place, counts, &mut self.other);
            } else {
                sort_by_digit(keys.clone(), place, counts, &mut self.other);
            }
            moved = true;
            std::mem::swap(&mut self.keys, &mut self.other);
        }
        if !moved {
            self.keys.clear();
            self.keys.extend(keys);
        }
    }
}

/// A digit of an upper half that stands in the upper half of a key.
#[inline(always)]
fn digit(upper: u64, place: u32) -> usize {
    (upper >> (place * Ranking::BITS)) as usize & (Ranking::BUCKETS - 1)
}

/// Sorts keys by one digit of their upper halves, of which there are so many.
#[inline(always)]
fn sort_by_digit(
    keys: impl Iterator<Item = u64>,
    place: u32,
    counts: &mut [u32; Ranking::BUCKETS],
    sorted: &mut [u64],
) {
    let mut sum = 0;
    for count in counts.iter_mut() {
        sum += std::mem::replace(count, sum);
    }
    for key in keys {
        let next = &mut counts[digit(key >> 32, place)];
        sorted[*next as usize] = key;
        *next += 1;
    }
}
