use super::*;

/// Numbers without a pattern that a wrong index could meet by chance.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    (0..count).map(|_| next()).collect()
}

fn plain(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

#[track_caller]
fn check(n_rows: usize, n_centroids: usize, n_features: usize) {
    let (x, c) = (
        numbers(n_rows * n_features, 1),
        numbers(n_centroids * n_features, 2),
    );
    let rows: Vec<&[f64]> = x.chunks(n_features).collect();
    let centroids: Vec<&[f64]> = c.chunks(n_features).collect();
    let mut all = vec![f64::NAN; n_rows * n_centroids];
    distances(&rows, &centroids, &mut all);

    let (x32, c32): (Vec<f32>, Vec<f32>) = (
        x.iter().map(|&x| x as f32).collect(),
        c.iter().map(|&x| x as f32).collect(),
    );
    let rows32: Vec<&[f32]> = x32.chunks(n_features).collect();
    let centroids32: Vec<&[f32]> = c32.chunks(n_features).collect();
    let mut all32 = vec![f32::NAN; n_rows * n_centroids];
    distances(&rows32, &centroids32, &mut all32);

    for j in 0..n_centroids {
        let mut pairs = vec![f64::NAN; n_rows];
        pair_distances(&rows, &vec![centroids[j]; n_rows], &mut pairs);
        let mut pairs32 = vec![f32::NAN; n_rows];
        pair_distances(&rows32, &vec![centroids32[j]; n_rows], &mut pairs32);
        for i in 0..n_rows {
            let at = j * n_rows + i;
            let expected = plain(rows[i], centroids[j]);
            assert!((all[at] - expected).abs() <= 1e-13 * expected, "{i} {j}");
            assert!((f64::from(all32[at]) - expected).abs() <= 1e-5 * expected.max(1e-2));
            // One pair has one distance, whoever computes it.
            assert_eq!(all[at].to_bits(), pairs[i].to_bits());
            assert_eq!(all32[at].to_bits(), pairs32[i].to_bits());
        }
    }
}

fn check_every_shape() {
    for n_features in (1..=40).chain([128, 131]) {
        check(7, 5, n_features);
    }
    for n_rows in 1..=50 {
        check(n_rows, 4, 3);
        check(n_rows, 4, 33);
    }
    for n_centroids in 1..=10 {
        check(5, n_centroids, 2);
        check(5, n_centroids, 24);
        check(61, n_centroids, 24);
    }
}

#[test]
fn distances_equal_their_definition_at_every_shape() {
    check_every_shape();
}

#[cfg(target_arch = "x86_64")]
#[test]
fn distances_equal_their_definition_with_narrower_registers() {
    for bits in [256, 0] {
        WIDEST.set(bits);
        check_every_shape();
    }
}

#[test]
fn distances_do_not_depend_on_the_company() {
    let x = numbers(60 * 37, 3);
    let rows: Vec<&[f64]> = x.chunks(37).collect();
    let mut together = vec![0.0; 50 * 10];
    distances(&rows[..50], &rows[50..], &mut together);
    for j in 0..10 {
        for i in 0..50 {
            let mut alone = [0.0];
            distances(&rows[i..=i], &rows[50 + j..=50 + j], &mut alone);
            assert_eq!(alone[0].to_bits(), together[j * 50 + i].to_bits());
        }
    }
}

#[test]
fn far_from_the_origin_no_digit_is_lost() {
    let near = numbers(2 * 30, 4)
        .iter()
        .map(|x| (x * 1024.0).round() / 1024.0)
        .collect::<Vec<_>>();
    let far: Vec<f64> = near.iter().map(|x| x + 1e6).collect();
    let mut distance = [0.0, 0.0];
    distances(&[&near[..30]], &[&near[30..]], &mut distance[..1]);
    distances(&[&far[..30]], &[&far[30..]], &mut distance[1..]);
    assert_eq!(distance[0], distance[1]);
}

#[test]
fn no_rows_and_no_centroids_are_nothing() {
    distances::<f64>(&[], &[], &mut []);
    distances::<f64>(&[&[1.0]], &[], &mut []);
    pair_distances::<f32>(&[], &[], &mut []);
}

#[test]
fn what_is_above_its_limit_is_selected() {
    let numbers = |seed| -> Vec<u32> {
        let numbers = numbers(200, seed).into_iter();
        numbers.map(|x| ((x + 0.5) * 4e9) as u32).collect()
    };
    let (mut values, limits) = (numbers(1), numbers(2));
    values[17] = limits[17];
    for width in [512, 256, 0] {
        WIDEST.set(width);
        for len in (0..=70).chain([200]) {
            let above: Vec<usize> = (0..len).filter(|&i| values[i] > limits[i]).collect();
            let (mut places, mut selected) = ([7; 216], [7; 216]);
            let (values, limits) = (&values[..len], &limits[..len]);
            let count = select_above(values, limits, &mut places, &mut selected);
            assert_eq!(count, above.len(), "{len} of {width} bits");
            for (i, place) in above.into_iter().enumerate() {
                assert_eq!((places[i] as usize, selected[i]), (place, values[place]));
            }
        }
    }
}

#[test]
fn entries_of_a_table_are_found() {
    let table: Vec<u32> = (1..=16).map(|i| i * 1_000_003).collect();
    let indices: Vec<u8> = (0..75_u32).map(|i| (i * i % 17 % 16) as u8).collect();
    for width in [512, 256, 0] {
        WIDEST.set(width);
        for len in 0..=indices.len() {
            let indices = &indices[..len];
            let mut found = vec![7; len];
            look_up(indices, &table, &mut found);
            let expected: Vec<u32> = indices.iter().map(|&i| table[usize::from(i)]).collect();
            assert_eq!(found, expected, "{len} of {width} bits");
        }
        let mut found = [7; 9];
        look_up(&[0; 9], &table[3..4], &mut found);
        assert_eq!(found, [table[3]; 9]);
    }
}
