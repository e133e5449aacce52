//! A random forest on labels that nothing predicts: the phases `train` and `predict`.

use datasets::random_classification;
use forest::{Engine, RandomForest};
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use ndarray::{Array1, Array2};

use crate::hash::Fnv;
use crate::session::{Outcome, Session, WorkloadError};
use crate::size;

/// Rows, never seen in training, that the test accuracy comes from; no more than the training has.
const TEST_SAMPLES: usize = 10_000;

/// The arguments of `workload forest`: every combination of samples and trees is a case.
#[derive(Clone, Debug, clap::Args)]
pub struct ForestArgs {
    /// Rows of the data; several separated by commas (100000, 100k, 1m)
    #[arg(long, value_delimiter = ',', default_value = "100000", value_parser = size::parse_positive)]
    pub samples: Vec<usize>,
    /// Trees of the forest; several separated by commas
    #[arg(long, value_delimiter = ',', default_value = "10", value_parser = size::parse_positive)]
    pub trees: Vec<usize>,
    /// What all combinations have in common.
    #[command(flatten)]
    pub settings: ForestSettings,
}

/// What is the same in every case of one command line.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ForestSettings {
    /// What an iteration does
    #[arg(long, value_enum, default_value_t = ForestPhase::Both)]
    pub phase: ForestPhase,
    /// Columns of the data
    #[arg(long, default_value_t = 100, value_parser = size::parse_positive)]
    pub features: usize,
    /// Seed of the data and of the trees
    #[arg(long, default_value_t = 42)]
    pub seed: u32,
}

/// What an iteration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ForestPhase {
    /// Train a forest.
    Train,
    /// Predict the training rows with a forest trained beforehand.
    Predict,
    /// Train a forest, then predict the training rows with it.
    Both,
}

impl ForestArgs {
    /// The cases, those with the same number of rows in a row.
    pub fn cases(&self) -> Vec<ForestCase> {
        self.samples
            .iter()
            .flat_map(|&samples| {
                let settings = self.settings;
                self.trees.iter().map(move |&trees| ForestCase {
                    samples,
                    trees,
                    settings,
                })
            })
            .collect()
    }
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct ForestCase {
    samples: usize,
    trees: usize,
    settings: ForestSettings,
}

impl ForestCase {
    /// `forest/train/100k-t10`; settings that are not the defaults follow.
    pub fn id(&self) -> String {
        let ForestSettings {
            phase,
            features,
            seed,
        } = self.settings;
        let phase = match phase {
            ForestPhase::Train => "train",
            ForestPhase::Predict => "predict",
            ForestPhase::Both => "both",
        };
        let mut id = format!(
            "forest/{phase}/{}-t{}",
            size::format(self.samples),
            self.trees
        );
        for (name, value, default) in [("features", features, 100), ("seed", seed as usize, 42)] {
            if value != default {
                id.push_str(&format!("-{name}{value}"));
            }
        }
        id
    }

    /// Generates the data and, when only the prediction is to be measured, trains the forest.
    ///
    /// # Errors
    ///
    /// When there is no memory for the data, or the training fails.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        let ForestSettings {
            phase,
            features,
            seed,
        } = self.settings;
        let (records, targets) = random_classification(self.samples, features, seed)?;
        let mut session = ForestSession {
            case: *self,
            dataset: DatasetBase::new(records, targets),
            model: None,
            predicted: None,
        };
        if phase == ForestPhase::Predict {
            session.train()?;
        }
        Ok(Box::new(session))
    }
}

struct ForestSession {
    case: ForestCase,
    dataset: DatasetBase<Array2<f64>, Array1<usize>>,
    model: Option<RandomForest<f64, usize>>,
    predicted: Option<Array1<usize>>,
}

impl ForestSession {
    fn train(&mut self) -> Result<(), WorkloadError> {
        let params = RandomForest::params()
            .n_trees(self.case.trees)
            .seed(u64::from(self.case.settings.seed))
            .engine(Engine::Linfa);
        self.model = Some(params.fit(&self.dataset)?);
        Ok(())
    }

    fn predict(&mut self) -> Result<(), WorkloadError> {
        if self.model.is_none() {
            self.train()?;
        }
        let model = self.model.as_ref().expect("a forest has just been trained");
        self.predicted = Some(model.predict(self.dataset.records()));
        Ok(())
    }
}

impl Session for ForestSession {
    fn phases(&self) -> &[&'static str] {
        match self.case.settings.phase {
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
        let test_samples = self.case.samples.min(TEST_SAMPLES);
        let ForestSettings { features, seed, .. } = self.case.settings;
        let (records, targets) =
            random_classification(test_samples, features, seed.wrapping_add(1))?;
        let tested = model.predict(&records);
        let hash = Fnv::new()
            .numbers(predicted.iter().chain(&tested).copied())
            .hex();
        Ok(Outcome::default()
            .result(
                "train_accuracy",
                accuracy(predicted, self.dataset.targets()),
            )
            .result("test_accuracy", accuracy(&tested, &targets))
            .result("oob_score", model.oob_score())
            .result("nodes", model.n_nodes())
            .result("depth", model.max_depth())
            .fingerprint("predictions", hash)
            .fingerprint("nodes", model.n_nodes()))
    }
}

/// The share of equal labels.
fn accuracy(predicted: &Array1<usize>, targets: &Array1<usize>) -> f64 {
    let right = predicted
        .iter()
        .zip(targets)
        .filter(|(a, b)| a == b)
        .count();
    right as f64 / targets.len() as f64
}
