//! Data from files, and results to files.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use kmeans::{Float, KMeans, Samples};
use ndarray::{Array, Array1, Array2, Array3, Ix2, ShapeBuilder};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyExt, read_npy, write_npy};
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, json_lines, run};

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn save<A: WriteNpyExt>(folder: &TempDir, name: &str, array: &A) -> String {
    let path = folder.path().join(name);
    write_npy(&path, array).expect("the file can be written");
    path.display().to_string()
}

fn load<A: ReadNpyExt>(folder: &TempDir, name: &str) -> A {
    read_npy(folder.path().join(name)).expect("the file can be read")
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("the folder can be read");
    let mut names: Vec<String> = entries
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.into_string().expect("UTF-8")
        })
        .collect();
    names.sort();
    names
}

fn blobs<F: Float>(convert: impl Fn(f64) -> F) -> Array2<F> {
    let blobs = datasets::make_blobs(300, 4, 3, 42).expect("small blobs");
    blobs.records.mapv(convert)
}

/// The same values in columns.
fn in_fortran_order<A: Copy + Default>(array: &Array2<A>) -> Array2<A> {
    let mut columns = Array::from_elem(array.dim().f(), A::default());
    columns.assign(array);
    columns
}

/// Clusters the array through a file and holds everything against the library.
#[track_caller]
fn check_result<F>(array: &Array2<F>, type_name: &str)
where
    F: Float + WritableElement + ReadableElement,
{
    let folder = folder();
    let data = save(&folder, "rows.npy", array);
    let at = folder.path().display();
    let lines = json_lines(&run(&format!(
        "kmeans --data {data} --clusters 3 --n-init 2 --json --iterations 2 \
         --labels {at}/labels.npy --centroids {at}/centroids.npy"
    )));
    assert_eq!(names(&folder), ["centroids.npy", "labels.npy", "rows.npy"]);

    let values: Vec<F> = array.iter().copied().collect();
    let samples = Samples::new(&values, array.ncols()).expect("whole rows");
    let model = KMeans::params(3).n_init(2).fit_samples(samples);
    let model = model.expect("blobs can be clustered");
    let labels: Array1<u32> = load(&folder, "labels.npy");
    assert_eq!(labels.to_vec(), model.labels());
    let centroids: Array2<F> = load(&folder, "centroids.npy");
    assert_eq!(centroids.dim(), (3, 4));
    assert!(centroids.iter().eq(model.centroids()));

    let observation = &lines[0];
    assert_eq!(observation["case"], "kmeans/fit/rows-k3-init2");
    let wall_ns = &observation["phases"]["fit"]["wall_ns"];
    assert_eq!(wall_ns.as_array().map(Vec::len), Some(2));
    let result = &observation["result"];
    assert_eq!(result["inertia"], model.inertia());
    assert_eq!(result["iterations"], model.iterations());
    assert_eq!(result["samples"], array.nrows());
    assert_eq!(result["features"], array.ncols());
    assert_eq!(result["type"], type_name);
}

#[test]
fn both_types_in_both_orders_are_clustered() {
    let double = blobs(|x| x);
    let single = blobs(|x| x as f32);
    check_result(&double, "f64");
    check_result(&single, "f32");
    check_result(&in_fortran_order(&double), "f64");
    check_result(&in_fortran_order(&single), "f32");
}

#[test]
fn a_file_gives_what_the_same_generated_rows_give() {
    let folder = folder();
    let data = save(&folder, "blobs.npy", &blobs(|x| x));
    let fingerprint = |source: &str| -> Value {
        let args = format!("kmeans {source} --clusters 3 --json");
        json_lines(&run(&args))[0]["fingerprint"].clone()
    };
    let generated = fingerprint("--samples 300 --features 4");
    assert_eq!(fingerprint(&format!("--data {data}")), generated);
    let linfa = fingerprint(&format!("--data {data} --engine linfa"));
    assert_eq!(linfa["inertia"], generated["inertia"]);
}

#[test]
fn several_numbers_of_clusters_are_several_cases() {
    let folder = folder();
    let data = save(&folder, "rows.npy", &blobs(|x| x));
    let lines = json_lines(&run(&format!("kmeans --data {data} --clusters 2,3 --json")));
    let cases: Vec<&Value> = lines.iter().map(|line| &line["case"]).collect();
    assert_eq!(cases, ["kmeans/fit/rows-k2", "kmeans/fit/rows-k3"]);
}

#[test]
fn rows_in_c_order_are_not_copied() {
    let folder = folder();
    let rows = 40_000;
    let array = Array2::from_shape_fn((rows, 128), |(i, j)| ((i * 7 + j) % 1000) as f64);
    let bytes = (rows * 128 * 8) as f64;
    let peak = |name: &str, array: &Array2<f64>| {
        let data = save(&folder, name, array);
        let args = format!("kmeans --data {data} --clusters 2 --n-init 1 --max-iter 2 --json");
        let peak = json_lines(&run(&args))[0]["peak_rss_bytes"].as_f64();
        peak.expect("a peak") / bytes
    };
    let in_place = peak("c.npy", &array);
    assert!(in_place < 1.7, "{in_place} of the data");
    let copied = peak("fortran.npy", &in_fortran_order(&array));
    assert!(copied > 1.9, "{copied} of the data");
}

#[track_caller]
fn check_refused(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    for part in parts {
        assert!(
            ended.stderr.contains(part),
            "{part} is missing: {}",
            ended.stderr
        );
    }
}

/// Tries to cluster a file with these bytes.
#[track_caller]
fn check_bytes(bytes: &[u8], reason: &str, remedy: &str) {
    let folder = folder();
    let path = folder.path().join("wrong.npy");
    fs::write(&path, bytes).expect("the file can be written");
    let ended = run(&format!(
        "kmeans --data {} --clusters 3 --json",
        path.display()
    ));
    check_refused(&ended, &["/wrong.npy", reason, remedy]);
}

#[track_caller]
fn check_array<A: WriteNpyExt>(array: &A, reason: &str, remedy: &str) {
    let mut bytes = Vec::new();
    array.write_npy(&mut bytes).expect("arrays can be written");
    check_bytes(&bytes, reason, remedy);
}

#[test]
fn other_arrays_are_refused_with_a_remedy() {
    let numbers = Array2::<i64>::zeros((9, 4));
    check_array(&numbers, "of the type '<i8'", "array.astype('float64')");
    let flags = Array2::from_elem((9, 4), true);
    check_array(&flags, "of the type '|b1'", "array.astype('float64')");
    let list = Array1::<f64>::zeros(9);
    check_array(&list, "it has 1 dimension,", "array.reshape(rows, columns)");
    let cube = Array3::<f32>::zeros((9, 4, 2));
    check_array(
        &cube,
        "it has 3 dimensions,",
        "array.reshape(rows, columns)",
    );
    let no_rows = Array2::<f64>::zeros((0, 4));
    check_array(
        &no_rows,
        "--clusters 3 is more than the 0 rows of",
        "every cluster needs a row",
    );
    let few_rows = Array2::<f32>::zeros((2, 4));
    check_array(
        &few_rows,
        "--clusters 3 is more than the 2 rows of",
        "every cluster needs a row",
    );
    let no_columns = Array2::<f64>::zeros((9, 0));
    check_array(&no_columns, "the records have no columns", "");
    for order in [blobs(|x| x), in_fortran_order(&blobs(|x| x))] {
        let mut hole = order;
        hole[(7, 2)] = f64::NAN;
        check_array(
            &hole,
            "row 7, column 2 (counted from 0) is NaN",
            "leave such rows out or fill them in",
        );
    }
    let large = Array::from_shape_fn(Ix2(9, 4), |(i, _)| if i == 3 { f32::MAX } else { 0.0 });
    check_array(&large, "overflow f32", "scale the records down");
}

#[test]
fn damaged_files_are_refused_with_a_remedy() {
    let mut whole = Vec::new();
    let array = blobs(|x| x);
    array.write_npy(&mut whole).expect("arrays can be written");
    let cut = &whole[..whole.len() - 5];
    check_bytes(
        cut,
        "5 bytes of the values are missing",
        "save or copy it again",
    );
    check_bytes(&whole[..50], "no .npy file", "numpy.save(file, array)");
    check_bytes(b"", "no .npy file", "numpy.save(file, array)");
    check_bytes(
        b"1.5,2.5\n3.5,4.5\n",
        "no .npy file",
        "numpy.save(file, array)",
    );
    let mut long = whole.clone();
    long.extend(b"more");
    check_bytes(
        &long,
        "4 bytes follow the values",
        "numpy.save(file, array)",
    );
    // The same header says that every value is turned around.
    let at = whole.windows(3).position(|bytes| bytes == b"<f8");
    let mut turned = whole.clone();
    turned[at.expect("the type of the values")] = b'>';
    check_bytes(
        &turned,
        "the byte order of other machines",
        "array.astype('float64')",
    );
    // One blank less before the values, with and without any.
    for array in [array, Array2::zeros((9, 0))] {
        let mut shifted = Vec::new();
        array
            .write_npy(&mut shifted)
            .expect("arrays can be written");
        shifted.remove(126);
        shifted[8] -= 1;
        check_bytes(
            &shifted,
            "do not start at a multiple of their size",
            "numpy.save(file, array)",
        );
    }
    // A header that nests without end, and one that claims to be longer than any memory.
    let mut nested = b"\x93NUMPY\x01\x00\x60\xea".to_vec();
    nested.extend([b'('; 60_000]);
    check_bytes(&nested, "no .npy file", "numpy.save(file, array)");
    check_bytes(
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        "no .npy file",
        "numpy.save(file, array)",
    );
}

#[test]
fn files_that_are_not_there_or_no_files_are_refused() {
    let folder = folder();
    let missing = folder.path().join("missing.npy").display().to_string();
    let ended = run(&format!("kmeans --data {missing}"));
    check_refused(&ended, &[&missing, "No such file"]);
    let at = folder.path().display();
    check_refused(
        &run(&format!("kmeans --data {at}")),
        &["no regular file", "read it in place"],
    );
}

#[test]
fn contradictions_are_refused() {
    let folder = folder();
    let data = save(&folder, "rows.npy", &blobs(|x| x));
    let refused = |args: &str, message: &str| {
        check_refused(&run(&format!("kmeans --data {data} {args}")), &[message]);
    };
    refused("--samples 5k", "cannot be used with");
    refused("--features 3", "cannot be used with");
    refused("--engine linfa --algorithm lloyd", "--engine native only");
    refused(
        &format!("--labels {data}"),
        "--labels would overwrite the file of --data",
    );
    let at = folder.path().display();
    let around = format!("--labels {at}/../{}/rows.npy", file_name(folder.path()));
    refused(&around, "--labels would overwrite the file of --data");
    refused(
        &format!("--labels {at}/one.npy --centroids {at}/one.npy"),
        "--centroids would overwrite the file of --labels",
    );
    refused(
        &format!("--labels {at}/labels.npy --clusters 2,3"),
        "--labels takes the result of one case, but these arguments describe 2",
    );
    assert_eq!(names(&folder), ["rows.npy"]);
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().expect("a name");
    name.to_str().expect("UTF-8").to_owned()
}

#[test]
fn results_that_cannot_be_written_are_refused_before_the_run() {
    let folder = folder();
    let data = save(&folder, "rows.npy", &blobs(|x| x));
    let at = folder.path().display();
    for name in ["--labels", "--centroids"] {
        let nowhere = format!("kmeans --data {data} {name} {at}/nowhere/out.npy");
        let remedy = "a folder that you may write to";
        check_refused(
            &run(&nowhere),
            &["/nowhere/out.npy", "cannot write", remedy],
        );
        let occupied = format!("kmeans --data {data} {name} {at}");
        check_refused(&run(&occupied), &["cannot write", "directory"]);
    }
}

#[test]
fn results_replace_files_only_when_they_are_complete() {
    let folder = folder();
    let mut array = blobs(|x| x);
    let good = save(&folder, "good.npy", &array);
    array[(1, 1)] = f64::INFINITY;
    let bad = save(&folder, "bad.npy", &array);
    let labels = folder.path().join("labels.npy");
    fs::write(&labels, "what was there before").expect("the file can be written");
    let run = |data: &str| {
        let labels = labels.display();
        run(&format!(
            "kmeans --data {data} --clusters 3 --n-init 1 --labels {labels}"
        ))
    };
    check_refused(&run(&bad), &["is inf"]);
    let before = fs::read_to_string(&labels).expect("the file is still there");
    assert_eq!(before, "what was there before");

    assert_eq!(run(&good).status, Some(0));
    let written: Array1<u32> = load(&folder, "labels.npy");
    assert_eq!(written.len(), 300);
    let mode = fs::metadata(&labels)
        .expect("the file is there")
        .permissions()
        .mode();
    assert_ne!(
        mode & 0o044,
        0,
        "others may read it, unless the mask forbids it"
    );
    assert_eq!(names(&folder), ["bad.npy", "good.npy", "labels.npy"]);
}

#[test]
fn devices_stay_what_they_are() {
    let ended = run("kmeans --samples 300 --features 4 --clusters 3 --labels /dev/null");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let null = fs::metadata("/dev/null").expect("the device is still there");
    assert!(null.file_type().is_char_device());
}

/// Rows and labels that a forest can learn, in files.
fn labelled(folder: &TempDir) -> (Array2<f64>, Array1<i64>, String) {
    let blobs = datasets::make_blobs(300, 4, 3, 42).expect("small blobs");
    let labels = blobs.targets.mapv(|label| label as i64 * 10 - 10);
    let data = save(folder, "rows.npy", &blobs.records);
    let file = save(folder, "classes.npy", &labels);
    (
        blobs.records,
        labels,
        format!("--data {data} --labels {file}"),
    )
}

#[test]
fn a_forest_is_trained_on_files() {
    let folder = folder();
    let (records, labels, files) = labelled(&folder);
    let at = folder.path().display();
    let args = format!("forest {files} --trees 7 --json --predictions {at}/predicted.npy");
    let lines = json_lines(&run(&args));
    let samples = forest::Samples::new(records.as_slice().expect("rows"), 4).expect("whole rows");
    let model = forest::RandomForest::params().n_trees(7);
    let model = model.fit_samples(samples, labels.as_slice().expect("labels"));
    let model = model.expect("blobs can be learned");
    let predicted: Array1<i64> = load(&folder, "predicted.npy");
    assert_eq!(
        predicted.to_vec(),
        model.predict_samples(samples).expect("the rows of the fit")
    );
    assert_eq!(lines[0]["case"], "forest/both/rows-t7");
    let result = &lines[0]["result"];
    assert_eq!(result["train_accuracy"], 1.0);
    assert_eq!(result.get("test_accuracy"), None);
    assert_eq!(result["nodes"], model.n_nodes());
    assert_eq!(result["depth"], model.max_depth());
    assert_eq!(result["oob_score"].as_f64(), model.oob_score());
    assert_eq!(
        (&result["samples"], &result["type"]),
        (&300.into(), &"f64".into())
    );

    // Labels of other types, float32 in Fortran order, and rows to test with.
    let single = in_fortran_order(&records.mapv(|x| x as f32));
    let single = save(&folder, "single.npy", &single);
    let small = save(&folder, "small.npy", &labels.mapv(|label| label as i8));
    let test = "--test-data {data} --test-labels {labels}";
    let test = test.replace("{data}", &single).replace("{labels}", &small);
    let args = format!(
        "forest --data {single} --labels {small} {test} --trees 3 --json --predictions {at}/tested.npy"
    );
    let lines = json_lines(&run(&args));
    assert_eq!(lines[0]["result"]["test_accuracy"], 1.0);
    assert_eq!(lines[0]["result"]["type"], "f32");
    let tested: Array1<i64> = load(&folder, "tested.npy");
    assert_eq!(tested, labels);
}

#[test]
fn files_that_a_forest_cannot_use() {
    let folder = folder();
    let (records, labels, files) = labelled(&folder);
    let check = |args: &str, message: &str| {
        let ended = run(&format!("forest {args}"));
        assert_eq!(ended.status, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
    };
    let data = folder.path().join("rows.npy").display().to_string();
    let file = |name: &str| folder.path().join(name).display().to_string();
    check(&format!("--data {data}"), "--labels");
    save(
        &folder,
        "short.npy",
        &labels.slice(ndarray::s![..299]).to_owned(),
    );
    let short = file("short.npy");
    check(
        &format!("--data {data} --labels {short}"),
        "has 299 labels, but",
    );
    save(&folder, "float.npy", &labels.mapv(|label| label as f64));
    let float = file("float.npy");
    check(
        &format!("--data {data} --labels {float}"),
        "which is none of labels",
    );
    check(
        &format!("--data {data} --labels {data}"),
        "which is none of labels",
    );
    let mut holes = records.clone();
    holes[(7, 1)] = f64::NAN;
    save(&folder, "holes.npy", &holes);
    let holes = file("holes.npy");
    let classes = file("classes.npy");
    check(
        &format!("--data {holes} --labels {classes}"),
        "row 7, column 1",
    );
    save(&folder, "single.npy", &records.mapv(|x| x as f32));
    let single = file("single.npy");
    let test = format!("--test-data {single} --test-labels {classes}");
    check(
        &format!("{files} {test}"),
        "another type than the training data",
    );
    save(
        &folder,
        "narrow.npy",
        &records.slice(ndarray::s![.., ..3]).to_owned(),
    );
    let narrow = file("narrow.npy");
    let test = format!("--test-data {narrow} --test-labels {classes}");
    check(
        &format!("{files} {test}"),
        "fitted on 4 features, but the records have 3",
    );
    check(
        &format!("{files} --predictions {classes}"),
        "would overwrite the file of --labels",
    );
    let several = format!("{files} --trees 1,2 --predictions {}", file("p.npy"));
    check(&several, "takes the result of one case");
}
