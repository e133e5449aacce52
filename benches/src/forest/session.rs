//! Training, prediction and their outcome.

use std::path::PathBuf;

use forest::{Engine, ForestError, RandomForest, RandomForestParams, Samples};
use ndarray::ArrayView1;

use super::{ForestCase, ForestEngine, ForestPhase};
use crate::arrays::matrix::{Element, Matrix};
use crate::arrays::output;
use crate::hash::Fnv;
use crate::session::{Outcome, Session, WorkloadError};

/// Rows and their labels.
pub struct Rows<F> {
    pub matrix: Matrix<F>,
    pub labels: Vec<i64>,
}

impl<F: Element> Rows<F> {
    fn samples(&self) -> Result<Samples<'_, F>, ForestError> {
        Samples::new(self.matrix.values(), self.matrix.n_features())
    }

    /// The share of labels that were predicted.
    fn accuracy(&self, predicted: &[i64]) -> f64 {
        let pairs = predicted.iter().zip(&self.labels);
        pairs.filter(|(a, b)| a == b).count() as f64 / self.labels.len() as f64
    }
}

/// Gives the rows for the test accuracy, if there are any.
pub type Test<F> = Box<dyn FnOnce() -> Result<Option<Rows<F>>, WorkloadError>>;

pub struct ForestSession<F> {
    phase: ForestPhase,
    params: RandomForestParams<F, i64>,
    train: Rows<F>,
    test: Option<Test<F>>,
    /// The files of the data, if they are in some: those of training and test.
    data: Option<PathBuf>,
    test_data: Option<PathBuf>,
    predictions: Option<PathBuf>,
    model: Option<RandomForest<F, i64>>,
    predicted: Option<Vec<i64>>,
}

impl<F: Element> ForestSession<F> {
    pub fn new(case: &ForestCase, train: Rows<F>, test: Test<F>) -> Self {
        let params = RandomForest::params()
            .n_trees(case.trees)
            .seed(u64::from(case.settings.seed))
            .engine(match case.settings.engine {
                ForestEngine::Native => Engine::Native,
                ForestEngine::Linfa => Engine::Linfa,
            });
        ForestSession {
            phase: case.settings.phase,
            params,
            train,
            test: Some(test),
            data: case.files.data.clone(),
            test_data: case.files.test_data.clone(),
            predictions: case.files.predictions.clone(),
            model: None,
            predicted: None,
        }
    }

    pub fn train(&mut self) -> Result<(), WorkloadError> {
        let train = || {
            self.params
                .fit_samples(self.train.samples()?, &self.train.labels)
        };
        self.model = Some(train().map_err(|error| blame(error, self.data.as_ref()))?);
        Ok(())
    }

    fn predict(&mut self) -> Result<(), WorkloadError> {
        if self.model.is_none() {
            self.train()?;
        }
        let model = self.model.as_ref().expect("a forest has just been trained");
        self.predicted = Some(model.predict_samples(self.train.samples()?)?);
        Ok(())
    }
}

/// What is wrong with the data of a file is told with its name.
fn blame(error: ForestError, file: Option<&PathBuf>) -> WorkloadError {
    match (file, error) {
        // That an engine fails is not the fault of the data.
        (Some(_), error @ ForestError::Engine(_)) | (None, error) => error.into(),
        (Some(path), error) => {
            let remedy = match error {
                ForestError::NotFinite { .. } => "; leave such rows out or fill them in",
                _ => "",
            };
            WorkloadError::Input(format!("{}: {error}{remedy}", path.display()))
        }
    }
}

impl<F: Element> Session for ForestSession<F> {
    fn phases(&self) -> &[&'static str] {
        match self.phase {
            ForestPhase::Train => &["train"],
            ForestPhase::Predict => &["predict"],
            ForestPhase::Both => &["train", "predict"],
        }
    }

    fn run(&mut self, phase: usize) -> Result<(), WorkloadError> {
        match self.phases()[phase] {
            "train" => self.train(),
            _ => self.predict(),
        }
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        if self.predicted.is_none() {
            self.predict()?;
        }
        let (Some(model), Some(predicted)) = (&self.model, &self.predicted) else {
            unreachable!("a prediction needs a forest and leaves itself behind");
        };
        let mut outcome =
            Outcome::default().result("train_accuracy", self.train.accuracy(predicted));
        let test = self.test.take().map(|test| test()).transpose()?.flatten();
        let mut tested = Vec::new();
        if let Some(test) = &test {
            let predict = || model.predict_samples(test.samples()?);
            tested = predict().map_err(|error| blame(error, self.test_data.as_ref()))?;
            outcome = outcome.result("test_accuracy", test.accuracy(&tested));
        }
        if let Some(path) = &self.predictions {
            let written = if test.is_some() { &tested } else { predicted };
            output::write(path, ArrayView1::from(written))?;
        }
        let depths = (0..model.n_trees()).map(|index| model.tree(index).map(|tree| tree.depth()));
        let depths: usize = depths.sum::<Result<usize, ForestError>>()?;
        let labels = predicted.iter().chain(&tested).map(|&label| label as usize);
        let hash = Fnv::new().numbers(labels).hex();
        let outcome = outcome
            .result("oob_score", model.oob_score())
            .result("nodes", model.n_nodes())
            .result("depth", model.max_depth())
            .result("mean_depth", depths as f64 / model.n_trees() as f64)
            .fingerprint("predictions", hash)
            .fingerprint("nodes", model.n_nodes());
        Ok(match self.data {
            None => outcome,
            // Of generated data the command line says so much.
            Some(_) => outcome
                .result("samples", self.train.matrix.n_samples())
                .result("features", self.train.matrix.n_features())
                .result("type", std::any::type_name::<F>()),
        })
    }
}
