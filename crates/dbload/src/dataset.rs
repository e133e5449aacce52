//! The three tables, loaded and recognised.

use postgres::{Client, IsolationLevel, Transaction};

use crate::DbloadError;
use crate::inserted;
use crate::load::{LoadMethod, Loader};
use crate::schema::{self, Content};
use crate::target::Target;
use crate::user::{MAX_USERS, Users};

/// What a [`Dataset`] holds, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetConfig {
    /// How many users, 1 to [`MAX_USERS`]; 100,000 by default.
    pub users: u32,
    /// The seed of the users; 42 by default.
    pub seed: u64,
    /// The schema for the tables, which must be this dataset's own; `dbload` by default. Small
    /// letters, digits and `_`, at most 63, not starting with a digit or `pg_`.
    pub schema: String,
}

impl Default for DatasetConfig {
    fn default() -> Self {
        Self {
            users: 100_000,
            seed: 42,
            schema: "dbload".into(),
        }
    }
}

impl DatasetConfig {
    fn check(&self) -> Result<(), DbloadError> {
        if !(1..=MAX_USERS).contains(&self.users) {
            return Err(DbloadError::parameter(
                "users",
                format!("{} is not in 1 to {MAX_USERS}", self.users),
            ));
        }
        schema::check_name(&self.schema)
    }
}

/// The users in a database, in a schema of their own.
///
/// Three tables: `users_tbl(id, uid)`, `user_info_tbl(id, uid, name, age, gender)` and
/// `user_profile_tbl(id, uid, nickname, pic)`, each with a primary key and a unique `uid`, the latter
/// two referring to the first by `uid`; names are unique too. A fourth, `dbload_meta`, says which
/// users are in.
///
/// A load is one transaction, whatever the [`LoadMethod`]: rows, keys and constraints, then `ANALYZE`.
/// Users are computed while they are sent, and never held. Loads of one schema are
/// serialised by an advisory lock, so that any number of processes may open it at once: one loads,
/// the others wait and then find it there. When it fails, the schema is as it was before.
///
/// Users are recognised by their number, the keys and constraints of the tables, and a thousand of them in
/// all their fields, from the first to the last. Users that a killed run has inserted are deleted when the
/// dataset is opened, unless there is a connection of any pool that inserts.
///
/// Nothing is changed or dropped but these four tables and the type of the gender.
///
/// ```
/// use dbload::{Dataset, DatasetConfig, TemporaryServer};
///
/// let server = TemporaryServer::start()?;
/// let config = DatasetConfig { users: 500, ..DatasetConfig::default() };
/// assert!(!Dataset::open_or_load(server.url(), &config)?.reused());
/// assert!(Dataset::open_or_load(server.url(), &config)?.reused());
///
/// let other = DatasetConfig { seed: 43, ..config };
/// let refused = Dataset::open_or_load(server.url(), &other).unwrap_err().to_string();
/// assert!(refused.contains("holds 500 users of seed 42, not 500 users of seed 43"));
/// assert_eq!(Dataset::replace(server.url(), &other)?.users().seed(), 43);
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Dataset {
    target: Target,
    config: DatasetConfig,
    reused: bool,
}

impl Dataset {
    /// Opens the dataset of `config`, loading it where its schema is missing or empty.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] for a bad configuration, [`DbloadError::OtherContent`] when the
    /// schema holds anything else (another seed, another number of users, users that were changed, tables
    /// without their keys, tables of others), and the errors of connecting and of statements.
    pub fn open_or_load(url: &str, config: &DatasetConfig) -> Result<Self, DbloadError> {
        Self::open_or_load_by(&mut Loader::new(), url, config)
    }

    pub(crate) fn open_or_load_by(
        loader: &mut Loader<'_>,
        url: &str,
        config: &DatasetConfig,
    ) -> Result<Self, DbloadError> {
        Self::open(loader, url, config, |content| match content {
            Content::Nothing => Ok(Step::Load),
            Content::Ours { wanted: true, .. } => Ok(Step::Keep),
            Content::Ours { description, .. }
            | Content::OtherTables { description }
            | Content::Foreign { description } => Err(description),
        })
    }

    /// Opens the dataset of `config`, loading it anew whatever users its schema holds.
    ///
    /// # Errors
    ///
    /// As [`Dataset::open_or_load`], but [`DbloadError::OtherContent`] only when the tables in the
    /// schema are not a dataset at all.
    pub fn replace(url: &str, config: &DatasetConfig) -> Result<Self, DbloadError> {
        Self::replace_by(&mut Loader::new(), url, config)
    }

    pub(crate) fn replace_by(
        loader: &mut Loader<'_>,
        url: &str,
        config: &DatasetConfig,
    ) -> Result<Self, DbloadError> {
        Self::open(loader, url, config, anew)
    }

    /// Loads the same users again, into the emptied tables; returns the number of rows, three for
    /// each user. This is the operation to time for the speed of loading.
    ///
    /// Prepared statements of other connections stay valid; their queries wait.
    ///
    /// # Errors
    ///
    /// Those of connecting and of statements, and [`DbloadError::OtherContent`] when the tables are
    /// no dataset any more.
    pub fn reload(&self) -> Result<u64, DbloadError> {
        self.reload_by(&mut Loader::new())
    }

    pub(crate) fn reload_by(&self, loader: &mut Loader<'_>) -> Result<u64, DbloadError> {
        loader.chosen_method().check()?;
        self.locked(loader, anew)?;
        Ok(3 * u64::from(self.config.users))
    }

    /// Drops the tables, and the schema unless others have something in it.
    ///
    /// # Errors
    ///
    /// Those of connecting and of statements, and [`DbloadError::OtherContent`] when the tables are
    /// no dataset any more.
    pub fn drop_schema(self) -> Result<(), DbloadError> {
        self.locked(&mut Loader::new(), |content| match content {
            Content::Nothing | Content::Ours { .. } | Content::OtherTables { .. } => Ok(Step::Drop),
            Content::Foreign { description } => Err(description),
        })?;
        Ok(())
    }

    /// The configuration.
    pub fn config(&self) -> &DatasetConfig {
        &self.config
    }

    /// The users in the database, computed from the seed.
    pub fn users(&self) -> Users {
        Users::new(self.config.seed, self.config.users)
    }

    /// Whether the users were there already when this dataset was opened.
    pub fn reused(&self) -> bool {
        self.reused
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    fn open(
        loader: &mut Loader<'_>,
        url: &str,
        config: &DatasetConfig,
        decide: Decide,
    ) -> Result<Self, DbloadError> {
        config.check()?;
        loader.chosen_method().check()?;
        let mut dataset = Self {
            target: Target::parse(url)?,
            config: config.clone(),
            reused: false,
        };
        dataset.reused = dataset.locked(loader, decide)? == Step::Keep;
        Ok(dataset)
    }

    /// In one transaction that has the schema for itself: looks what is there, decides, acts.
    fn locked(&self, loader: &mut Loader<'_>, decide: Decide) -> Result<Step, DbloadError> {
        let mut client = self.target.connect()?;
        let step = self.transact(&mut client, loader, decide)?;
        // An error on closing does not undo what is committed.
        let _ = client.close();
        Ok(step)
    }

    fn transact(
        &self,
        client: &mut Client,
        loader: &mut Loader<'_>,
        decide: Decide,
    ) -> Result<Step, DbloadError> {
        let DatasetConfig {
            users,
            seed,
            schema,
        } = &self.config;
        // Each statement must see what others committed while this one waited for the lock, whatever
        // the server's default isolation is.
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::ReadCommitted)
            .start()
            .map_err(self.failed("starting a transaction"))?;
        transaction
            .execute(
                "SELECT pg_advisory_xact_lock($1)",
                &[&schema::lock_key(schema)],
            )
            .map_err(self.failed("locking the schema"))?;
        let content = schema::content(&mut transaction, schema, *users, *seed)
            .map_err(self.failed("looking for an existing dataset"))?;
        let replaceable = !matches!(content, Content::Foreign { .. });
        let step = decide(content).map_err(|found| DbloadError::OtherContent {
            schema: schema.clone(),
            server: self.target.redacted().into(),
            found,
            wanted: schema::describe(*users, *seed),
            replaceable,
        })?;
        match step {
            Step::Keep => {
                inserted::delete_leftovers(&mut transaction, schema)
                    .map_err(self.failed("deleting what an earlier run has inserted"))?;
            }
            Step::Drop => {
                transaction
                    .batch_execute(&schema::drop_tables(schema))
                    .map_err(self.failed("dropping the tables"))?;
                schema::drop_if_empty(&mut transaction, schema)
                    .map_err(self.failed("dropping the schema"))?;
            }
            Step::Load => self.fill(&mut transaction, loader, &schema::create(schema))?,
            Step::Reload => self.fill(&mut transaction, loader, &schema::empty(schema))?,
            Step::Recreate => {
                let recreate = schema::drop_tables(schema) + &schema::create(schema);
                self.fill(&mut transaction, loader, &recreate)?;
            }
        }
        // What was loaded must be there after a crash, too, also on a server that does not usually wait
        // for its log.
        transaction
            .batch_execute("SET LOCAL synchronous_commit = on")
            .and_then(|()| transaction.commit())
            .map_err(self.failed("committing"))?;
        Ok(step)
    }

    /// Loads into the bare tables that `prepare` leaves.
    fn fill(
        &self,
        transaction: &mut Transaction<'_>,
        loader: &mut Loader<'_>,
        prepare: &str,
    ) -> Result<(), DbloadError> {
        let schema = &self.config.schema;
        let constrain = |transaction: &mut Transaction<'_>| {
            transaction
                .batch_execute(&schema::constrain(schema))
                .map_err(self.failed("adding keys and constraints"))
        };
        transaction
            .batch_execute(prepare)
            .map_err(self.failed("creating the tables"))?;
        // An application finds the keys there when it inserts; a copy is faster without.
        let keys_last = loader.chosen_method() == LoadMethod::Copy;
        if !keys_last {
            constrain(transaction)?;
        }
        loader.load(transaction, schema, self.users(), self.target.redacted())?;
        if keys_last {
            constrain(transaction)?;
        }
        transaction
            .batch_execute(&schema::analyze(schema))
            .map_err(self.failed("collecting statistics"))?;
        schema::write_meta(transaction, schema, self.config.users, self.config.seed)
            .map_err(self.failed("noting what was loaded"))
    }

    fn failed(&self, what: &'static str) -> impl Fn(postgres::Error) -> DbloadError + '_ {
        move |error| DbloadError::statement(self.target.redacted(), what, &error)
    }
}

/// What to do with the content of a schema; the error is a description of it.
type Decide = fn(Content) -> Result<Step, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Load,
    Reload,
    Recreate,
    Drop,
}

/// Loads whatever users there are.
fn anew(content: Content) -> Result<Step, String> {
    match content {
        Content::Nothing => Ok(Step::Load),
        Content::Ours { .. } => Ok(Step::Reload),
        Content::OtherTables { .. } => Ok(Step::Recreate),
        Content::Foreign { description } => Err(description),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(config: DatasetConfig, message: &str) {
        let error = config.check().expect_err("a bad configuration").to_string();
        assert!(error.contains(message), "{error}");
    }

    #[test]
    fn bad_configurations_are_refused() {
        let config = |users, schema: &str| DatasetConfig {
            users,
            seed: 42,
            schema: schema.into(),
        };
        check_refused(config(0, "dbload"), "users: 0 is not in 1 to 10000000");
        check_refused(
            config(10_000_001, "dbload"),
            "users: 10000001 is not in 1 to 10000000",
        );
        check_refused(config(1, "pg_mine"), "schema");
        assert!(config(10_000_000, "dbload").check().is_ok());
        assert!(DatasetConfig::default().check().is_ok());
    }
}
