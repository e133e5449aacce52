//! A random forest on labels that nothing predicts, or on arrays in files: the phases `train` and `predict`.

mod session;

use std::path::{Path, PathBuf};

use datasets::random_classification;
use ndarray::Array1;

use self::session::{ForestSession, Rows};
use crate::arrays::matrix::{Element, Matrix};
use crate::arrays::npy::{self, Npy};
use crate::arrays::{check_apart, output, stem};
use crate::session::{Session, WorkloadError};
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
    /// Files to train on instead of generated rows.
    #[command(flatten)]
    pub files: ForestFiles,
    /// What all combinations have in common.
    #[command(flatten)]
    pub settings: ForestSettings,
}

/// Files of a case.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ForestFiles {
    /// Train on the rows of this file: a .npy file with a float32 or float64 array of two dimensions. In C order
    /// it is read where it lies; in Fortran order it is copied into C order first. It must not change meanwhile
    #[arg(long, value_name = "FILE", requires = "labels", conflicts_with_all = ["samples", "features"])]
    pub data: Option<PathBuf>,
    /// The labels of these rows: a .npy file with an array of one dimension, of integers or booleans
    #[arg(long, value_name = "FILE", requires = "data")]
    pub labels: Option<PathBuf>,
    /// Rows that the test accuracy comes from, of the same type
    #[arg(long, value_name = "FILE", requires_all = ["data", "test_labels"])]
    pub test_data: Option<PathBuf>,
    /// The labels of these rows
    #[arg(long, value_name = "FILE", requires = "test_data")]
    pub test_labels: Option<PathBuf>,
    /// Write the predicted label of every test row, or without test rows of every row, to this .npy file (int64), once
    /// all of them are known
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
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
    /// The implementation
    #[arg(long, value_enum, default_value_t = ForestEngine::Native)]
    pub engine: ForestEngine,
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

/// The implementation of the forest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ForestEngine {
    /// The crate `forest` itself.
    Native,
    /// The crate `linfa-trees`, a node at a time, for comparison.
    Linfa,
}

impl ForestEngine {
    fn name(self) -> &'static str {
        match self {
            ForestEngine::Native => "native",
            ForestEngine::Linfa => "linfa",
        }
    }
}

impl ForestArgs {
    /// The cases, those with the same number of rows in a row.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] where several cases would be written to one file, or a file that is read would be
    /// overwritten.
    pub fn cases(&self) -> Result<Vec<ForestCase>, WorkloadError> {
        let sizes: &[usize] = match self.files.data {
            // The file says how many rows there are.
            Some(_) => &[0],
            None => &self.samples,
        };
        let one = |samples, trees| ForestCase {
            samples,
            trees,
            files: self.files.clone(),
            settings: self.settings,
        };
        let cases: Vec<ForestCase> = sizes
            .iter()
            .flat_map(|&samples| self.trees.iter().map(move |&trees| one(samples, trees)))
            .collect();
        let files = &self.files;
        let predictions = ("--predictions", files.predictions.as_deref());
        if files.predictions.is_some() && cases.len() > 1 {
            return Err(WorkloadError::Input(format!(
                "--predictions takes the result of one case, but these arguments describe {}",
                cases.len()
            )));
        }
        let read = [
            ("--data", files.data.as_deref()),
            ("--labels", files.labels.as_deref()),
            ("--test-data", files.test_data.as_deref()),
            ("--test-labels", files.test_labels.as_deref()),
        ];
        check_apart(&read, &[predictions])?;
        Ok(cases)
    }
}

/// One case.
#[derive(Clone, Debug)]
pub struct ForestCase {
    /// Rows to generate, where there is no file of data.
    samples: usize,
    trees: usize,
    files: ForestFiles,
    settings: ForestSettings,
}

impl ForestCase {
    /// `forest/train/100k-t10`, for the rows of `iris.npy` `forest/train/iris-t10`; settings that are not the defaults
    /// follow.
    pub fn id(&self) -> String {
        let ForestSettings {
            phase,
            features,
            seed,
            engine,
        } = self.settings;
        let phase = match phase {
            ForestPhase::Train => "train",
            ForestPhase::Predict => "predict",
            ForestPhase::Both => "both",
        };
        let rows = match &self.files.data {
            None => size::format(self.samples),
            Some(path) => stem(path),
        };
        let mut id = format!("forest/{phase}/{rows}-t{}", self.trees);
        for (name, value, default) in [("features", features, 100), ("seed", seed as usize, 42)] {
            if value != default {
                id.push_str(&format!("-{name}{value}"));
            }
        }
        id.push_str(match engine {
            ForestEngine::Native => "",
            ForestEngine::Linfa => "-linfa",
        });
        id
    }

    /// The name of the engine.
    pub fn engine(&self) -> &'static str {
        self.settings.engine.name()
    }

    /// Generates the data or opens their files and, when only the prediction is to be measured, trains the forest.
    ///
    /// # Errors
    ///
    /// When there is no memory for the data, a file is not what it must be, the file for the predictions cannot be
    /// written, or the training fails.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        if let Some(path) = &self.files.predictions {
            output::check(path)?;
        }
        match (&self.files.data, &self.files.labels) {
            (Some(data), Some(labels)) => match npy::open(data)? {
                Npy::F32(matrix) => self.session_of_files(data, matrix, labels),
                Npy::F64(matrix) => self.session_of_files(data, matrix, labels),
            },
            _ => {
                let ForestSettings { features, seed, .. } = self.settings;
                let rows = move |samples, seed| -> Result<Rows<f64>, WorkloadError> {
                    let (records, targets) = random_classification(samples, features, seed)?;
                    Ok(Rows {
                        matrix: records.into(),
                        labels: as_labels(&targets),
                    })
                };
                let train = rows(self.samples, seed)?;
                let test_samples = self.samples.min(TEST_SAMPLES);
                // Made after the measurement: nothing but the training rows is in memory meanwhile.
                let test = move || rows(test_samples, seed.wrapping_add(1)).map(Some);
                self.session(train, Box::new(test))
            }
        }
    }

    fn session_of_files<F: Element>(
        &self,
        data: &Path,
        matrix: Matrix<F>,
        labels: &Path,
    ) -> Result<Box<dyn Session>, WorkloadError> {
        let train = Rows {
            labels: labels_of(&matrix, data, labels)?,
            matrix,
        };
        let test = match (&self.files.test_data, &self.files.test_labels) {
            (Some(data), Some(labels)) => {
                let Some(matrix) = F::of(npy::open(data)?) else {
                    return Err(WorkloadError::Input(format!(
                        "{}: its values are of another type than the training data; convert them: \
                         numpy.save(file, array.astype('{}'))",
                        data.display(),
                        F::NUMPY_NAME
                    )));
                };
                Some(Rows {
                    labels: labels_of(&matrix, data, labels)?,
                    matrix,
                })
            }
            _ => None,
        };
        self.session(train, Box::new(move || Ok(test)))
    }

    fn session<F: Element>(
        &self,
        train: Rows<F>,
        test: session::Test<F>,
    ) -> Result<Box<dyn Session>, WorkloadError> {
        let mut session = ForestSession::new(self, train, test);
        if self.settings.phase == ForestPhase::Predict {
            session.train()?;
        }
        Ok(Box::new(session))
    }
}

fn as_labels(targets: &Array1<usize>) -> Vec<i64> {
    targets.iter().map(|&target| target as i64).collect()
}

/// The labels in a file, one for each row.
fn labels_of<F: Element>(
    matrix: &Matrix<F>,
    data: &Path,
    path: &Path,
) -> Result<Vec<i64>, WorkloadError> {
    let labels = npy::open_labels(path)?;
    if labels.len() != matrix.n_samples() {
        return Err(WorkloadError::Input(format!(
            "{} has {} labels, but {} has {} rows; every row needs one",
            path.display(),
            labels.len(),
            data.display(),
            matrix.n_samples()
        )));
    }
    Ok(labels)
}
