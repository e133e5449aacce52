//! The rows of an answer, decoded where they arrived.

use std::cell::Cell;

use postgres::types::{FromSql, Type, WrongType};

use super::error::ConnectionError;
use super::wire::{HEADER, frame_in};

/// The answer to one execution of a statement.
pub(crate) struct Rows<'a> {
    /// Whole messages.
    pub(super) answer: &'a [u8],
    pub(super) columns: &'a [Type],
    pub(super) count: u64,
}

impl<'a> Rows<'a> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// The rows in the order of the server.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let (answer, columns) = (self.answer, self.columns);
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                // The messages were all checked on their way in.
                let frame = frame_in(answer, at).ok().flatten()?;
                at = frame.whole.end;
                if frame.tag == b'D' {
                    let start = frame.whole.start + HEADER;
                    return Some(Row::new(&answer[start..frame.whole.end], columns));
                }
            }
        })
    }
}

/// A row of an answer.
pub(crate) struct Row<'a> {
    /// The number of fields, then each with its length.
    body: &'a [u8],
    columns: &'a [Type],
    /// The next field and where it begins: fields are usually asked for in their order.
    next: Cell<(usize, usize)>,
}

/// The first field comes after the number of fields.
const FIRST: (usize, usize) = (0, 2);

impl<'a> Row<'a> {
    fn new(body: &'a [u8], columns: &'a [Type]) -> Self {
        Self {
            body,
            columns,
            next: Cell::new(FIRST),
        }
    }

    /// The field of this number, from 0.
    pub(crate) fn try_get<T: FromSql<'a>>(&self, index: usize) -> Result<T, ConnectionError> {
        let ty = self.columns.get(index).ok_or_else(|| {
            let count = self.columns.len();
            ConnectionError::Value(format!("no column {index}, there are {count}").into())
        })?;
        if !T::accepts(ty) {
            return Err(ConnectionError::Value(Box::new(WrongType::new::<T>(
                ty.clone(),
            ))));
        }
        T::from_sql_nullable(ty, self.field(index)?).map_err(ConnectionError::Value)
    }

    fn field(&self, index: usize) -> Result<Option<&'a [u8]>, ConnectionError> {
        let (mut number, mut at) = self.next.get();
        if number > index {
            (number, at) = FIRST;
        }
        loop {
            let (field, end) = field_at(self.body, at).ok_or_else(|| {
                ConnectionError::protocol(format!("a row that ends before its field {number}"))
            })?;
            if number == index {
                self.next.set((number + 1, end));
                return Ok(field);
            }
            (number, at) = (number + 1, end);
        }
    }
}

/// The field that begins at `at`, and its end.
fn field_at(body: &[u8], at: usize) -> Option<(Option<&[u8]>, usize)> {
    let start = at + 4;
    let length = i32::from_be_bytes(body.get(at..start)?.try_into().ok()?);
    match usize::try_from(length) {
        Ok(length) => Some((Some(body.get(start..start + length)?), start + length)),
        // The only negative length is that of NULL.
        Err(_) => Some((None, start)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of an integer, a text that may be missing, and another integer.
    fn answer(rows: &[(i32, Option<&str>, i32)]) -> Vec<u8> {
        let mut answer = Vec::from(b"2\0\0\0\x04");
        for (first, text, last) in rows {
            let mut body = Vec::from(3_i16.to_be_bytes());
            let mut field = |bytes: Option<&[u8]>| {
                let length = bytes.map_or(-1, |bytes| bytes.len() as i32);
                body.extend_from_slice(&length.to_be_bytes());
                body.extend_from_slice(bytes.unwrap_or_default());
            };
            field(Some(&first.to_be_bytes()));
            field(text.map(str::as_bytes));
            field(Some(&last.to_be_bytes()));
            answer.push(b'D');
            answer.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
            answer.extend_from_slice(&body);
        }
        answer.extend_from_slice(b"Z\0\0\0\x05I");
        answer
    }

    const COLUMNS: [Type; 3] = [Type::INT4, Type::TEXT, Type::INT4];

    #[test]
    fn fields_may_be_asked_for_in_any_order() {
        let answer = answer(&[(1, Some("one"), -1), (2, None, -2), (3, Some(""), i32::MIN)]);
        let rows = Rows {
            answer: &answer,
            columns: &COLUMNS,
            count: 3,
        };
        let texts = [Some("one"), None, Some("")];
        let mut seen = 0;
        for (row, text) in rows.iter().zip(texts) {
            seen += 1;
            assert_eq!(row.try_get::<i32>(0).expect("an integer"), seen);
            let last = if seen == 3 { i32::MIN } else { -seen };
            assert_eq!(row.try_get::<i32>(2).expect("an integer"), last);
            assert_eq!(row.try_get::<Option<&str>>(1).expect("a text"), text);
            assert_eq!(row.try_get::<i32>(0).expect("an integer"), seen);
        }
        assert_eq!((seen, rows.len()), (3, 3));
    }

    #[track_caller]
    fn check_refused<'a, T: FromSql<'a>>(row: &Row<'a>, index: usize, message: &str) {
        let error = row
            .try_get::<T>(index)
            .err()
            .expect("a value of another type");
        assert!(error.to_string().contains(message), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let answer = answer(&[(1, None, 2)]);
        let rows = Rows {
            answer: &answer,
            columns: &COLUMNS,
            count: 1,
        };
        let row = rows.iter().next().expect("one row");
        check_refused::<i64>(&row, 0, "int4");
        check_refused::<&str>(&row, 1, "NULL");
        check_refused::<i32>(&row, 3, "no column 3, there are 3");
        let torn = Row::new(&answer[10..20], &COLUMNS);
        check_refused::<i32>(&torn, 2, "ends before its field");
        let empty = Row::new(&[], &COLUMNS);
        check_refused::<i32>(&empty, 0, "ends before its field 0");
    }
}
