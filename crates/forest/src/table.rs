//! The columns of the samples as ranks.

use std::sync::Mutex;

use rayon::prelude::*;

use crate::accelerate::accelerated;
use crate::float::upper_halves;
use crate::words::Words;
use crate::{Float, ForestError, Samples};

/// A number that ranks fit into.
pub(crate) trait Rank: Copy + Default + Send + Sync {
    fn widen(self) -> u32;
    /// Has columns of this length filled, some at a time: the number of the first one is told with them.
    fn fill(ranks: &mut [Self], n_rows: usize, fill: impl FnMut(usize, &mut [u32]));
}

impl Rank for u16 {
    #[inline(always)]
    fn widen(self) -> u32 {
        u32::from(self)
    }

    fn fill(ranks: &mut [u16], n_rows: usize, mut fill: impl FnMut(usize, &mut [u32])) {
        // As many as possible, because neighbours lie in one cache line, but they take memory, too.
        let width = ((1 << 19) / n_rows).max(32);
        let mut wide = Vec::new();
        for (first, ranks) in (0..).step_by(width).zip(ranks.chunks_mut(n_rows * width)) {
            wide.resize(ranks.len(), 0);
            fill(first, &mut wide);
            let columns = ranks.par_chunks_mut(n_rows).zip(wide.par_chunks(n_rows));
            columns.for_each(|(ranks, wide)| {
                let wide = wide.iter().map(|&rank| rank as u16);
                ranks.iter_mut().zip(wide).for_each(|(to, from)| *to = from);
            });
        }
    }
}

impl Rank for u32 {
    #[inline(always)]
    fn widen(self) -> u32 {
        self
    }

    fn fill(ranks: &mut [u32], _n_rows: usize, mut fill: impl FnMut(usize, &mut [u32])) {
        fill(0, ranks);
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
    /// A number that all ranks of each column are below. If it is that of the rows, the ranks differ.
    n_ranks: Vec<u32>,
}

impl<R: Rank> Table<R> {
    /// Ranks the values of samples.
    ///
    /// # Errors
    /// A value that is NaN or infinite.
    pub(crate) fn new<F: Float>(samples: &Samples<F>) -> Result<Self, ForestError> {
        let (n_rows, n_features) = (samples.n_samples(), samples.n_features());
        let mut ranks = vec![R::default(); n_rows * n_features];
        let mut n_ranks = vec![0; n_features];
        // Memory that has been used before, which saves asking the system for it again.
        let used = Mutex::new(Vec::<Ranking>::new());
        // Columns that are a task: one, if it is not short.
        let group_len = (1 << 16) / n_rows.min(1 << 16);
        let mut all_finite = true;
        R::fill(&mut ranks, n_rows, |first, columns| {
            // The upper halves of the orders of the values are where the ranks will be.
            all_finite &= transpose(samples, first, columns);
            let n_ranks = &mut n_ranks[first..][..columns.len() / n_rows];
            let groups = columns
                .par_chunks_mut(n_rows * group_len)
                .zip(n_ranks.par_chunks_mut(group_len));
            let groups = groups.enumerate().with_max_len(1);
            groups.for_each(|(group, (columns, n_ranks))| {
                // The lock is held for no longer than a pop or a push takes, which do not panic.
                let taken = used.lock().ok().and_then(|mut used| used.pop());
                let mut ranking = taken.unwrap_or_default();
                let columns = columns.chunks_mut(n_rows).zip(n_ranks);
                for (feature, (column, n_ranks)) in (first + group * group_len..).zip(columns) {
                    let value = |row: usize| samples.values()[row * n_features + feature];
                    *n_ranks = ranking.rank(column, |row| value(row).order());
                }
                if let Ok(mut used) = used.lock() {
                    used.push(ranking);
                }
            });
        });
        if !all_finite {
            samples.check_finite()?;
        }
        Ok(Table {
            n_rows,
            ranks,
            n_ranks,
        })
    }

    /// The ranks of one column, and a number that they are below: how many differ, or more.
    #[inline(always)]
    pub(crate) fn column(&self, feature: usize) -> (&[R], usize) {
        let column = &self.ranks[feature * self.n_rows..][..self.n_rows];
        (column, self.n_ranks[feature] as usize)
    }
}

/// The ranks of some rows of a column, in their order.
#[inline(always)]
pub(crate) fn gather<R: Rank>(column: &[R], rows: &[u32], ranks: &mut Vec<u32>) {
    ranks.resize(rows.len(), 0);
    for (rank, &row) in ranks.iter_mut().zip(rows) {
        *rank = column[row as usize].widen();
    }
}

/// Rows and columns that are transposed at a time: they stay in the first-level cache meanwhile.
const BLOCK: [usize; 2] = [64, 64];

/// Reads neighbouring columns, of which `first` is the first: the upper halves of the orders of their values.
/// Each thread reads a part of the rows. Returns whether all values are finite.
fn transpose<F: Float>(samples: &Samples<F>, first: usize, columns: &mut [u32]) -> bool {
    let (n_rows, n_features) = (samples.n_samples(), samples.n_features());
    let part_len = n_rows.div_ceil(8 * rayon::current_num_threads());
    let part_len = part_len.next_multiple_of(BLOCK[0]);
    let mut parts: Vec<Vec<&mut [u32]>> = Vec::new();
    parts.resize_with(n_rows.div_ceil(part_len), Vec::new);
    for column in columns.chunks_exact_mut(n_rows) {
        for (part, piece) in parts.iter_mut().zip(column.chunks_mut(part_len)) {
            part.push(piece);
        }
    }
    let rows = samples.values().par_chunks(part_len * n_features);
    let parts = parts.par_iter_mut().zip(rows).with_max_len(1);
    let read = |(columns, rows): (&mut Vec<_>, _)| {
        accelerated!(|| transpose_part(rows, n_features, first, columns))
    };
    parts.map(read).reduce(|| true, |a, b| a & b)
}

/// Reads some rows.
#[inline(always)]
fn transpose_part<F: Float>(
    rows: &[F],
    n_features: usize,
    first: usize,
    columns: &mut [&mut [u32]],
) -> bool {
    let [height, width] = BLOCK;
    let mut block = [0; BLOCK[0] * BLOCK[1]];
    let mut finite = true;
    for (start, rows) in (0..).step_by(height).zip(rows.chunks(height * n_features)) {
        let rows = rows.chunks_exact(n_features);
        let n_here = rows.len();
        for (from, columns) in (first..).step_by(width).zip(columns.chunks_mut(width)) {
            for (row, upper) in rows.clone().zip(block.chunks_exact_mut(width)) {
                finite &= upper_halves(&row[from..][..columns.len()], upper);
            }
            for (place, column) in columns.iter_mut().enumerate() {
                let here = block[place..].iter().step_by(width);
                column[start..][..n_here]
                    .iter_mut()
                    .zip(here)
                    .for_each(|(to, from)| *to = *from);
            }
        }
    }
    finite
}

/// Ranks columns; keeps its memory from column to column.
#[derive(Default)]
struct Ranking {
    keys: Vec<u64>,
    other: Vec<u64>,
}

/// How often each digit is there, at each of the three places.
type Counts = [[u32; Ranking::BUCKETS]; 3];

impl Ranking {
    const BITS: u32 = 11;
    const BUCKETS: usize = 1 << Self::BITS;

    /// Replaces the upper halves of the orders of a column by its ranks; returns how many values differ.
    /// `order` gives the whole order of the value of a row.
    ///
    /// The upper halves are sorted by digits, each with its row in the lower half of a word. Where upper
    /// halves are equal, the few rows, or equal values, are then sorted by comparison.
    fn rank(&mut self, column: &mut [u32], order: impl Fn(usize) -> u64) -> u32 {
        self.sort(column);
        let mut rank = 0;
        let order = |key: &u64| order(*key as u32 as usize);
        let mut rest = &mut self.keys[..];
        while let Some(&first) = rest.first() {
            let upper = first >> 32;
            if rest.get(1).is_none_or(|next| next >> 32 != upper) {
                column[first as u32 as usize] = rank;
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
                column[*key as u32 as usize] = rank;
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

/// Tables of at most so many rows keep the ranks of the larger one where these fit and all differ: most nodes
/// that are still to be grown are so small that it does not matter how many ranks there are.
const SMALL: usize = 1 << 9;

/// Makes tables of a few rows out of larger ones; keeps its memory from table to table.
#[derive(Default)]
pub(crate) struct Compaction {
    ranks: Vec<u32>,
    words: Words,
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
            if rows.len() <= SMALL && n_ranks == large.n_rows && n_ranks <= 1 << 16 {
                for (rank, &row) in ranks.iter_mut().zip(rows) {
                    *rank = column[row as usize].widen() as u16;
                }
                small.n_ranks.push(n_ranks as u32);
                continue;
            }
            gather(column, rows, &mut self.ranks);
            let n_ranks = if n_ranks / 64 <= 8 * rows.len() {
                accelerated!(|| self.by_bits(n_ranks, ranks))
            } else {
                self.by_sorting(ranks)
            };
            small.n_ranks.push(n_ranks);
        }
    }

    /// A new rank is the number of old ranks before the row's.
    #[inline(always)]
    fn by_bits(&mut self, n_ranks: usize, out: &mut [u16]) -> u32 {
        self.words.clear(n_ranks);
        self.words.add(&self.ranks);
        let n_ranks = self.words.count();
        for (out, rank) in out.iter_mut().zip(self.words.before(&self.ranks)) {
            *out = rank as u16;
        }
        n_ranks
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

/// Columns that are copied from the rows together: about a cache line.
const GROUP: usize = 8;

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
        let (wide, narrow) = (
            Table::<u32>::new(&samples).unwrap(),
            Table::<u16>::new(&samples).unwrap(),
        );
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
            let large = Table::<u32>::new(&Samples::new(&values, 3).unwrap()).unwrap();
            let mut rows: Vec<u32> = (0..n as u32).collect();
            random.shuffle(&mut rows);
            rows.truncate(part);
            compaction.compact(&large, &rows, &mut small);
            let chosen = rows
                .iter()
                .flat_map(|&row| &values[row as usize * 3..][..3]);
            let chosen: Vec<f64> = chosen.copied().collect();
            let expected = Table::<u16>::new(&Samples::new(&chosen, 3).unwrap()).unwrap();
            for feature in 0..3 {
                assert_eq!(small.column(feature), expected.column(feature));
            }
        }
    }

    #[test]
    fn ranks_that_all_differ_are_kept_by_few_rows() {
        let mut random = Random::new(7);
        let mut compaction = Compaction::default();
        let mut small = Table::default();
        let mut values: Vec<f64> = (0..2000).map(f64::from).collect();
        random.shuffle(&mut values);
        let large = Table::<u32>::new(&Samples::new(&values, 1).unwrap()).unwrap();
        for n in [SMALL, SMALL + 1] {
            let rows: Vec<u32> = (0..n as u32).collect();
            compaction.compact(&large, &rows, &mut small);
            let (ranks, n_ranks) = small.column(0);
            assert_eq!(n_ranks, if n == SMALL { 2000 } else { n });
            let mut by_rank = rows.clone();
            by_rank.sort_by_key(|&row| ranks[row as usize]);
            assert!(by_rank.is_sorted_by(|&a, &b| values[a as usize] < values[b as usize]));
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
