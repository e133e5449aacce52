//! The tool from the outside: real builds for both targets, real processes, made-up times.

mod amount;
mod doctor;
mod first_time;
mod gate;
mod host;
mod hostile;
mod over_time;
mod overhead;
mod report;
mod resume;
mod verify;
mod workspace;

use std::fs;

use workspace::{
    BRIEF, Run, Started, again, case, configuration, duet, finished, run, wait_for_lines,
};

/// The verdict and ratio of the only comparison.
fn verdict(run: &Run) -> (String, f64) {
    let result = run.result();
    let comparison = &result["comparisons"][0];
    let ratio = comparison["wall"]["ratio"].as_f64().expect("a number");
    (
        comparison["verdict"].as_str().expect("a word").to_string(),
        ratio,
    )
}

#[test]
fn a_difference_is_measured_reported_and_written_down() {
    let run = run(
        "slower",
        &case("a/b/c", "--factor 1.1", "analysis = \"why\""),
        &["--seed", "7"],
    );
    run.assert(0, &["a/b/c", "slower", "+10.0 %", "glibc 1", "musl 1"]);
    let (verdict, ratio) = verdict(&run);
    assert_eq!(verdict, "slower");
    assert!((ratio - 1.1).abs() < 1e-6, "{ratio}");
    let read = |name: &str| fs::read_to_string(run.results().join(name)).expect(name);
    let plan: toml::Table = read("plan.toml").parse().expect("TOML");
    assert_eq!(plan["seed"].as_integer(), Some(7));
    assert_eq!(plan["blocks"].as_integer(), Some(6));
    assert_eq!(plan["cases"][0]["interleave"].as_str(), Some("lockstep"));
    let journal = read("journal.jsonl");
    assert_eq!(
        journal.lines().count(),
        6 * 3,
        "two processes and an end for each block"
    );
    let machine: serde_json::Value = serde_json::from_str(&read("machine.json")).expect("JSON");
    assert!(machine["host"]["kernel"].is_string());
    let report = read("report.md");
    for part in [
        "**slower**",
        "+10.0 %",
        "why",
        "seed 7",
        "static-pie",
        "a/b/c",
    ] {
        assert!(report.contains(part), "`{part}` is not in: {report}");
    }
}

#[test]
fn the_other_verdicts_and_modes() {
    let faster = run("faster", &case("a/b/c", "--factor 0.5", ""), &[]);
    assert_eq!(verdict(&faster).0, "faster");
    let same = run(
        "same",
        &case("a/b/c", "--factor 1.001", ""),
        &["--blocks", "5"],
    );
    assert_eq!(
        verdict(&same).0,
        "equivalent",
        "five blocks have a 90 % interval"
    );
    let long = case("a/b/c", "--factor 1.2 --iteration-ns 300000000", "");
    let long = run("long", &long, &["--interleave", "sequential"]);
    assert_eq!(verdict(&long).0, "slower");
    assert_eq!(long.result()["comparisons"][0]["interleave"], "sequential");
    long.assert(0, &["one after the other"]);
}

#[test]
fn the_order_of_variants_is_the_users() {
    let run = run(
        "order",
        &case("a/b/c", "--factor 1.1", ""),
        &["--variants", "musl,gnu"],
    );
    let result = run.result();
    assert_eq!(result["reference"], "musl");
    assert_eq!(verdict(&run).0, "faster");
}

/// A case whose musl process behaves so: the run goes on, the case is not run, and `part` says why.
#[track_caller]
fn check_failing(behaviour: &str, more: &str, part: &str) {
    let name = behaviour.replace([':', ' '], "-");
    let cases =
        case("good/b/c", "", "") + &case("bad/b/c", &format!("--behaviour {behaviour}"), more);
    let run = run(&name, &cases, &[]);
    run.assert(0, &["NOT RUN", "bad/b/c", part]);
    let result = run.result();
    assert_eq!(
        result["comparisons"].as_array().map(Vec::len),
        Some(1),
        "{result}"
    );
    assert_eq!(result["not_run"][0]["case"], "bad/b/c");
}

#[test]
fn a_crash_is_a_row_with_its_signal() {
    check_failing(
        "musl:crash",
        "",
        "musl: it ended when it owed a turn; signal: 6",
    );
    check_failing("crash", "", "signal: 6");
}

#[test]
fn a_process_that_breaks_the_protocol_is_named_with_what_it_did() {
    check_failing("musl:garbage", "", "it printed `what?` instead of a turn");
    check_failing("musl:backwards", "", "its clock went from");
    check_failing("musl:future", "", "schema 99");
    check_failing("musl:mute", "timeout_seconds = 1", "no answer within 1 s");
}

#[test]
fn refusals_are_passed_on_in_the_programs_words() {
    check_failing(
        "refuse",
        "",
        "exit status: 2; its last words: error: k = 9 is more than the 5 rows",
    );
    check_failing("musl:refuse", "", "k = 9 is more than the 5 rows");
}

#[test]
fn results_that_differ_are_not_compared() {
    check_failing(
        "musl:differ",
        "",
        "the results differ: gnu has {\"answer\":42}, musl has {\"answer\":43}",
    );
    check_failing(
        "same",
        "expect = { inertia = 128.4 }",
        "its `inertia` is 128.5, expected 128.4",
    );
    check_failing(
        "any",
        "expect = { entropy = 1.0 }",
        "it reports no number `entropy`",
    );
}

#[test]
fn nothing_valid_is_exit_code_3() {
    let run = run("nothing", &case("a/b/c", "--behaviour musl:crash", ""), &[]);
    run.assert(3, &["NOT RUN", "not one valid block"]);
    assert_eq!(
        run.result()["dropped"].as_array().map(Vec::len),
        Some(4),
        "two blocks, each twice"
    );
    let journal = fs::read_to_string(run.results().join("journal.jsonl")).expect("a journal");
    assert!(
        journal.contains("signal: 6"),
        "the crash is a row: {journal}"
    );
}

#[test]
fn wrong_input_is_exit_code_2() {
    let good = case("a/b/c", "", "");
    let unknown_key = format!("[suite.quick]\nblocks = 6\nseconds = 1.0\nrounds = 2\n{good}");
    run("key", &unknown_key, &[]).assert(2, &["key.toml", "rounds"]);
    run("variant", &good, &["--variants", "gnu,bsd"]).assert(2, &["`bsd`", "gnu, musl"]);
    run("suite", &good, &["--suite", "huge"]).assert(2, &["`huge`", "quick"]);
    run("glob", &good, &["--cases", "x*"]).assert(2, &["`x*`", "a/b/c"]);
    run("globs", &good, &["--cases", "a*,x*"]).assert(2, &["matches `x*`", "a/b/c"]);
    run("blocks", &good, &["--blocks", "0"]).assert(2, &["--blocks"]);
    run("number", &good, &["--blocks", "six"]).assert(2, &["six"]);
    let nowhere = duet("/nonexistent/duet.toml".as_ref(), &[]).output();
    finished(nowhere).assert(2, &["cannot read /nonexistent/duet.toml"]);
}

#[test]
fn a_binary_that_is_not_what_its_variant_claims_is_refused() {
    let claim =
        "[variant.claim]\ntarget = \"x86_64-unknown-linux-gnu\"\nallocator = \"mimalloc\"\n";
    let no_such_feature = run(
        "feature",
        &format!("{claim}{}", case("a/b/c", "", "")),
        &["--variants", "gnu,claim"],
    );
    no_such_feature.assert(2, &["variant `claim` could not be built"]);
    let forced = "[variant.forced]\ntarget = \"x86_64-unknown-linux-gnu\"\nlink = \"dynamic\"\n\
                  rustflags = [\"-Ctarget-feature=+crt-static\"]\nenv = { X = \"1\" }\n";
    // rustc links statically as soon as one flag says so.
    let contradiction = run(
        "contradiction",
        &format!("{forced}{}", case("a/b/c", "", "")),
        &["--variants", "gnu,forced"],
    );
    contradiction.assert(
        2,
        &[
            "variant `forced` is refused",
            "its linkage is static-pie, but the variant claims dynamic",
        ],
    );
    // A runner that puts another program in its place is found out.
    let swapped = "[variant.swapped]\ntarget = \"x86_64-unknown-linux-gnu\"\nrunner = [\"sh\", \"-c\", \"echo '{}'\"]\n";
    let swapped = run(
        "swapped",
        &format!("{swapped}{}", case("a/b/c", "", "")),
        &["--variants", "gnu,swapped"],
    );
    swapped.assert(
        2,
        &["variant `swapped` is refused", "did not print an identity"],
    );
    let linked = "[variant.linked]\ntarget = \"x86_64-unknown-linux-gnu\"\n\
                  rustflags = [\"--cfg\", \"x\"]\nlink = \"static\"\nrunner = [\"sh\", \"-c\", \"exec $(dirname $0)/../gnu/program identity\"]\n";
    let linked = run(
        "linked",
        &format!("{linked}{}", case("a/b/c", "", "")),
        &["--variants", "gnu,linked"],
    );
    linked.assert(
        2,
        &[
            "variant `linked` is refused",
            "its linkage is dynamic, but the variant claims static",
        ],
    );
}

#[test]
fn a_binary_that_is_built_already_is_compared_as_it_is() {
    let cases = case("a/b/c", "", "");
    let first = run("to-be-built", &cases, &["--blocks", "1"]);
    let musl = first.results().join("bin/musl/program");
    let built = |target: &str, more: &str| {
        format!(
            "[variant.built]\ntarget = \"x86_64-unknown-linux-{target}\"\nbinary = {musl:?}\n{more}{cases}"
        )
    };
    let built_run = |name: &str, config: &str, more: &[&str]| {
        run(name, config, &[&["--variants", "gnu,built"], more].concat())
    };
    let compared = built_run("built", &built("musl", ""), &[]);
    compared.assert(0, &["a/b/c", "equivalent"]);
    let plan = fs::read_to_string(compared.results().join("plan.toml")).expect("a plan");
    let plan: toml::Table = plan.parse().expect("TOML");
    let hashes = plan["variants"].as_array().expect("variants").iter();
    let hashes: Vec<_> = hashes.map(|variant| variant["sha256"].as_str()).collect();
    let bytes = fs::read(&musl).expect("it is there");
    assert_eq!(hashes[1], Some(duet::builds::sha256(&bytes).as_str()));
    built_run("built-gnu", &built("gnu", ""), &[])
        .assert(2, &["its C library is musl, but the variant claims glibc"]);
    built_run("built-flags", &built("musl", "rustflags = [\"-g\"]\n"), &[])
        .assert(2, &["its binary is built already"]);
    built_run("built-twice", &built("musl", ""), &["--builds", "2"])
        .assert(2, &["`built`", "one build of it and not 2"]);
    let gone = built("musl", "").replace("/musl/program", "/musl/gone");
    built_run("built-gone", &gone, &[]).assert(2, &["there is no file", "/musl/gone"]);
}

#[test]
fn fixtures_give_their_environment_and_their_failure() {
    let fixtures = "[fixture.good]\ncommand = [\"program\", \"serve\"]\n\
                    [fixture.bad]\ncommand = [\"sh\", \"-c\", \"echo no server found, install one >&2; exit 1\"]\n";
    let cases = case("good/b/c", "--behaviour needs", "needs = [\"good\"]")
        + &case("bad/b/c", "--behaviour needs", "needs = [\"bad\"]");
    let run = run("fixtures", &format!("{fixtures}{cases}"), &[]);
    run.assert(0, &["NOT RUN", "bad/b/c", "no server found, install one"]);
    assert_eq!(run.result()["comparisons"][0]["case"], "good/b/c");
}

#[test]
fn an_interrupted_run_keeps_what_it_measured() {
    let cases = case("a/b/c", "--behaviour slow --factor 1.1", "");
    let config = configuration("interrupted", &format!("{BRIEF}{cases}"));
    let run = Started::new(&mut duet(&config, &["run", "--blocks", "10000"]));
    let results = run.results.clone();
    wait_for_lines(&results, 6);
    again("report", &results).assert(0, &["The run goes on"]);
    again("resume", &results).assert(2, &["another run is writing", "journal.jsonl"]);
    run.signal("-INT");
    run.ended()
        .assert(130, &["interrupted after", "cargo duet run --resume /"]);
    again("report", &results).assert(0, &["a/b/c", "+10.0 %"]);

    // A kill in the middle of a line: it is left out, and said.
    let journal = results.join("journal.jsonl");
    let mut text = fs::read_to_string(&journal).expect("a journal");
    text.truncate(text.len() - 20);
    fs::write(&journal, &text).expect("a writable file");
    again("report", &results).assert(0, &["torn"]);

    // A line in the middle that is no entry.
    fs::write(&journal, format!("alien\n{text}")).expect("a writable file");
    again("report", &results).assert(2, &["journal.jsonl, line 1"]);
}
