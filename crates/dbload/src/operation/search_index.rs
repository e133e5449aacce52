//! The index that makes searches quick.

use super::statements::document;
use crate::DbloadError;
use crate::dataset::Dataset;
use crate::schema;

/// The name of the index.
const INDEX: &str = "user_profile_search";

/// Creates the index of [`Operation::Search`](super::Operation::Search) where it is not there yet.
///
/// It is no part of the load, as it takes longer than all other indexes together and only searches
/// have a use for it. Whoever finds it there needs no right to create it. Several may try at once:
/// one creates it, under the lock of the schema, and the others wait.
pub(crate) fn create(dataset: &Dataset) -> Result<(), DbloadError> {
    let schema = &dataset.config().schema;
    let mut client = dataset.target().connect()?;
    let failed = |error: postgres::Error| {
        let what = "creating the index of search";
        DbloadError::statement(dataset.target().redacted(), what, &error)
    };
    let there = "SELECT to_regclass($1) IS NOT NULL";
    let name = format!("\"{schema}\".{INDEX}");
    let row = client.query_one(there, &[&name]).map_err(failed)?;
    if !row.try_get::<_, bool>(0).map_err(failed)? {
        let mut transaction = client.transaction().map_err(failed)?;
        transaction
            .execute(
                "SELECT pg_advisory_xact_lock($1)",
                &[&schema::lock_key(schema)],
            )
            .map_err(failed)?;
        // The statistics of the expression are those that plans for searches need.
        transaction
            .batch_execute(&format!(
                "CREATE INDEX IF NOT EXISTS {INDEX} ON \"{schema}\".user_profile_tbl USING gin (({}));
                 ANALYZE \"{schema}\".user_profile_tbl",
                document("nickname")
            ))
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    // An error on closing does not undo what is committed.
    let _ = client.close();
    Ok(())
}
