//! The same seed gives the same model with every C library: these tests hold the fingerprints of models
//! that both would have to miss together. There is one for each width of the registers, because distances
//! are added up in an order that depends on it.

#![expect(
    clippy::print_stderr,
    reason = "what could not be tested has to be said"
)]

use rayon::ThreadPoolBuilder;

use crate::simd::{WIDEST, has_avx2, has_avx512};
use crate::{Float, KMeans, Samples};

/// Of labels, centroids and inertia, bit for bit: FNV-1a.
fn fingerprint<F: Float>(model: &KMeans<F>) -> u64 {
    let labels = model.labels().iter().map(|&label| u64::from(label));
    let centroids = model.centroids().iter().map(|x| x.widen().to_bits());
    let words = labels.chain(centroids).chain([model.inertia().to_bits()]);
    let bytes = words.flat_map(u64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The fingerprints of models with many and with few features, for 64 and for 32 bits.
fn fingerprints() -> [u64; 4] {
    let fit = |n_features, k| {
        let blobs = datasets::make_blobs(3000, n_features, 5, 1).unwrap();
        let values = blobs.records.as_slice().unwrap().to_vec();
        let narrow: Vec<f32> = values.iter().map(|&x| x as f32).collect();
        let params = KMeans::params(k).seed(42).n_init(3);
        let wide = params.fit_samples(Samples::new(&values, n_features).unwrap());
        let params = KMeans::params(k).seed(42).n_init(3);
        let narrow = params.fit_samples(Samples::new(&narrow, n_features).unwrap());
        [fingerprint(&wide.unwrap()), fingerprint(&narrow.unwrap())]
    };
    let ([a, b], [c, d]) = (fit(37, 9), fit(3, 12));
    [a, b, c, d]
}

/// Models that were fitted on one and on several threads.
fn fingerprints_up_to(width: usize) -> [u64; 4] {
    let on = |threads| {
        let pool = ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.start_handler(move |_| WIDEST.set(width));
        pool.build().unwrap().install(fingerprints)
    };
    let found = on(1);
    assert_eq!(found, on(3), "{width} bits");
    found
}

#[test]
fn models_are_the_same_with_every_c_library() {
    const PORTABLE: [u64; 4] = [
        0xb208_fa38_3af3_03f5,
        0x3a69_bbdb_78d0_b2a6,
        0xdd4f_966c_0c97_c833,
        0x440d_91e8_2c71_7d60,
    ];
    const WITH_256_BITS: [u64; 4] = [
        0xb208_fa38_3af3_03f5,
        0xbe02_9f78_92a8_4947,
        0xdd4f_966c_0c97_c833,
        0xff37_fcf4_baa2_9251,
    ];
    const WITH_512_BITS: [u64; 4] = [
        0xa63c_033b_875b_e31f,
        0x1d03_9bce_8a12_e7f6,
        0xdd4f_966c_0c97_c833,
        0xff37_fcf4_baa2_9251,
    ];
    let mut found = vec![fingerprints_up_to(0)];
    if has_avx2() {
        found.push(fingerprints_up_to(256));
    }
    if has_avx512() {
        found.push(fingerprints_up_to(512));
    }
    let expected = &[PORTABLE, WITH_256_BITS, WITH_512_BITS][..found.len()];
    assert_eq!(found, expected, "{found:#x?}");
    if found.len() < 3 {
        eprintln!("NOT TESTED: registers that this processor does not have");
    }
}
