//! linfa's interfaces to the forests of this crate.

pub(crate) mod engine;

use linfa::dataset::AsSingleTargets;
use linfa::traits::{Fit, FitWith, PredictInplace};
use linfa::{DatasetBase, Label, ParamGuard};
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};

use crate::params::Task;
use crate::{
    Classification, Float, ForestError, ForestParams, ForestParamsError, ForestValidParams,
    RandomForest, RandomForestRegressor, Regression, Samples,
};

/// The rows of an array: borrowed where it is in ndarray's standard layout, else copied.
enum Rows<'a, F> {
    Borrowed(&'a [F]),
    Copied(Vec<F>),
}

impl<'a, F: Float> Rows<'a, F> {
    fn of<D: Data<Elem = F>>(records: &'a ArrayBase<D, Ix2>) -> Self {
        match records.as_slice() {
            Some(values) => Rows::Borrowed(values),
            // Iteration is in row-major order whatever the layout.
            None => Rows::Copied(records.iter().copied().collect()),
        }
    }

    fn samples(&self, n_features: usize) -> Result<Samples<'_, F>, ForestError> {
        let values = match self {
            Rows::Borrowed(values) => values,
            Rows::Copied(values) => values.as_slice(),
        };
        Samples::new(values, n_features)
    }
}

/// Runs `fit` on the records, targets and weights of a dataset.
fn with_samples<F: Float, D: Data<Elem = F>, T: AsSingleTargets, R>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    fit: impl FnOnce(Samples<F>, &[T::Elem]) -> Result<R, ForestError>,
) -> Result<R, ForestError>
where
    T::Elem: Clone,
{
    let records = dataset.records();
    if records.nrows() == 0 {
        return Err(ForestError::NoSamples);
    }
    let rows = Rows::of(records);
    let samples = rows.samples(records.ncols())?;
    let targets = dataset.as_single_targets();
    let copied: Vec<T::Elem>;
    let targets = match targets.as_slice() {
        Some(targets) => targets,
        None => {
            copied = targets.iter().cloned().collect();
            &copied
        }
    };
    match dataset.weights() {
        None => fit(samples, targets),
        Some(weights) => {
            let weights: Vec<F> = weights.iter().map(|&w| F::narrow(f64::from(w))).collect();
            fit(samples.with_weights(&weights)?, targets)
        }
    }
}

impl<F: Float, T: Task> ParamGuard for ForestParams<F, T> {
    type Checked = ForestValidParams<F, T>;
    type Error = ForestParamsError;

    fn check_ref(&self) -> Result<&Self::Checked, Self::Error> {
        self.checked()
    }

    fn check(self) -> Result<Self::Checked, Self::Error> {
        self.checked()?;
        Ok(self.0)
    }
}

/// Trains a forest on the dataset's records, targets and, if it has any, weights; see [`ForestParams`] for
/// the algorithm. Records in standard layout are not copied.
///
/// # Errors
/// Those of [`fit_samples`](ForestValidParams::fit_samples).
impl<F, L, D, T> Fit<ArrayBase<D, Ix2>, T, ForestError> for ForestValidParams<F, Classification<L>>
where
    F: Float,
    L: Label,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
{
    type Object = RandomForest<F, L>;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<Self::Object, ForestError> {
        with_samples(dataset, |samples, labels| self.fit_samples(samples, labels))
    }
}

/// Adds trees to a forest until it has as many as the parameters say, or trains one.
///
/// # Errors
/// Those of [`fit_more`](ForestValidParams::fit_more).
impl<'a, F, L, D, T> FitWith<'a, ArrayBase<D, Ix2>, T, ForestError>
    for ForestValidParams<F, Classification<L>>
where
    F: Float,
    L: Label + 'a,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
{
    type ObjectIn = Option<RandomForest<F, L>>;
    type ObjectOut = RandomForest<F, L>;

    fn fit_with(
        &self,
        model: Self::ObjectIn,
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<RandomForest<F, L>, ForestError> {
        with_samples(dataset, |samples, labels| match model {
            None => self.fit_samples(samples, labels),
            Some(model) => self.fit_more(model, samples, labels),
        })
    }
}

/// Trains a forest on the dataset's records, targets and, if it has any, weights; see [`ForestParams`] for
/// the algorithm. Records in standard layout are not copied.
///
/// # Errors
/// Those of [`fit_samples`](ForestValidParams#method.fit_samples-1).
impl<F, D, T> Fit<ArrayBase<D, Ix2>, T, ForestError> for ForestValidParams<F, Regression>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = F>,
{
    type Object = RandomForestRegressor<F>;

    fn fit(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<Self::Object, ForestError> {
        with_samples(dataset, |samples, targets| {
            self.fit_samples(samples, targets)
        })
    }
}

/// Adds trees to a forest until it has as many as the parameters say, or trains one.
///
/// # Errors
/// Those of [`fit_more`](ForestValidParams#method.fit_more-1).
impl<'a, F, D, T> FitWith<'a, ArrayBase<D, Ix2>, T, ForestError>
    for ForestValidParams<F, Regression>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = F>,
{
    type ObjectIn = Option<RandomForestRegressor<F>>;
    type ObjectOut = RandomForestRegressor<F>;

    fn fit_with(
        &self,
        model: Self::ObjectIn,
        dataset: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<RandomForestRegressor<F>, ForestError> {
        with_samples(dataset, |samples, targets| match model {
            None => self.fit_samples(samples, targets),
            Some(model) => self.fit_more(model, samples, targets),
        })
    }
}

impl<F: Float, L: Label> RandomForest<F, L> {
    /// The label of every row of `records`.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    ///
    /// ```
    /// use forest::{ForestError, RandomForest};
    /// use linfa::{DatasetBase, traits::Fit};
    /// use ndarray::array;
    ///
    /// let records = array![[1.0], [2.0], [8.0], [9.0]];
    /// let dataset = DatasetBase::new(records, array!["low", "low", "high", "high"]);
    /// let model = RandomForest::params().bootstrap(false).fit(&dataset)?;
    /// assert_eq!(model.try_predict(&array![[0.0], [7.0]])?, array!["low", "high"]);
    /// # Ok::<(), ForestError>(())
    /// ```
    pub fn try_predict<D: Data<Elem = F>>(
        &self,
        records: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<L>, ForestError> {
        self.forest.check_width(records.ncols())?;
        let rows = Rows::of(records);
        Ok(self.predict_samples(rows.samples(records.ncols())?)?.into())
    }

    /// The share of each class for every row of `records`, `n_samples` × [`labels`](Self::labels).
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn try_predict_proba<D: Data<Elem = F>>(
        &self,
        records: &ArrayBase<D, Ix2>,
    ) -> Result<Array2<f64>, ForestError> {
        self.forest.check_width(records.ncols())?;
        let rows = Rows::of(records);
        let shares = self.predict_proba_samples(rows.samples(records.ncols())?)?;
        let shape = (records.nrows(), self.labels.len());
        Ok(Array2::from_shape_vec(shape, shares).expect("one share a row and class"))
    }
}

impl<F: Float> RandomForestRegressor<F> {
    /// The mean of the trees for every row of `records`.
    ///
    /// # Errors
    /// Those of [`predict_samples`](Self::predict_samples).
    pub fn try_predict<D: Data<Elem = F>>(
        &self,
        records: &ArrayBase<D, Ix2>,
    ) -> Result<Array1<F>, ForestError> {
        self.forest.check_width(records.ncols())?;
        let rows = Rows::of(records);
        Ok(self.predict_samples(rows.samples(records.ncols())?)?.into())
    }
}

/// Predicts labels.
///
/// # Panics
/// The trait cannot return an error: prediction panics with the message of the error that
/// [`RandomForest::try_predict`] would return, and when there are not as many labels as rows.
impl<F: Float, L: Label, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<L>>
    for RandomForest<F, L>
{
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<L>) {
        write(self.try_predict(x), y);
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

/// Predicts numbers.
///
/// # Panics
/// The trait cannot return an error: prediction panics with the message of the error that
/// [`RandomForestRegressor::try_predict`] would return, and when there are not as many targets as rows.
impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<F>>
    for RandomForestRegressor<F>
{
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<D, Ix2>, y: &mut Array1<F>) {
        write(self.try_predict(x), y);
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<F> {
        Array1::default(x.nrows())
    }
}

fn write<L: Clone>(predicted: Result<Array1<L>, ForestError>, y: &mut Array1<L>) {
    match predicted {
        Ok(predicted) => {
            let (rows, places) = (predicted.len(), y.len());
            assert_eq!(
                rows, places,
                "there must be as many labels as records have rows"
            );
            y.assign(&predicted);
        }
        Err(error) => panic!("{error}"),
    }
}
