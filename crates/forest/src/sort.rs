//! Sorting the rows of a node along a feature.

use crate::pairs::Pairs;
use crate::ranks::Column;
use crate::target::Cuts;
use crate::words::Words;

/// Below this number of rows a plain sort is fastest where ranks are equal.
const FEW: usize = 10;

/// Sorts items by rank, and remembers where it put what. Memory is kept from node to node.
#[derive(Default)]
pub(crate) struct Sorter<Item> {
    sorted: Vec<Item>,
    ends: Vec<u32>,
    method: Method,
    /// The ranks of the rows, in their order.
    ranks: Vec<u32>,
    /// Method [`Method::Bits`]: the ranks that are there.
    words: Words,
    /// Method [`Method::Pairs`]: the ranks of the rows and their places.
    pairs: Pairs,
    /// Method [`Method::Counts`]: for each rank the number of rows up to it.
    counts: Vec<u32>,
    /// Method [`Method::Keys`]: rank and place of each row, sorted.
    keys: Vec<u64>,
}

/// How the rows were sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Method {
    /// By comparison.
    #[default]
    Keys,
    /// Where few ranks all differ: a row's place is the number of ranks that are less than its own, which
    /// takes many comparisons, but nothing to guess, and the processor makes many at a time.
    Pairs,
    /// Where all ranks differ: a bit for every rank that is there. How many bits are set before that of a
    /// row is its place, so that there is nothing to compare and nothing to guess for the processor.
    Bits,
    /// By counting how many rows have each rank.
    Counts,
}

/// What was found out by sorting.
pub(crate) enum Sorted<'a, Item> {
    /// All rows have the same rank.
    Constant,
    /// Items in ascending order, and where ranks differ.
    Items(&'a [Item], Cuts<'a>),
}

impl<Item: Copy + Default> Sorter<Item> {
    /// Sorts the items of rows by the ranks that these have in a column, all of which are below `n_ranks`.
    /// Items of equal rank keep their order.
    #[inline(always)]
    pub(crate) fn sort<const WIDE: bool>(
        &mut self,
        column: Column<WIDE>,
        n_ranks: usize,
        rows: &[u32],
        items: &[Item],
    ) -> Sorted<'_, Item> {
        let n = rows.len();
        if n_ranks == 1 {
            return Sorted::Constant;
        }
        // Where there are more rows than ranks some are equal for sure.
        let may_differ = n_ranks >= n;
        let by_pairs = may_differ && Pairs::fit(n, n_ranks);
        if by_pairs && self.sort_by_pairs(column, rows, items) {
            self.method = Method::Pairs;
            return Sorted::Items(&self.sorted, Cuts::Everywhere);
        }
        if n < FEW {
            let key =
                |(place, &row): (usize, &u32)| u64::from(column.rank(row)) << 32 | place as u64;
            self.keys.clear();
            self.keys.extend(rows.iter().enumerate().map(key));
            insertion_sort(&mut self.keys);
            return self.sorted_by_keys(items);
        }
        let by_bits = may_differ && !by_pairs && n_ranks / 64 <= 8 * n;
        if by_bits && self.sort_by_bits(column, n_ranks, rows, items) {
            self.method = Method::Bits;
            return Sorted::Items(&self.sorted, Cuts::Everywhere);
        }
        if !by_bits {
            column.gather(rows, &mut self.ranks);
        }
        if n_ranks <= 4 * n {
            self.sort_by_counts(n_ranks, items)
        } else {
            let key = |(place, &rank): (usize, &u32)| u64::from(rank) << 32 | place as u64;
            self.keys.clear();
            self.keys.extend(self.ranks.iter().enumerate().map(key));
            if n < 2 * FEW {
                insertion_sort(&mut self.keys);
            } else {
                self.keys.sort_unstable();
            }
            self.sorted_by_keys(items)
        }
    }

    /// The rank of a row of the side that gets the first `left` rows: the greatest there.
    pub(crate) fn greatest_rank(&self, left: usize) -> u32 {
        match self.method {
            Method::Keys => (self.keys[left - 1] >> 32) as u32,
            Method::Counts => self.counts.partition_point(|&n| (n as usize) < left) as u32,
            Method::Pairs => self.pairs.nth(left as u32 - 1),
            Method::Bits => self.words.nth(left as u32 - 1),
        }
    }

    /// Sorts where all ranks differ; `false` when they do not.
    #[inline(always)]
    fn sort_by_bits<const WIDE: bool>(
        &mut self,
        column: Column<WIDE>,
        n_ranks: usize,
        rows: &[u32],
        items: &[Item],
    ) -> bool {
        self.words.clear(n_ranks);
        column.gather(rows, &mut self.ranks);
        self.words.add(&self.ranks);
        // Equal ranks are counted once.
        if self.words.count() as usize != rows.len() {
            return false;
        }
        self.sorted.resize(rows.len(), Item::default());
        put(self.words.before(&self.ranks), items, &mut self.sorted);
        true
    }

    /// Sorts a few rows where all ranks differ; `false` when they do not.
    #[inline(always)]
    fn sort_by_pairs<const WIDE: bool>(
        &mut self,
        column: Column<WIDE>,
        rows: &[u32],
        items: &[Item],
    ) -> bool {
        let ranks = rows.iter().map(|&row| column.rank(row));
        let Some(places) = self.pairs.places(ranks) else {
            return false;
        };
        self.sorted.resize(items.len(), Item::default());
        put(places, items, &mut self.sorted);
        true
    }

    #[inline(always)]
    fn sort_by_counts(&mut self, n_ranks: usize, items: &[Item]) -> Sorted<'_, Item> {
        self.method = Method::Counts;
        self.counts.clear();
        self.counts.resize(n_ranks, 0);
        for &rank in &self.ranks {
            self.counts[rank as usize] += 1;
        }
        let mut sum = 0;
        self.ends.clear();
        for count in &mut self.counts {
            let end = sum + *count;
            if *count > 0 {
                self.ends.push(end);
            }
            *count = sum;
            sum = end;
        }
        if self.ends.len() == 1 {
            return Sorted::Constant;
        }
        self.sorted.clear();
        self.sorted.resize(items.len(), Item::default());
        // What begins as the place of a rank's first row ends as the number of rows up to the rank.
        for (&rank, &item) in self.ranks.iter().zip(items) {
            let place = &mut self.counts[rank as usize];
            self.sorted[*place as usize] = item;
            *place += 1;
        }
        Sorted::Items(&self.sorted, Cuts::After(&self.ends))
    }

    #[inline(always)]
    fn sorted_by_keys(&mut self, items: &[Item]) -> Sorted<'_, Item> {
        self.method = Method::Keys;
        let (Some(first), Some(last)) = (self.keys.first(), self.keys.last()) else {
            return Sorted::Constant;
        };
        if first >> 32 == last >> 32 {
            return Sorted::Constant;
        }
        let sorted = self.keys.iter().map(|&key| items[key as u32 as usize]);
        self.sorted.clear();
        self.sorted.extend(sorted);
        let equal = |pair: &[u64]| pair[0] >> 32 == pair[1] >> 32;
        if !self.keys.windows(2).any(equal) {
            return Sorted::Items(&self.sorted, Cuts::Everywhere);
        }
        self.ends.clear();
        for (end, pair) in (1..).zip(self.keys.windows(2)) {
            if !equal(pair) {
                self.ends.push(end);
            }
        }
        self.ends.push(self.keys.len() as u32);
        Sorted::Items(&self.sorted, Cuts::After(&self.ends))
    }
}

/// Puts each item into its place.
#[inline(always)]
fn put<Item: Copy>(places: impl Iterator<Item = u32>, items: &[Item], sorted: &mut [Item]) {
    for (place, &item) in places.zip(items) {
        sorted[place as usize] = item;
    }
}

/// Sorts a few keys.
#[inline(always)]
fn insertion_sort(keys: &mut [u64]) {
    for end in 1..keys.len() {
        let key = keys[end];
        let mut place = end;
        while place > 0 && keys[place - 1] > key {
            keys[place] = keys[place - 1];
            place -= 1;
        }
        keys[place] = key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::ranks::Ranks;

    /// Compares with a stable sort: items, places of cuts, and the ranks at these.
    #[track_caller]
    fn check(column: &[u32], rows: &[u32], sorter: &mut Sorter<u32>) -> Option<Method> {
        let n_ranks = column.iter().max().map_or(0, |&rank| rank as usize + 1);
        let mut ranks = Ranks::<true>::default();
        ranks.reshape(column.len().max(n_ranks), 1);
        for (mut unwritten, column) in ranks.unwritten().zip([column]) {
            (0..)
                .zip(column)
                .for_each(|(row, &rank)| unwritten.put(row, rank));
        }
        let items: Vec<u32> = (0..rows.len() as u32).collect();
        let mut expected: Vec<u32> = items.clone();
        let rank = |item: u32| column[rows[item as usize] as usize];
        expected.sort_by_key(|&item| rank(item));
        let ends: Vec<u32> = (1..=rows.len())
            .filter(|&end| end == rows.len() || rank(expected[end - 1]) < rank(expected[end]))
            .map(|end| end as u32)
            .collect();
        let Sorted::Items(sorted, cuts) = sorter.sort(ranks.column(0), n_ranks, rows, &items)
        else {
            assert!(ends.len() <= 1);
            return None;
        };
        assert_eq!(sorted, expected);
        match cuts {
            Cuts::Everywhere => assert_eq!(ends.len(), rows.len()),
            Cuts::After(found) => assert_eq!(found, ends),
        }
        for &end in &ends {
            let greatest = rank(expected[end as usize - 1]);
            assert_eq!(sorter.greatest_rank(end as usize), greatest);
        }
        Some(sorter.method)
    }

    #[test]
    fn every_method_sorts_like_a_stable_sort() {
        let mut random = Random::new(1);
        // One sorter for all: nothing may be left over from the last call.
        let mut sorter = Sorter::default();
        let mut methods = Vec::new();
        for n_rows in [2, 3, FEW - 1, FEW, 40, 63, 64, 65, 128, 129, 300, 5000] {
            for n_ranks in [1, 2, 10, 64, n_rows, 10 * n_rows, 3000 * n_rows] {
                let mut column: Vec<u32> = (0..n_ranks as u32).collect();
                while column.len() < 2 * n_rows {
                    column.push(random.below(n_ranks) as u32);
                }
                random.shuffle(&mut column);
                let mut rows: Vec<u32> = (0..column.len() as u32).collect();
                random.shuffle(&mut rows);
                rows.truncate(n_rows);
                rows.sort_unstable();
                methods.extend(check(&column, &rows, &mut sorter));
            }
        }
        for method in [Method::Keys, Method::Pairs, Method::Bits, Method::Counts] {
            assert!(methods.contains(&method), "{method:?}");
        }
    }

    #[test]
    fn a_few_equal_ranks_are_found() {
        let mut random = Random::new(2);
        let mut sorter = Sorter::default();
        for n in [30_usize, 100, 1000] {
            let mut column: Vec<u32> = (0..n as u32 * 20).collect();
            random.shuffle(&mut column);
            let rows: Vec<u32> = (0..n as u32).collect();
            check(&column, &rows, &mut sorter);
            column[3] = column[n - 1];
            check(&column, &rows, &mut sorter);
            check(&column, &rows[1..], &mut sorter);
        }
    }

    #[test]
    fn rows_that_are_all_equal_are_constant() {
        let mut sorter = Sorter::default();
        for n in [2_u32, 50, 500] {
            let rows: Vec<u32> = (0..n).collect();
            let mut column = vec![7; n as usize];
            column.push(9);
            assert_eq!(check(&column, &rows, &mut sorter), None);
        }
    }
}
