//! One client with its own sequence of requests.

use crate::DbloadError;
use crate::answer::Answer;
use crate::mix::Mix;
use crate::operation::{Operation, Request};
use crate::pool::Pool;
use crate::random::SplitMix64;
use crate::tasks;

/// Executes operations with parameters drawn from a seed.
///
/// The sequence of requests follows from the seed and the sequence of operations: two clients of the
/// same seed, in whatever processes, ask the same and get equal answers.
///
/// ```
/// use dbload::{Client, Dataset, DatasetConfig, Operation, Pool, TemporaryServer};
///
/// let server = TemporaryServer::start()?;
/// let dataset = Dataset::open_or_load(server.url(), &DatasetConfig { users: 500, ..DatasetConfig::default() })?;
/// let pool = Pool::connect(&dataset, 1)?;
/// let mut client = Client::new(&pool, 7);
/// assert_eq!(client.execute(Operation::UserByName)?.rows, 1);
///
/// let request = client.next_request(Operation::UsersByUids);
/// assert_eq!(client.run(&request)?, request.expected_answer(&dataset.users()));
/// # Ok::<(), dbload::DbloadError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    pool: Pool,
    random: SplitMix64,
}

impl Client {
    /// A client of `pool`, at the start of the sequence of `seed`.
    pub fn new(pool: &Pool, seed: u64) -> Self {
        Self {
            pool: pool.clone(),
            random: SplitMix64::stream(seed, 0),
        }
    }

    /// Draws the next operation of a mix.
    pub fn next_operation(&mut self, mix: &Mix) -> Operation {
        mix.draw(&mut self.random)
    }

    /// Draws the next request of this operation.
    pub fn next_request(&mut self, operation: Operation) -> Request {
        Request::draw(operation, self.pool.users(), &mut self.random)
    }

    /// Takes a connection from the pool, sends the request, decodes every field of the answer and
    /// gives the connection back.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Checkout`] when no connection became free, [`DbloadError::Query`] when the
    /// server refused, [`DbloadError::ConnectionLost`] when it went away.
    pub fn run(&self, request: &Request) -> Result<Answer, DbloadError> {
        let mut session = self.pool.session()?;
        tasks::at_once(session.run(request))
    }

    /// Draws the next request of this operation and runs it.
    ///
    /// # Errors
    ///
    /// As [`Client::run`].
    pub fn execute(&mut self, operation: Operation) -> Result<Answer, DbloadError> {
        let request = self.next_request(operation);
        self.run(&request)
    }
}
