//! The gate's summary in GitHub-flavoured Markdown.

use std::fmt::Write;

use super::judge::{Check, Finding, Gate};
use crate::report::markdown::escape;
use crate::report::words::{interval, percent};

/// The summary: the answer first, then what needs a look, then the rest, folded.
pub fn markdown(gate: &Gate) -> String {
    let mut text = String::new();
    write_all(&mut text, gate).expect("writing to a string does not fail");
    text
}

fn write_all(text: &mut String, gate: &Gate) -> std::fmt::Result {
    writeln!(text, "### Performance gate: {}\n", headline(gate))?;
    let limit = percent(1.0 + gate.max_slowdown);
    let regressions: Vec<&Check> = gate.having(Finding::Regression).collect();
    if !regressions.is_empty() {
        writeln!(
            text,
            "Slower by more than the limit of {limit}, with the whole 95 % interval:\n"
        )?;
        table(text, &regressions)?;
    }
    let open: Vec<&Check> = gate.having(Finding::Inconclusive).collect();
    if !open.is_empty() {
        writeln!(
            text,
            "Neither shown to be within the limit of {limit} nor shown to be above it; more blocks would \
             tell:\n"
        )?;
        table(text, &open)?;
    }
    for missing in &gate.not_run {
        writeln!(
            text,
            "- Not run: {} ({}): {}",
            escape(&missing.case),
            escape(&missing.folder),
            escape(&missing.reason)
        )?;
    }
    for folder in &gate.nothing_valid {
        writeln!(text, "- Nothing valid was measured in {}", escape(folder))?;
    }
    let within: Vec<&Check> = gate.having(Finding::Within).collect();
    if !within.is_empty() {
        let count = comparisons(within.len());
        writeln!(
            text,
            "\n<details><summary>{count} within the limit</summary>\n"
        )?;
        table(text, &within)?;
        writeln!(text, "</details>")?;
    }
    Ok(())
}

/// The answer in a few words.
fn headline(gate: &Gate) -> String {
    let count = |finding| gate.count(finding);
    let of = comparisons(gate.checks.len());
    let limit = percent(1.0 + gate.max_slowdown);
    match gate.exit_code {
        1 => match count(Finding::Regression) {
            1 => format!("1 regression in {of}"),
            many => format!("{many} regressions in {of}"),
        },
        3 => "nothing valid was measured".into(),
        4 => format!("inconclusive, and the gate is strict ({of})"),
        _ if count(Finding::Inconclusive) > 0 => format!(
            "passed, {} of {of} inconclusive at a limit of {limit}",
            count(Finding::Inconclusive)
        ),
        _ => format!("passed, {of} within the limit of {limit}"),
    }
}

fn comparisons(count: usize) -> String {
    match count {
        1 => "1 comparison".into(),
        many => format!("{many} comparisons"),
    }
}

fn table(text: &mut String, checks: &[&Check]) -> std::fmt::Result {
    let folders = checks
        .windows(2)
        .any(|pair| pair[0].folder != pair[1].folder);
    let (title, line) = match folders {
        true => (" run |", "---|"),
        false => ("", ""),
    };
    writeln!(
        text,
        "| case | variant |{title} ratio | 95 % interval | verdict |\n|---|---|{line}---:|---:|---|"
    )?;
    for check in checks {
        let folder = match folders {
            true => format!(" {} |", escape(&check.folder)),
            false => String::new(),
        };
        writeln!(
            text,
            "| {} | {} against {} |{folder} {} | {} | {} |",
            escape(&check.case),
            escape(&check.variant),
            escape(&check.reference),
            percent(check.ratio),
            interval(check.interval_95),
            check.verdict,
        )?;
    }
    writeln!(text)
}

#[cfg(test)]
mod tests {
    use super::super::judge::judge;
    use super::super::judge::tests::{comparison, result};
    use super::*;
    use crate::stats::Verdict;

    #[test]
    fn the_answer_comes_first_and_the_rest_is_folded() {
        let bad = comparison("bad/b/c", Verdict::Slower, 1.2, Some((1.1, 1.3)));
        let open = comparison("open/b/c", Verdict::Inconclusive, 1.0, Some((0.9, 1.1)));
        let good = comparison("good/b/c", Verdict::Equivalent, 1.0, Some((0.99, 1.01)));
        let results = [(
            "run".to_string(),
            result(vec![bad, open, good], &["db/b/c"]),
        )];
        let expected = "\
### Performance gate: 1 regression in 3 comparisons

Slower by more than the limit of +5.0 %, with the whole 95 % interval:

| case | variant | ratio | 95 % interval | verdict |
|---|---|---:|---:|---|
| bad/b/c | new against old | +20.0 % | +10.0 … +30.0 % | slower |

Neither shown to be within the limit of +5.0 % nor shown to be above it; more blocks would tell:

| case | variant | ratio | 95 % interval | verdict |
|---|---|---:|---:|---|
| open/b/c | new against old | 0.0 % | −10.0 … +10.0 % | inconclusive |

- Not run: db/b/c (run): no server

<details><summary>1 comparison within the limit</summary>

| case | variant | ratio | 95 % interval | verdict |
|---|---|---:|---:|---|
| good/b/c | new against old | 0.0 % | −1.0 … +1.0 % | equivalent |

</details>
";
        assert_eq!(markdown(&judge(&results, 0.05, false)), expected);
    }

    #[test]
    fn runs_are_told_apart_where_there_are_several_and_names_are_no_markup() {
        let good = |case| comparison(case, Verdict::Equivalent, 1.0, Some((0.99, 1.01)));
        let results = [
            ("one".to_string(), result(vec![good("a|<b>")], &[])),
            ("t*o".to_string(), result(vec![good("c")], &[])),
        ];
        let text = markdown(&judge(&results, 0.05, true));
        for part in [
            "passed, 2 comparisons within the limit of +5.0 %",
            "| a\\|&lt;b&gt; | new against old | one |",
            "| c | new against old | t\\*o |",
        ] {
            assert!(text.contains(part), "`{part}` is not in: {text}");
        }
    }

    /// The answer to a comparison with this interval.
    #[track_caller]
    fn check_headline(interval: Option<(f64, f64)>, strict: bool, expected: &str) {
        let comparison = comparison("a/b/c", Verdict::Inconclusive, 1.0, interval);
        let results = [("run".to_string(), result(vec![comparison], &[]))];
        let text = markdown(&judge(&results, 0.05, strict));
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn the_headline_says_how_sure_it_is() {
        let open = Some((0.9, 1.1));
        check_headline(open, false, "passed, 1 of 1 comparison inconclusive");
        check_headline(open, true, "inconclusive, and the gate is strict");
        check_headline(Some((0.9, 1.01)), true, "passed, 1 comparison within");
        let nothing = markdown(&judge(&[], 0.05, false));
        assert!(nothing.contains("nothing valid"), "{nothing}");
    }
}
