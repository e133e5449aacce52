//! The three tables, loaded and recognised.

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use postgres::{Client, IsolationLevel, Transaction};

use crate::DbloadError;
use crate::schema::{self, Content};
use crate::target::Target;
use crate::user::{MAX_USERS, User, Users};

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
/// A load is one transaction: binary `COPY` into the bare tables (with `FREEZE`, so that no reader
/// later pays for hint bits), then keys and constraints, then `ANALYZE`. Loads of one schema are
/// serialised by an advisory lock, so that any number of processes may open it at once: one loads,
/// the others wait and then find it there.
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
    /// schema holds anything else (another seed, another number of users, tables of others), and the
    /// errors of connecting and of statements.
    pub fn open_or_load(url: &str, config: &DatasetConfig) -> Result<Self, DbloadError> {
        Self::open(url, config, |content| match content {
            Content::Nothing => Ok(Step::Load),
            Content::Ours { wanted: true, .. } => Ok(Step::Keep),
            Content::Ours { description, .. } | Content::Foreign { description } => {
                Err(description)
            }
        })
    }

    /// Opens the dataset of `config`, loading it anew whatever users its schema holds.
    ///
    /// # Errors
    ///
    /// As [`Dataset::open_or_load`], but [`DbloadError::OtherContent`] only when the tables in the
    /// schema are not a dataset at all.
    pub fn replace(url: &str, config: &DatasetConfig) -> Result<Self, DbloadError> {
        Self::open(url, config, |content| match content {
            Content::Nothing => Ok(Step::Load),
            Content::Ours { .. } => Ok(Step::Reload),
            Content::Foreign { description } => Err(description),
        })
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
        self.locked(|content| match content {
            Content::Nothing => Ok(Step::Load),
            Content::Ours { .. } => Ok(Step::Reload),
            Content::Foreign { description } => Err(description),
        })?;
        Ok(3 * u64::from(self.config.users))
    }

    /// Drops the schema with all in it.
    ///
    /// # Errors
    ///
    /// Those of connecting and of statements, and [`DbloadError::OtherContent`] when the tables are
    /// no dataset any more.
    pub fn drop_schema(self) -> Result<(), DbloadError> {
        self.locked(|content| match content {
            Content::Nothing | Content::Ours { .. } => Ok(Step::Drop),
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

    fn open(url: &str, config: &DatasetConfig, decide: Decide) -> Result<Self, DbloadError> {
        config.check()?;
        let mut dataset = Self {
            target: Target::parse(url)?,
            config: config.clone(),
            reused: false,
        };
        dataset.reused = dataset.locked(decide)? == Step::Keep;
        Ok(dataset)
    }

    /// In one transaction that has the schema for itself: looks what is there, decides, acts.
    fn locked(&self, decide: Decide) -> Result<Step, DbloadError> {
        let mut client = self.target.connect()?;
        let step = self.transact(&mut client, decide)?;
        // An error on closing does not undo what is committed.
        let _ = client.close();
        Ok(step)
    }

    fn transact(&self, client: &mut Client, decide: Decide) -> Result<Step, DbloadError> {
        let failed = |what: &'static str| {
            let server = self.target.redacted();
            move |error: postgres::Error| DbloadError::statement(server, what, &error)
        };
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
            .map_err(failed("starting a transaction"))?;
        transaction
            .execute(
                "SELECT pg_advisory_xact_lock($1)",
                &[&schema::lock_key(schema)],
            )
            .map_err(failed("locking the schema"))?;
        let content = schema::content(&mut transaction, schema, *users, *seed)
            .map_err(failed("looking for an existing dataset"))?;
        let present = !matches!(content, Content::Nothing);
        let step = decide(content).map_err(|found| DbloadError::OtherContent {
            schema: schema.clone(),
            server: self.target.redacted().into(),
            found,
            wanted: schema::describe(*users, *seed),
        })?;
        match step {
            Step::Keep => {}
            Step::Drop => {
                let drop = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
                transaction
                    .batch_execute(&drop)
                    .map_err(failed("dropping the schema"))?;
            }
            Step::Load | Step::Reload => {
                let prepare = if present {
                    schema::empty(schema)
                } else {
                    schema::create(schema)
                };
                transaction
                    .batch_execute(&prepare)
                    .map_err(failed("creating the tables"))?;
                self.copy(&mut transaction)
                    .map_err(failed("loading the users"))?;
                transaction
                    .batch_execute(&schema::finish(schema))
                    .map_err(failed("adding keys and constraints"))?;
                schema::write_meta(&mut transaction, schema, *users, *seed)
                    .map_err(failed("noting what was loaded"))?;
            }
        }
        transaction.commit().map_err(failed("committing"))?;
        Ok(step)
    }

    fn copy(&self, transaction: &mut Transaction<'_>) -> Result<(), postgres::Error> {
        let schema = &self.config.schema;
        let gender = schema::gender_type(transaction, schema)?;
        let tables: [(&str, &[Type], WriteRow); 3] = [
            (
                "users_tbl (id, uid)",
                &[Type::INT4, Type::UUID],
                |out, user| out.write(&[&user.id, &user.uid]),
            ),
            (
                "user_info_tbl (id, uid, name, age, gender)",
                &[Type::INT4, Type::UUID, Type::VARCHAR, Type::INT2, gender],
                |out, user| out.write(&[&user.id, &user.uid, &user.name, &user.age, &user.gender]),
            ),
            (
                "user_profile_tbl (id, uid, nickname, pic)",
                &[Type::INT4, Type::UUID, Type::VARCHAR, Type::VARCHAR],
                |out, user| out.write(&[&user.id, &user.uid, &user.nickname, &user.pic]),
            ),
        ];
        for (table, types, write_row) in tables {
            let copy = format!("COPY \"{schema}\".{table} FROM STDIN WITH (FORMAT binary, FREEZE)");
            let mut out = BinaryCopyInWriter::new(transaction.copy_in(&copy)?, types);
            for user in self.users().iter() {
                write_row(&mut out, &user)?;
            }
            out.finish()?;
        }
        Ok(())
    }
}

/// What to do with the content of a schema; the error is a description of it.
type Decide = fn(Content) -> Result<Step, String>;

type WriteRow = fn(&mut BinaryCopyInWriter<'_>, &User) -> Result<(), postgres::Error>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Load,
    Reload,
    Drop,
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
        check_refused(config(0, "dbload"), "users: 0 is not in 1 to 999999");
        check_refused(
            config(1_000_000, "dbload"),
            "users: 1000000 is not in 1 to 999999",
        );
        check_refused(config(1, "pg_mine"), "schema");
        assert!(config(999_999, "dbload").check().is_ok());
        assert!(DatasetConfig::default().check().is_ok());
    }
}
