//! Majority votes.

use linfa::Float;
use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::tree::Tree;

/// Rows whose votes are collected tree by tree before they are counted: few enough for the votes
/// and the rows to stay in the cache, many enough to use each tree while its nodes are there.
const BLOCK: usize = 256;

/// The class that most trees give each row, among those trees for which `may_vote(tree, row)`.
///
/// Of equal numbers of votes the smallest class wins; without any vote there is no class.
pub(crate) fn majority_classes<F: Float>(
    trees: &[Tree<F>],
    records: ArrayView2<F>,
    may_vote: impl Fn(usize, usize) -> bool + Sync,
) -> Vec<Option<u32>> {
    let mut classes = vec![None; records.nrows()];
    classes
        .par_chunks_mut(BLOCK)
        .enumerate()
        .for_each(|(block, classes)| {
            let mut votes = vec![Vec::with_capacity(trees.len()); classes.len()];
            for (index, tree) in trees.iter().enumerate() {
                for (row, votes) in (block * BLOCK..).zip(&mut votes) {
                    if may_vote(index, row) {
                        votes.push(tree.class_of(records.row(row)));
                    }
                }
            }
            for (class, votes) in classes.iter_mut().zip(&mut votes) {
                *class = majority(votes);
            }
        });
    classes
}

/// The most frequent class, of equally frequent ones the smallest. Sorts the votes.
fn majority(votes: &mut [u32]) -> Option<u32> {
    votes.sort_unstable();
    let mut best: Option<&[u32]> = None;
    for run in votes.chunk_by(|a, b| a == b) {
        if best.is_none_or(|best| run.len() > best.len()) {
            best = Some(run);
        }
    }
    best.map(|run| run[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(votes: &[u32], expected: Option<u32>) {
        assert_eq!(majority(&mut votes.to_vec()), expected);
    }

    #[test]
    fn the_most_votes_win_and_ties_go_to_the_smallest_class() {
        check(&[], None);
        check(&[7], Some(7));
        check(&[2, 1, 2], Some(2));
        check(&[3, 1, 3, 1, 0], Some(1));
        check(&[5, 4, 3], Some(3));
    }
}
