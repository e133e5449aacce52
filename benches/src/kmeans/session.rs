//! Fitting and its outcome.

use std::path::PathBuf;

use kmeans::{Algorithm, Engine, KMeans, KMeansError, KMeansParams, Samples};
use ndarray::{ArrayView1, ArrayView2};

use super::{KmeansAlgorithm, KmeansCase, KmeansEngine, Source};
use crate::arrays::matrix::{Element, Matrix};
use crate::arrays::output;
use crate::hash::{Fnv, rounded};
use crate::session::{Outcome, Session, WorkloadError};

pub struct KmeansSession<F> {
    params: KMeansParams<F>,
    matrix: Matrix<F>,
    /// The file of the data, if they are in one.
    data: Option<PathBuf>,
    labels: Option<PathBuf>,
    centroids: Option<PathBuf>,
    model: Option<KMeans<F>>,
}

impl<F: Element> KmeansSession<F> {
    pub fn new(case: &KmeansCase, matrix: Matrix<F>) -> Self {
        let settings = case.settings;
        let params = KMeans::params(case.clusters)
            .n_init(settings.n_init)
            .max_iter(settings.max_iter)
            .seed(u64::from(settings.seed))
            .engine(match settings.engine {
                KmeansEngine::Native => Engine::Native,
                KmeansEngine::Linfa => Engine::Linfa,
            })
            .algorithm(match settings.algorithm {
                KmeansAlgorithm::Auto => Algorithm::Auto,
                KmeansAlgorithm::Lloyd => Algorithm::Lloyd,
                KmeansAlgorithm::Bounds => Algorithm::Bounds,
            });
        KmeansSession {
            params,
            matrix,
            data: match &case.source {
                Source::Blobs(_) => None,
                Source::File(path) => Some(path.clone()),
            },
            labels: case.labels.clone(),
            centroids: case.centroids.clone(),
            model: None,
        }
    }

    fn fit(&self) -> Result<KMeans<F>, WorkloadError> {
        let fit = || {
            let samples = Samples::new(self.matrix.values(), self.matrix.n_features())?;
            self.params.fit_samples(samples)
        };
        fit().map_err(|error| match (&self.data, error) {
            // That an engine fails is not the fault of the data.
            (Some(_), error @ (KMeansError::Engine(_) | KMeansError::Linfa(_))) | (None, error) => {
                error.into()
            }
            (Some(path), error) => {
                let remedy = match error {
                    KMeansError::NotFinite { .. } => "; leave such rows out or fill them in",
                    _ => "",
                };
                WorkloadError::Input(format!("{}: {error}{remedy}", path.display()))
            }
        })
    }
}

impl<F: Element> Session for KmeansSession<F> {
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
        if let Some(path) = &self.labels {
            output::write(path, ArrayView1::from(model.labels()))?;
        }
        if let Some(path) = &self.centroids {
            let shape = (model.n_clusters(), model.n_features());
            let centroids =
                ArrayView2::from_shape(shape, model.centroids()).expect("centroids are whole rows");
            output::write(path, centroids)?;
        }
        let labels = model.labels().iter().map(|&label| label as usize);
        let outcome = Outcome::default()
            .result("inertia", model.inertia())
            .result("iterations", model.iterations())
            .fingerprint("labels", Fnv::new().numbers(labels).hex())
            .fingerprint("inertia", rounded(model.inertia()));
        Ok(match self.data {
            None => outcome,
            // Of generated data the command line says so much.
            Some(_) => outcome
                .result("samples", self.matrix.n_samples())
                .result("features", self.matrix.n_features())
                .result("type", std::any::type_name::<F>()),
        })
    }
}
