//! `INSERT`, many users in a statement or one.

use std::fmt::Write as _;

use postgres::Statement;
use postgres::types::ToSql;

use super::{Run, failed};
use crate::DbloadError;
use crate::user::User;

type Values<'u> = Vec<&'u (dyn ToSql + Sync)>;

/// A table: its columns, and the values that a user has in them.
struct Table {
    columns: &'static str,
    count: usize,
    values: for<'u> fn(&'u User, &mut Values<'u>),
}

/// In the order in which keys allow rows.
const TABLES: [Table; 3] = [
    Table {
        columns: "users_tbl (id, uid)",
        count: 2,
        values: |user, values| values.extend([&user.id as &(dyn ToSql + Sync), &user.uid]),
    },
    Table {
        columns: "user_info_tbl (id, uid, name, age, gender)",
        count: 5,
        values: |user, values| {
            values.extend([&user.id as &(dyn ToSql + Sync), &user.uid]);
            values.extend([&user.name as &(dyn ToSql + Sync), &user.age, &user.gender]);
        },
    },
    Table {
        columns: "user_profile_tbl (id, uid, nickname, pic)",
        count: 4,
        values: |user, values| {
            values.extend([&user.id as &(dyn ToSql + Sync), &user.uid]);
            values.extend([&user.nickname as &(dyn ToSql + Sync), &user.pic]);
        },
    },
];

/// How many users there are between two calls of the listener when every user is a batch.
const ROW_BY_ROW_PROGRESS: u32 = 500;

/// Loads the users of a batch into one table after the other, then the next batch.
pub(super) fn in_batches(run: &mut Run<'_, '_, '_>, batch: u32) -> Result<(), DbloadError> {
    let count = run.users.count();
    let mut prepared: Option<(u32, [Statement; 3])> = None;
    let mut next = 1;
    while next <= count {
        let size = batch.min(count - next + 1);
        let statements = match prepared.take() {
            Some((prepared_size, statements)) if prepared_size == size => statements,
            // The first batch, or a last one that is smaller.
            _ => prepare(run, size)?,
        };
        insert(run, &statements, next, size)?;
        run.progress.sent(3 * u64::from(size));
        prepared = Some((size, statements));
        next += size;
    }
    Ok(())
}

/// Loads one user after the other.
pub(super) fn row_by_row(run: &mut Run<'_, '_, '_>) -> Result<(), DbloadError> {
    let statements = prepare(run, 1)?;
    let mut untold = 0;
    for id in 1..=run.users.count() {
        insert(run, &statements, id, 1)?;
        untold += 1;
        if untold == ROW_BY_ROW_PROGRESS || id == run.users.count() {
            run.progress.sent(3 * u64::from(untold));
            untold = 0;
        }
    }
    Ok(())
}

/// The statements for this many users.
fn prepare(run: &mut Run<'_, '_, '_>, size: u32) -> Result<[Statement; 3], DbloadError> {
    let [users, info, profile] = TABLES;
    let mut statement = |table: &Table| {
        let sql = sql(run.schema, table, size);
        run.transaction
            .prepare(&sql)
            .map_err(|error| failed(run.server, &error))
    };
    Ok([statement(&users)?, statement(&info)?, statement(&profile)?])
}

fn sql(schema: &str, table: &Table, size: u32) -> String {
    let mut sql = format!("INSERT INTO \"{schema}\".{} VALUES ", table.columns);
    let mut parameter = 0;
    for row in 0..size {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..table.count {
            parameter += 1;
            let comma = if column == 0 { "" } else { ", " };
            write!(sql, "{comma}${parameter}").expect("writing to a string does not fail");
        }
        sql.push(')');
    }
    sql
}

fn insert(
    run: &mut Run<'_, '_, '_>,
    statements: &[Statement; 3],
    first: u32,
    size: u32,
) -> Result<(), DbloadError> {
    let users: Vec<User> = (first..first + size).map(|id| run.users.user(id)).collect();
    for (table, statement) in TABLES.iter().zip(statements) {
        let mut values = Vec::with_capacity(users.len() * table.count);
        for user in &users {
            (table.values)(user, &mut values);
        }
        run.transaction
            .execute(statement, &values)
            .map_err(|error| run.failed(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LoadMethod;

    #[test]
    fn statements_number_their_parameters_through() {
        assert_eq!(
            sql("s", &TABLES[0], 1),
            "INSERT INTO \"s\".users_tbl (id, uid) VALUES ($1, $2)"
        );
        assert!(sql("s", &TABLES[2], 2).ends_with("VALUES ($1, $2, $3, $4), ($5, $6, $7, $8)"));
        let largest = sql("s", &TABLES[1], LoadMethod::MAX_BATCH);
        assert!(largest.ends_with(", $65535)"), "{}", largest.len());
    }
}
