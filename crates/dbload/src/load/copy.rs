//! Binary `COPY`, one table after the other.
//!
//! Rows are written in the wire's format straight into one buffer: head of the row, then length and
//! bytes of each field, as "COPY: Binary Format" of PostgreSQL's manual has it. Values that go through
//! the client's conversion traits one by one take it several times as long as they take the server.

use std::io::{self, Write};

use super::{Run, WHAT, failed};
use crate::DbloadError;
use crate::user::{Fields, PIC_BYTES, push_name, push_pic};

/// How much is sent at once: enough that a message costs nothing, and little in memory.
const CHUNK_BYTES: usize = 64 << 10;

/// Signature, flags, and the length of the header's extension.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In the place of a row's number of fields.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

type WriteRow = fn(&mut Vec<u8>, u32, &Fields);

/// The tables with their columns, in the order in which rows are written.
const TABLES: [(&str, WriteRow); 3] = [
    ("users_tbl (id, uid)", user_row),
    ("user_info_tbl (id, uid, name, age, gender)", info_row),
    ("user_profile_tbl (id, uid, nickname, pic)", profile_row),
];

pub(super) fn load(run: &mut Run<'_, '_, '_>) -> Result<(), DbloadError> {
    let Run {
        transaction,
        schema,
        users,
        server,
        progress,
    } = run;
    let failed = |error: postgres::Error| failed(server, &error);
    let not_written = |error: io::Error| not_written(server, error);
    let mut chunk = Vec::with_capacity(CHUNK_BYTES + 1_024);
    for (table, write_row) in TABLES {
        let copy = format!("COPY \"{schema}\".{table} FROM STDIN WITH (FORMAT binary, FREEZE)");
        let mut out = transaction.copy_in(&copy).map_err(failed)?;
        chunk.clear();
        chunk.extend_from_slice(HEADER);
        let mut rows = 0;
        for id in 1..=users.count() {
            write_row(&mut chunk, id, &users.fields(id));
            rows += 1;
            if chunk.len() >= CHUNK_BYTES {
                out.write_all(&chunk).map_err(not_written)?;
                chunk.clear();
                progress.sent(rows);
                rows = 0;
            }
        }
        chunk.extend_from_slice(&TRAILER);
        out.write_all(&chunk).map_err(not_written)?;
        out.finish().map_err(failed)?;
        progress.sent(rows);
    }
    Ok(())
}

/// Finds the client's own error inside that of a writer.
fn not_written(server: &str, error: io::Error) -> DbloadError {
    match error.downcast::<postgres::Error>() {
        Ok(error) => failed(server, &error),
        Err(error) => DbloadError::ConnectionLost {
            what: WHAT.into(),
            server: server.into(),
            reason: error.to_string(),
            sqlstate: None,
        },
    }
}

fn user_row(out: &mut Vec<u8>, id: u32, user: &Fields) {
    start_row(out, 2, id, user);
}

fn info_row(out: &mut Vec<u8>, id: u32, user: &Fields) {
    start_row(out, 5, id, user);
    let name = out.len();
    length(out, 0);
    push_name(id, out);
    let bytes = out.len() - name - 4;
    out[name..name + 4].copy_from_slice(&field_length(bytes));
    length(out, 2);
    out.extend_from_slice(&user.age.to_be_bytes());
    let gender = user.gender.as_str();
    length(out, gender.len());
    out.extend_from_slice(gender.as_bytes());
}

fn profile_row(out: &mut Vec<u8>, id: u32, user: &Fields) {
    start_row(out, 4, id, user);
    length(out, user.nickname.len());
    for part in user.nickname.parts {
        out.extend_from_slice(part.as_bytes());
    }
    if user.has_pic {
        length(out, PIC_BYTES);
        push_pic(&user.uid, out);
    } else {
        out.extend_from_slice(&(-1_i32).to_be_bytes());
    }
}

/// What all rows start with: the number of their fields, the number of the user, the identifier.
fn start_row(out: &mut Vec<u8>, fields: u16, id: u32, user: &Fields) {
    out.extend_from_slice(&fields.to_be_bytes());
    length(out, 4);
    out.extend_from_slice(&id.to_be_bytes());
    length(out, 16);
    out.extend_from_slice(user.uid.as_bytes());
}

fn length(out: &mut Vec<u8>, bytes: usize) {
    out.extend_from_slice(&field_length(bytes));
}

fn field_length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes)
        .expect("no field has more than 256 bytes")
        .to_be_bytes()
}

#[cfg(test)]
mod tests {
    use postgres::types::{FromSql, Type};

    use super::*;
    use crate::user::{User, Users};

    /// The fields of one row, read as the manual describes them.
    fn fields_of(row: &[u8]) -> Vec<Option<&[u8]>> {
        let (count, mut rest) = row.split_at(2);
        let count = u16::from_be_bytes(count.try_into().expect("two bytes"));
        let fields = (0..count)
            .map(|_| {
                let (length, after) = rest.split_at(4);
                let length = i32::from_be_bytes(length.try_into().expect("four bytes"));
                rest = after;
                let length = usize::try_from(length).ok()?;
                let (field, after) = rest.split_at(length);
                rest = after;
                Some(field)
            })
            .collect();
        assert!(rest.is_empty(), "{} bytes too many", rest.len());
        fields
    }

    fn text(field: Option<&[u8]>) -> Option<String> {
        field.map(|bytes| String::from_utf8(bytes.to_vec()).expect("texts are UTF-8"))
    }

    #[track_caller]
    fn check_rows(user: &User, fields: &Fields) {
        let id = user.id.cast_unsigned();
        let rows = TABLES.map(|(_, write_row)| {
            let mut row = Vec::new();
            write_row(&mut row, id, fields);
            row
        });
        let [users, info, profile] = rows.each_ref().map(|row| fields_of(row));
        for row in [&users, &info, &profile] {
            let number = i32::from_sql(&Type::INT4, row[0].expect("a number"));
            assert_eq!(number.expect("four bytes"), user.id);
            assert_eq!(row[1], Some(user.uid.as_bytes().as_slice()));
        }
        assert_eq!((users.len(), info.len(), profile.len()), (2, 5, 4));
        assert_eq!(text(info[2]).as_ref(), Some(&user.name));
        let age = i16::from_sql(&Type::INT2, info[3].expect("an age"));
        assert_eq!(age.expect("two bytes"), user.age);
        assert_eq!(text(info[4]).as_deref(), Some(user.gender.as_str()));
        assert_eq!(text(profile[2]).as_ref(), Some(&user.nickname));
        assert_eq!(text(profile[3]), user.pic);
    }

    #[test]
    fn rows_hold_what_the_users_are() {
        for seed in [0, 42, u64::MAX] {
            let users = Users::new(seed, 10_000_000);
            for id in (1..=50).chain([999_999, 1_000_000, 10_000_000]) {
                check_rows(&users.user(id), &users.fields(id));
            }
        }
    }
}
