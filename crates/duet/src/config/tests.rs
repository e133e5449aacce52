//! Files that are understood, and the mistakes that are named.

use super::*;

const GOOD: &str = r#"
[variant.gnu]
target = "x86_64-unknown-linux-gnu"
[variant.musl]
target = "x86_64-unknown-linux-musl"
link = "static"
[fixture.postgres]
command = ["workload", "serve-postgres"]
[[case]]
id = "kmeans/fit/1k-k5"
args = ["kmeans"]
suites = ["quick"]
"#;

#[test]
fn a_minimal_file_has_the_documented_defaults() {
    let config = Config::parse(GOOD).expect("a good file");
    assert_eq!(config.margin, 0.03);
    assert_eq!(config.program.bin, "workload");
    assert_eq!(config.suite("quick").expect("built in").blocks, 6);
    assert_eq!(config.cases[0].tolerance, 1e-9);
    let variants = config.variants(&[]).expect("two variants");
    assert_eq!(
        variants
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>(),
        ["gnu", "musl"]
    );
    assert_eq!(variants[1].1.link, Some(Link::Static));
}

#[test]
fn the_order_of_the_choice_makes_the_reference() {
    let config = Config::parse(GOOD).expect("a good file");
    let chosen = ["musl".to_string(), "gnu".to_string()];
    assert_eq!(config.variants(&chosen).expect("both exist")[0].0, "musl");
}

/// `text` is refused, and the message has every one of `parts`.
#[track_caller]
fn check_refused(text: &str, parts: &[&str]) {
    let message = Config::parse(text).expect_err("refused");
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    check_refused("magrin = 0.02", &["magrin", "line 1", "margin"]);
    check_refused(
        "[variant.gnu]\ntarget = \"x\"\nlibc = \"musl\"",
        &["libc", "line 3"],
    );
    check_refused(
        "[variant.gnu]\ntarget = \"x\"\nlink = \"fat\"",
        &["fat", "line 3"],
    );
    check_refused("[[case]]\nid = \"a/b/c\"\nargs = \"x\"", &["line 3"]);
    check_refused("[variant.gnu]", &["target"]);
    check_refused("margin = ", &["line 1"]);
    check_refused("", &["variant"]);
    let with = |more: &str| format!("{GOOD}{more}");
    check_refused(
        &with("needs = [\"mysql\"]"),
        &["line 13", "fixture `mysql`", "postgres"],
    );
    check_refused(
        &format!("compare = [\"gnu\", \"mussl\"]{GOOD}"),
        &["line 1", "`mussl`", "gnu, musl"],
    );
    check_refused(
        &format!("margin = -1.0{GOOD}"),
        &["margin", "between 0 and 1"],
    );
    check_refused(&format!("margin = nan{GOOD}"), &["margin"]);
    check_refused(
        &format!("[gates]\nstael = 0.1{GOOD}"),
        &["stael", "line 2", "steal"],
    );
    check_refused(
        &format!("[gates]\nforeign = 30{GOOD}"),
        &["foreign = 30", "from 0 to 1"],
    );
    check_refused(
        &with("interleave = \"slices\""),
        &["slices", "line 13", "sliced"],
    );
    let case = |id: &str, suite: &str| {
        with(&format!(
            "[[case]]\nid = \"{id}\"\nargs = [\"x\"]\nsuites = [\"{suite}\"]"
        ))
    };
    check_refused(&case("kmeans/fit/1k-k5", "quick"), &["line 14", "twice"]);
    check_refused(
        &case("kmeans", "quick"),
        &["line 14", "workload/phase/size"],
    );
    check_refused(
        &case("a/b/c", "quik"),
        &["line 16", "suite `quik`", "quick"],
    );
    check_refused(
        &with("[suite.quick]\nblocks = 0\nseconds = 1.0"),
        &["quick", "from 1 to"],
    );
    check_refused(
        &with("[suite.quick]\nblocks = 6\nseconds = 1e300"),
        &["seconds from 0 to 3600"],
    );
    check_refused(&with("timeout_seconds = 9000000000000000000"), &["a week"]);
    check_refused(&with("tolerance = inf"), &["tolerance"]);
    check_refused(&case("a/b/c d", "quick"), &["line 14", "no blanks"]);
    let long = format!("a/b/{}", "c".repeat(500));
    check_refused(&case(&long, "quick"), &["at most 200 bytes"]);
    for name in ["../up", "a/b", "", "-x", "a b"] {
        let variant = format!("[variant.{name:?}]\ntarget = \"x\"");
        check_refused(&with(&variant), &["variant", "must begin with"]);
    }
    check_refused(
        &with("[suite.\"a/b\"]\nblocks = 1\nseconds = 1.0"),
        &["suite `a/b`"],
    );
}

#[track_caller]
fn check_choice(chosen: &[&str], part: &str) {
    let config = Config::parse(GOOD).expect("a good file");
    let chosen: Vec<String> = chosen.iter().map(ToString::to_string).collect();
    let message = config.variants(&chosen).expect_err("refused").to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn a_bad_choice_of_variants_is_refused() {
    check_choice(&["gnu", "bsd"], "no variant `bsd`; there are: gnu, musl");
    check_choice(&["gnu"], "2 to 8 variants, not 1");
    check_choice(&["gnu", "gnu"], "named twice");
}

#[test]
fn containers_have_caps_and_a_comparison_of_their_own() {
    let config = Config::built_in();
    let names = config
        .of_containers()
        .expect("the file says what is compared");
    assert_eq!(names, ["debian", "alpine"]);
    for (name, variant) in config.variants(&names).expect("they are variants") {
        assert!(variant.container.is_some(), "{name}");
    }
    assert_eq!(
        (config.containers.cpus, &*config.containers.memory),
        (6.0, "8g")
    );
    let none = Config::parse(GOOD).expect("a good file");
    let message = none.of_containers().expect_err("it names none").to_string();
    assert!(message.contains("[containers]"), "{message}");
    assert!(
        none.variant
            .values()
            .all(|variant| variant.container.is_none())
    );
}

#[test]
fn caps_that_no_engine_takes_are_refused() {
    let with = |table: &str| format!("{GOOD}\n[containers]\n{table}\n");
    check_refused(&with("cpus = 0"), &["cpus = 0", "for example 6"]);
    check_refused(&with("cpus = nan"), &["cpus = NaN"]);
    check_refused(&with("memory = \"8 GB\""), &["memory", "256m"]);
    check_refused(&with("memory = \"0g\""), &["memory"]);
    check_refused(&with("memory = \"8gg\""), &["memory"]);
    check_refused(&with("engine = \"\""), &["engine is empty"]);
    check_refused(
        &with("compare = [\"gnu\", \"alpin\"]"),
        &["alpin", "gnu, musl"],
    );
    let both = "[variant.c]\ntarget = \"x\"\ncontainer = \"f\"\nrunner = [\"nice\"]";
    check_refused(
        &format!("{GOOD}\n{both}\n"),
        &["variant `c`", "leave one out"],
    );
}
