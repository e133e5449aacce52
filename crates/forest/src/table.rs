//! The columns of the samples as ranks.

use rayon::prelude::*;

use crate::accelerate::accelerated;
use crate::{Float, Samples};

/// A number that ranks fit into.
pub(crate) trait Rank: Copy + Default + Send + Sync {
    fn widen(self) -> u32;
    fn narrow(rank: u32) -> Self;
}

impl Rank for u16 {
    #[inline(always)]
    fn widen(self) -> u32 {
        u32::from(self)
    }

    #[inline(always)]
    fn narrow(rank: u32) -> Self {
        rank as u16
    }
}

impl Rank for u32 {
    #[inline(always)]
    fn widen(self) -> u32 {
        self
    }

    #[inline(always)]
    fn narrow(rank: u32) -> Self {
        rank
    }
}

/// For every row and column the place of its value among the different values of the column, from 0.
///
/// What trees ask of values is their order, and ranks have that: they sort like small whole numbers, take
/// less memory, and know nothing of what goes wrong with close, huge or tiny values.
#[derive(Default)]
pub(crate) struct Table<R> {
    n_rows: usize,
    /// Column after column.
    ranks: Vec<R>,
    /// Different values of each column.
    n_ranks: Vec<u32>,
}

impl<R: Rank> Table<R> {
    /// Ranks the values of samples, which are finite.
    pub(crate) fn new<F: Float>(samples: &Samples<F>) -> Self {
        let (n_rows, n_features) = (samples.n_samples(), samples.n_features());
        let mut ranks = vec![R::default(); n_rows * n_features];
        let mut n_ranks = vec![0; n_features];
        ranks
            .par_chunks_mut(n_rows * GROUP)
            .zip(n_ranks.par_chunks_mut(GROUP))
            .enumerate()
            .for_each(|(group, (ranks, n_ranks))| {
                let width = n_ranks.len();
                let mut values = vec![0; n_rows * width];
                transpose(samples, group * GROUP, width, &mut values);
                let mut ranking = Ranking::default();
                let columns = ranks.chunks_mut(n_rows).zip(values.chunks(n_rows));
                for ((ranks, values), n_ranks) in columns.zip(n_ranks) {
                    *n_ranks = ranking.rank(values, ranks);
                }
            });
        Table {
            n_rows,
            ranks,
            n_ranks,
        }
    }

    /// The ranks of one column, and how many different ones there are.
    #[inline(always)]
    pub(crate) fn column(&self, feature: usize) -> (&[R], usize) {
        let column = &self.ranks[feature * self.n_rows..][..self.n_rows];
        (column, self.n_ranks[feature] as usize)
    }
}

/// Columns that are read from the rows together: a part of a cache line.
const GROUP: usize = 4;

/// Writes the orders of the values of neighbouring columns, column after column.
fn transpose<F: Float>(samples: &Samples<F>, first: usize, width: usize, values: &mut [u64]) {
    let n_rows = samples.n_samples();
    let rows = samples.values().chunks_exact(samples.n_features());
    for (row, features) in rows.enumerate() {
        for (column, value) in features[first..][..width].iter().enumerate() {
            values[column * n_rows + row] = value.order();
        }
    }
}

/// Ranks columns; keeps its memory from column to column.
#[derive(Default)]
struct Ranking {
    keys: Vec<u64>,
    other: Vec<u64>,
}

impl Ranking {
    const BITS: u32 = 11;
    const BUCKETS: usize = 1 << Self::BITS;

    /// Ranks values given by their orders; returns how many differ.
    ///
    /// The upper halves are sorted by digits, each with its row in the lower half. Where upper halves are
    /// equal, the few rows, or equal values, are then sorted by comparison.
    fn rank<R: Rank>(&mut self, values: &[u64], ranks: &mut [R]) -> u32 {
        self.keys.clear();
        let upper = |(row, &value): (usize, &u64)| value >> 32 << 32 | row as u64;
        self.keys.extend(values.iter().enumerate().map(upper));
        self.other.resize(self.keys.len(), 0);
        for shift in [32, 32 + Self::BITS, 32 + 2 * Self::BITS] {
            self.sort_by_digit(shift);
        }
        let mut rank = 0;
        let value = |key: &u64| values[*key as u32 as usize];
        let mut start = 0;
        while start < self.keys.len() {
            let upper = self.keys[start] >> 32;
            let same = self.keys[start..]
                .iter()
                .take_while(|&key| key >> 32 == upper);
            let same = same.count();
            let run = &mut self.keys[start..start + same];
            if run.iter().any(|key| value(key) != value(&run[0])) {
                run.sort_unstable_by_key(value);
            }
            let mut last = value(&run[0]);
            for key in run {
                rank += u32::from(value(key) != last);
                last = value(key);
                ranks[*key as u32 as usize] = R::narrow(rank);
            }
            rank += 1;
            start += same;
        }
        rank
    }

    fn sort_by_digit(&mut self, shift: u32) {
        let digit = |key: u64| (key >> shift) as usize & (Self::BUCKETS - 1);
        let mut places = vec![0_u32; Self::BUCKETS];
        for &key in &self.keys {
            places[digit(key)] += 1;
        }
        if places.contains(&(self.keys.len() as u32)) {
            return;
        }
        let mut sum = 0;
        for place in &mut places {
            sum += std::mem::replace(place, sum);
        }
        for &key in &self.keys {
            let place = &mut places[digit(key)];
            self.other[*place as usize] = key;
            *place += 1;
        }
        std::mem::swap(&mut self.keys, &mut self.other);
    }
}

/// Makes tables of a few rows out of larger ones; keeps its memory from table to table.
#[derive(Default)]
pub(crate) struct Compaction {
    ranks: Vec<u32>,
    bits: Vec<u64>,
    before: Vec<u32>,
    different: Vec<u32>,
}

impl Compaction {
    /// Makes `small` the table of these rows of `large`, no more than 2¹⁶, in their order.
    pub(crate) fn compact<R: Rank>(
        &mut self,
        large: &Table<R>,
        rows: &[u32],
        small: &mut Table<u16>,
    ) {
        let n_features = large.n_ranks.len();
        small.n_rows = rows.len();
        small.n_ranks.clear();
        // What is left over from other tables is overwritten.
        small.ranks.resize(rows.len() * n_features, 0);
        for (feature, ranks) in small.ranks.chunks_exact_mut(rows.len()).enumerate() {
            let (column, n_ranks) = large.column(feature);
            self.ranks.clear();
            self.ranks
                .extend(rows.iter().map(|&row| column[row as usize].widen()));
            let n_ranks = if n_ranks / 64 <= 8 * rows.len() {
                accelerated(|| self.by_bits(n_ranks, ranks))
            } else {
                self.by_sorting(ranks)
            };
            small.n_ranks.push(n_ranks);
        }
    }

    /// A new rank is the number of old ranks before the row's.
    #[inline(always)]
    fn by_bits(&mut self, n_ranks: usize, out: &mut [u16]) -> u32 {
        self.bits.clear();
        self.bits.resize(n_ranks.div_ceil(64), 0);
        self.before.clear();
        for &rank in &self.ranks {
            self.bits[rank as usize / 64] |= 1 << (rank % 64);
        }
        let mut sum = 0;
        for word in &self.bits {
            self.before.push(sum);
            sum += word.count_ones();
        }
        for (out, &rank) in out.iter_mut().zip(&self.ranks) {
            let word = rank as usize / 64;
            let below = self.bits[word] & ((1 << (rank % 64)) - 1);
            *out = (self.before[word] + below.count_ones()) as u16;
        }
        sum
    }

    fn by_sorting(&mut self, out: &mut [u16]) -> u32 {
        self.different.clone_from(&self.ranks);
        self.different.sort_unstable();
        self.different.dedup();
        for (out, rank) in out.iter_mut().zip(&self.ranks) {
            *out = self.different.partition_point(|other| other < rank) as u16;
        }
        self.different.len() as u32
    }
}

/// The values of the samples themselves, column after column: what random thresholds are drawn for.
pub(crate) struct Values<F> {
    n_rows: usize,
    values: Vec<F>,
}

impl<F: Float> Values<F> {
    pub(crate) fn new(samples: &Samples<F>) -> Self {
        let (n_rows, n_features) = (samples.n_samples(), samples.n_features());
        let mut values = vec![F::default(); n_rows * n_features];
        values
            .par_chunks_mut(n_rows * GROUP)
            .enumerate()
            .for_each(|(group, columns)| {
                let rows = samples.values().chunks_exact(n_features);
                for (row, features) in rows.enumerate() {
                    let features = features[group * GROUP..].iter();
                    for (column, value) in columns.chunks_mut(n_rows).zip(features) {
                        column[row] = *value;
                    }
                }
            });
        Values { n_rows, values }
    }

    pub(crate) fn column(&self, feature: usize) -> &[F] {
        &self.values[feature * self.n_rows..][..self.n_rows]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[track_caller]
    fn check<F: Float>(values: &[F], n_features: usize) {
        let samples = Samples::new(values, n_features).unwrap();
        let (wide, narrow) = (Table::<u32>::new(&samples), Table::<u16>::new(&samples));
        let plain = Values::new(&samples);
        for feature in 0..n_features {
            let column: Vec<F> = (0..samples.n_samples())
                .map(|i| samples.row(i)[feature])
                .collect();
            assert_eq!(plain.column(feature), column);
            let mut different = column.clone();
            different.sort_by(|a, b| a.partial_cmp(b).unwrap());
            different.dedup();
            let place = |x: &F| different.iter().position(|y| x == y).unwrap() as u32;
            let expected: Vec<u32> = column.iter().map(place).collect();
            assert_eq!(wide.column(feature), (&expected[..], different.len()));
            let found = narrow.column(feature).0.iter().map(|&rank| u32::from(rank));
            assert!(found.eq(expected));
        }
    }

    #[test]
    fn a_part_of_the_rows_has_ranks_of_its_own() {
        let mut random = Random::new(6);
        let mut compaction = Compaction::default();
        let mut small = Table::default();
        for (n, part, spread) in [
            (10, 3, 4),
            (200, 50, 1000),
            (20_000, 30, 20_000),
            (300, 300, 7),
        ] {
            let values: Vec<f64> = (0..n * 3).map(|_| random.below(spread) as f64).collect();
            let large = Table::<u32>::new(&Samples::new(&values, 3).unwrap());
            let mut rows: Vec<u32> = (0..n as u32).collect();
            random.shuffle(&mut rows);
            rows.truncate(part);
            compaction.compact(&large, &rows, &mut small);
            let chosen = rows
                .iter()
                .flat_map(|&row| &values[row as usize * 3..][..3]);
            let chosen: Vec<f64> = chosen.copied().collect();
            let expected = Table::<u16>::new(&Samples::new(&chosen, 3).unwrap());
            for feature in 0..3 {
                assert_eq!(small.column(feature), expected.column(feature));
            }
        }
    }

    #[test]
    fn ranks_are_places_among_different_values() {
        check(&[5.0, 1e-300, -1.0, 0.0, 5.0, -0.0, 1e9, -1e300], 2);
        check(&[f32::MIN, f32::MAX, 0.0, -0.0, 1e-45], 1);
        check(&[1.0, 1.0_f64.next_up(), 1.0_f64.next_down(), 1.0], 1);
        check(&[3.0; 20], 5);
        check(&[7.0], 1);
        let mut random = Random::new(4);
        for n_features in [1, 3, 4, 9] {
            let near: Vec<f64> = (0..n_features * 150)
                .map(|_| 1.0 + random.below(50) as f64 * f64::EPSILON)
                .collect();
            check(&near, n_features);
            let bits = near
                .iter()
                .map(|_| f64::from_bits(random.next() & !(1 << 62)));
            check(&bits.collect::<Vec<f64>>(), n_features);
            let units: Vec<f32> = near.iter().map(|_| random.unit() as f32 - 0.5).collect();
            check(&units, n_features);
        }
    }
}
