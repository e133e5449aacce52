//! The operations, executed on a connection.

use postgres::types::ToSql;
use uuid::Uuid;

use crate::DbloadError;
use crate::answer::Answer;
use crate::connection::ConnectionError;
use crate::operation::{Operation, Request};
use crate::schema::FIRST_INSERTED_ID;
use crate::session::Session;
use crate::tasks;

/// How many users one statement of cleaning up deletes: some seconds at most.
const DELETED_AT_ONCE: usize = 10_000;

impl Session {
    /// Sends the request and decodes the whole answer.
    ///
    /// A write that fails has changed nothing, unless the connection was lost while the server was asked
    /// to commit: then it has changed everything or nothing.
    pub(crate) async fn run(&mut self, request: &Request) -> Result<Answer, DbloadError> {
        let operation = request.operation();
        self.prepare(operation)?;
        let outcome = match request {
            Request::UserByName { name } => self.read(operation, &[name]).await,
            Request::UserByUid { uid } => self.read(operation, &[uid]).await,
            Request::NameRange { first, last } => self.read(operation, &[first, last]).await,
            Request::UsersByUids { uids } | Request::Neighbours { uids } => {
                self.read(operation, &[uids]).await
            }
            Request::CountExtremes | Request::AgeGender | Request::TopNicknames => {
                self.read(operation, &[]).await
            }
            Request::PageKeyset { after } => self.read(operation, &[after]).await,
            Request::PageOffset { offset } => self.read(operation, &[offset]).await,
            Request::Search { words } => self.read(operation, &[words]).await,
            Request::InsertUser {
                age,
                gender,
                nickname,
                pic,
            } => self.insert([age, gender], [nickname, pic]).await,
            Request::UpdateProfile { uid, nickname, pic } => {
                self.write(operation, &[uid, nickname, pic]).await
            }
            Request::DeleteUser => self.delete().await,
        };
        outcome.map_err(|error| self.failed(operation.as_str(), &error))
    }

    async fn read(
        &mut self,
        operation: Operation,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Answer, ConnectionError> {
        let statement = &self.statements[operation as usize][0];
        let rows = self.connection.query(statement, parameters).await?;
        Answer::decode(operation, &rows)
    }

    async fn write(
        &mut self,
        operation: Operation,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Answer, ConnectionError> {
        let statement = &self.statements[operation as usize][0];
        self.connection
            .execute(statement, parameters)
            .await
            .map(Answer::affected)
    }

    /// Number and identifier are the database's, so that clients need not agree on any.
    async fn insert(
        &mut self,
        [age, gender]: [&(dyn ToSql + Sync); 2],
        [nickname, pic]: [&(dyn ToSql + Sync); 2],
    ) -> Result<Answer, ConnectionError> {
        let statements = &self.statements[Operation::InsertUser as usize];
        let inserted = self.connection.transaction(async |connection| {
            let ids = connection
                .query(&statements[0], &[])
                .await?
                .iter()
                .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
                .collect::<Result<Vec<(i32, Uuid)>, ConnectionError>>()?;
            let mut affected = ids.len() as u64;
            for (id, uid) in &ids {
                let name = name(*uid);
                let info: [&(dyn ToSql + Sync); 5] = [id, uid, &name, age, gender];
                affected += connection.execute(&statements[1], &info).await?;
                affected += connection
                    .execute(&statements[2], &[id, uid, nickname, pic])
                    .await?;
            }
            Ok((ids, affected))
        });
        let (ids, rows) = inserted.await?;
        ids.iter().for_each(|&(id, _)| self.inserted.add(id));
        Ok(Answer::affected(rows))
    }

    async fn delete(&mut self) -> Result<Answer, ConnectionError> {
        let oldest = self.inserted.take();
        // Where there is nobody to delete, the database is asked all the same: for the number before all
        // that are inserted, which nobody has.
        let id = oldest.unwrap_or(FIRST_INSERTED_ID - 1);
        let outcome = self.write(Operation::DeleteUser, &[&id]).await;
        if outcome.is_err() {
            self.inserted.put_back(oldest.as_slice());
        }
        outcome
    }

    /// Deletes all that were inserted through the pool.
    pub(crate) fn delete_inserted(&mut self) -> Result<u64, DbloadError> {
        let table = format!("\"{}\".users_tbl", self.schema);
        self.delete_all_from(&table)
            .map_err(|error| self.failed("deleting the users that were inserted", &error))
    }

    fn delete_all_from(&mut self, table: &str) -> Result<u64, ConnectionError> {
        let sql = format!("DELETE FROM {table} WHERE id = ANY($1)");
        let statement = self.connection.prepare(&sql)?;
        let mut deleted = 0;
        loop {
            let ids = self.inserted.take_many(DELETED_AT_ONCE);
            if ids.is_empty() {
                return Ok(deleted);
            }
            match tasks::at_once(self.connection.execute(&statement, &[&ids])) {
                Ok(rows) => deleted += rows,
                Err(error) => {
                    self.inserted.put_back(&ids);
                    return Err(error);
                }
            }
        }
    }
}

/// The name of an inserted user: it comes before all names of a dataset, which begin with a letter, so
/// that no range of those has it inside.
fn name(uid: Uuid) -> String {
    format!("_inserted_{}", uid.simple())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::Users;

    #[test]
    fn names_of_inserted_users_fit_and_are_in_no_range() {
        for uid in [Uuid::nil(), Uuid::max()] {
            let name = name(uid);
            assert!(name.len() <= 50 && name < Users::name(1), "{name}");
        }
    }
}
