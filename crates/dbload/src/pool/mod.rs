//! Pooled connections with their statements prepared.

mod config;
mod queue;

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use r2d2::{ManageConnection, NopErrorHandler, PooledConnection};

use crate::DbloadError;
use crate::connection::{ConnectTimes, TypeCache};
use crate::dataset::Dataset;
use crate::deadline::{Deadline, LOOK_EVERY};
use crate::inserted::{self, Inserted};
use crate::operation::{self, Operation};
use crate::session::Session;
use crate::target::Target;
use crate::tasks;
use crate::user::Users;

pub use config::PoolConfig;
use queue::{Caller, Queue};

/// How long a request waits in the queue of the pool before it looks whether it should still wait, and queues
/// again. So long that hardly anybody does.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How long the first in the queue waits, where connections are missing, until it looks for a new one.
const LOOK_FOR_NEW: Duration = Duration::from_millis(2);

/// How much longer than its longest statement a server may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// Connections to one [`Dataset`].
///
/// The pool is r2d2's, over connections that send an execution in one write and read its answer on
/// the thread that asks. As long as [`PoolConfig`] leaves it so, all connections are opened and all
/// statements prepared before [`Pool::connect`] returns, and none is closed for its age, so that no
/// part of a measurement opens one.
///
/// Clones share the connections.
#[derive(Clone)]
pub struct Pool {
    /// None where every request opens a connection of its own.
    pool: Option<r2d2::Pool<Manager>>,
    manager: Arc<Manager>,
    users: Users,
    config: PoolConfig,
    /// Without a pool, a connection that does nothing but hold the lock on what was inserted.
    _keeper: Option<Arc<Mutex<Session>>>,
}

impl Pool {
    /// Opens `size` connections, with the defaults of [`PoolConfig`] for all else.
    ///
    /// # Errors
    ///
    /// As [`Pool::connect_with`].
    pub fn connect(dataset: &Dataset, size: u32) -> Result<Self, DbloadError> {
        Self::connect_with(dataset, &PoolConfig::of_size(size))
    }

    /// As [`Pool::connect`], for these operations only.
    ///
    /// # Errors
    ///
    /// As [`Pool::connect_with`].
    pub fn connect_for(
        dataset: &Dataset,
        size: u32,
        operations: &[Operation],
    ) -> Result<Self, DbloadError> {
        let config = PoolConfig {
            operations: operations.to_vec(),
            ..PoolConfig::of_size(size)
        };
        Self::connect_with(dataset, &config)
    }

    /// Opens the connections of a pool.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] when the configuration has a size of 0 or a limit out of range,
    /// [`DbloadError::Connect`] when the server cannot be reached or not all connections could be opened in
    /// time, [`DbloadError::UnsupportedVersion`] when it is too old.
    pub fn connect_with(dataset: &Dataset, config: &PoolConfig) -> Result<Self, DbloadError> {
        let manager = Manager::new(dataset, config)?;
        // The pool retries until its time is up. A first connection outside of it tells at once what
        // a retry cannot mend.
        drop(manager.connect()?);
        manager.make_indexes(dataset)?;
        let opening = manager.target.limit().max(config.checkout_timeout);
        let pool = r2d2::Pool::builder()
            .max_size(config.size)
            .min_idle(config.min_idle)
            .connection_timeout(opening)
            .test_on_check_out(config.test_on_checkout)
            .max_lifetime(config.max_lifetime)
            .idle_timeout(config.idle_timeout)
            .error_handler(Box::new(NopErrorHandler))
            .build(manager.clone())
            .map_err(|_| manager.opening_error(opening))?;
        Ok(Self::new(dataset, config, manager, Some(pool)))
    }

    /// No pool: every request opens a connection for itself, prepares its statement, and closes the
    /// connection again. What `config` says of the number and the life of connections has no meaning.
    ///
    /// ```
    /// use dbload::{Client, Dataset, DatasetConfig, Operation, Pool, PoolConfig, TemporaryServer};
    ///
    /// let server = TemporaryServer::start()?;
    /// let dataset = Dataset::open_or_load(server.url(), &DatasetConfig { users: 500, ..DatasetConfig::default() })?;
    /// let pool = Pool::unpooled(&dataset, &PoolConfig::default())?;
    /// assert_eq!(Client::new(&pool, 7).execute(Operation::UserByName)?.rows, 1);
    /// let times = pool.time_to_connect()?;
    /// assert!(times.resolve <= times.total);
    /// # Ok::<(), dbload::DbloadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Pool::connect_with`], except that there is nothing to wait for.
    pub fn unpooled(dataset: &Dataset, config: &PoolConfig) -> Result<Self, DbloadError> {
        let manager = Manager {
            prepares: false,
            ..Manager::new(dataset, config)?
        };
        let first = manager.connect()?;
        manager.make_indexes(dataset)?;
        let mut pool = Self::new(dataset, config, manager, None);
        // Connections come and go; what they insert is in use all the while.
        pool._keeper = pool.manager.inserts().then(|| Arc::new(Mutex::new(first)));
        Ok(pool)
    }

    fn new(
        dataset: &Dataset,
        config: &PoolConfig,
        manager: Manager,
        pool: Option<r2d2::Pool<Manager>>,
    ) -> Self {
        Self {
            pool,
            manager: Arc::new(manager),
            users: dataset.users(),
            config: config.clone(),
            _keeper: None,
        }
    }

    /// How many connections there are at most.
    pub fn size(&self) -> u32 {
        self.config.size
    }

    /// What the pool was opened with.
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Whether connections are used again.
    pub fn is_pooled(&self) -> bool {
        self.pool.is_some()
    }

    /// The users of the dataset.
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Deletes all users that were inserted through this pool and are still there; returns how many. The
    /// dataset is then what it was before, which a pool does not see to by itself: after an error, what it
    /// inserted is there to be looked at. Who opens the dataset when no pool that inserts is there any more
    /// finds it without them in any case.
    ///
    /// Users whose insertion ended in a lost connection are not among them, as nobody knows their numbers.
    ///
    /// # Errors
    ///
    /// Those of [`Client::run`](crate::Client::run). Users that could not be deleted can be later.
    pub fn delete_inserted(&self) -> Result<u64, DbloadError> {
        // Where there are none, a server that is gone is not waited for.
        if self.manager.inserted.is_empty() {
            return Ok(0);
        }
        self.session()?.delete_inserted()
    }

    /// As [`delete_inserted`](Self::delete_inserted), for a server that may not answer: no longer than
    /// `limit`. Other requests through this pool have no more time than that either.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn delete_inserted_within(&self, limit: Duration) -> Result<u64, DbloadError> {
        self.manager.deadline.set(Some(limit));
        let deleted = self.delete_inserted();
        self.manager.deadline.set(None);
        deleted
    }

    /// Makes every request under way fail, as well as all others until [`resume`](Self::resume): for a server
    /// that has said nothing for so long that nobody wants to wait for it.
    pub(crate) fn give_up(&self) {
        self.manager.deadline.set(Some(Duration::ZERO));
    }

    pub(crate) fn resume(&self) {
        self.manager.deadline.set(None);
    }

    /// Opens one more connection, closes it, and tells how long opening it took.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Connect`] when the server cannot be reached or has no room.
    pub fn time_to_connect(&self) -> Result<ConnectTimes, DbloadError> {
        let Manager {
            target,
            types,
            deadline,
            ..
        } = &*self.manager;
        Ok(target.open(types.clone(), deadline)?.times())
    }

    /// Whether whoever takes a connection out may have to wait for the server, which keeps the thread.
    pub(crate) fn keeps_threads(&self) -> bool {
        self.pool.is_none() || self.config.test_on_checkout
    }

    /// Waits for a free connection, or opens one where there is no pool. Tasks that share the thread go on
    /// meanwhile, where there is a pool.
    pub(crate) async fn checkout(&self) -> Result<Checkout<'_>, DbloadError> {
        match &self.pool {
            Some(pool) if tasks::share_thread() => {
                if self.manager.queue.is_empty()
                    && let Some(session) = pool.try_get()
                {
                    return Ok(self.lend(session));
                }
                self.queue(pool).await
            }
            _ => self.session(),
        }
    }

    /// Waits for a free connection, first come, first served.
    async fn queue(&self, pool: &r2d2::Pool<Manager>) -> Result<Checkout<'_>, DbloadError> {
        let limit = self.config.checkout_timeout;
        let start = Instant::now();
        let mut place = self.manager.queue.enter().await;
        loop {
            let mut look_again = LOOK_EVERY;
            if place.is_first() {
                // Without waiting, and has the pool open one more where it may.
                if let Ok(session) = pool.get_timeout(Duration::ZERO) {
                    let state = pool.state();
                    // As long as all connections are open, whoever gives one back calls the next.
                    place.calls_next =
                        state.idle_connections > 0 || state.connections < self.config.size;
                    return Ok(self.lend(session));
                }
                if pool.state().connections < self.config.size {
                    // The pool does not say when it has opened one.
                    look_again = LOOK_FOR_NEW;
                }
            }
            let waited = start.elapsed();
            if waited >= limit || self.manager.deadline.has_passed() {
                return Err(self.manager.checkout_error(waited.min(limit)));
            }
            let look = Instant::now() + look_again.min(limit - waited);
            tasks::wait(None, Some(look)).await;
        }
    }

    fn lend(&self, session: PooledConnection<Manager>) -> Checkout<'_> {
        Checkout {
            session: Lent::Pooled(session),
            _caller: Some(self.manager.queue.caller()),
        }
    }

    /// Waits for a free connection in this thread, or opens one where there is no pool.
    pub(crate) fn session(&self) -> Result<Checkout<'_>, DbloadError> {
        let Some(pool) = &self.pool else {
            return Ok(Checkout {
                session: Lent::Own(self.manager.connect()?),
                _caller: None,
            });
        };
        let limit = self.config.checkout_timeout;
        let mut left = limit;
        loop {
            // In parts, as the deadline can come at any time.
            let part = left.min(LONGEST_WAIT);
            match pool.get_timeout(part) {
                Ok(session) => return Ok(self.lend(session)),
                Err(_) if self.manager.deadline.has_passed() => {
                    return Err(self.manager.checkout_error(limit - left + part));
                }
                Err(_) if left > part => left -= part,
                Err(_) => return Err(self.manager.checkout_error(limit)),
            }
        }
    }
}

/// A session for as long as a request needs it.
pub(crate) struct Checkout<'a> {
    session: Lent,
    /// Dropped after the session: whoever waits for it is called when it is there.
    _caller: Option<Caller<'a>>,
}

impl Checkout<'_> {
    /// How long opening the connection took, where it was opened for this request.
    pub(crate) fn own_times(&self) -> Option<ConnectTimes> {
        match &self.session {
            Lent::Pooled(_) => None,
            Lent::Own(session) => Some(session.connection.times()),
        }
    }
}

enum Lent {
    Pooled(PooledConnection<Manager>),
    Own(Session),
}

impl Deref for Checkout<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        match &self.session {
            Lent::Pooled(session) => session,
            Lent::Own(session) => session,
        }
    }
}

impl DerefMut for Checkout<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        match &mut self.session {
            Lent::Pooled(session) => session,
            Lent::Own(session) => session,
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("server", &self.manager.target)
            .field("pooled", &self.is_pooled())
            .field("size", &self.size())
            .field("users", &self.users)
            .finish()
    }
}

/// Opens connections, sets them up and prepares their statements.
#[derive(Clone)]
pub(crate) struct Manager {
    target: Target,
    schema: String,
    settings: String,
    answer_limit: Option<Duration>,
    /// Whether all statements are prepared at once, or each when it is first asked for.
    prepares: bool,
    types: TypeCache,
    operations: Arc<[Operation]>,
    inserted: Inserted,
    deadline: Deadline,
    /// Who waits for a connection in a thread that is shared.
    queue: Queue,
    /// Why no connection could be opened, as long as none could be since.
    last_refusal: Arc<Mutex<Option<DbloadError>>>,
}

impl Manager {
    fn new(dataset: &Dataset, config: &PoolConfig) -> Result<Self, DbloadError> {
        config.check()?;
        let schema = &dataset.config().schema;
        let mut settings = config.session_settings();
        if config.operations.contains(&Operation::InsertUser) {
            // Before the limits, as it may have to wait until others have cleaned up.
            settings.insert_str(0, &inserted::mark_in_use(schema));
        }
        Ok(Self {
            target: dataset.target().clone(),
            schema: schema.clone(),
            settings,
            answer_limit: config.statement_timeout.map(|limit| limit + SILENCE),
            prepares: true,
            types: TypeCache::default(),
            operations: config.operations.as_slice().into(),
            inserted: Inserted::default(),
            deadline: Deadline::default(),
            queue: Queue::default(),
            last_refusal: Arc::default(),
        })
    }

    /// Whether connections insert users, of whom others must know that they are in use.
    fn inserts(&self) -> bool {
        self.operations.contains(&Operation::InsertUser)
    }

    fn make_indexes(&self, dataset: &Dataset) -> Result<(), DbloadError> {
        if self.operations.contains(&Operation::Search) {
            operation::create_search_index(dataset)?;
        }
        Ok(())
    }

    /// Nobody got a connection for so long. Where the last attempt to open one failed, that is the reason.
    fn checkout_error(&self, waited: Duration) -> DbloadError {
        self.refusal(waited)
            .unwrap_or_else(|| DbloadError::Checkout {
                server: self.target.redacted().into(),
                waited_ms: waited.as_millis(),
                reason: "all were in use".into(),
            })
    }

    /// Not all of the first connections were opened in time.
    fn opening_error(&self, waited: Duration) -> DbloadError {
        self.refusal(waited)
            .unwrap_or_else(|| DbloadError::Connect {
                server: self.target.redacted().into(),
                reason: format!(
                    "not all connections were open within {} ms",
                    waited.as_millis()
                ),
                sqlstate: None,
            })
    }

    fn refusal(&self, waited: Duration) -> Option<DbloadError> {
        let error = self.last_refusal().clone()?;
        let reason = match &error {
            DbloadError::Connect { reason, .. } => reason.clone(),
            other => other.to_string(),
        };
        Some(DbloadError::Connect {
            server: self.target.redacted().into(),
            reason: format!(
                "none became free or could be opened within {} ms: {reason}",
                waited.as_millis()
            ),
            sqlstate: error.sqlstate().map(Into::into),
        })
    }

    /// What is in there is whole, whoever panicked.
    fn last_refusal(&self) -> MutexGuard<'_, Option<DbloadError>> {
        self.last_refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<Session, DbloadError> {
        let connection = self.target.open(self.types.clone(), &self.deadline)?;
        let mut session = Session::new(
            connection,
            self.target.redacted(),
            &self.schema,
            self.operations.clone(),
            self.inserted.clone(),
        );
        session.set_up(&self.settings, self.answer_limit)?;
        if self.prepares {
            session.prepare_all()?;
        }
        Ok(session)
    }
}

impl ManageConnection for Manager {
    type Connection = Session;
    type Error = DbloadError;

    fn connect(&self) -> Result<Session, DbloadError> {
        let outcome = self.open();
        // What was not waited for says nothing about the server.
        if outcome.is_ok() || !self.deadline.has_passed() {
            *self.last_refusal() = outcome.as_ref().err().cloned();
        }
        outcome
    }

    fn is_valid(&self, session: &mut Session) -> Result<(), DbloadError> {
        session.test()
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.is_spoilt()
    }
}
