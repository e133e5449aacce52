//! Trains smartcore's forest and predicts with it, and prints one JSON object: what `forest_fit.py` is to the other peers.
//!
//! `forest_smartcore` trains a little and prints the version; `forest_smartcore DATA LABELS --trees N` does the work.
//! It has one thread, and does not tell about nodes and depths.

use std::time::Instant;
use std::{error, fs};

use ndarray::{Array1, Array2};
use ndarray_npy::read_npy;
use serde_json::json;
use smartcore::ensemble::random_forest_classifier::{RandomForestClassifier, RandomForestClassifierParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

const VERSION: &str = "0.7.0";

type Forest = RandomForestClassifier<f64, i64, DenseMatrix<f64>, Vec<i64>>;

fn train(x: &DenseMatrix<f64>, y: &Vec<i64>, trees: u16) -> Result<Forest, Box<dyn error::Error>> {
    // Gini, the rounded-down root of the columns for a split, bootstrap and growth to purity are its defaults.
    let parameters = RandomForestClassifierParameters::default()
        .with_n_trees(trees)
        .with_seed(42);
    Ok(Forest::fit(x, y, parameters)?)
}

fn status_bytes(field: &str) -> Result<u64, Box<dyn error::Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(field))
        .ok_or("no such field")?;
    Ok(line.split_whitespace().nth(1).ok_or("no value")?.parse::<u64>()? * 1024)
}

fn main() -> Result<(), Box<dyn error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, labels, option, trees] = &arguments[..] else {
        let x = DenseMatrix::from_2d_array(&[&[0.0, 1.0], &[1.0, 0.0], &[2.0, 1.0], &[3.0, 0.0]])?;
        train(&x, &vec![0, 0, 1, 1], 2)?.predict(&x)?;
        println!("{}", json!({ "version": VERSION, "runtime": "Rust, one thread" }));
        return Ok(());
    };
    if option != "--trees" {
        return Err(format!("DATA LABELS --trees N are known here, not {option}").into());
    }

    let idle = status_bytes("VmRSS:")?;
    let x: Array2<f64> = read_npy(data)?;
    let y: Array1<i64> = read_npy(labels)?;
    let (rows, columns) = x.dim();
    let x = DenseMatrix::new(rows, columns, x.into_raw_vec_and_offset().0, false)?;
    let y = y.to_vec();

    let start = Instant::now();
    let forest = train(&x, &y, trees.parse()?)?;
    let train_s = start.elapsed().as_secs_f64();
    let memory = status_bytes("VmHWM:")? - idle;

    let mut predict_s = f64::INFINITY;
    for _ in 0..3 {
        let start = Instant::now();
        forest.predict(&x)?;
        predict_s = predict_s.min(start.elapsed().as_secs_f64());
    }
    println!(
        "{}",
        json!({
            "train_s": train_s, "predict_s": predict_s, "nodes": null, "mean_depth": null, "test_accuracy": null,
            "memory_bytes": memory,
        })
    );
    Ok(())
}
