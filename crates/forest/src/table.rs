//! The columns of the samples as ranks.

use std::ops::Range;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::accelerate::accelerated;
use crate::float::upper_halves;
use crate::huge_pages;
use crate::ranking::Ranking;
use crate::ranks::{Column, Ranks, Unwritten};
use crate::words::Words;
use crate::{Float, ForestError, Samples};

/// For every row and column the place of its value among the different values of the column, from 0.
///
/// What trees ask of values is their order, and ranks have that: they sort like small whole numbers, take
/// less memory, and know nothing of what goes wrong with close, huge or tiny values.
#[derive(Default)]
pub(crate) struct Table<const WIDE: bool> {
    n_rows: usize,
    ranks: Ranks<WIDE>,
    /// A number that all ranks of each column are below. If it is that of the rows, the ranks differ.
    n_ranks: Vec<u32>,
}

impl<const WIDE: bool> Table<WIDE> {
    /// Ranks the values of samples, or of these rows only, which are in ascending order.
    ///
    /// # Errors
    /// A value that is NaN or infinite, in whichever row.
    pub(crate) fn new<F: Float>(
        samples: &Samples<F>,
        of: Option<&[u32]>,
    ) -> Result<Self, ForestError> {
        let n_features = samples.n_features();
        let n_rows = of.map_or(samples.n_samples(), <[u32]>::len);
        let mut ranks = Ranks::default();
        ranks.reshape(n_rows, n_features);
        let mut n_ranks = vec![0; n_features];
        // Memory that has been used before, which saves asking the system for it again.
        let used = Mutex::new(Vec::<Ranking>::new());
        // Columns that are a task: one, if it is not short.
        let group_len = (1 << 16) / n_rows.min(1 << 16);
        let width = n_together(n_rows, n_features);
        let mut uppers = huge_pages::zeros(n_rows * width);
        let mut columns: Vec<_> = ranks.unwritten().zip(&mut n_ranks).collect();
        let mut all_finite = true;
        for (first, columns) in (0..).step_by(width).zip(columns.chunks_mut(width)) {
            let uppers = &mut uppers[..n_rows * columns.len()];
            all_finite &= transpose(samples, of, first, uppers);
            let groups = columns
                .par_chunks_mut(group_len)
                .zip(uppers.par_chunks(n_rows * group_len));
            let groups = groups.enumerate().with_max_len(1);
            groups.for_each(|(group, (columns, uppers))| {
                // The lock is held for no longer than a pop or a push takes, which do not panic.
                let taken = used.lock().ok().and_then(|mut used| used.pop());
                let mut ranking = taken.unwrap_or_default();
                let columns = columns.iter_mut().zip(uppers.chunks_exact(n_rows));
                for (feature, ((ranks, n_ranks), upper)) in
                    (first + group * group_len..).zip(columns)
                {
                    let order = |row: usize| {
                        let row = of.map_or(row, |of| of[row] as usize);
                        samples.values()[row * n_features + feature].order()
                    };
                    **n_ranks = ranking.rank(upper, order, ranks);
                }
                if let Ok(mut used) = used.lock() {
                    used.push(ranking);
                }
            });
        }
        drop(columns);
        if !all_finite {
            samples.check_finite()?;
        }
        Ok(Table {
            n_rows,
            ranks,
            n_ranks,
        })
    }

    /// Reserves memory for so many rows.
    pub(crate) fn reserve(&mut self, n_rows: usize, n_features: usize) {
        self.ranks.reserve(n_rows, n_features);
    }

    /// The ranks of one column, and a number that they are below: how many differ, or more.
    #[inline(always)]
    pub(crate) fn column(&self, feature: usize) -> (Column<'_, WIDE>, usize) {
        let n_ranks = self.n_ranks[feature] as usize;
        (self.ranks.column(feature), n_ranks)
    }
}

/// Columns that are read together: as many as possible, because neighbours lie in one cache line, but they take
/// memory, too.
fn n_together(n_rows: usize, n_features: usize) -> usize {
    let most = ((1 << 19) / n_rows).max(24);
    n_features.div_ceil(n_features.div_ceil(most))
}

/// Rows and columns that are transposed at a time: they stay in the first-level cache meanwhile.
const BLOCK: [usize; 2] = [64, 64];

/// Reads neighbouring columns, of which `first` is the first: the upper halves of the orders of their values,
/// in these rows. Each thread reads a part of the rows. Returns whether all values are finite, those of other
/// rows included.
fn transpose<F: Float>(
    samples: &Samples<F>,
    of: Option<&[u32]>,
    first: usize,
    columns: &mut [u32],
) -> bool {
    let n_samples = samples.n_samples();
    let n_rows = of.map_or(n_samples, <[u32]>::len);
    let part_len = n_rows.div_ceil(8 * rayon::current_num_threads());
    let part_len = part_len.next_multiple_of(BLOCK[0]);
    let mut parts: Vec<Vec<&mut [u32]>> = Vec::new();
    parts.resize_with(n_rows.div_ceil(part_len), Vec::new);
    for column in columns.chunks_exact_mut(n_rows) {
        for (part, piece) in parts.iter_mut().zip(column.chunks_mut(part_len)) {
            part.push(piece);
        }
    }
    // Rows between two parts are read with the first.
    let begin = |part: usize| match (part, of) {
        (0, _) => 0,
        (_, None) => n_samples.min(part * part_len),
        (_, Some(of)) => of
            .get(part * part_len)
            .map_or(n_samples, |&row| row as usize),
    };
    let parts = parts.par_iter_mut().enumerate().with_max_len(1);
    let read = |(part, columns): (usize, &mut Vec<_>)| {
        let rows = begin(part)..begin(part + 1);
        let of = of.map(|of| &of[part * part_len..]);
        accelerated!(|| transpose_part(samples, rows, of, first, columns))
    };
    parts.map(read).reduce(|| true, |a, b| a & b)
}

/// Reads some rows, and of these the ones that are wanted into the columns.
#[inline(always)]
fn transpose_part<F: Float>(
    samples: &Samples<F>,
    rows: Range<usize>,
    mut of: Option<&[u32]>,
    first: usize,
    columns: &mut [&mut [u32]],
) -> bool {
    let [height, width] = BLOCK;
    let n_features = samples.n_features();
    let mut block = [0; BLOCK[0] * BLOCK[1]];
    let mut places: [u8; BLOCK[0]] = std::array::from_fn(|place| place as u8);
    let (mut finite, mut filled) = (true, 0);
    for start in rows.clone().step_by(height) {
        let n_here = height.min(rows.end - start);
        let rows =
            samples.values()[start * n_features..][..n_here * n_features].chunks_exact(n_features);
        let mut n_wanted = n_here;
        if let Some(of) = &mut of {
            let here = of.iter().map(|&row| row as usize - start);
            let here = here.take_while(|&place| place < n_here).zip(&mut places);
            n_wanted = here.map(|(row, place)| *place = row as u8).count();
            *of = &of[n_wanted..];
        }
        for (from, columns) in (first..).step_by(width).zip(columns.chunks_mut(width)) {
            for (row, upper) in rows.clone().zip(block.chunks_exact_mut(width)) {
                finite &= upper_halves(&row[from..][..columns.len()], upper);
            }
            for (place, column) in columns.iter_mut().enumerate() {
                let column = column[filled..].iter_mut().zip(&places[..n_wanted]);
                column.for_each(|(to, &row)| *to = block[usize::from(row) * width + place]);
            }
        }
        filled += n_wanted;
    }
    finite
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
    pub(crate) fn compact<const WIDE: bool>(
        &mut self,
        large: &Table<WIDE>,
        rows: &[u32],
        small: &mut Table<false>,
    ) {
        let n_features = large.n_ranks.len();
        small.n_rows = rows.len();
        small.n_ranks.clear();
        small.ranks.reshape(rows.len(), n_features);
        for (feature, mut ranks) in small.ranks.unwritten().enumerate() {
            let (column, n_ranks) = large.column(feature);
            if rows.len() <= SMALL && n_ranks == large.n_rows && n_ranks <= 1 << 16 {
                ranks.fill(rows.iter().map(|&row| column.rank(row)));
                small.n_ranks.push(n_ranks as u32);
                continue;
            }
            column.gather(rows, &mut self.ranks);
            let n_ranks = if n_ranks / 64 <= 8 * rows.len() {
                accelerated!(|| self.by_bits(n_ranks, &mut ranks))
            } else {
                self.by_sorting(&mut ranks)
            };
            small.n_ranks.push(n_ranks);
        }
    }

    /// A new rank is the number of old ranks before the row's.
    #[inline(always)]
    fn by_bits(&mut self, n_ranks: usize, out: &mut Unwritten<false>) -> u32 {
        self.words.clear(n_ranks);
        self.words.add(&self.ranks);
        let n_ranks = self.words.count();
        out.fill(self.words.before(&self.ranks));
        n_ranks
    }

    fn by_sorting(&mut self, out: &mut Unwritten<false>) -> u32 {
        self.different.clone_from(&self.ranks);
        self.different.sort_unstable();
        self.different.dedup();
        let different = &self.different[..];
        let place = |rank| different.partition_point(|other| other < rank) as u32;
        out.fill(self.ranks.iter().map(place));
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
        let mut values = huge_pages::zeros(n_rows * n_features);
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
        let n_rows = samples.n_samples() as u32;
        check_rows(&samples, None, (0..n_rows).collect());
        // Parts with and without the first and the last row.
        for every in [1, 3] {
            let some: Vec<u32> = (0..n_rows).rev().step_by(every).collect();
            let some: Vec<u32> = some.into_iter().rev().collect();
            check_rows(&samples, Some(&some), some.clone());
        }
        check_rows(&samples, Some(&[n_rows / 2]), vec![n_rows / 2]);
        let plain = Values::new(&samples);
        for feature in 0..n_features {
            let column = (0..samples.n_samples()).map(|i| samples.row(i)[feature]);
            assert_eq!(plain.column(feature), column.collect::<Vec<F>>());
        }
    }

    #[track_caller]
    fn check_rows<F: Float>(samples: &Samples<F>, of: Option<&[u32]>, rows: Vec<u32>) {
        let wide = Table::<true>::new(samples, of).unwrap();
        let narrow = Table::<false>::new(samples, of).unwrap();
        for feature in 0..samples.n_features() {
            let value = |&row: &u32| samples.row(row as usize)[feature];
            let column: Vec<F> = rows.iter().map(value).collect();
            let mut different = column.clone();
            different.sort_by(|a, b| a.partial_cmp(b).unwrap());
            different.dedup();
            let place = |x: &F| different.iter().position(|y| x == y).unwrap() as u32;
            let expected: Vec<u32> = column.iter().map(place).collect();
            assert_eq!(ranks(&wide, feature), (expected.clone(), different.len()));
            assert_eq!(ranks(&narrow, feature), (expected, different.len()));
        }
    }

    fn ranks<const WIDE: bool>(table: &Table<WIDE>, feature: usize) -> (Vec<u32>, usize) {
        let (column, n_ranks) = table.column(feature);
        let ranks = (0..table.n_rows as u32).map(|row| column.rank(row));
        (ranks.collect(), n_ranks)
    }

    #[test]
    fn values_of_rows_that_are_left_out_are_checked() {
        for n_rows in [1, 63, 64, 65, 5000] {
            for bad in [0, n_rows / 3, n_rows - 1] {
                let mut values: Vec<f64> = (0..2 * n_rows).map(|i| i as f64).collect();
                values[2 * bad + 1] = f64::NAN;
                let samples = Samples::new(&values, 2).unwrap();
                for row in [0, n_rows / 2, n_rows - 1] {
                    let error = Table::<false>::new(&samples, Some(&[row as u32])).err();
                    let found = matches!(error, Some(ForestError::NotFinite { row, column: 1, .. }) if row == bad);
                    assert!(found, "{error:?}");
                }
            }
        }
    }

    #[test]
    fn columns_are_read_in_parts_of_one_size() {
        for (n_rows, n_features, width) in [
            (10, 5000, 5000),
            (100_000, 100, 20),
            (1 << 20, 25, 13),
            (1 << 20, 24, 24),
            (1 << 20, 1, 1),
        ] {
            assert_eq!(n_together(n_rows, n_features), width);
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
            let large = Table::<true>::new(&Samples::new(&values, 3).unwrap(), None).unwrap();
            let mut rows: Vec<u32> = (0..n as u32).collect();
            random.shuffle(&mut rows);
            rows.truncate(part);
            compaction.compact(&large, &rows, &mut small);
            let chosen = rows
                .iter()
                .flat_map(|&row| &values[row as usize * 3..][..3]);
            let chosen: Vec<f64> = chosen.copied().collect();
            let expected = Table::<false>::new(&Samples::new(&chosen, 3).unwrap(), None).unwrap();
            for feature in 0..3 {
                assert_eq!(ranks(&small, feature), ranks(&expected, feature));
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
        let large = Table::<true>::new(&Samples::new(&values, 1).unwrap(), None).unwrap();
        for n in [SMALL, SMALL + 1] {
            let rows: Vec<u32> = (0..n as u32).collect();
            compaction.compact(&large, &rows, &mut small);
            let (ranks, n_ranks) = ranks(&small, 0);
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
