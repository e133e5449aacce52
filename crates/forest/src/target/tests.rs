//! Thresholds against their definition.

use super::*;
use crate::random::Random;

/// Every cut is better.
const ANY: f64 = f64::NEG_INFINITY;

/// Judges every cut by what the definition says of its two sides.
fn plain_best<T: Target>(
    target: &T,
    items: &[T::Item],
    values: &[u32],
    limits: &SideLimits,
    impurity: impl Fn(&[T::Item]) -> f64,
) -> Option<f64> {
    let weight = |items: &[T::Item]| {
        let mut totals = T::Totals::default();
        target.sum(items, &mut totals);
        target.weight(&totals)
    };
    let decrease = |left: usize| {
        let (l, r) = items.split_at(left);
        weight(items) * impurity(items) - weight(l) * impurity(l) - weight(r) * impurity(r)
    };
    (limits.rows..=items.len().saturating_sub(limits.rows))
        .filter(|&left| left > 0 && left < items.len() && values[left - 1] < values[left])
        .filter(|&left| weight(&items[..left]) >= limits.weight)
        .filter(|&left| weight(&items[left..]) >= limits.weight)
        .map(decrease)
        .max_by(f64::total_cmp)
}

/// Thousands of small nodes with ties, weights and limits.
fn check<T: Target>(
    make_target: impl Fn() -> T,
    n_rows: usize,
    whole: bool,
    impurity: impl Fn(&[T::Item]) -> f64,
) {
    let mut random = Random::new(5);
    let target = make_target();
    let mut scratch = T::Scratch::default();
    for round in 0..3000 {
        let n = 2 + random.below(n_rows.min(30) - 1);
        let spread = [2, 5, 1000][round % 3];
        let mut values: Vec<u32> = (0..n).map(|_| random.below(spread) as u32).collect();
        values.sort_unstable();
        let items: Vec<_> = (0..n)
            .map(|_| target.item(random.below(n_rows), 1 + random.below(3) as u32))
            .collect();
        let limits = SideLimits {
            rows: 1 + random.below(3),
            weight: [0.0, 2.5][round % 2],
        };
        let ends: Vec<u32> = (1..=n)
            .filter(|&end| end == n || values[end - 1] < values[end])
            .map(|end| end as u32)
            .collect();
        let mut totals = T::Totals::default();
        target.sum(&items, &mut totals);
        let mut best =
            |cuts, to_beat| target.best_cut(&items, cuts, &totals, &limits, to_beat, &mut scratch);
        let found = best(Cuts::After(&ends), ANY);
        if ends.len() == n {
            assert_eq!(best(Cuts::Everywhere, ANY), found);
        }
        let expected = plain_best(&target, &items, &values, &limits, &impurity);
        let Some(cut) = found else {
            assert_eq!(expected, None);
            continue;
        };
        let to_beat = cut.decrease.next_down();
        assert_eq!(best(Cuts::After(&ends), to_beat), found);
        if ends.len() == n {
            assert_eq!(best(Cuts::Everywhere, to_beat), found);
        }
        let expected = expected.expect("a cut was found");
        let error = (cut.decrease - expected).abs();
        assert!(error <= 1e-9 * (1.0 + expected), "{cut:?}, not {expected}");
        let mut left = T::Totals::default();
        target.sum(&items[..cut.left], &mut left);
        let again = target.decrease(&totals, &left);
        assert!((again - cut.decrease).abs() <= 1e-9 * (1.0 + expected));
        assert!(!whole || cut.left >= limits.rows);
    }
}

const WEIGHTS: [f64; 8] = [0.5, 1.0, 2.25, 3.0, 0.125, 1.0, 1.0, 7.5];

fn shares<T>(items: &[T], class: impl Fn(&T) -> (usize, f64)) -> Vec<f64> {
    let mut shares = [0.0; 8];
    items.iter().map(class).for_each(|(c, w)| shares[c] += w);
    let all: f64 = shares.iter().sum();
    shares.map(|share| share / all).to_vec()
}

fn gini(shares: &[f64]) -> f64 {
    1.0 - shares.iter().map(|p| p * p).sum::<f64>()
}

fn entropy(shares: &[f64]) -> f64 {
    let present = shares.iter().filter(|&&p| p > 0.0);
    -present.map(|p| p * p.log2()).sum::<f64>()
}

#[test]
fn two_classes() {
    let classes = [0, 1, 1, 0, 1, 0, 0, 1];
    for weights in [None, Some(&[1.0, 2.0, 3.0, 1.0, 1.0, 5.0, 1.0, 2.0][..])] {
        let make = || Binary {
            classes: &classes,
            weights,
        };
        let class = |&item: &u32| ((item & 1) as usize, f64::from(item >> 1));
        check(make, 8, true, |items| gini(&shares(items, class)));
    }
}

#[test]
fn several_classes() {
    let classes = [0, 1, 4, 0, 1, 2, 3, 3];
    for weights in [None, Some(&WEIGHTS[..])] {
        let make = |impurity| Classes {
            n_classes: 5,
            classes: &classes,
            weights,
            impurity,
        };
        let class = |item: &classes::Weighted| item.class_and_weight();
        check(
            || make(Gini),
            8,
            weights.is_none(),
            |items| gini(&shares(items, class)),
        );
    }
    for weights in [None, Some(&WEIGHTS[..])] {
        let make = || Classes {
            n_classes: 5,
            classes: &classes,
            weights,
            impurity: Entropy::new(20.0),
        };
        let class = |item: &classes::Weighted| item.class_and_weight();
        check(make, 8, weights.is_none(), |items| {
            entropy(&shares(items, class))
        });
    }
}

#[test]
fn numbers() {
    let targets = [1.5, -2.0, 0.0, 7.0, 7.0, 1e3, -3.25, 0.5];
    for weights in [None, Some(&WEIGHTS[..])] {
        let make = || Numbers {
            numbers: &targets,
            scale: 1.0,
            weights,
        };
        check(
            make,
            8,
            weights.is_none(),
            |items: &[numbers::Weighted]| {
                let all: f64 = items.iter().map(|item| item.parts().1).sum();
                let mean = items.iter().map(|i| i.parts().0 * i.parts().1).sum::<f64>() / all;
                let squares = items
                    .iter()
                    .map(|i| (i.parts().0 - mean).powi(2) * i.parts().1);
                squares.sum::<f64>() / all
            },
        );
    }
}

#[test]
fn a_pure_leaf_of_numbers_predicts_them_exactly() {
    let numbers = [0.1; 3];
    let target = Numbers {
        numbers: &numbers,
        scale: 2.0,
        weights: None,
    };
    let items: Vec<_> = (0..3).map(|row| target.item(row, 1)).collect();
    let mut totals = Default::default();
    target.sum(&items, &mut totals);
    assert!(target.is_pure(&totals));
    let mut values = Vec::new();
    assert_eq!(target.leaf(&totals, &mut values), Leaf::Values(0));
    assert_eq!(values, [0.2]);
}

/// Two classes by the faster way and by the general one.
#[test]
fn both_ways_to_tell_two_classes_apart_agree() {
    let classes: Vec<u32> = (0..64).map(|i| u32::from(i * i % 7 > 2)).collect();
    let binary = Binary {
        classes: &classes,
        weights: None,
    };
    let general = Classes {
        n_classes: 2,
        classes: &classes,
        weights: None,
        impurity: Gini,
    };
    let limits = SideLimits {
        rows: 1,
        weight: 0.0,
    };
    let mut random = Random::new(3);
    for _ in 0..500 {
        let rows: Vec<usize> = (0..20).map(|_| random.below(64)).collect();
        let one: Vec<_> = rows.iter().map(|&row| binary.item(row, 1)).collect();
        let other: Vec<_> = rows.iter().map(|&row| general.item(row, 1)).collect();
        let (mut counts, mut sums) = Default::default();
        binary.sum(&one, &mut counts);
        general.sum(&other, &mut sums);
        let one = binary.best_cut(&one, Cuts::Everywhere, &counts, &limits, ANY, &mut ());
        let mut scratch = Default::default();
        let other = general.best_cut(&other, Cuts::Everywhere, &sums, &limits, ANY, &mut scratch);
        let (one, other) = (one.unwrap(), other.unwrap());
        assert!((one.decrease - other.decrease).abs() < 1e-12);
        let mut values = Vec::new();
        if let Leaf::Values(0) = binary.leaf(&counts, &mut values) {
            general.leaf(&sums, &mut values);
            assert_eq!(values[..2], values[2..]);
        }
    }
}
