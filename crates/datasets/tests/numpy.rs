//! Every expected value was computed with NumPy 2.4 and scikit-learn 1.9.

use datasets::{DatasetError, RandomState, make_blobs, random_classification};

/// Normal variates go through a logarithm, whose last bit differs between C libraries.
#[track_caller]
fn check_close<'a>(actual: impl IntoIterator<Item = &'a f64>, expected: &[f64]) {
    let actual: Vec<f64> = actual.into_iter().copied().collect();
    assert_eq!(actual.len(), expected.len());
    for (i, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!(
            (a - e).abs() <= 1e-12 * e.abs(),
            "value {i}: {a:?} is not {e:?}"
        );
    }
}

#[track_caller]
fn check_doubles(seed: u32, expected: &[f64]) {
    let mut random = RandomState::new(seed);
    let actual: Vec<f64> = expected.iter().map(|_| random.double()).collect();
    assert_eq!(actual, expected);
}

#[test]
fn doubles() {
    check_doubles(
        42,
        &[
            0.3745401188473625,
            0.9507143064099162,
            0.7319939418114051,
            0.5986584841970366,
            0.15601864044243652,
        ],
    );
    check_doubles(
        0,
        &[0.5488135039273248, 0.7151893663724195, 0.6027633760716439],
    );
    check_doubles(
        u32::MAX,
        &[0.0976320289940138, 0.9123828453026218, 0.78903530185164],
    );
}

#[test]
fn gauss_keeps_the_second_variate_while_other_numbers_are_drawn() {
    let mut random = RandomState::new(42);
    let first = [random.gauss(), random.gauss(), random.gauss()];
    check_close(
        &first,
        &[0.4967141530112327, -0.13826430117118466, 0.6476885381006925],
    );
    assert_eq!(
        [random.double(), random.double()],
        [0.15601864044243652, 0.15599452033620265]
    );
    let second = [random.gauss(), random.gauss()];
    check_close(&second, &[1.5230298564080254, 1.5792128155073915]);
}

#[test]
fn uniform_and_normal() {
    let mut random = RandomState::new(7);
    let actual: Vec<f64> = (0..5).map(|_| random.uniform(-10.0, 10.0)).collect();
    assert_eq!(
        actual,
        [
            -8.473834212520856,
            5.598375844802293,
            -1.2318153711821296,
            4.469303556618824,
            9.559790239932052
        ]
    );
    let mut random = RandomState::new(7);
    let actual: Vec<f64> = (0..5).map(|_| random.normal(5.0, 2.5)).collect();
    check_close(
        &actual,
        &[
            9.22631425950089,
            3.835156573647918,
            5.082050409196461,
            6.01879070749127,
            3.0276924284356532,
        ],
    );
}

/// `next` is the word that the generator gives afterwards: it shows how many were drawn.
#[track_caller]
fn check_randint(low: i64, high: i64, expected: &[i64], next: u32) {
    let mut random = RandomState::new(42);
    assert_eq!(random.randint(low, high, expected.len()).unwrap(), expected);
    assert_eq!(random.interval(u32::MAX), next);
}

#[test]
fn randint() {
    let labels = [0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0];
    check_randint(0, 2, &labels, 88_409_749);
    let digits = [6, 3, 7, 4, 6, 9, 2, 6, 7, 4, 3, 7];
    check_randint(0, 10, &digits, 3_041_148_567);
    let signed = [1, -2, 5, 2, -1, 1, 4, -3, 1, 5, 5, 2];
    check_randint(-5, 6, &signed, 1_433_267_572);
    // A single possible value takes nothing from the generator.
    check_randint(3, 4, &[3, 3, 3], 1_608_637_542);
    check_randint(0, 4, &[], 1_608_637_542);
    let words = [1_608_637_542, 3_421_126_067, 4_083_286_876, 787_846_414];
    check_randint(0, 1 << 32, &words, 3_143_890_026);
    check_randint(0, (1 << 32) - 1, &words, 3_143_890_026);
    let long = [3_421_126_067, 787_846_414, 3_348_747_335, 2_563_451_924];
    check_randint(0, 1 << 33, &long, 670_094_950);
    let odd = [
        -658_003_837_517,
        -640_896_347_065,
        902_372_521_174,
        319_800_038_858,
    ];
    check_randint(-(1 << 40), (1 << 40) + 12_345, &odd, 3_720_198_231);
    let full = [
        -2_314_326_399_425_823_309,
        8_314_211_556_539_077_902,
        4_279_532_810_384_561_223,
        1_819_927_849_474_927_636,
    ];
    check_randint(i64::MIN, i64::MAX, &full, 670_094_950);
}

#[track_caller]
fn check_shuffle(n: usize, head: &[usize], tail: &[usize]) {
    let mut items: Vec<usize> = (0..n).collect();
    RandomState::new(42).shuffle(&mut items);
    assert_eq!(&items[..head.len()], head);
    assert_eq!(&items[n - tail.len()..], tail);
}

#[test]
fn shuffle() {
    check_shuffle(0, &[], &[]);
    check_shuffle(1, &[0], &[]);
    check_shuffle(10, &[8, 1, 5, 0, 7], &[2, 9, 4, 3, 6]);
    check_shuffle(
        1000,
        &[521, 737, 740, 660, 411, 678],
        &[71, 106, 270, 860, 435, 102],
    );
}

#[test]
fn randn_is_row_major() {
    let array = RandomState::new(42).randn(3, 2).unwrap();
    assert_eq!(array.dim(), (3, 2));
    let expected = [
        0.4967141530112327,
        -0.13826430117118466,
        0.6476885381006925,
        1.5230298564080254,
        -0.23415337472333597,
        -0.23413695694918055,
    ];
    check_close(array.rows().into_iter().flatten(), &expected);
    assert_eq!(RandomState::new(1).randn(0, 7).unwrap().dim(), (0, 7));
}

struct BlobsCase<'a> {
    size: (usize, usize, usize),
    seed: u32,
    records: &'a [f64],
    targets: &'a [usize],
    centers: &'a [f64],
}

#[track_caller]
fn check_blobs(case: &BlobsCase) {
    let (n_samples, n_features, centers) = case.size;
    let blobs = make_blobs(n_samples, n_features, centers, case.seed).unwrap();
    assert_eq!(blobs.records.dim(), (n_samples, n_features));
    assert_eq!(blobs.centers.dim(), (centers, n_features));
    check_close(&blobs.records, case.records);
    assert_eq!(blobs.targets.to_vec(), case.targets);
    let actual: Vec<f64> = blobs.centers.iter().copied().collect();
    assert_eq!(actual, case.centers);
}

#[test]
fn blobs_with_samples_left_over() {
    check_blobs(&BlobsCase {
        size: (7, 2, 3),
        seed: 42,
        records: &[
            -0.9299848075453587,
            9.78172085735123,
            -2.978672008987702,
            9.556846171784287,
            2.9149610037150686,
            1.4108821546997592,
            4.881841107794136,
            0.05988943928293411,
            -2.9726153158652124,
            8.548556374628065,
            -7.787651266672481,
            -8.292413294611238,
            -7.892458311485694,
            -6.565862260680673,
        ],
        targets: &[0, 0, 1, 1, 0, 2, 2],
        centers: &[
            -2.50919762305275,
            9.014286128198322,
            4.639878836228101,
            1.973169683940732,
            -6.87962719115127,
            -6.880109593275947,
        ],
    });
}

#[test]
fn blobs_of_equal_size() {
    check_blobs(&BlobsCase {
        size: (6, 3, 2),
        seed: 0,
        records: &[
            1.3868685804848675,
            4.447830898609268,
            3.5095410283958532,
            1.5512822553782974,
            -0.6624678143623997,
            2.175717240926681,
            1.2313379873122037,
            -0.03282494006429926,
            2.712723997567322,
            1.9263584960720843,
            4.152430119150692,
            1.95204866963932,
            1.7373078036934886,
            4.425462343941218,
            2.4991307541783034,
            1.2107313615888382,
            -2.38099975252363,
            0.3648924454990441,
        ],
        targets: &[0, 1, 1, 0, 0, 1],
        centers: &[
            0.9762700785464951,
            4.30378732744839,
            2.055267521432878,
            0.8976636599379368,
            -1.5269040132219054,
            2.917882261333123,
        ],
    });
}

#[test]
fn blobs_with_more_centers_than_samples() {
    check_blobs(&BlobsCase {
        size: (2, 1, 4),
        seed: 1,
        records: &[3.333521246686991, -2.187731658211975],
        targets: &[1, 0],
        centers: &[
            -1.6595599059485195,
            4.4064898688431615,
            -9.997712503653101,
            -3.9533485473632046,
        ],
    });
}

#[test]
fn a_single_blob_of_one_sample() {
    check_blobs(&BlobsCase {
        size: (1, 1, 1),
        seed: 5,
        records: &[-5.854096381795722],
        targets: &[0],
        centers: &[-5.56013657820521],
    });
}

#[test]
fn blobs_of_2000_samples_and_128_features() {
    let blobs = make_blobs(2000, 128, 5, 42).unwrap();
    let chosen = [(0, 0), (0, 127), (1, 5), (777, 64), (1999, 127)].map(|at| blobs.records[at]);
    check_close(
        &chosen,
        &[
            -8.162879724697111,
            -1.153530050803933,
            6.265579366132143,
            -3.0802597959113136,
            1.065885100359024,
        ],
    );
    let sums = [
        blobs.records.sum(),
        blobs.records.iter().map(|x| x * x).sum(),
        blobs.centers.sum(),
    ];
    // The first sum cancels to a hundredth of its terms, hence its own tolerance.
    assert!((sums[0] - -12255.65382776997).abs() < 1e-7);
    check_close(&sums[1..], &[9263551.877082497, -30.622891570188855]);
    // Weighting by row number shows the order of the rows.
    let weighted: f64 = blobs
        .records
        .rows()
        .into_iter()
        .zip(1..)
        .map(|(row, number)| row.sum() * f64::from(number))
        .sum();
    assert!((weighted - -10970522.926575243).abs() < 1e-4);
    assert_eq!(blobs.targets.sum(), 4000);
    let weighted: usize = blobs.targets.iter().enumerate().map(|(i, t)| i * t).sum();
    assert_eq!(weighted, 3_998_650);
}

#[test]
fn normals_followed_by_labels() {
    let (records, targets) = random_classification(1000, 100, 42).unwrap();
    assert!((records.sum() - 96.68681409495966).abs() < 1e-9);
    check_close(
        &[records[(999, 99)], records[(500, 50)]],
        &[0.12006294082414522, -1.6355612913434658],
    );
    assert_eq!(targets.sum(), 516);
    assert_eq!(
        targets.iter().take(10).copied().collect::<Vec<_>>(),
        [1, 1, 1, 0, 1, 0, 1, 1, 1, 1]
    );
}

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T, DatasetError>, expected: DatasetError) {
    assert_eq!(result.unwrap_err(), expected);
}

#[test]
fn bad_requests_are_errors() {
    check_error(make_blobs(0, 1, 1, 0), DatasetError::NoSamples);
    check_error(make_blobs(1, 0, 1, 0), DatasetError::NoFeatures);
    check_error(make_blobs(1, 1, 0, 0), DatasetError::NoCenters);
    check_error(random_classification(0, 1, 0), DatasetError::NoSamples);
    check_error(random_classification(1, 0, 0), DatasetError::NoFeatures);
    let too_large = |rows, columns| DatasetError::TooLarge { rows, columns };
    let huge = usize::MAX;
    check_error(make_blobs(huge, 2, 1, 0), too_large(huge, 2));
    check_error(make_blobs(2, huge / 4, 1, 0), too_large(2, huge / 4));
    check_error(make_blobs(1, 2, huge, 0), too_large(huge, 2));
    check_error(random_classification(huge, 1, 0), too_large(huge, 1));
    let mut random = RandomState::new(0);
    check_error(random.randn(huge, huge), too_large(huge, huge));
    check_error(random.randn(0, huge), too_large(0, huge));
    check_error(random.randint(0, 2, huge), too_large(huge, 1));
    let empty = |low, high| DatasetError::EmptyRange { low, high };
    check_error(random.randint(2, 2, 1), empty(2, 2));
    check_error(
        random.randint(i64::MAX, i64::MIN, 1),
        empty(i64::MAX, i64::MIN),
    );
}

#[test]
fn messages_say_what_is_wrong() {
    let message = make_blobs(usize::MAX, 2, 1, 0).unwrap_err().to_string();
    assert_eq!(
        message,
        "18446744073709551615 x 2 values do not fit into memory: ask for fewer rows or columns"
    );
}
