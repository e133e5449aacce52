//! The doctor's findings for people.

use console::Style;

use super::{Diagnosis, Finding, Level};

/// The width that words are wrapped at.
const WIDTH: usize = 100;

/// Where the words of a finding begin.
const INDENT: &str = "         ";

/// The findings of at least this level, the worst first, and a sentence that sums them up.
pub fn text(diagnosis: &Diagnosis, least: Level, colours: bool) -> String {
    let mut text = String::new();
    let shown = diagnosis
        .findings
        .iter()
        .filter(|finding| finding.level >= least);
    for finding in shown {
        one(&mut text, finding, colours);
    }
    let count = |level| {
        let all = diagnosis.findings.iter();
        all.filter(|finding| finding.level == level).count()
    };
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    text.push_str(&format!(
        "\n{}, {}, {}: {}\n",
        plural(count(Level::Problem), "problem"),
        plural(count(Level::Warning), "warning"),
        plural(count(Level::Note), "note"),
        match diagnosis.possible {
            false => "nothing can be measured until the problems are solved.",
            true if count(Level::Warning) > 0 =>
                "measuring is possible; the warnings make it noisier.",
            true => "this machine will do.",
        }
    ));
    text
}

fn one(text: &mut String, finding: &Finding, colours: bool) {
    let (word, style) = match finding.level {
        Level::Ok => ("ok", Style::new().green()),
        Level::Note => ("note", Style::new().cyan()),
        Level::Warning => ("warning", Style::new().yellow().bold()),
        Level::Problem => ("PROBLEM", Style::new().red().bold()),
    };
    let word = format!("{word:<7}");
    let styled = style.force_styling(colours).apply_to(&word).to_string();
    let what = wrapped(&format!(
        "{}: {} [{}]",
        clean(&finding.id),
        clean(&finding.read),
        clean(&finding.source)
    ));
    // The word is as wide as the indentation that it takes the place of; its colours have no width.
    text.push_str(&format!("{styled}  {}\n", what.trim_start()));
    if finding.level == Level::Ok {
        return;
    }
    text.push_str(&format!("{}\n", wrapped(&finding.why)));
    for line in finding.todo.iter().flat_map(|todo| todo.lines()) {
        let options = options("         → ", "           ");
        text.push_str(&format!("{}\n", textwrap::fill(line, options)));
    }
}

fn wrapped(words: &str) -> String {
    textwrap::fill(words, options(INDENT, INDENT))
}

/// Lines end at blanks only: what is to be typed or looked up must not be torn at a hyphen or a slash.
fn options<'a>(first: &'a str, others: &'a str) -> textwrap::Options<'a> {
    textwrap::Options::new(WIDTH)
        .initial_indent(first)
        .subsequent_indent(others)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false)
}

/// What a file or a program says, without what a terminal would obey.
fn clean(words: &str) -> String {
    let visible = words.chars().map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    visible.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Level, read: &str, todo: Option<&str>) -> Finding {
        Finding {
            id: "governor".into(),
            level,
            read: read.into(),
            source: "/sys/x".into(),
            why: "It matters. ".repeat(12).trim().into(),
            todo: todo.map(String::from),
        }
    }

    fn diagnosis(findings: Vec<Finding>) -> Diagnosis {
        Diagnosis {
            schema: 1,
            possible: findings.iter().all(|f| f.level != Level::Problem),
            findings,
        }
    }

    #[test]
    fn the_text_says_what_was_read_why_it_matters_and_what_to_type() {
        let diagnosis = diagnosis(vec![
            finding(
                Level::Warning,
                "powersave",
                Some("echo x | sudo tee /sys/x"),
            ),
            finding(Level::Ok, "fine", None),
        ]);
        let expected = "\
warning  governor: powersave [/sys/x]
         It matters. It matters. It matters. It matters. It matters. It matters. It matters. It
         matters. It matters. It matters. It matters. It matters.
         → echo x | sudo tee /sys/x
ok       governor: fine [/sys/x]

0 problems, 1 warning, 0 notes: measuring is possible; the warnings make it noisier.
";
        assert_eq!(text(&diagnosis, Level::Ok, false), expected);
        let quiet = text(&diagnosis, Level::Warning, false);
        assert!(!quiet.contains("fine"), "{quiet}");
    }

    #[test]
    fn levels_are_coloured_only_where_asked_for_and_files_cannot_colour_anything() {
        let diagnosis = diagnosis(vec![finding(Level::Problem, "\u{1b}[31mred\n", None)]);
        let plain = text(&diagnosis, Level::Ok, false);
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        let coloured = text(&diagnosis, Level::Ok, true);
        assert!(coloured.starts_with('\u{1b}'), "{coloured:?}");
        assert!(plain.contains("nothing can be measured"), "{plain}");
    }
}
