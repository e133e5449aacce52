//! The ways of loading.

mod copy;
mod insert;

use std::fmt;

use postgres::Transaction;

use crate::DbloadError;
use crate::dataset::{Dataset, DatasetConfig};
use crate::user::Users;

/// How rows get into the tables.
///
/// All give the same content, and all load in one transaction: a load that fails, or whose client or
/// server is killed, leaves the schema as it was. Where they differ is what an application would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadMethod {
    /// Binary `COPY` into the bare tables (with `FREEZE`, so that no reader later pays for hint bits);
    /// keys and constraints follow. The fastest.
    #[default]
    Copy,
    /// `INSERT` with the rows of many users in one statement a table, prepared, into tables that have
    /// their keys and constraints already.
    Insert {
        /// Users in a statement, 1 to [`LoadMethod::MAX_BATCH`]. More than there are means all.
        batch: u32,
    },
    /// Three prepared `INSERT` statements for each user, one round trip each, into tables that have
    /// their keys and constraints already.
    RowByRow,
}

impl LoadMethod {
    /// The largest batch: a statement has at most 65,535 parameters, and a user up to five.
    pub const MAX_BATCH: u32 = 65_535 / 5;

    pub(crate) fn check(self) -> Result<(), DbloadError> {
        match self {
            Self::Insert { batch } if !(1..=Self::MAX_BATCH).contains(&batch) => {
                Err(DbloadError::parameter(
                    "batch",
                    format!(
                        "{batch} users are not in 1 to {}, as one statement has at most 65535 parameters and a user \
                         has up to five",
                        Self::MAX_BATCH
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Rows that were sent. After the last, a `COPY` still has keys and constraints to build.
    pub rows_done: u64,
    /// Rows in all, three for each user.
    pub rows_total: u64,
}

/// Opens and loads datasets in a way that can be chosen, and tells how far it is.
///
/// ```
/// use dbload::{DatasetConfig, LoadMethod, Loader, TemporaryServer};
///
/// let server = TemporaryServer::start()?;
/// let config = DatasetConfig { users: 2_500, ..DatasetConfig::default() };
/// let mut seen = Vec::new();
/// let mut loader = Loader::new().method(LoadMethod::Insert { batch: 1_000 }).on_progress(|at| seen.push(at.rows_done));
/// let dataset = loader.open_or_load(server.url(), &config)?;
/// drop(loader);
/// assert_eq!(seen, [3_000, 6_000, 7_500]);
///
/// assert_eq!(Loader::new().method(LoadMethod::RowByRow).reload(&dataset)?, 7_500);
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Default)]
pub struct Loader<'a> {
    method: LoadMethod,
    listener: Option<Listener<'a>>,
}

type Listener<'a> = Box<dyn FnMut(LoadProgress) + 'a>;

impl<'a> Loader<'a> {
    /// Loads by [`LoadMethod::Copy`] and tells nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Loads in this way. What is there already does not depend on it.
    pub fn method(mut self, method: LoadMethod) -> Self {
        self.method = method;
        self
    }

    /// Calls `listener` about every thousand rows, or after every batch. It runs between two of them,
    /// and a load waits for it.
    pub fn on_progress(mut self, listener: impl FnMut(LoadProgress) + 'a) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// As [`Dataset::open_or_load`].
    ///
    /// # Errors
    ///
    /// As there, and [`DbloadError::Parameter`] for a bad size of batches.
    pub fn open_or_load(
        &mut self,
        url: &str,
        config: &DatasetConfig,
    ) -> Result<Dataset, DbloadError> {
        Dataset::open_or_load_by(self, url, config)
    }

    /// As [`Dataset::replace`].
    ///
    /// # Errors
    ///
    /// As there, and [`DbloadError::Parameter`] for a bad size of batches.
    pub fn replace(&mut self, url: &str, config: &DatasetConfig) -> Result<Dataset, DbloadError> {
        Dataset::replace_by(self, url, config)
    }

    /// As [`Dataset::reload`].
    ///
    /// # Errors
    ///
    /// As there, and [`DbloadError::Parameter`] for a bad size of batches.
    pub fn reload(&mut self, dataset: &Dataset) -> Result<u64, DbloadError> {
        dataset.reload_by(self)
    }

    pub(crate) fn chosen_method(&self) -> LoadMethod {
        self.method
    }

    /// Fills the empty tables.
    pub(crate) fn load(
        &mut self,
        transaction: &mut Transaction<'_>,
        schema: &str,
        users: Users,
        server: &str,
    ) -> Result<(), DbloadError> {
        let mut run = Run {
            transaction,
            schema,
            users,
            server,
            progress: Progress {
                listener: self.listener.as_mut(),
                rows_done: 0,
                rows_total: 3 * u64::from(users.count()),
            },
        };
        match self.method {
            LoadMethod::Copy => copy::load(&mut run),
            LoadMethod::Insert { batch } => insert::in_batches(&mut run, batch),
            LoadMethod::RowByRow => insert::row_by_row(&mut run),
        }
    }
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// One load on its way.
struct Run<'r, 'c, 'a> {
    transaction: &'r mut Transaction<'c>,
    /// A checked identifier.
    schema: &'r str,
    users: Users,
    /// For messages.
    server: &'r str,
    progress: Progress<'r, 'a>,
}

impl Run<'_, '_, '_> {
    fn failed(&self, error: &postgres::Error) -> DbloadError {
        failed(self.server, error)
    }
}

fn failed(server: &str, error: &postgres::Error) -> DbloadError {
    DbloadError::statement(server, WHAT, error)
}

/// What was being done, in messages.
const WHAT: &str = "loading the users";

/// Counts rows, for whom it may concern.
struct Progress<'r, 'a> {
    listener: Option<&'r mut Listener<'a>>,
    rows_done: u64,
    rows_total: u64,
}

impl Progress<'_, '_> {
    fn sent(&mut self, rows: u64) {
        self.rows_done += rows;
        if let Some(listener) = &mut self.listener {
            listener(LoadProgress {
                rows_done: self.rows_done,
                rows_total: self.rows_total,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_to_the_number_of_parameters() {
        for batch in [1, 1_000, LoadMethod::MAX_BATCH] {
            LoadMethod::Insert { batch }.check().expect("a good size");
        }
        for batch in [0, LoadMethod::MAX_BATCH + 1, u32::MAX] {
            let error = LoadMethod::Insert { batch }
                .check()
                .expect_err("a bad size")
                .to_string();
            assert!(
                error.contains(&format!(
                    "invalid batch: {batch} users are not in 1 to 13107"
                )),
                "{error}"
            );
        }
        LoadMethod::Copy.check().expect("no batches");
        LoadMethod::RowByRow.check().expect("no batches");
    }
}
