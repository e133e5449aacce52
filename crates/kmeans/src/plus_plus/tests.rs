use std::ops::ControlFlow;

use super::*;

fn seed<'a>(samples: Samples<'a, f64>, k: usize, seeds: &[u64]) -> Seeding<'a, f64, u8> {
    let mut streams: Vec<Random> = seeds.iter().map(|&seed| Random::new(seed)).collect();
    let mut go_on = |_| ControlFlow::Continue(());
    let (seeding, _) = Seeding::start(samples, &mut streams, |_| ());
    let mut observer = Observer(&mut go_on);
    seeding.finish(k, &mut streams, 0, &mut observer).unwrap()
}

/// Greedy k-means++ as it is defined, but for the rounding of what is added up: the seeds, the
/// nearest of them for every row, and its squared distance.
fn plain(samples: &Samples<f64>, k: usize, seed: u64) -> (Vec<usize>, Vec<u32>, Vec<f64>) {
    let mut random = Random::new(seed);
    let n = samples.n_samples();
    let n_candidates = 2 + (k as f64).ln() as usize;
    let distance = |a: usize, b: usize| -> f64 {
        let pairs = samples.row(a).iter().zip(samples.row(b));
        pairs.map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let mut seeds = vec![Weights::new(samples).draw(&mut random)];
    let mut closest: Vec<f64> = (0..n).map(|row| distance(row, seeds[0])).collect();
    let mut labels = vec![0; n];
    while seeds.len() < k {
        let rounded = |distance: f64| f64::unpack(distance.pack_up());
        let share = |row: usize| rounded(closest[row]) * samples.weight(row);
        let total: f64 = (0..n).map(share).sum();
        let draw = |_| {
            let mut at = random.unit() * total;
            let passes = |row: &usize| {
                at -= share(*row);
                at < 0.0
            };
            (0..n).find(passes).unwrap()
        };
        let candidates: Vec<usize> = (0..n_candidates).map(draw).collect();
        let gain = |candidate: usize| -> f64 {
            let gain = |row| (rounded(closest[row]) - rounded(distance(row, candidate))).max(0.0);
            (0..n).map(|row| gain(row) * samples.weight(row)).sum()
        };
        let gains: Vec<f64> = candidates
            .iter()
            .map(|&candidate| gain(candidate))
            .collect();
        let mut best = 0;
        for (i, gain) in gains.iter().enumerate() {
            if *gain > gains[best] {
                best = i;
            }
        }
        for row in 0..n {
            let distance = distance(row, candidates[best]);
            if distance < closest[row] {
                closest[row] = distance;
                labels[row] = seeds.len() as u32;
            }
        }
        seeds.push(candidates[best]);
    }
    (seeds, labels, closest)
}

/// On whole numbers all sums are exact, so that the same rows are drawn.
#[track_caller]
fn check(n: usize, d: usize, k: usize, spread: u64, weighted: bool) {
    let mut random = Random::new(n as u64);
    let blob = |random: &mut Random| (random.below(5) * spread as usize) as f64;
    let mut values = Vec::with_capacity(n * d);
    for _ in 0..n {
        let centre = blob(&mut random);
        values.extend((0..d).map(|_| centre + random.below(20) as f64));
    }
    let weights: Vec<f64> = (0..n).map(|_| random.below(3) as f64).collect();
    let mut samples = Samples::new(&values, d).unwrap();
    if weighted {
        samples = samples.with_weights(&weights).unwrap();
    }
    let seeding = seed(samples, k, &[1, 2, 3]);
    for restart in 0..3 {
        let (seeds, labels, closest) = plain(&samples, k, restart as u64 + 1);
        assert_eq!(seeding.seeds[restart], seeds);
        let mut own = Vec::new();
        seeding.labels(restart, &mut own);
        assert_eq!(own, labels);
        let packed: Vec<u32> = closest.into_iter().map(f64::pack_up).collect();
        assert_eq!(seeding.closest(restart), packed);
    }
}

#[test]
fn seeds_are_those_of_the_plain_algorithm() {
    // One unit of work and many, few columns and many, overlapping blobs and distant ones, which
    // let most distances be skipped.
    for spread in [3, 1000] {
        check(200, 1, 7, spread, false);
        check(3000, 2, 30, spread, false);
        check(700, 150, 12, spread, false);
        check(2500, 3, 40, spread, true);
    }
    check(50, 2, 1, 10, false);
    check(9, 2, 9, 1000, false);
}
