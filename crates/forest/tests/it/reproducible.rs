//! The same seed gives the same forest, bit for bit, with every C library and on every processor: these
//! tests hold the fingerprints of forests that they would all have to miss together.

use forest::{Criterion, RandomForest, RandomForestRegressor};

use super::{noisy_rule, samples};

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// Of the trees' texts and of figures, bit for bit: FNV-1a.
struct Fingerprint(u64);

impl Fingerprint {
    fn text(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn figures(&mut self, figures: impl IntoIterator<Item = f64>) {
        for figure in figures {
            self.text(&format!("{:x} ", figure.to_bits()));
        }
    }
}

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

macro_rules! fingerprint {
    ($params:expr, $records:expr, $targets:expr) => {{
        let model = $params
            .n_trees(8)
            .seed(42)
            .fit_samples(samples($records), $targets)
            .unwrap();
        let mut fingerprint = Fingerprint(FNV_OFFSET);
        for tree in 0..model.n_trees() {
            fingerprint.text(&model.tree_text(tree, &NAMES).unwrap());
        }
        fingerprint.figures(model.oob_score());
        fingerprint.figures(model.feature_importances());
        (model, fingerprint)
    }};
}

#[test]
fn classification() {
    let (records, labels) = noisy_rule(3000, 1);
    let two: Vec<usize> = labels.to_vec();
    let six: Vec<usize> = (two.iter().enumerate())
        .map(|(row, label)| label * 3 + row % 3)
        .collect();
    let found = [
        (RandomForest::params(), &two),
        (RandomForest::params().criterion(Criterion::Entropy), &two),
        (RandomForest::extra_trees(), &two),
        (RandomForest::params().criterion(Criterion::Entropy), &six),
    ]
    .map(|(params, labels)| {
        let (model, mut found) = fingerprint!(params, &records, labels);
        found.figures(model.predict_proba_samples(samples(&records)).unwrap());
        found.0
    });
    let expected = [
        0x16dd_2544_e6ce_16f7,
        0x4b90_0321_e2f4_9f06,
        0x9f15_5ca4_10b8_358e,
        0x173c_a652_5247_a19b,
    ];
    assert_eq!(found, expected, "{found:#x?}");
}

#[test]
fn regression() {
    let (records, _) = noisy_rule(3000, 2);
    let records = records.mapv(|x| x as f32);
    let targets: Vec<f32> = (records.rows().into_iter())
        .map(|row| row[0] * row[1] - row[3])
        .collect();
    let found = [
        RandomForestRegressor::params(),
        RandomForestRegressor::extra_trees(),
    ]
    .map(|params| {
        let (model, mut found) = fingerprint!(params, &records, &targets);
        let predicted = model.predict_samples(samples(&records)).unwrap();
        found.figures(predicted.into_iter().map(f64::from));
        found.0
    });
    let expected = [0xa181_d5cb_39b2_48d9, 0x8ea0_2957_c67a_ac0f];
    assert_eq!(found, expected, "{found:#x?}");
}
