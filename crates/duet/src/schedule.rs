//! Random balanced orders: who starts first in a block, whose turn comes first inside it.
//!
//! With a fixed order, an A/A test of identical binaries on a memory-bound case showed the first-started
//! process 1.3 % slower. Each order here is a row of a Williams square, a Latin square in which every
//! variant follows every other equally often (E. J. Williams, "Experimental designs balanced for the
//! estimation of residual effects of treatments", *Australian Journal of Scientific Research A* 2 (1949)),
//! relabelled and shuffled at random. For two variants that gives AB BA or BA AB for each pair.

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

/// A generator for one purpose, derived from the plan's seed.
///
/// The same seed and purpose give the same stream, whatever else is drawn and in whatever order, so
/// that a schedule can be recomputed for one block alone.
pub fn generator(seed: u64, purpose: &[&str]) -> Xoshiro256PlusPlus {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for part in purpose {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    Xoshiro256PlusPlus::from_seed(hash.finalize().into())
}

/// The order with this number, from 0, of a series of balanced orders. Each square of the series is drawn by itself,
/// so that the ten-thousandth order takes as long as the first.
pub fn balanced_order(seed: u64, purpose: &[&str], variants: usize, number: usize) -> Vec<usize> {
    let rows = williams_square(variants).len();
    let square = (number / rows).to_string();
    let purpose: Vec<&str> = purpose.iter().copied().chain([square.as_str()]).collect();
    let mut orders = balanced_orders(&mut generator(seed, &purpose), variants, rows);
    orders.swap_remove(number % rows)
}

/// `count` orders of the variants 0..`variants`, balanced over each whole square.
pub fn balanced_orders(
    rng: &mut Xoshiro256PlusPlus,
    variants: usize,
    count: usize,
) -> Vec<Vec<usize>> {
    let mut orders = Vec::with_capacity(count);
    while orders.len() < count {
        let mut labels: Vec<usize> = (0..variants).collect();
        labels.shuffle(rng);
        let mut square = williams_square(variants);
        square.shuffle(rng);
        for row in square {
            orders.push(row.into_iter().map(|position| labels[position]).collect());
        }
    }
    orders.truncate(count);
    orders
}

/// The Williams square of order `n`: n rows if n is even, 2n if it is odd.
fn williams_square(n: usize) -> Vec<Vec<usize>> {
    // 0, 1, n−1, 2, n−2, …: neighbours differ by each non-zero residue once.
    let first: Vec<usize> = (0..n)
        .map(|i| {
            if i % 2 == 1 {
                i.div_ceil(2)
            } else {
                (n - i / 2) % n
            }
        })
        .collect();
    let shifted =
        |by: usize| -> Vec<usize> { first.iter().map(|position| (position + by) % n).collect() };
    let mut rows: Vec<Vec<usize>> = (0..n).map(shifted).collect();
    if n % 2 == 1 && n > 1 {
        let mirrored: Vec<Vec<usize>> = rows
            .iter()
            .map(|row| row.iter().rev().copied().collect())
            .collect();
        rows.extend(mirrored);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[track_caller]
    fn check_balance(variants: usize) {
        let rows = williams_square(variants);
        let mut rng = generator(7, &["test"]);
        let orders = balanced_orders(&mut rng, variants, rows.len());
        let mut at_position = BTreeMap::new();
        let mut follows = BTreeMap::new();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(
                sorted,
                (0..variants).collect::<Vec<_>>(),
                "every variant once"
            );
            for (position, &variant) in order.iter().enumerate() {
                *at_position.entry((position, variant)).or_insert(0) += 1;
            }
            for pair in order.windows(2) {
                *follows.entry((pair[0], pair[1])).or_insert(0) += 1;
            }
        }
        let equal = |counts: BTreeMap<(usize, usize), i32>, cells: usize| {
            assert_eq!(counts.len(), cells, "{variants} variants");
            let first = counts.values().next().copied();
            assert!(
                counts.values().all(|count| Some(*count) == first),
                "{variants} variants"
            );
        };
        equal(at_position, variants * variants);
        equal(follows, variants * (variants - 1));
    }

    #[test]
    fn every_variant_stands_and_follows_equally_often() {
        for variants in 1..=8 {
            check_balance(variants);
        }
    }

    #[test]
    fn two_variants_swap_in_every_pair() {
        let orders = balanced_orders(&mut generator(1, &["pairs"]), 2, 100);
        let mut first_orders = 0;
        for pair in orders.chunks(2) {
            assert_ne!(pair[0], pair[1], "AB is followed by BA and BA by AB");
            first_orders += usize::from(pair[0] == [0, 1]);
        }
        assert!(
            (10..40).contains(&first_orders),
            "the pairs are random: {first_orders} of 50"
        );
    }

    #[test]
    fn same_seed_same_orders_and_other_purpose_others() {
        let draw = |seed, purpose: &[&str]| balanced_orders(&mut generator(seed, purpose), 3, 60);
        assert_eq!(draw(1, &["a", "bc"]), draw(1, &["a", "bc"]));
        assert_ne!(draw(1, &["a", "bc"]), draw(2, &["a", "bc"]));
        assert_ne!(draw(1, &["a", "bc"]), draw(1, &["ab", "c"]));
    }

    #[test]
    fn orders_one_by_one_are_balanced_over_each_square() {
        for variants in 2..=8 {
            let rows = williams_square(variants).len();
            let order = |number| balanced_order(5, &["start", "a/b/c"], variants, number);
            for square in [0, 1, 1000] {
                for position in 0..variants {
                    let of_square = (square * rows..(square + 1) * rows).map(order);
                    let mut there: Vec<usize> = of_square.map(|order| order[position]).collect();
                    there.sort_unstable();
                    let expected: Vec<usize> = (0..rows).map(|row| row * variants / rows).collect();
                    assert_eq!(there, expected, "{variants} variants, place {position}");
                }
            }
            assert_eq!(order(7), order(7));
        }
        let firsts = (0..100).map(|pair| balanced_order(5, &["start"], 2, 2 * pair)[0]);
        assert!(
            (20..80).contains(&firsts.sum::<usize>()),
            "the squares differ"
        );
    }

    #[test]
    fn count_need_not_be_whole_squares() {
        assert_eq!(balanced_orders(&mut generator(1, &[]), 3, 7).len(), 7);
        assert_eq!(balanced_orders(&mut generator(1, &[]), 3, 0).len(), 0);
    }
}
