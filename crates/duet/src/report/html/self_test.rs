//! The instrument's own test on this machine, as `cargo duet verify` left it in `verify.json`.

use serde::Deserialize;
use serde_json::Value;

use super::facts::Fact;
use super::scale::Scale;
use super::svg::{Anchor, Drawing, Svg, series, symbol};
use crate::report::words;

/// What the page shows of it.
#[derive(Debug)]
pub struct SelfTest {
    /// The rates, and whether all is well.
    pub facts: Vec<Fact>,
    /// How often a slowdown was found, against its size.
    pub power: Option<Svg>,
    /// The checks: name, measured, accepted, repetitions, outcome.
    pub checks: Vec<[String; 5]>,
}

/// The fields of `verify.json` that are shown; others may be there.
#[derive(Deserialize)]
struct Verification {
    created: Option<String>,
    passed: Option<bool>,
    false_positive_rate: f64,
    family_wise_error_rate: Option<f64>,
    coverage: f64,
    false_equivalence_rate: f64,
    #[serde(default)]
    power: Vec<PowerPoint>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct PowerPoint {
    blocks: usize,
    sd: f64,
    effect: f64,
    predicted: f64,
    measured: f64,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    measured: f64,
    low: f64,
    high: f64,
    repetitions: usize,
    passed: bool,
}

/// What is shown of `verify.json`; `None` for one of another form, as a later version may write it.
pub fn self_test(value: &Value) -> Option<SelfTest> {
    let test = Verification::deserialize(value).ok()?;
    let mut facts = Vec::new();
    let mut fact = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| Fact::new(name, value)));
    };
    fact("Run", test.created.as_deref().map(words::moment));
    fact(
        "Outcome",
        test.passed.map(|passed| match passed {
            true => "every check passed".into(),
            false => "some checks failed".into(),
        }),
    );
    let said = |rate: f64, words: &str| Some(format!("{} {words}", share(rate)));
    fact(
        "False positives",
        said(
            test.false_positive_rate,
            "of comparisons of identical programs, at nominal 5 %",
        ),
    );
    if let Some(rate) = test.family_wise_error_rate {
        fact(
            "Any in a suite",
            said(rate, "of suites of identical programs after the correction"),
        );
    }
    fact(
        "Coverage",
        said(test.coverage, "of 95 % intervals hold the true ratio"),
    );
    fact(
        "False equivalence",
        said(
            test.false_equivalence_rate,
            "of comparisons exactly at the margin",
        ),
    );
    let checks = test.checks.iter().map(|check| {
        [
            check.name.clone(),
            share(check.measured),
            format!("{} to {}", share(check.low), share(check.high)),
            check.repetitions.to_string(),
            if check.passed { "passed" } else { "FAILED" }.into(),
        ]
    });
    Some(SelfTest {
        checks: checks.collect(),
        power: power(&test.power),
        facts,
    })
}

fn share(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}

/// A curve for each noise: measured with markers, predicted dashed.
fn power(points: &[PowerPoint]) -> Option<Svg> {
    const HEIGHT: f64 = 200.0;
    const LEFT: f64 = 10.0;
    let across = Scale::from_zero(points.iter().map(|point| point.effect))?;
    let x = |effect: f64| LEFT + across.place(effect) * (100.0 - LEFT);
    let y = |power: f64| 10.0 + (1.0 - power.clamp(0.0, 1.0)) * (HEIGHT - 34.0);
    let mut drawing = Drawing::new(HEIGHT);
    for tick in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
        drawing.line("grid", (LEFT, y(tick)), (100.0, y(tick)));
        let label = format!("{:.0} %", tick * 100.0);
        drawing.text("tick", (LEFT - 1.0, y(tick) + 4.0), Anchor::End, &label);
    }
    for tick in across.ticks(6).into_iter().filter(|tick| *tick > 0.0) {
        let label = format!("+{} %", words::number((tick * 1e4).round() / 1e2));
        drawing.text("tick", (x(tick), HEIGHT - 4.0), Anchor::Middle, &label);
    }
    let mut noises: Vec<(f64, usize)> = Vec::new();
    for point in points {
        if !noises.contains(&(point.sd, point.blocks)) {
            noises.push((point.sd, point.blocks));
        }
    }
    let mut said = Vec::new();
    for (index, (sd, blocks)) in noises.iter().enumerate() {
        let mut curve: Vec<&PowerPoint> = points
            .iter()
            .filter(|point| (point.sd, point.blocks) == (*sd, *blocks))
            .collect();
        curve.sort_by(|a, b| a.effect.total_cmp(&b.effect));
        let class = series(index + 1);
        let at = |figure: fn(&PowerPoint) -> f64| -> Vec<(f64, f64)> {
            curve
                .iter()
                .map(|point| (x(point.effect), y(figure(point))))
                .collect()
        };
        drawing.path(&format!("predicted {class}"), &at(|point| point.predicted));
        let measured = at(|point| point.measured);
        drawing.path(&format!("solid {class}"), &measured);
        for point in measured {
            drawing.marker(&symbol(index + 1), &class, point);
        }
        let name = format!("SD {}, {blocks} blocks", share(*sd));
        let place = (66.0, 26.0 + 16.0 * index as f64 + (HEIGHT - 34.0) * 0.35);
        drawing.text("name", place, Anchor::Start, &name);
        drawing.marker(&symbol(index + 1), &class, (63.0, place.1 - 4.0));
        let figures: Vec<String> = curve
            .iter()
            .map(|point| {
                format!(
                    "+{} % found in {} (predicted {})",
                    words::number((point.effect * 1e4).round() / 1e2),
                    share(point.measured),
                    share(point.predicted)
                )
            })
            .collect();
        said.push(format!("{name}: {}", figures.join(", ")));
    }
    Some(drawing.finish("Injected slowdowns that were found", &said.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn another_form_is_no_error() {
        assert!(self_test(&json!({ "schema": 7 })).is_none());
        assert!(self_test(&json!([])).is_none());
        let least = json!({ "false_positive_rate": 0.04, "coverage": 0.95, "false_equivalence_rate": 0.05 });
        let shown = self_test(&least).expect("the rates are enough");
        assert_eq!(shown.facts.len(), 3);
        assert!(shown.power.is_none() && shown.checks.is_empty());
    }
}
