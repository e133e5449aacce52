//! Restarts that have met.

use std::array;
use std::collections::HashMap;

use rayon::prelude::*;

use crate::model::Restart;
use crate::{Float, Samples};

/// Which rows are together, whatever the numbers of their clusters: a hash of 128 bits.
pub(crate) type Partition = u128;

/// The partitions that restarts have gone through. What follows a partition depends on it alone, so
/// that a restart that comes to one of them will end as the earlier restart did.
#[derive(Default)]
pub(crate) struct Seen {
    partitions: HashMap<Partition, (usize, usize)>,
    restarts: Vec<Restart>,
    max_iter: usize,
}

impl Seen {
    pub(crate) fn new(max_iter: usize) -> Self {
        Seen {
            max_iter,
            ..Self::default()
        }
    }

    /// How a restart ends that is at `partition` after `iteration` moves of its centroids, if an
    /// earlier one tells.
    pub(crate) fn end(&self, partition: Partition, iteration: usize) -> Option<Restart> {
        let &(restart, at) = self.partitions.get(&partition)?;
        let Restart {
            inertia,
            iterations,
        } = self.restarts[restart];
        if at == iteration {
            return Some(self.restarts[restart]);
        }
        // Where the limit ended one of the two, it would have ended the other elsewhere.
        let total = iteration + iterations - at;
        let free = iterations < self.max_iter && total < self.max_iter;
        free.then_some(Restart {
            inertia,
            iterations: total,
        })
    }

    /// Notes a restart that has ended, and its partitions after 0, 1, 2… moves of its centroids.
    pub(crate) fn note(&mut self, restart: Restart, partitions: Vec<Partition>) {
        for (iteration, partition) in partitions.into_iter().enumerate() {
            let place = (self.restarts.len(), iteration);
            self.partitions.entry(partition).or_insert(place);
        }
        self.restarts.push(restart);
    }
}

/// The partition that labels below `n_clusters` describe.
pub(crate) fn partition<F: Float>(
    samples: &Samples<F>,
    labels: &[u32],
    n_clusters: usize,
) -> Partition {
    // Clusters are numbered by their first rows.
    let mut number = vec![u64::MAX; n_clusters];
    let mut next = 0;
    for &label in labels {
        let number = &mut number[label as usize];
        if *number == u64::MAX {
            next += 1;
            *number = next;
            if next == n_clusters as u64 {
                break;
            }
        }
    }
    let chunks = labels.par_chunks(samples.chunk_len());
    let hashes: Vec<[u64; 2]> = chunks
        .map(|labels| {
            // Eight hashes of every eighth label: their multiplications need not wait for each other.
            let mut hashes: [[u64; 2]; 8] =
                array::from_fn(|i| [2 * i as u64 + 1, 2 * i as u64 + 2]);
            let number = |label: u32| number[label as usize];
            let mut eights = labels.chunks_exact(8);
            for eight in &mut eights {
                for (hash, &label) in hashes.iter_mut().zip(eight) {
                    *hash = add(*hash, number(label));
                }
            }
            for (hash, &label) in hashes.iter_mut().zip(eights.remainder()) {
                *hash = add(*hash, number(label));
            }
            hashes.into_iter().fold([1, 2], merge)
        })
        .collect();
    let [a, b] = hashes.into_iter().fold([3, 4], merge);
    u128::from(a) << 64 | u128::from(b)
}

/// A hash of two hashes.
fn merge(hash: [u64; 2], [a, b]: [u64; 2]) -> [u64; 2] {
    add(add(hash, a), b)
}

/// One step of two multiplicative hashes with different odd multipliers.
fn add([a, b]: [u64; 2], number: u64) -> [u64; 2] {
    [
        (a ^ number)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .rotate_left(29),
        (b ^ number)
            .wrapping_mul(0xD6E8_FEB8_6659_FD93)
            .rotate_left(31),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(labels: &[u32], n_clusters: usize) -> Partition {
        let values = vec![0.0; labels.len() * 1000];
        // So many columns that there are several units of work.
        let samples = Samples::new(&values, 1000).unwrap();
        partition(&samples, labels, n_clusters)
    }

    #[test]
    fn the_numbers_of_the_clusters_do_not_matter_but_their_rows_do() {
        let labels: Vec<u32> = (0..300).map(|i| i * i % 7 % 4).collect();
        let renamed: Vec<u32> = labels
            .iter()
            .map(|label| [3, 1, 5, 0][*label as usize])
            .collect();
        assert_eq!(of(&labels, 4), of(&renamed, 6));
        for row in 0..300 {
            let mut other = labels.clone();
            other[row] = (other[row] + 1) % 4;
            assert_ne!(of(&labels, 4), of(&other, 4), "row {row}");
        }
        assert_ne!(of(&[0, 0, 1, 1], 2), of(&[0, 1, 0, 1], 2));
    }

    #[test]
    fn a_restart_that_meets_an_earlier_one_ends_as_that_did() {
        let end = |inertia, iterations| Restart {
            inertia,
            iterations,
        };
        let mut seen = Seen::new(10);
        seen.note(end(5.0, 6), vec![100, 101, 102, 103, 104]);
        assert_eq!(seen.end(99, 0), None);
        assert_eq!(seen.end(100, 0), Some(end(5.0, 6)));
        // Two iterations later than the earlier one was there.
        assert_eq!(seen.end(103, 5), Some(end(5.0, 8)));
        assert_eq!(seen.end(103, 1), Some(end(5.0, 4)));
        // This one will be ended by the limit before it gets there.
        assert_eq!(seen.end(100, 4), None);
        // What was ended by the limit tells only about a restart that is at the same iteration.
        seen.note(end(7.0, 10), vec![200, 201]);
        assert_eq!(seen.end(201, 1), Some(end(7.0, 10)));
        assert_eq!(seen.end(201, 0), None);
    }
}
