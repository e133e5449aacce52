//! Figures against size: which cases lie on one line is read from their arguments.
//!
//! A program's arguments are data here: `--samples 100k` is a number called `samples`. Cases that differ in
//! exactly that number, and in no other argument, are points of one line.

use std::collections::BTreeMap;

use super::scale::Scale;
use super::svg::{Anchor, Drawing, Svg, series, symbol};
use crate::analysis::{RunResult, VariantFigures};
use crate::plan::Plan;
use crate::report::words;

/// The plots of one family of cases against one number.
#[derive(Debug)]
pub struct ScalingGroup {
    /// What varies: `samples`.
    pub parameter: String,
    /// What the cases have in common: `kmeans --clusters 5`.
    pub common: String,
    /// Small plots: caption and drawing.
    pub plots: Vec<(String, Svg)>,
}

/// The numbers and the other words among a case's arguments.
#[derive(Debug, PartialEq)]
struct Arguments {
    numbers: BTreeMap<String, f64>,
    words: Vec<String>,
}

/// All groups with at least two sizes.
pub fn scaling(plan: &Plan, result: &RunResult) -> Vec<ScalingGroup> {
    let cases: Vec<(Arguments, &crate::analysis::CaseFigures)> = result
        .cases
        .iter()
        .filter_map(|figures| {
            let case = plan.cases.iter().find(|case| case.id == figures.case)?;
            Some((arguments(&case.args), figures))
        })
        .collect();
    // Keyed by the number that varies and everything that stays: in the order in which cases come.
    type Member<'a> = (f64, &'a crate::analysis::CaseFigures);
    let mut groups: Vec<((String, String), Vec<Member>)> = Vec::new();
    for (arguments, figures) in &cases {
        for (name, value) in &arguments.numbers {
            let others = arguments.numbers.iter().filter(|(other, _)| *other != name);
            let others = others.map(|(other, value)| format!("{other} {}", words::number(*value)));
            let common: Vec<String> = arguments.words.iter().cloned().chain(others).collect();
            let key = (name.clone(), common.join(", "));
            match groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, members)) => members.push((*value, figures)),
                None => groups.push((key, vec![(*value, figures)])),
            }
        }
    }
    for (_, members) in &mut groups {
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
        members.dedup_by(|a, b| a.0 == b.0);
    }
    // Long lines first: they say more.
    groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    groups
        .into_iter()
        .filter_map(|((parameter, common), members)| {
            (members.len() > 1).then(|| ScalingGroup {
                plots: group_plots(plan, &parameter, &members),
                parameter,
                common,
            })
        })
        .filter(|group| !group.plots.is_empty())
        .collect()
}

/// Takes options with a number after them apart from all other words.
fn arguments(args: &[String]) -> Arguments {
    let mut numbers = BTreeMap::new();
    let mut words = Vec::new();
    let mut index = 0;
    while let Some(word) = args.get(index) {
        let name = word.strip_prefix("--");
        let joined = name.and_then(|name| name.split_once('='));
        let (name, value, used) = match (name, joined) {
            (_, Some((name, value))) => (Some(name), quantity(value), 1),
            (Some(name), None) => (
                Some(name),
                args.get(index + 1).and_then(|next| quantity(next)),
                2,
            ),
            (None, None) => (None, None, 1),
        };
        match (name, value) {
            (Some(name), Some(value)) => {
                numbers.insert(name.to_string(), value);
                index += used;
            }
            _ => {
                words.push(word.trim_start_matches('-').to_string());
                index += 1;
            }
        }
    }
    Arguments { numbers, words }
}

/// A positive number, with `k` or `m` for thousands or millions.
fn quantity(text: &str) -> Option<f64> {
    let (digits, factor) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 1e3),
        'm' | 'M' => (&text[..text.len() - 1], 1e6),
        _ => (text, 1.0),
    };
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    let number: f64 = digits.parse().ok().filter(|_| starts_with_digit)?;
    (number.is_finite() && number > 0.0).then_some(number * factor)
}

fn group_plots(
    plan: &Plan,
    parameter: &str,
    members: &[(f64, &crate::analysis::CaseFigures)],
) -> Vec<(String, Svg)> {
    let mut plots = Vec::new();
    let metric = |name: &'static str| move |v: &VariantFigures| v.metrics.get(name).copied();
    let mut add = |title: &str,
                   figure: &dyn Fn(&VariantFigures) -> Option<f64>,
                   show: &dyn Fn(f64) -> String| {
        let svg = plot(plan, parameter, members, title, figure, show);
        plots.extend(svg.map(|svg| (format!("{title} against {parameter}"), svg)));
    };
    add("wall time", &metric("wall_ns"), &words::time);
    add("CPU time", &metric("cpu_ns"), &words::time);
    add("peak memory", &metric("peak_rss_bytes"), &words::bytes);
    // Results that are small whole numbers count something: iterations, nodes, rounds.
    let counts: Vec<&String> = match members.first().and_then(|(_, case)| case.variants.first()) {
        Some(first) => first.results.keys().collect(),
        None => Vec::new(),
    };
    for name in counts {
        let figure = |v: &VariantFigures| {
            let result = *v.results.get(name)?;
            (result > 0.0 && result.fract() == 0.0 && result < 1e9).then_some(result)
        };
        add(name, &figure, &words::number);
    }
    plots
}

/// One figure of every variant against size, both on logarithmic scales.
fn plot(
    plan: &Plan,
    parameter: &str,
    members: &[(f64, &crate::analysis::CaseFigures)],
    title: &str,
    figure: &dyn Fn(&VariantFigures) -> Option<f64>,
    show: &dyn Fn(f64) -> String,
) -> Option<Svg> {
    const HEIGHT: f64 = 190.0;
    const LEFT: f64 = 17.0;
    let curve = |variant: usize| -> Vec<(f64, f64)> {
        let points = members
            .iter()
            .filter_map(|(size, case)| Some((*size, figure(case.variants.get(variant)?)?)));
        points.collect()
    };
    let curves: Vec<Vec<(f64, f64)>> = (0..plan.variants.len()).map(curve).collect();
    if curves.iter().any(|curve| curve.len() < 2) {
        return None;
    }
    let points = || curves.iter().flatten();
    let across = Scale::logarithmic(points().map(|(x, _)| *x))?;
    let up = Scale::logarithmic(points().map(|(_, y)| *y))?;
    let x = |size: f64| LEFT + across.place(size) * (100.0 - LEFT);
    let y = |figure: f64| 8.0 + (1.0 - up.place(figure)) * (HEIGHT - 28.0);
    let mut drawing = Drawing::new(HEIGHT);
    for tick in up.ticks(5) {
        drawing.line("grid", (LEFT, y(tick)), (100.0, y(tick)));
        drawing.text(
            "tick",
            (LEFT - 1.5, y(tick) + 4.0),
            Anchor::End,
            &show(tick),
        );
    }
    for (size, _) in members {
        let anchor = if x(*size) > 92.0 {
            Anchor::End
        } else {
            Anchor::Middle
        };
        drawing.line("grid", (x(*size), 8.0), (x(*size), HEIGHT - 20.0));
        drawing.text("tick", (x(*size), HEIGHT - 4.0), anchor, &short(*size));
    }
    let mut said = Vec::new();
    for (variant, curve) in curves.iter().enumerate() {
        let placed: Vec<(f64, f64)> = curve.iter().map(|(a, b)| (x(*a), y(*b))).collect();
        drawing.path(&format!("curve {}", series(variant)), &placed);
        for point in placed {
            drawing.marker(&symbol(variant), &series(variant), point);
        }
        let figures: Vec<String> = curve
            .iter()
            .map(|(size, figure)| format!("{} at {}", show(*figure), short(*size)))
            .collect();
        said.push(format!(
            "{}: {}",
            plan.variants[variant].name,
            figures.join(", ")
        ));
    }
    Some(drawing.finish(&format!("{title} against {parameter}"), &said.join("; ")))
}

/// A size as short as it can be read: `100k`.
fn short(size: f64) -> String {
    match size {
        s if s >= 1e6 => format!("{}m", words::number(s / 1e6)),
        s if s >= 1e3 => format!("{}k", words::number(s / 1e3)),
        s => words::number(s),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_arguments_have_names() {
        let args = [
            "kmeans",
            "--samples",
            "100k",
            "--clusters=5",
            "--engine",
            "linfa",
            "7",
        ];
        let got = arguments(&args.map(String::from));
        assert_eq!(
            got.numbers.into_iter().collect::<Vec<_>>(),
            [("clusters".into(), 5.0), ("samples".into(), 1e5)]
        );
        assert_eq!(got.words, ["kmeans", "engine", "linfa", "7"]);
        assert_eq!(quantity("inf"), None);
        assert_eq!(quantity("nan"), None);
        assert_eq!(quantity("0"), None);
        assert_eq!(quantity("é"), None);
        assert_eq!(quantity("2.5m"), Some(2.5e6));
        assert_eq!((short(1500.0), short(2e6)), ("1.50k".into(), "2m".into()));
    }
}
