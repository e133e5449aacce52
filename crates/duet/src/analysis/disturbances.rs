//! What else went on while the valid blocks ran.

use serde::{Deserialize, Serialize};

use crate::conditions::Conditions;
use crate::journal::KeptBlock;
use crate::stats;

/// What else went on while the valid blocks of a run ran. A reading that no block has is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Disturbances {
    /// Time for which the quota of the control group stopped the processes, nanoseconds, all blocks together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttled_ns: Option<u64>,
    /// CPU time that the hypervisor gave to other guests, as a share of what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal_share: Option<Share>,
    /// CPU time of foreign programs, as a share of the time of all CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_share: Option<Share>,
}

/// A share over the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Blocks that have the reading.
    pub blocks: usize,
    /// The median.
    pub median: f64,
    /// The highest.
    pub highest: f64,
}

impl Share {
    fn of(shares: &[f64]) -> Option<Self> {
        Some(Self {
            blocks: shares.len(),
            median: stats::median(shares)?,
            highest: shares.iter().copied().fold(0.0, f64::max),
        })
    }
}

/// The disturbances of the blocks that were not dropped.
pub(super) fn disturbances(blocks: &[KeptBlock]) -> Disturbances {
    let conditions: Vec<&Conditions> = blocks
        .iter()
        .filter(|block| block.dropped.is_none())
        .filter_map(|block| block.conditions.as_deref())
        .collect();
    let shares = |share: fn(&Conditions) -> Option<f64>| {
        let shares: Vec<f64> = conditions.iter().filter_map(|one| share(one)).collect();
        Share::of(&shares)
    };
    let throttled = conditions.iter().filter_map(|one| one.throttled_ns);
    Disturbances {
        throttled_ns: throttled.reduce(u64::saturating_add),
        steal_share: shares(|one| one.steal_share),
        foreign_share: shares(|one| one.foreign_share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(dropped: bool, conditions: Option<Conditions>) -> KeptBlock {
        KeptBlock {
            case: "a/b/c".into(),
            block: 0,
            attempt: 0,
            processes: Box::default(),
            conditions: conditions.map(Box::new),
            disturbed: dropped,
            dropped: dropped.then(|| "load".into()),
        }
    }

    #[test]
    fn valid_blocks_count_and_what_was_not_read_is_absent() {
        let with = |steal, foreign| {
            Some(Conditions {
                throttled_ns: None,
                steal_share: Some(steal),
                foreign_share: foreign,
            })
        };
        let found = disturbances(&[
            block(false, with(0.01, None)),
            block(false, with(0.03, Some(0.2))),
            block(false, with(0.02, None)),
            block(true, with(0.9, Some(0.9))),
            block(false, None),
        ]);
        let steal = found.steal_share.expect("three blocks have it");
        assert_eq!((steal.blocks, steal.median, steal.highest), (3, 0.02, 0.03));
        let foreign = found.foreign_share.expect("one block has it");
        assert_eq!((foreign.blocks, foreign.highest), (1, 0.2));
        assert_eq!(found.throttled_ns, None);
        assert_eq!(disturbances(&[]), Disturbances::default());
    }
}
