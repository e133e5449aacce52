//! The page as a browser would take it.

use duet::journal::Entry;
use serde_json::json;

use super::few;
use super::made_up::{MadeUp, end};

/// Checks that every element that is opened is closed, in order, and returns the names of all elements.
#[track_caller]
fn elements(html: &str) -> Vec<String> {
    const VOID: [&str; 5] = ["meta", "br", "link", "img", "input"];
    let mut open: Vec<String> = Vec::new();
    let mut names = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "closed before: {:.80}",
                rest
            );
            continue;
        }
        let name: String = tag
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect();
        names.push(name.clone());
        let closed = tag.ends_with('/') || VOID.contains(&name.as_str());
        if name == "script" || name == "style" {
            let end = rest.find(&format!("</{name}>")).expect("it ends");
            rest = &rest[end + name.len() + 3..];
        } else if !closed {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    names
}

#[test]
fn the_page_is_well_formed_and_needs_no_network() {
    let html = few(&["gnu", "musl", "musl-mimalloc"]).html(Some(&json!({
        "false_positive_rate": 0.045,
        "coverage": 0.955,
        "false_equivalence_rate": 0.049,
        "power": [
            { "blocks": 20, "sd": 0.02, "effect": 0.02, "predicted": 0.81, "measured": 0.83, "repetitions": 9 },
            { "blocks": 20, "sd": 0.02, "effect": 0.03, "predicted": 0.97, "measured": 0.98, "repetitions": 9 },
        ],
        "checks": [{ "name": "a check", "measured": 0.05, "low": 0.0, "high": 0.06, "repetitions": 9, "passed": true }],
    })));
    let names = elements(&html);
    assert_eq!(names.iter().filter(|name| *name == "script").count(), 1);
    for loading in [
        "src=", "<link", "<img", "@import", "url(", "srcset", "<iframe",
    ] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert!(
        html.contains("4.5\u{a0}%") && html.contains("+2\u{a0}% found in 83.0\u{a0}%"),
        "the self-test is shown"
    );
    // Every drawing has words, or stands beside them.
    let drawings = html.matches("<svg class=\"plot\"").count();
    let told = html.matches("role=\"img\" aria-label=\"").count();
    let beside = html
        .matches("<svg class=\"plot\" width=\"100%\" height=\"22\" aria-hidden")
        .count();
    let axes = html
        .matches("<svg class=\"plot\" width=\"100%\" height=\"34\" aria-hidden")
        .count();
    assert_eq!((drawings, axes), (told + beside + axes, 2));
    assert!(told > 10, "{told}");
    // Marks of every variant are told apart by shape, verdicts by shape and word.
    for mark in [
        "#p0",
        "#p1",
        "#p2",
        "#m-slower",
        "#m-equivalent",
        "#m-beyond-more",
    ] {
        assert!(html.contains(mark), "{mark}");
    }
    for section in [
        "verdicts", "ratios", "scaling", "costs", "cases", "validity", "machine", "method", "data",
    ] {
        let target = html.contains(&format!("id=\"{section}\""));
        assert!(
            target && html.contains(&format!("href=\"#{section}\"")),
            "{section}"
        );
    }
    assert!(html.contains("layout is not covered"));
    assert!(
        html.contains(
            "download=\"processes.csv\" href=\"data:text/csv;charset=utf-8,case,variant,"
        )
    );
}

/// A name that is markup everywhere: HTML, attributes, Markdown tables, CSV, terminals.
const HOSTILE: &str = "x</script></style><script>alert(1)</script>\" onload=\"alert(2)\" 'y'&amp;|a|`b`\n\u{1b}[31m# z";

fn hostile() -> MadeUp {
    let mut run = few(&["gnu", HOSTILE]);
    run.entries.push(end(HOSTILE, 0, 0, Some(HOSTILE)));
    for entry in &mut run.entries {
        match entry {
            Entry::Process(process) if process.case == super::FEW[0] => {
                process.case = format!("w/{HOSTILE}");
                let observation = process.observation.as_mut().expect("there is one");
                observation.result.insert(HOSTILE.into(), 7.into());
            }
            Entry::Block(block) if block.case == super::FEW[0] => {
                block.case = format!("w/{HOSTILE}");
            }
            _ => {}
        }
    }
    let case = &mut run.plan.cases[0];
    case.id = format!("w/{HOSTILE}");
    case.analysis = HOSTILE.into();
    case.args = vec![format!("--{HOSTILE}"), "5".into(), HOSTILE.into()];
    run.plan.suite = HOSTILE.into();
    run.plan.created = HOSTILE.into();
    run.plan.not_run[0].case = HOSTILE.into();
    run.plan.not_run[0].reason = HOSTILE.into();
    let settings = &mut run.plan.variants[1].settings;
    settings.target = HOSTILE.into();
    settings.env.insert(HOSTILE.into(), HOSTILE.into());
    settings.runner = vec![HOSTILE.into()];
    run.plan.variants[1].identity.allocator = HOSTILE.into();
    run.machine.command_line = vec![HOSTILE.into()];
    run.machine.rustc = Some(HOSTILE.into());
    let host = &mut run.machine.host;
    for fact in [
        &mut host.cpu_model,
        &mut host.kernel,
        &mut host.virtualisation,
        &mut host.governor,
    ] {
        *fact = Some(HOSTILE.into());
    }
    run
}

#[test]
fn names_cannot_become_html() {
    let run = hostile();
    let html = run.html(Some(&json!({
        "created": HOSTILE,
        "false_positive_rate": 0.045,
        "coverage": 0.955,
        "false_equivalence_rate": 0.049,
        "checks": [{ "name": HOSTILE, "measured": 0.05, "low": 0.0, "high": 0.06, "repetitions": 9, "passed": true }],
    })));
    let names = elements(&html);
    assert_eq!(names.iter().filter(|name| *name == "script").count(), 1);
    assert!(html.contains("alert(1)"), "the names are there");
    for markup in [
        "<script>alert",
        "</script></style><script",
        "\" onload=\"alert",
        "'y'&amp;|",
    ] {
        assert!(!html.contains(markup), "{markup}");
    }
    // The style and the script are as they were written.
    let clean = elements(&few(&["gnu", "musl"]).html(None));
    let count = |names: &[String], what: &str| names.iter().filter(|name| *name == what).count();
    for name in ["style", "nav", "main", "header", "footer"] {
        assert_eq!(count(&names, name), count(&clean, name), "{name}");
    }
}

#[test]
fn names_cannot_become_markdown() {
    let markdown = hostile().markdown();
    // Between backticks nothing is markup; a backtick of a name stands there as another character.
    let outside: String = markdown.replace("\\`", "").split('`').step_by(2).collect();
    assert!(
        !outside.contains("<script") && !outside.contains("</style>"),
        "{outside}"
    );
    // Every row of a table has as many cells as its header.
    let cells = |line: &str| {
        line.replace("\\\\", "")
            .replace("\\|", "")
            .matches('|')
            .count()
    };
    let mut header = None;
    for line in markdown.lines() {
        match (line.starts_with('|'), header) {
            (true, None) => header = Some(cells(line)),
            (true, Some(expected)) => assert_eq!(cells(line), expected, "{line}"),
            (false, _) => header = None,
        }
    }
    let headings = markdown
        .lines()
        .filter(|line| line.starts_with('#'))
        .count();
    let clean = few(&["gnu", "musl"]).markdown();
    let expected = clean.lines().filter(|line| line.starts_with('#')).count();
    assert_eq!(headings, expected, "no name makes a heading");
}

#[test]
fn names_cannot_command_the_terminal() {
    let table = hostile().table(false);
    assert!(!table.contains('\u{1b}'), "{table}");
    let widest = table
        .lines()
        .map(|line| line.trim_end().chars().count())
        .max();
    assert!(widest <= Some(100), "{widest:?} columns:\n{table}");
}
