//! The types that a database numbers by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use postgres::types::{Kind, Oid, Type};

use super::error::ConnectionError;
use super::rows::Row;

/// Asks for a type by its number.
pub(super) const LOOKUP: &str = "SELECT t.typname, t.typtype, t.typelem, t.typbasetype, n.nspname, \
     ARRAY(SELECT e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) \
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = $1";

/// The types of one database that were asked for already; clones share them, so that only the first
/// of several connections has to ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct TypeCache(Arc<Mutex<BTreeMap<Oid, Type>>>);

impl TypeCache {
    /// A type that is built in, or was asked for before.
    pub(super) fn get(&self, oid: Oid) -> Option<Type> {
        Type::from_oid(oid).or_else(|| {
            let types = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            types.get(&oid).cloned()
        })
    }

    pub(super) fn insert(&self, ty: Type) {
        let mut types = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        types.insert(ty.oid(), ty);
    }
}

/// What [`LOOKUP`] says of a type.
pub(super) struct Description {
    name: String,
    schema: String,
    form: Form,
}

enum Form {
    Enum(Vec<String>),
    ArrayOf(Oid),
    DomainOver(Oid),
    Simple,
}

impl Description {
    pub(super) fn decode(row: &Row<'_>) -> Result<Self, ConnectionError> {
        let (kind, element, base): (i8, Oid, Oid) =
            (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let name: String = row.try_get(0)?;
        let form = match kind.cast_unsigned() {
            b'e' => Form::Enum(row.try_get(5)?),
            b'd' => Form::DomainOver(base),
            b'b' if element != 0 => Form::ArrayOf(element),
            b'b' | b'p' => Form::Simple,
            other => {
                let kind = char::from(other);
                let reason = format!("type {name} is of the kind {kind:?}, which is not supported");
                return Err(ConnectionError::Value(reason.into()));
            }
        };
        Ok(Self {
            name,
            schema: row.try_get(4)?,
            form,
        })
    }

    /// The other type that has to be known first.
    pub(super) fn needs(&self) -> Option<Oid> {
        match self.form {
            Form::ArrayOf(oid) | Form::DomainOver(oid) => Some(oid),
            Form::Enum(_) | Form::Simple => None,
        }
    }

    /// The type, where `needed` is the one that [`needs`](Self::needs) names.
    pub(super) fn into_type(self, oid: Oid, needed: Option<Type>) -> Type {
        let kind = match (self.form, needed) {
            (Form::Enum(labels), _) => Kind::Enum(labels),
            (Form::ArrayOf(_), Some(element)) => Kind::Array(element),
            (Form::DomainOver(_), Some(base)) => Kind::Domain(base),
            (Form::Simple | Form::ArrayOf(_) | Form::DomainOver(_), _) => Kind::Simple,
        };
        Type::new(self.name, oid, kind, self.schema)
    }
}
