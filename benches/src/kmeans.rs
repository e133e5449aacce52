//! K-means on blobs: the phase `fit`.

use datasets::make_blobs;
use kmeans::{Engine, KMeans};
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2};

use crate::hash::{Fnv, rounded};
use crate::session::{Outcome, Session, WorkloadError};
use crate::size;

/// The arguments of `workload kmeans`: every combination of samples and clusters is a case.
#[derive(Clone, Debug, clap::Args)]
pub struct KmeansArgs {
    /// Rows of the data; several separated by commas (100000, 100k, 1m)
    #[arg(long, value_delimiter = ',', default_value = "100000", value_parser = size::parse_positive)]
    pub samples: Vec<usize>,
    /// Clusters to find, and blobs in the data; several separated by commas
    #[arg(long, value_delimiter = ',', default_value = "5", value_parser = size::parse_positive)]
    pub clusters: Vec<usize>,
    /// What all combinations have in common.
    #[command(flatten)]
    pub settings: KmeansSettings,
}

/// What is the same in every case of one command line.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct KmeansSettings {
    /// Columns of the data
    #[arg(long, default_value_t = 128, value_parser = size::parse_positive)]
    pub features: usize,
    /// Restarts, of which the best counts
    #[arg(long, default_value_t = 10, value_parser = size::parse_positive)]
    pub n_init: usize,
    /// Most iterations of one restart
    #[arg(long, default_value_t = 300, value_parser = size::parse_positive)]
    pub max_iter: usize,
    /// Seed of the data and of the restarts
    #[arg(long, default_value_t = 42)]
    pub seed: u32,
}

impl KmeansArgs {
    /// The cases, those with the same number of clusters in a row.
    pub fn cases(&self) -> Vec<KmeansCase> {
        self.clusters
            .iter()
            .flat_map(|&clusters| {
                let settings = self.settings;
                self.samples.iter().map(move |&samples| KmeansCase {
                    samples,
                    clusters,
                    settings,
                })
            })
            .collect()
    }
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct KmeansCase {
    samples: usize,
    clusters: usize,
    settings: KmeansSettings,
}

impl KmeansCase {
    /// `kmeans/fit/100k-k5`; settings that are not the defaults follow.
    pub fn id(&self) -> String {
        let KmeansSettings {
            features,
            n_init,
            max_iter,
            seed,
        } = self.settings;
        let mut id = format!(
            "kmeans/fit/{}-k{}",
            size::format(self.samples),
            self.clusters
        );
        for (name, value, default) in [
            ("features", features, 128),
            ("init", n_init, 10),
            ("iter", max_iter, 300),
            ("seed", seed as usize, 42),
        ] {
            if value != default {
                id.push_str(&format!("-{name}{value}"));
            }
        }
        id
    }

    /// Generates the data.
    ///
    /// # Errors
    ///
    /// When there are more clusters than rows or there is no memory for the data.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        if self.clusters > self.samples {
            return Err(WorkloadError::Input(format!(
                "--clusters {} is more than --samples {}; every cluster needs a row",
                self.clusters, self.samples
            )));
        }
        let KmeansSettings { features, seed, .. } = self.settings;
        let blobs = make_blobs(self.samples, features, self.clusters, seed)?;
        Ok(Box::new(KmeansSession {
            case: *self,
            dataset: DatasetBase::from(blobs.records),
            model: None,
        }))
    }
}

struct KmeansSession {
    case: KmeansCase,
    dataset: DatasetBase<Array2<f64>, Array1<()>>,
    model: Option<KMeans<f64>>,
}

impl KmeansSession {
    fn fit(&self) -> Result<KMeans<f64>, WorkloadError> {
        let KmeansSettings {
            n_init,
            max_iter,
            seed,
            ..
        } = self.case.settings;
        let params = KMeans::params(self.case.clusters)
            .n_init(n_init)
            .max_iter(max_iter)
            .seed(u64::from(seed))
            .engine(Engine::Linfa);
        Ok(params.fit(&self.dataset)?)
    }
}

impl Session for KmeansSession {
    fn phases(&self) -> &[&'static str] {
        &["fit"]
    }

    fn run(&mut self, _phase: usize) -> Result<(), WorkloadError> {
        self.model = Some(self.fit()?);
        Ok(())
    }

    fn outcome(&mut self) -> Result<Outcome, WorkloadError> {
        // Without an iteration there is still a right answer.
        let model = match self.model.take() {
            Some(model) => model,
            None => self.fit()?,
        };
        let labels = Fnv::new().numbers(model.labels().iter().copied()).hex();
        Ok(Outcome::default()
            .result("inertia", model.inertia())
            .result("iterations", model.iterations())
            .fingerprint("labels", labels)
            .fingerprint("inertia", rounded(model.inertia())))
    }
}
