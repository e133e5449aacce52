//! A mix, read from TOML.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::Mix;
use crate::DbloadError;
use crate::operation::Operation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mix: BTreeMap<Spanned<String>, Spanned<i64>>,
}

pub(super) fn parse(text: &str) -> Result<Mix, DbloadError> {
    let refuse = |span: Option<Range<usize>>, reason: &str| {
        DbloadError::mix(span.map(|span| line(text, span.start)), reason)
    };
    let file: File =
        toml::from_str(text).map_err(|error| refuse(error.span(), error.message().trim()))?;
    let mut weights = Vec::with_capacity(file.mix.len());
    for (name, weight) in file.mix {
        let operation: Operation = name
            .get_ref()
            .parse()
            .map_err(|error: DbloadError| refuse(Some(name.span()), &error.to_string()))?;
        let value = u32::try_from(*weight.get_ref()).map_err(|_| {
            let reason = format!(
                "the weight of {operation} is {}, not in 0 to {}",
                weight.get_ref(),
                u32::MAX
            );
            refuse(Some(weight.span()), &reason)
        })?;
        weights.push((operation, value));
    }
    Mix::new(weights)
}

/// The number of the line, from 1, that has the byte at `offset`.
fn line(text: &str, offset: usize) -> usize {
    let before = text.bytes().take(offset);
    1 + before.filter(|&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(text: &str, parts: &[&str]) {
        let error = parse(text).expect_err("a bad mix").to_string();
        for part in parts {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn bad_texts_are_refused_with_their_line() {
        let known = "\"user_by_mail\" is none of user_by_name";
        check_refused(
            "[mix]\nuser_by_name = 1\nuser_by_mail = 1\n",
            &["line 3:", known],
        );
        check_refused("[mix]\nsearch = 1\nsearch = 2\n", &["line 3:", "duplicate"]);
        check_refused(
            "[mix]\n\nsearch = -1",
            &["line 3:", "the weight of search is -1"],
        );
        check_refused("[mix]\nsearch = 4294967296", &["line 2:", "4294967296"]);
        check_refused("[mix]\nsearch = 0.5", &["line 2:", "floating point"]);
        check_refused("[mix]\nsearch = \"many\"", &["line 2:", "string"]);
        check_refused(
            "[mix]\nsearch = 1\n[pool]\nsize = 4\n",
            &["line 3:", "unknown field `pool`"],
        );
        check_refused("search = 1\n", &["line 1:", "unknown field `search`"]);
        check_refused("[mix\nsearch = 1", &["line 1:"]);
        check_refused("", &["missing field `mix`"]);
        check_refused("[mix]\n", &["all weights are 0"]);
        check_refused("[mix]\nsearch = 0\n", &["all weights are 0"]);
        check_refused(
            "[mix]\nsearch = 4294967295\nage_gender = 1\n",
            &["add up to 4294967296"],
        );
    }

    #[test]
    fn comments_and_any_order_are_fine() {
        let text = "# Mine.\n[mix]\nsearch = 0 # none\ndelete_user = 2\nuser_by_name = 1\n";
        let mix = parse(text).expect("a good mix");
        assert_eq!(
            mix.weights(),
            [(Operation::UserByName, 1), (Operation::DeleteUser, 2)]
        );
    }
}
