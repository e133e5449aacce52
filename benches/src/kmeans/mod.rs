//! K-means on blobs or on an array in a file: the phase `fit`.

mod session;

use std::path::{Path, PathBuf};

use datasets::make_blobs;

use self::session::KmeansSession;
use crate::arrays::matrix::{Element, Matrix};
use crate::arrays::npy::{self, Npy};
use crate::arrays::{check_apart, output, stem};
use crate::session::{Session, WorkloadError};
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
    /// Cluster the rows of this file instead of blobs: a .npy file with a float32 or float64 array of
    /// two dimensions. In C order it is read where it lies and may be as large as memory; in Fortran order
    /// it is copied into C order first. It must not change meanwhile
    #[arg(long, value_name = "FILE", conflicts_with_all = ["samples", "features"])]
    pub data: Option<PathBuf>,
    /// Write the cluster of every row to this .npy file (uint32), once all of them are known
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// Write the centroids, a row each, to this .npy file, in the type of the data
    #[arg(long, value_name = "FILE")]
    pub centroids: Option<PathBuf>,
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
    /// Seed of the blobs and of the restarts
    #[arg(long, default_value_t = 42)]
    pub seed: u32,
    /// The implementation
    #[arg(long, value_enum, default_value_t = KmeansEngine::Native)]
    pub engine: KmeansEngine,
    /// How the native engine finds the nearest centroids
    #[arg(long, value_enum, default_value_t = KmeansAlgorithm::Auto)]
    pub algorithm: KmeansAlgorithm,
}

/// The implementation of K-means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KmeansEngine {
    /// The crate `kmeans` itself.
    Native,
    /// The crate `linfa-clustering`, for comparison.
    Linfa,
}

impl KmeansEngine {
    fn name(self) -> &'static str {
        match self {
            KmeansEngine::Native => "native",
            KmeansEngine::Linfa => "linfa",
        }
    }
}

/// How the native engine finds the nearest centroids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum KmeansAlgorithm {
    /// Whichever is faster for the shape of the data.
    Auto,
    /// All distances in every iteration.
    Lloyd,
    /// Only distances that bounds do not rule out.
    Bounds,
}

impl KmeansArgs {
    /// The cases, those with the same number of clusters in a row.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] where several cases, or several files, would be written to one.
    pub fn cases(&self) -> Result<Vec<KmeansCase>, WorkloadError> {
        let sources: Vec<Source> = match &self.data {
            Some(path) => vec![Source::File(path.clone())],
            None => self.samples.iter().map(|&n| Source::Blobs(n)).collect(),
        };
        let cases: Vec<KmeansCase> = self
            .clusters
            .iter()
            .flat_map(|&clusters| {
                sources.iter().map(move |source| KmeansCase {
                    source: source.clone(),
                    clusters,
                    settings: self.settings,
                    labels: self.labels.clone(),
                    centroids: self.centroids.clone(),
                })
            })
            .collect();
        self.check_files(cases.len())?;
        Ok(cases)
    }

    fn check_files(&self, n_cases: usize) -> Result<(), WorkloadError> {
        let written = [
            ("--labels", self.labels.as_deref()),
            ("--centroids", self.centroids.as_deref()),
        ];
        if let Some((name, _)) = written.iter().find(|(_, path)| path.is_some())
            && n_cases > 1
        {
            return Err(WorkloadError::Input(format!(
                "{name} takes the result of one case, but these arguments describe {n_cases}"
            )));
        }
        check_apart(&[("--data", self.data.as_deref())], &written)
    }
}

/// One case.
#[derive(Clone, Debug)]
pub struct KmeansCase {
    source: Source,
    clusters: usize,
    settings: KmeansSettings,
    labels: Option<PathBuf>,
    centroids: Option<PathBuf>,
}

/// Where the rows come from.
#[derive(Clone, Debug)]
enum Source {
    /// So many generated rows.
    Blobs(usize),
    /// The array in a file.
    File(PathBuf),
}

impl KmeansCase {
    /// `kmeans/fit/100k-k5`, for the rows of `iris.npy` `kmeans/fit/iris-k3`; settings that are not the defaults follow.
    pub fn id(&self) -> String {
        let KmeansSettings {
            features,
            n_init,
            max_iter,
            seed,
            engine,
            algorithm,
        } = self.settings;
        let rows = match &self.source {
            Source::Blobs(samples) => size::format(*samples),
            Source::File(path) => stem(path),
        };
        let mut id = format!("kmeans/fit/{rows}-k{}", self.clusters);
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
        id.push_str(match engine {
            KmeansEngine::Native => "",
            KmeansEngine::Linfa => "-linfa",
        });
        id.push_str(match algorithm {
            KmeansAlgorithm::Auto => "",
            KmeansAlgorithm::Lloyd => "-lloyd",
            KmeansAlgorithm::Bounds => "-bounds",
        });
        id
    }

    /// The name of the engine.
    pub fn engine(&self) -> &'static str {
        self.settings.engine.name()
    }

    /// Generates the data, or opens its file.
    ///
    /// # Errors
    ///
    /// When there are more clusters than rows, there is no memory for the data, the file is not what it
    /// must be, or a file for the results cannot be written.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        let settings = self.settings;
        if settings.engine == KmeansEngine::Linfa && settings.algorithm != KmeansAlgorithm::Auto {
            return Err(WorkloadError::Input(
                "--algorithm goes with --engine native only".to_owned(),
            ));
        }
        for path in self.labels.iter().chain(&self.centroids) {
            output::check(path)?;
        }
        match &self.source {
            Source::Blobs(samples) => {
                self.check_clusters(*samples, || format!("--samples {samples}"))?;
                let blobs = make_blobs(*samples, settings.features, self.clusters, settings.seed)?;
                Ok(Box::new(KmeansSession::new(self, blobs.records.into())))
            }
            Source::File(path) => match npy::open(path)? {
                Npy::F32(matrix) => self.session_of_file(path, matrix),
                Npy::F64(matrix) => self.session_of_file(path, matrix),
            },
        }
    }

    fn session_of_file<F: Element>(
        &self,
        path: &Path,
        matrix: Matrix<F>,
    ) -> Result<Box<dyn Session>, WorkloadError> {
        let n_samples = matrix.n_samples();
        self.check_clusters(n_samples, || {
            format!("the {n_samples} rows of {}", path.display())
        })?;
        Ok(Box::new(KmeansSession::new(self, matrix)))
    }

    fn check_clusters(
        &self,
        n_samples: usize,
        rows: impl FnOnce() -> String,
    ) -> Result<(), WorkloadError> {
        if self.clusters > n_samples {
            return Err(WorkloadError::Input(format!(
                "--clusters {} is more than {}; every cluster needs a row",
                self.clusters,
                rows()
            )));
        }
        Ok(())
    }
}
