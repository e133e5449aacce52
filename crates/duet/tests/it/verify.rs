//! The instrument's own test, from the outside.

use std::fs;
use std::sync::atomic::AtomicBool;

use duet::config::Config;
use duet::verify::real::Bench;

use crate::workspace::{case, configuration, duet, finished, run};

#[test]
fn the_quick_form_passes_and_is_stored() {
    let config = configuration("verify-quick", &case("a/b/c", "", ""));
    let verify = finished(duet(&config, &["verify", "--json"]).output());
    verify.assert(0, &["All 44 figures lie in their ranges", "Stored: "]);
    let data: serde_json::Value = serde_json::from_str(&verify.data).expect("it is JSON");
    assert_eq!(data["schema"], 1);
    assert_eq!(data["passed"], true);
    assert!(data["real"].is_null());
    let rate = |name: &str| data[name].as_f64().expect(name);
    assert!((0.02..=0.08).contains(&rate("false_positive_rate")));
    assert!(rate("family_wise_error_rate") <= 0.05);
    assert!(rate("coverage") >= 0.94);
    assert!(rate("false_equivalence_rate") <= 0.05);
    let stored = config
        .parent()
        .expect("a folder")
        .join("target/duet/verify.json");
    let stored = fs::read_to_string(stored).expect("it is stored");
    assert_eq!(stored.trim(), verify.data.trim());
}

#[test]
fn the_full_form_runs_real_processes() {
    let config = configuration(
        "verify-full",
        &case("a/b/c", "", "").replace("\"quick\"", "\"verify\""),
    );
    let workspace = config.parent().expect("a folder").to_path_buf();
    let config = Config::read(&config).expect("a good file");
    let bench = |seconds: f64| {
        Bench {
            config: &config,
            workspace: &workspace,
            target_folder: &workspace.join("target"),
            folder: &workspace.join(format!("target/verify-full-{seconds}")),
            seconds,
            seed: 1,
            interrupted: &AtomicBool::new(false),
        }
        .run()
        .expect("it runs")
    };
    let (mut real, mut checks) = bench(5.0);
    // On a machine that has much else to do, the time is over before every slowdown has its blocks.
    for seconds in [20.0, 80.0] {
        if real.found_rate.is_none() {
            (real, checks) = bench(seconds);
        }
    }
    // The program's times are made up and without noise: every slowdown is found with its exact size, and nothing else.
    assert!(checks.iter().all(|check| check.passed), "{checks:#?}");
    assert_eq!(real.variant, "gnu");
    assert_eq!(
        (real.false_positive_rate, real.found_rate),
        (Some(0.0), Some(1.0))
    );
    assert!(real.same[0].called_different.of >= 1);
    assert_eq!(real.injected.len(), 4);
    for row in &real.injected {
        assert_eq!(row.found.hits, row.found.of, "{row:?}");
        let ratio = row.median_ratio.expect("blocks");
        assert!((ratio - 1.0 - row.effect).abs() < 1e-6, "{row:?}");
    }
    assert!(real.modes.len() >= 2);
    assert!(
        real.modes
            .iter()
            .all(|mode| mode.ratio == 1.0 && mode.blocks >= 1),
        "{real:?}"
    );
}

#[test]
fn what_cannot_be_verified_is_said() {
    let config = configuration("verify-wrong", &case("a/b/c", "", ""));
    let wrong = |args: &[&str]| finished(duet(&config, &[&["verify"], args].concat()).output());
    wrong(&["--full", "--minutes", "0"]).assert(2, &["--minutes 0 must be above 0"]);
    wrong(&["--full", "--minutes", "nan"]).assert(2, &["--minutes NaN"]);
    wrong(&["--minutes", "3"]).assert(2, &["--full"]);
}

#[test]
fn a_variant_can_have_arguments_of_its_own() {
    let slow =
        "[variant.slow]\ntarget = \"x86_64-unknown-linux-gnu\"\nargs = [\"--slowdown\", \"0.1\"]\n";
    let run = run(
        "arguments",
        &format!("{slow}{}", case("a/b/c", "", "")),
        &["--variants", "gnu,slow"],
    );
    run.assert(0, &["slower", "+10.0 %"]);
}
