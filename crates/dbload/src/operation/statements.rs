//! The statements of the operations.

use super::{NEIGHBOURS, Operation, PAGE, TOP};
use crate::DbloadError;
use crate::schema::{self, FIRST_INSERTED_ID, INSERTED_IDS};

/// The columns of a user, of which `u`, `i` and `p` are the three tables.
const USER: &str = "u.id, u.uid, i.name, i.age, i.gender, p.nickname, p.pic";

impl Operation {
    /// The statements over the tables of `schema`, in the order in which they are executed: as they are
    /// prepared, with parameters as `$1`. A write of several is one transaction.
    ///
    /// # Errors
    ///
    /// [`DbloadError::Parameter`] for a name that no schema of a dataset can have.
    ///
    /// ```
    /// use dbload::Operation;
    ///
    /// let update = Operation::UpdateProfile.statements("shop")?;
    /// assert_eq!(update, ["UPDATE \"shop\".user_profile_tbl SET nickname = $2, pic = $3 WHERE uid = $1"]);
    /// assert_eq!(Operation::InsertUser.statements("shop")?.len(), 3);
    /// assert!(Operation::InsertUser.statements("shop\"; DROP").is_err());
    /// # Ok::<(), dbload::DbloadError>(())
    /// ```
    pub fn statements(self, schema: &str) -> Result<Vec<String>, DbloadError> {
        schema::check_name(schema)?;
        Ok(self.sql(schema))
    }

    /// As [`statements`](Self::statements), for a checked name.
    pub(crate) fn sql(self, schema: &str) -> Vec<String> {
        let table = |name: &str| format!("\"{schema}\".{name}_tbl");
        let (users, info, profile) = (table("users"), table("user_info"), table("user_profile"));
        let joined = format!(
            "SELECT {USER} FROM {users} u JOIN {info} i ON i.uid = u.uid JOIN {profile} p ON p.uid = u.uid"
        );
        let one = match self {
            Self::UserByName => format!("{joined} WHERE i.name = $1"),
            Self::UserByUid => format!("{joined} WHERE u.uid = $1"),
            Self::NameRange => format!("{joined} WHERE i.name BETWEEN $1 AND $2 ORDER BY i.name"),
            Self::UsersByUids => format!("{joined} WHERE u.uid = ANY($1) ORDER BY u.id"),
            Self::CountExtremes => format!(
                "SELECT i.gender, count(*), count(p.pic), min(i.age), max(i.age), min(i.name), max(i.name) \
                 FROM {info} i JOIN {profile} p ON p.uid = i.uid WHERE i.id < {FIRST_INSERTED_ID} \
                 GROUP BY i.gender ORDER BY i.gender"
            ),
            Self::AgeGender => format!(
                "SELECT i.age, i.gender, count(*), count(p.pic), sum(char_length(p.nickname)), \
                 min(p.nickname), max(p.nickname) \
                 FROM {info} i JOIN {profile} p ON p.uid = i.uid WHERE i.id < {FIRST_INSERTED_ID} \
                 GROUP BY i.age, i.gender ORDER BY i.age, i.gender"
            ),
            Self::TopNicknames => format!(
                "SELECT gender, place, nickname, users FROM ( \
                     SELECT i.gender, p.nickname, count(*) AS users, row_number() OVER ( \
                         PARTITION BY i.gender ORDER BY count(*) DESC, p.nickname) AS place \
                     FROM {info} i JOIN {profile} p ON p.uid = i.uid WHERE i.id < {FIRST_INSERTED_ID} \
                     GROUP BY i.gender, p.nickname \
                 ) ranked WHERE place <= {TOP} ORDER BY gender, place"
            ),
            Self::PageKeyset => format!(
                "{joined} WHERE i.name > $1 AND i.id < {FIRST_INSERTED_ID} ORDER BY i.name LIMIT {PAGE}"
            ),
            Self::PageOffset => format!(
                "{joined} WHERE i.id < {FIRST_INSERTED_ID} ORDER BY i.name LIMIT {PAGE} OFFSET $1"
            ),
            Self::Neighbours => format!(
                "SELECT a.name, i.id, i.uid, i.name, i.age, i.gender, p.nickname, p.pic \
                 FROM {info} a CROSS JOIN LATERAL ( \
                     SELECT n.* FROM {info} n \
                     WHERE n.name > a.name AND n.id < {FIRST_INSERTED_ID} ORDER BY n.name LIMIT {NEIGHBOURS} \
                 ) i JOIN {profile} p ON p.uid = i.uid \
                 WHERE a.uid = ANY($1) ORDER BY a.name, i.name"
            ),
            // Only those on the page are joined, however many match.
            Self::Search => format!(
                "SELECT {USER} FROM ( \
                     SELECT f.id, f.uid, f.nickname, f.pic FROM {profile} f \
                     WHERE {} @@ plainto_tsquery('simple', $1) AND f.id < {FIRST_INSERTED_ID} \
                     ORDER BY f.nickname, f.id LIMIT {PAGE} \
                 ) p JOIN {users} u ON u.uid = p.uid JOIN {info} i ON i.uid = p.uid \
                 ORDER BY p.nickname, p.id",
                document("f.nickname")
            ),
            Self::InsertUser => {
                return vec![
                    format!(
                        "INSERT INTO {users} (id, uid) \
                         VALUES (nextval('\"{schema}\".{INSERTED_IDS}'), gen_random_uuid()) RETURNING id, uid"
                    ),
                    format!(
                        "INSERT INTO {info} (id, uid, name, age, gender) VALUES ($1, $2, $3, $4, $5)"
                    ),
                    format!(
                        "INSERT INTO {profile} (id, uid, nickname, pic) VALUES ($1, $2, $3, $4)"
                    ),
                ];
            }
            Self::UpdateProfile => {
                format!("UPDATE {profile} SET nickname = $2, pic = $3 WHERE uid = $1")
            }
            Self::DeleteUser => format!("DELETE FROM {users} WHERE id = $1"),
        };
        vec![one]
    }
}

/// The words of a nickname, as full-text search sees them. The index is over this very expression.
pub(super) fn document(nickname: &str) -> String {
    format!("to_tsvector('simple', replace({nickname}, '_', ' '))")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_differ_and_name_their_schema_only() {
        let all: Vec<String> = Operation::ALL
            .into_iter()
            .flat_map(|operation| operation.sql("shop"))
            .collect();
        let different: std::collections::BTreeSet<&String> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        for sql in &all {
            assert!(sql.contains("\"shop\".") && !sql.contains(';'), "{sql}");
        }
        let error = Operation::Search
            .statements("Shop")
            .expect_err("no name of a dataset")
            .to_string();
        assert!(error.contains("invalid schema: \"Shop\""), "{error}");
    }
}
