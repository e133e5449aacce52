//! Ranks, and the exact distribution of a sum of randomly chosen ranks.

/// Ranks from 1 in the order of `values`, doubled so that the mean rank of tied values is a whole number.
pub(super) fn doubled_ranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let tied = order[start..]
            .iter()
            .take_while(|&&index| values[index] == values[order[start]])
            .count()
            // A value that is not equal to itself (NaN) is a rank of its own.
            .max(1);
        for &index in &order[start..start + tied] {
            // Twice the mean of the ranks start + 1 to start + tied.
            ranks[index] = 2 * start + tied + 1;
        }
        start += tied;
    }
    ranks
}

/// The distribution of the sum over `weights` if each is taken or left with probability ½, independently:
/// element s is the probability of the sum s. By dynamic programming over the weights.
pub(super) fn subset_sum_distribution(weights: &[usize]) -> Vec<f64> {
    let mut distribution = vec![0.0; weights.iter().sum::<usize>() + 1];
    distribution[0] = 1.0;
    let mut reached = 0;
    for &weight in weights {
        reached += weight;
        for sum in (0..=reached).rev() {
            let taken = if sum >= weight {
                distribution[sum - weight]
            } else {
                0.0
            };
            distribution[sum] = (distribution[sum] + taken) / 2.0;
        }
    }
    distribution
}

/// The distribution of the sum of `chosen` of the `weights`, every choice equally likely: element s is the
/// probability of the sum s. By dynamic programming over the weights.
pub(super) fn fixed_size_sum_distribution(weights: &[usize], chosen: usize) -> Vec<f64> {
    let total: usize = weights.iter().sum();
    let mut ways = vec![vec![0.0; total + 1]; chosen + 1];
    ways[0][0] = 1.0;
    for &weight in weights {
        for count in (1..=chosen).rev() {
            for sum in (weight..=total).rev() {
                ways[count][sum] += ways[count - 1][sum - weight];
            }
        }
    }
    let mut distribution = ways.swap_remove(chosen);
    let all: f64 = distribution.iter().sum();
    for probability in &mut distribution {
        *probability /= all;
    }
    distribution
}

/// The two-sided p-value of an observed sum under `distribution`: twice the smaller tail, at most 1.
pub(super) fn two_sided(distribution: &[f64], observed: usize) -> f64 {
    let below: f64 = distribution[..=observed].iter().sum();
    let above: f64 = distribution[observed..].iter().sum();
    (2.0 * below.min(above)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tied_values_share_the_mean_rank() {
        assert_eq!(doubled_ranks(&[3.0, 1.0, 2.0]), [6, 2, 4]);
        assert_eq!(doubled_ranks(&[2.0, 1.0, 2.0]), [5, 2, 5]);
        assert_eq!(doubled_ranks(&[7.0; 3]), [4, 4, 4]);
        assert!(doubled_ranks(&[]).is_empty());
        assert_eq!(doubled_ranks(&[f64::NAN, 1.0]), [4, 2]);
    }

    #[test]
    fn distributions_are_those_of_enumeration() {
        // Subsets of {1, 2, 3}: sums 0, 1, 2, 3, 3, 4, 5, 6.
        let eighths = subset_sum_distribution(&[1, 2, 3])
            .iter()
            .map(|p| p * 8.0)
            .collect::<Vec<_>>();
        assert_eq!(eighths, [1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0]);
        // Pairs from {1, 2, 3}: sums 3, 4, 5.
        let pairs = fixed_size_sum_distribution(&[1, 2, 3], 2);
        assert_eq!(
            pairs.iter().map(|p| (p * 3.0).round()).collect::<Vec<_>>(),
            [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0]
        );
    }
}
