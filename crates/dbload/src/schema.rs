//! The statements that make, recognise and empty the tables.

use std::collections::BTreeSet;
use std::iter;

use postgres::Transaction;
use postgres::error::SqlState;

use crate::DbloadError;
use crate::user::{User, Users};

/// Counts up whenever the same seed would give other users or other tables.
const CONTENT_VERSION: i32 = 2;

/// The first number of the users that are inserted in a run: far above the numbers of any dataset,
/// whose reads and counts stop below it.
pub(crate) const FIRST_INSERTED_ID: i32 = 1_000_000_000;

/// The sequence of these numbers.
pub(crate) const INSERTED_IDS: &str = "inserted_ids";

/// The tables with rows of users.
const TABLES: [&str; 3] = ["users_tbl", "user_info_tbl", "user_profile_tbl"];

/// Their columns with their types, in the same order.
const COLUMNS: [&[&str]; 3] = [
    &["id int4", "uid uuid"],
    &[
        "id int4",
        "uid uuid",
        "name varchar",
        "age int2",
        "gender gender",
    ],
    &["id int4", "uid uuid", "nickname varchar", "pic varchar"],
];

/// What a schema holds.
pub(crate) enum Content {
    /// It is not there, or has no tables.
    Nothing,
    /// A dataset, the wanted one or another.
    Ours { wanted: bool, description: String },
    /// A dataset whose tables are not those that this version of the program makes.
    OtherTables { description: String },
    /// Anything else.
    Foreign { description: String },
}

/// Refuses what is not a plain identifier, so that statements can be put together from it, and the
/// schemas that belong to others.
pub(crate) fn check_name(schema: &str) -> Result<(), DbloadError> {
    let refuse = |reason: &str| {
        Err(DbloadError::parameter(
            "schema",
            format!("{schema:?} {reason}"),
        ))
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if schema.is_empty() || schema.len() > 63 {
        return refuse("must have 1 to 63 characters");
    }
    if !schema.chars().all(plain) || schema.starts_with(|c: char| c.is_ascii_digit()) {
        return refuse("must be of small letters, digits and _, and not start with a digit");
    }
    if schema.starts_with("pg_") || schema == "information_schema" || schema == "public" {
        return refuse("belongs to the database; the dataset needs a schema of its own");
    }
    Ok(())
}

/// The key of the advisory lock on a schema: FNV-1a over a name that no other program will use.
pub(crate) fn lock_key(schema: &str) -> i64 {
    key(&format!("dbload dataset in schema {schema}"))
}

/// The key of the advisory lock on the users that runs have inserted into a schema.
pub(crate) fn inserted_lock_key(schema: &str) -> i64 {
    key(&format!("dbload inserted users in schema {schema}"))
}

fn key(name: &str) -> i64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.cast_signed()
}

/// A dataset in words.
pub(crate) fn describe(users: u32, seed: u64) -> String {
    format!("{users} users of seed {seed}")
}

/// Looks at what `schema` holds, and whether it is all of the wanted dataset.
pub(crate) fn content(
    transaction: &mut Transaction<'_>,
    schema: &str,
    users: u32,
    seed: u64,
) -> Result<Content, postgres::Error> {
    let found = transaction.query_one(
        "SELECT count(*), count(*) FILTER (WHERE relname = 'dbload_meta') \
         FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f')",
        &[&schema],
    )?;
    let (relations, meta): (i64, i64) = (found.try_get(0)?, found.try_get(1)?);
    if relations == 0 {
        return Ok(Content::Nothing);
    }
    if meta == 0 {
        return Ok(Content::Foreign {
            description: format!("{relations} tables or views of something else"),
        });
    }
    let meta = format!("SELECT version, users, seed FROM \"{schema}\".dbload_meta");
    let Some(meta) = transaction.query_opt(&meta, &[])? else {
        return Ok(Content::Foreign {
            description: "a dataset whose description is gone".into(),
        });
    };
    let (version, found_users, found_seed): (i32, i32, i64) =
        (meta.try_get(0)?, meta.try_get(1)?, meta.try_get(2)?);
    if version != CONTENT_VERSION {
        return Ok(Content::OtherTables {
            description: format!(
                "a dataset in format {version}, where this program uses {CONTENT_VERSION}"
            ),
        });
    }
    let description = format!("{found_users} users of seed {}", found_seed.cast_unsigned());
    if let Some(part) = missing_part(transaction, schema)? {
        let description = format!("{description} without {part}");
        return Ok(Content::OtherTables { description });
    }
    if i64::from(found_users) != i64::from(users) || found_seed.cast_unsigned() != seed {
        return Ok(Content::Ours {
            wanted: false,
            description,
        });
    }
    for table in TABLES {
        let count = transaction.query_one(
            &format!("SELECT count(*) FROM \"{schema}\".{table} WHERE id < {FIRST_INSERTED_ID}"),
            &[],
        )?;
        let count: i64 = count.try_get(0)?;
        if count != i64::from(users) {
            let description = format!("{description} with {count} rows left in {table}");
            return Ok(Content::Ours {
                wanted: false,
                description,
            });
        }
    }
    if let Some(id) = changed_user(transaction, schema, Users::new(seed, users))? {
        let description = format!("{description} of which some were changed, as number {id}");
        return Ok(Content::Ours {
            wanted: false,
            description,
        });
    }
    Ok(Content::Ours {
        wanted: true,
        description,
    })
}

/// What of a dataset's tables is not there: a column, a constraint with its index, the sequence.
fn missing_part(
    transaction: &mut Transaction<'_>,
    schema: &str,
) -> Result<Option<String>, postgres::Error> {
    let found = transaction.query(
        "SELECT relname || '.' || attname || ' ' || typname \
             FROM pg_attribute JOIN pg_class c ON c.oid = attrelid JOIN pg_type t ON t.oid = atttypid \
             WHERE relnamespace = $1::text::regnamespace AND attnum > 0 AND NOT attisdropped AND relkind = 'r' \
         UNION ALL SELECT relname || '.' || conname FROM pg_constraint JOIN pg_class c ON c.oid = conrelid \
             LEFT JOIN pg_index i ON i.indexrelid = conindid \
             WHERE relnamespace = $1::text::regnamespace AND convalidated AND indisvalid IS NOT FALSE \
         UNION ALL SELECT relname FROM pg_class \
             WHERE relnamespace = $1::text::regnamespace AND relkind = 'S'",
        &[&schema],
    )?;
    let found = found
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<BTreeSet<String>, _>>()?;
    let columns = TABLES.iter().zip(COLUMNS).flat_map(|(table, columns)| {
        columns
            .iter()
            .map(move |column| format!("{table}.{column}"))
    });
    let constraints = CONSTRAINTS
        .iter()
        .map(|(table, name, _)| format!("{table}.{name}"));
    let sequence = iter::once(INSERTED_IDS.to_owned());
    Ok(columns
        .chain(constraints)
        .chain(sequence)
        .find(|part| !found.contains(part)))
}

/// How many users are looked at to recognise them.
const SAMPLE: u32 = 1_000;

/// The number of a user whose fields are not those that follow from the seed, in a sample spread evenly over all
/// from the first to the last.
fn changed_user(
    transaction: &mut Transaction<'_>,
    schema: &str,
    users: Users,
) -> Result<Option<i32>, postgres::Error> {
    let ids = sample(users.count());
    let table = |name: &str| format!("\"{schema}\".{name}_tbl");
    let (all, info, profile) = (table("users"), table("user_info"), table("user_profile"));
    let rows = transaction.query(
        &format!(
            "SELECT u.id, u.uid, i.name, i.age, i.gender, p.nickname, p.pic \
             FROM {all} u JOIN {info} i ON (i.id, i.uid) = (u.id, u.uid) \
             JOIN {profile} p ON (p.id, p.uid) = (u.id, u.uid) WHERE u.id = ANY($1) ORDER BY u.id"
        ),
        &[&ids],
    )?;
    let mut rows = rows.iter().peekable();
    for id in ids {
        let found = match rows.next_if(|row| row.try_get(0).is_ok_and(|found: i32| found == id)) {
            Some(row) => User {
                id,
                uid: row.try_get(1)?,
                name: row.try_get(2)?,
                age: row.try_get(3)?,
                gender: row.try_get(4)?,
                nickname: row.try_get(5)?,
                pic: row.try_get(6)?,
            },
            None => return Ok(Some(id)),
        };
        if found != users.user(id.cast_unsigned()) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

/// Numbers of users, ascending and evenly spread, with the first and the last.
fn sample(users: u32) -> Vec<i32> {
    let size = users.min(SAMPLE);
    let gaps = u64::from(size.saturating_sub(1)).max(1);
    (0..u64::from(size))
        .map(|index| 1 + index * u64::from(users - 1) / gaps)
        .map(|id| i32::try_from(id).expect("a checked number of users is at most ten million"))
        .collect()
}

/// Makes the bare tables; keys and constraints follow the rows, as that is faster.
///
/// The collation of names is fixed, because it decides the order of rows and can cost more than all
/// else.
pub(crate) fn create(schema: &str) -> String {
    format!(
        "CREATE SCHEMA IF NOT EXISTS \"{schema}\";
         CREATE TYPE \"{schema}\".gender AS ENUM ('male', 'female');
         CREATE TABLE \"{schema}\".users_tbl (id integer NOT NULL, uid uuid NOT NULL);
         CREATE TABLE \"{schema}\".user_info_tbl (
             id integer NOT NULL,
             uid uuid NOT NULL,
             name varchar(50) COLLATE \"C\" NOT NULL,
             age smallint NOT NULL,
             gender \"{schema}\".gender NOT NULL
         );
         CREATE TABLE \"{schema}\".user_profile_tbl (
             id integer NOT NULL,
             uid uuid NOT NULL,
             nickname varchar(50) COLLATE \"C\" NOT NULL,
             pic varchar(256) COLLATE \"C\"
         );
         CREATE TABLE \"{schema}\".dbload_meta (version integer NOT NULL, users integer NOT NULL, seed bigint NOT NULL);
         CREATE SEQUENCE \"{schema}\".{INSERTED_IDS} AS integer START {FIRST_INSERTED_ID}
             OWNED BY \"{schema}\".users_tbl.id;"
    )
}

/// Brings existing tables back to the bare state, keeping the tables themselves and their type, so
/// that prepared statements of other connections stay valid.
pub(crate) fn empty(schema: &str) -> String {
    let drop: String = CONSTRAINTS
        .iter()
        .rev()
        .map(|(table, name, _)| {
            format!("ALTER TABLE \"{schema}\".{table} DROP CONSTRAINT IF EXISTS {name};\n")
        })
        .collect();
    format!(
        "TRUNCATE \"{schema}\".users_tbl, \"{schema}\".user_info_tbl, \"{schema}\".user_profile_tbl, \
         \"{schema}\".dbload_meta;\n{drop}"
    )
}

/// Adds keys and constraints.
pub(crate) fn constrain(schema: &str) -> String {
    CONSTRAINTS
        .iter()
        .map(|(table, name, definition)| {
            let definition = definition.replace("users_tbl", &format!("\"{schema}\".users_tbl"));
            format!("ALTER TABLE \"{schema}\".{table} ADD CONSTRAINT {name} {definition};\n")
        })
        .collect()
}

/// Collects the planner's statistics. A quarter of the usual sample does for columns that are uniform,
/// and the whole would be a fifth of a load's time.
pub(crate) fn analyze(schema: &str) -> String {
    let tables = TABLES
        .map(|table| format!("\"{schema}\".{table}"))
        .join(", ");
    format!("SET LOCAL default_statistics_target = 25; ANALYZE {tables}")
}

/// Drops the tables and the type, whatever their format, and nothing that depends on them.
pub(crate) fn drop_tables(schema: &str) -> String {
    format!(
        "DROP TABLE IF EXISTS \"{schema}\".user_profile_tbl, \"{schema}\".user_info_tbl, \"{schema}\".users_tbl, \
         \"{schema}\".dbload_meta;
         DROP TYPE IF EXISTS \"{schema}\".gender;\n"
    )
}

/// Drops the schema, unless it has something of others in it.
pub(crate) fn drop_if_empty(
    transaction: &mut Transaction<'_>,
    schema: &str,
) -> Result<(), postgres::Error> {
    let mut attempt = transaction.transaction()?;
    match attempt.batch_execute(&format!("DROP SCHEMA IF EXISTS \"{schema}\"")) {
        Ok(()) => attempt.commit(),
        Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
            attempt.rollback()
        }
        Err(error) => Err(error),
    }
}

/// Table, name and definition, those that others need first.
const CONSTRAINTS: [(&str, &str, &str); 10] = [
    ("users_tbl", "users_id", "PRIMARY KEY (id)"),
    ("users_tbl", "users_uid", "UNIQUE (uid)"),
    ("user_info_tbl", "user_info_id", "PRIMARY KEY (id)"),
    ("user_info_tbl", "user_info_uid", "UNIQUE (uid)"),
    ("user_info_tbl", "user_info_name", "UNIQUE (name)"),
    (
        "user_info_tbl",
        "user_info_age",
        "CHECK (age BETWEEN 20 AND 60)",
    ),
    (
        "user_info_tbl",
        "user_info_user",
        "FOREIGN KEY (uid) REFERENCES users_tbl (uid) ON DELETE CASCADE",
    ),
    ("user_profile_tbl", "user_profile_id", "PRIMARY KEY (id)"),
    ("user_profile_tbl", "user_profile_uid", "UNIQUE (uid)"),
    (
        "user_profile_tbl",
        "user_profile_user",
        "FOREIGN KEY (uid) REFERENCES users_tbl (uid) ON DELETE CASCADE",
    ),
];

/// Notes which users are loaded.
pub(crate) fn write_meta(
    transaction: &mut Transaction<'_>,
    schema: &str,
    users: u32,
    seed: u64,
) -> Result<(), postgres::Error> {
    let users = i32::try_from(users).expect("a checked number of users is at most ten million");
    let insert =
        format!("INSERT INTO \"{schema}\".dbload_meta (version, users, seed) VALUES ($1, $2, $3)");
    transaction.execute(&insert, &[&CONTENT_VERSION, &users, &seed.cast_signed()])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name_refused(schema: &str) {
        let error = check_name(schema).expect_err("a bad name").to_string();
        assert!(
            error.contains("invalid schema") && error.contains(&format!("{schema:?}")),
            "{error}"
        );
    }

    #[test]
    fn names_that_are_no_identifier_or_belong_to_others_are_refused() {
        check_name_refused("");
        check_name_refused("1st");
        check_name_refused("Upper");
        check_name_refused("with space");
        check_name_refused("quote\"; DROP TABLE x; --");
        check_name_refused("straße");
        check_name_refused("pg_catalog");
        check_name_refused("public");
        check_name_refused("information_schema");
        check_name_refused(&"x".repeat(64));
        for good in ["dbload", "_", "a1", &"x".repeat(63)] {
            check_name(good).expect("a good name");
        }
    }

    #[test]
    fn samples_are_spread_from_the_first_to_the_last() {
        assert_eq!(sample(1), [1]);
        assert_eq!(sample(3), [1, 2, 3]);
        for users in [999, 1_000, 1_001, 100_000, 10_000_000] {
            let ids = sample(users);
            assert_eq!(ids.len(), users.min(SAMPLE) as usize);
            assert_eq!((ids[0], ids[ids.len() - 1]), (1, users.cast_signed()));
            assert!(ids.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn schemas_have_different_locks() {
        assert_ne!(lock_key("a"), lock_key("b"));
        assert_eq!(lock_key("a"), lock_key("a"));
        assert_ne!(lock_key("a"), inserted_lock_key("a"));
        assert_ne!(inserted_lock_key("a"), inserted_lock_key("b"));
    }
}
