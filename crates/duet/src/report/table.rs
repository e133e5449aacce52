//! The verdict table for a terminal, at most 100 columns wide.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, Table};
use textwrap::core::display_width;

use super::{answer, words};
use crate::analysis::{Comparison, RunResult};
use crate::plan::Plan;
use crate::stats::Verdict;

/// The width of a line.
const WIDTH: usize = 100;

/// The columns of a case's id at which it can be read well.
const READABLE_CASE: usize = 26;

/// The columns of a case's id and of a variant's name that are kept, however narrow it gets.
const SHORTEST_CASE: usize = 16;
const SHORTEST_NAME: usize = 8;

/// The answer, the table and what must be said beside it, as text; with colours where `colour`.
pub fn table(plan: &Plan, result: &RunResult, colour: bool) -> String {
    let mut text = String::new();
    if !result.comparisons.is_empty() {
        text.push_str(&format!("\n{}\n", verdicts(plan, result, colour)));
    }
    for not_run in &result.not_run {
        let line = format!(
            "NOT RUN  {}: {}",
            one_line(&not_run.case),
            one_line(&not_run.reason)
        );
        text.push_str(&format!("{}\n", fill(&line)));
    }
    if !result.dropped.is_empty() {
        text.push_str(&format!(
            "{} {} dropped; the report has the reasons.\n",
            result.dropped.len(),
            match result.dropped.len() {
                1 => "block was",
                _ => "blocks were",
            }
        ));
    }
    text.push('\n');
    if !result.comparisons.is_empty() {
        for answer in answer::answers(plan, result) {
            text.push_str(&format!("{}\n", fill(&answer.headline)));
            for sentence in &answer.sentences {
                text.push_str(&format!("{}\n", fill_item(sentence)));
            }
        }
        text.push('\n');
        for caveat in words::caveats(plan, result) {
            text.push_str(&format!("{}\n", fill(&caveat)));
        }
    }
    text
}

pub(super) fn fill(paragraph: &str) -> String {
    textwrap::fill(&one_line(paragraph), whole_words())
}

fn fill_item(item: &str) -> String {
    let options = whole_words().initial_indent("- ").subsequent_indent("  ");
    textwrap::fill(&one_line(item), options)
}

/// Ids have hyphens, at which they must not be broken.
fn whole_words() -> textwrap::Options<'static> {
    textwrap::Options::new(WIDTH).word_splitter(textwrap::WordSplitter::NoHyphenation)
}

/// Text without line breaks and other control characters, which could move the cursor.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The text in at most `width` columns, with an ellipsis in its middle where it is longer: ids differ at
/// their ends.
fn shorten(text: &str, width: usize) -> String {
    if display_width(text) <= width {
        return text.into();
    }
    let characters: Vec<char> = text.chars().collect();
    let fits = |characters: &mut dyn Iterator<Item = &char>, room: usize| {
        let mut left = room;
        let mut count = 0;
        for character in characters {
            let columns = display_width(character.encode_utf8(&mut [0; 4]));
            if columns > left {
                break;
            }
            left -= columns;
            count += 1;
        }
        count
    };
    let room = width.saturating_sub(1);
    let tail = fits(&mut characters.iter().rev(), room.div_ceil(2));
    let head = fits(&mut characters.iter(), room / 2);
    let end = characters.len() - tail;
    let (head, tail): (String, String) = (
        characters[..head.min(end)].iter().collect(),
        characters[end..].iter().collect(),
    );
    format!("{head}…{tail}")
}

fn verdicts(plan: &Plan, result: &RunResult, colour: bool) -> Table {
    let several = plan.variants.len() > 2;
    let ids = result.comparisons.iter();
    let longest_case = ids.map(|c| display_width(&c.case)).max().unwrap_or(0);
    let names = plan.variants.iter();
    let longest_name = names.map(|v| display_width(&v.name)).max().unwrap_or(0);
    let mut shape = Shape {
        several,
        colour,
        cpu: true,
        case: longest_case,
        name: longest_name,
    };
    // What gives way, in this order: the middle of long ids, the CPU column (the report has it), more of the
    // ids, the middle of long names.
    loop {
        let table = verdicts_within(plan, result, shape);
        let width = table.to_string().lines().map(visible_width).max();
        let excess = width.unwrap_or(0).saturating_sub(WIDTH);
        let least = |shortest: usize, wanted: usize| wanted.saturating_sub(excess).max(shortest);
        if excess == 0 {
            return table;
        } else if shape.case > READABLE_CASE {
            shape.case = least(READABLE_CASE, shape.case);
        } else if shape.cpu && several {
            shape.cpu = false;
            shape.case = longest_case;
        } else if shape.case > SHORTEST_CASE {
            shape.case = least(SHORTEST_CASE, shape.case);
        } else if shape.name > SHORTEST_NAME {
            shape.name = least(SHORTEST_NAME, shape.name);
        } else {
            return table;
        }
    }
}

/// What of the table there is room for.
#[derive(Debug, Clone, Copy)]
struct Shape {
    several: bool,
    colour: bool,
    cpu: bool,
    case: usize,
    name: usize,
}

/// The columns of a line on the terminal, without the sequences that colour it.
fn visible_width(line: &str) -> usize {
    let mut width = 0;
    let mut rest = line;
    while let Some(start) = rest.find("\u{1b}[") {
        width += display_width(&rest[..start]);
        rest = rest[start..].split_once('m').map_or("", |(_, rest)| rest);
    }
    width + display_width(rest.trim_end())
}

fn verdicts_within(plan: &Plan, result: &RunResult, shape: Shape) -> Table {
    let Shape {
        several, colour, ..
    } = shape;
    let name = |name: &str| shorten(&one_line(name), shape.name);
    let other = plan
        .variants
        .last()
        .map(|variant| variant.name.as_str())
        .unwrap_or_default();
    let reference = name(&result.reference);
    let ratio = match several {
        true => format!("to {reference}"),
        false => format!("{}/{reference}", name(other)),
    };
    let mut header = vec!["case".to_string(), reference];
    if several {
        header.insert(1, "variant".into());
    }
    header.extend([&ratio, "95 % interval", "verdict", "detects"].map(str::to_string));
    let verdict_column = header.len() - 2;
    if shape.cpu {
        header.push("CPU".into());
    }
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    let mut last_case = "";
    for comparison in &result.comparisons {
        let estimate = comparison.primary();
        let cpu = comparison.exploratory.get("cpu_ns");
        // The id stands at the first of a case's rows only.
        let repeated = several && comparison.case == last_case;
        last_case = &comparison.case;
        let case = match repeated {
            true => String::new(),
            false => shorten(&one_line(&comparison.case), shape.case),
        };
        let time = match repeated {
            true => String::new(),
            false => words::time(comparison.reference_wall_ns),
        };
        let mut row = vec![Cell::new(case), Cell::new(time)];
        if several {
            row.insert(1, Cell::new(name(&comparison.variant)));
        }
        row.extend([
            Cell::new(words::percent(estimate.ratio)),
            Cell::new(words::interval(estimate.interval_95)),
            verdict(comparison, colour),
            Cell::new(words::detectable(estimate)),
        ]);
        if shape.cpu {
            row.push(Cell::new(
                cpu.map_or("–".into(), |cpu| words::percent(cpu.ratio)),
            ));
        }
        table.add_row(row);
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let text = index == 0 || index == verdict_column || (several && index == 1);
        column.set_cell_alignment(if text {
            CellAlignment::Left
        } else {
            CellAlignment::Right
        });
        if index == 0 {
            column.set_padding((0, 1));
        }
    }
    table
}

fn verdict(comparison: &Comparison, colour: bool) -> Cell {
    let cpu = if comparison.rests_on_cpu() {
        " CPU"
    } else {
        ""
    };
    let cell = Cell::new(format!("{}{cpu}", comparison.verdict));
    match (colour, comparison.verdict) {
        (false, _) => cell,
        (true, Verdict::Slower) => cell.fg(Color::Red).add_attribute(Attribute::Bold),
        (true, Verdict::Faster) => cell.fg(Color::Blue).add_attribute(Attribute::Bold),
        (true, Verdict::Equivalent) => cell.fg(Color::Green),
        (true, Verdict::Inconclusive) => cell.add_attribute(Attribute::Dim),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_ids_keep_both_ends() {
        assert_eq!(shorten("kmeans/fit/1k", 13), "kmeans/fit/1k");
        assert_eq!(shorten("kmeans/fit/1k", 9), "kmea…t/1k");
        assert_eq!(shorten("日本語日本語", 7), "日…語");
        assert_eq!(shorten("abc", 1), "…");
        assert_eq!(one_line("a\n\u{1b}[31mb"), "a  [31mb");
    }

    #[test]
    fn colours_have_no_width() {
        assert_eq!(visible_width("\u{1b}[1m\u{1b}[31mslower\u{1b}[0m  "), 6);
    }
}
