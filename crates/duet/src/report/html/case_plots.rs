//! The drawings of a case: block by block, distributions, CPU and memory over time.

use super::scale::Scale;
use super::svg::{Anchor, Drawing, Svg, series, symbol};
use crate::analysis::{CaseFigures, Comparison, OverTime, RunResult, ValidBlock, measured};
use crate::journal::KeptTurn;
use crate::plan::{Plan, PlannedCase};
use crate::report::words;

/// All drawings of a case with their captions.
pub fn plots(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
    comparisons: &[&Comparison],
    result: &RunResult,
) -> Vec<(String, Svg)> {
    let dropped: Vec<usize> = result
        .dropped
        .iter()
        .filter(|dropped| dropped.case == case.id)
        .map(|dropped| dropped.block)
        .collect();
    let mut plots = Vec::new();
    if let Some(svg) = sequence(plan, case, blocks, comparisons, &dropped) {
        plots.push((
            format!(
                "Ratio to {} block by block, in the order of the run: {}",
                result.reference,
                if comparisons.iter().any(|c| c.rests_on_cpu()) {
                    "CPU time"
                } else {
                    "wall time"
                },
            ),
            svg,
        ));
    }
    if let Some(svg) = distributions(plan, case, blocks) {
        plots.push((
            "Wall time of an iteration, every measured turn of every valid block".into(),
            svg,
        ));
    }
    let figures = result.cases.iter().find(|of| of.case == case.id);
    plots.extend(time_lines(plan, case, blocks, figures));
    plots
}

/// The ratios of the blocks in their order.
fn sequence(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
    comparisons: &[&Comparison],
    dropped: &[usize],
) -> Option<Svg> {
    const HEIGHT: f64 = 150.0;
    let ratios = comparisons.iter().flat_map(|c| &c.primary().log_ratios);
    let scale = Scale::linear(ratios.copied().chain([0.0]))?;
    let y = |log: f64| 8.0 + (1.0 - scale.place(log)) * (HEIGHT - 30.0);
    let x = |block: usize| (block as f64 + 0.5) / plan.blocks_of(case).max(1) as f64 * 88.0 + 11.0;
    let mut drawing = Drawing::new(HEIGHT);
    let margin = (1.0 + plan.margin).ln();
    drawing.rectangle("band", (11.0, y(margin)), (100.0, y(-margin)));
    // Round ratios, not round logarithms.
    let round = Scale::linear(
        comparisons
            .iter()
            .flat_map(|c| &c.primary().log_ratios)
            .map(|log| log.exp())
            .chain([1.0]),
    );
    for tick in round
        .iter()
        .flat_map(|round| round.ticks(6))
        .filter(|tick| *tick > 0.0)
    {
        let log = tick.ln();
        if scale.contains(log) {
            drawing.line("grid", (11.0, y(log)), (100.0, y(log)));
            drawing.text(
                "tick",
                (10.0, y(log) + 4.0),
                Anchor::End,
                &words::percent(tick),
            );
        }
    }
    drawing.line("one", (11.0, y(0.0)), (100.0, y(0.0)));
    let mut said = Vec::new();
    for comparison in comparisons {
        let variant = plan
            .variants
            .iter()
            .position(|v| v.name == comparison.variant)?;
        let estimate = comparison.primary();
        let points: Vec<(f64, f64)> = blocks
            .iter()
            .zip(&estimate.log_ratios)
            .map(|(block, log)| (x(block.number), y(*log)))
            .collect();
        drawing.path(&format!("thin {}", series(variant)), &points);
        for point in points {
            drawing.marker(&symbol(variant), &series(variant), point);
        }
        let ends = estimate
            .log_ratios
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), r| {
                (l.min(*r), h.max(*r))
            });
        said.push(format!(
            "{}: from {} to {}, median {}",
            comparison.variant,
            words::percent(ends.0.exp()),
            words::percent(ends.1.exp()),
            words::percent(estimate.ratio)
        ));
    }
    for block in dropped {
        drawing.marker("p-dropped", "dropped", (x(*block), HEIGHT - 16.0));
    }
    drawing.text("tick", (11.0, HEIGHT - 2.0), Anchor::Start, "first block");
    drawing.text("tick", (100.0, HEIGHT - 2.0), Anchor::End, "last");
    if !dropped.is_empty() {
        said.push(format!("{} dropped, marked by a cross", dropped.len()));
    }
    Some(drawing.finish("Ratios block by block", &said.join("; ")))
}

/// The times of an iteration as a curve a variant.
fn distributions(plan: &Plan, case: &PlannedCase, blocks: &[ValidBlock]) -> Option<Svg> {
    const ROW: f64 = 46.0;
    const BINS: usize = 44;
    let times: Vec<Vec<f64>> = (0..plan.variants.len())
        .map(|variant| {
            let turns = blocks
                .iter()
                .flat_map(|block| measured(case, block.processes[variant]));
            let mut times: Vec<f64> = turns
                .map(|turn| turn.wall_ns as f64 / turn.iterations.max(1) as f64)
                .filter(|time| *time > 0.0)
                .collect();
            times.sort_by(f64::total_cmp);
            times
        })
        .collect();
    // The outermost half per cent at each end is left out: one interruption would squeeze all the rest.
    let inner = |times: &Vec<f64>| {
        let skip = times.len() / 200;
        times
            .get(skip..times.len() - skip)
            .unwrap_or_default()
            .to_vec()
    };
    let shown: Vec<Vec<f64>> = times.iter().map(inner).collect();
    let scale = Scale::logarithmic(shown.iter().flatten().copied())?;
    let mut drawing = Drawing::new(ROW * times.len() as f64 + 18.0);
    let bottom = ROW * times.len() as f64;
    for tick in scale.ticks(5) {
        let x = scale.place(tick) * 100.0;
        drawing.line("grid", (x, 0.0), (x, bottom));
        let anchor = match x {
            x if x < 8.0 => Anchor::Start,
            x if x > 92.0 => Anchor::End,
            _ => Anchor::Middle,
        };
        drawing.text("tick", (x, bottom + 13.0), anchor, &words::time(tick));
    }
    let mut said = Vec::new();
    for (variant, times) in shown.iter().enumerate() {
        let base = ROW * (variant + 1) as f64 - 3.0;
        let mut counts = [0usize; BINS];
        for time in times {
            counts[((scale.place(*time) * BINS as f64) as usize).min(BINS - 1)] += 1;
        }
        let highest = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        let mut points = vec![(0.0, base)];
        for (bin, count) in counts.iter().enumerate() {
            let x = (bin as f64 + 0.5) / BINS as f64 * 100.0;
            points.push((x, base - *count as f64 / highest * (ROW - 16.0)));
        }
        points.push((100.0, base));
        drawing.path(&format!("area {}", series(variant)), &points);
        let name = &plan.variants[variant].name;
        if let (Some(median), Some(low), Some(high)) =
            (crate::stats::median(times), times.first(), times.last())
        {
            let x = scale.place(median) * 100.0;
            drawing.line(
                &format!("median {}", series(variant)),
                (x, base - ROW + 12.0),
                (x, base),
            );
            said.push(format!(
                "{name}: median {}, 99 % between {} and {}",
                words::time(median),
                words::time(*low),
                words::time(*high)
            ));
            let (x, anchor) = if x < 50.0 {
                (100.0, Anchor::End)
            } else {
                (0.0, Anchor::Start)
            };
            drawing.text(
                "name",
                (x, base - ROW + 18.0),
                anchor,
                &format!("{name} · {}", words::time(median)),
            );
        }
    }
    Some(drawing.finish("Distribution of times", &said.join("; ")))
}

/// CPU and memory over the time of one block; where a process could not be watched, CPU turn by turn.
fn time_lines(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
    figures: Option<&CaseFigures>,
) -> Vec<(String, Svg)> {
    let percent = |figure: f64| format!("{figure:.0} %");
    let variants = figures.iter().flat_map(|figures| &figures.variants);
    let lines: Option<Vec<&OverTime>> = variants.map(|of| of.over_time.as_ref()).collect();
    let Some((lines, number)) = lines.and_then(|l| l.first().map(|f| f.block).map(|n| (l, n)))
    else {
        return cpu_turn_by_turn(plan, case, blocks).into_iter().collect();
    };
    let cpu: Vec<_> = lines.iter().map(|line| steps(line)).collect();
    let memory: Vec<Vec<(f64, f64)>> = lines
        .iter()
        .map(|line| {
            let bytes = line.rss_bytes.iter().map(|bytes| *bytes as f64);
            line.ran_ns.iter().map(|ns| *ns as f64).zip(bytes).collect()
        })
        .collect();
    let cpu = over_time(plan, "CPU over time", &cpu, &percent);
    let memory = over_time(plan, "Memory over time", &memory, &words::bytes);
    [
        (
            format!(
                "CPU over time in block {number}, warm-up included; 100 % is one core, time is that for which the \
                 process was let run"
            ),
            cpu,
        ),
        (
            format!("Resident memory over the same time in block {number}"),
            memory,
        ),
    ]
    .into_iter()
    .filter_map(|(caption, svg)| Some((caption, svg?)))
    .collect()
}

/// The CPU use of each interval from its beginning to its end.
fn steps(line: &OverTime) -> Vec<(f64, f64)> {
    let mut from = 0.0;
    line.ran_ns
        .iter()
        .zip(&line.cpu_percent)
        .flat_map(|(to, percent)| {
            let step = [(from, *percent), (*to as f64, *percent)];
            from = *to as f64;
            step
        })
        .collect()
}

fn cpu_turn_by_turn(
    plan: &Plan,
    case: &PlannedCase,
    blocks: &[ValidBlock],
) -> Option<(String, Svg)> {
    let block = blocks.get(blocks.len() / 2)?;
    let curves: Vec<Vec<(f64, f64)>> = block
        .processes
        .iter()
        .map(|process| cpu_of_turns(measured(case, process)))
        .collect();
    let caption = format!(
        "CPU over the turns of block {}; 100 % is one core, time is that of the process's own turns",
        block.number
    );
    let percent = |figure: f64| format!("{figure:.0} %");
    let cpu = over_time(plan, "CPU over the turns", &curves, &percent)?;
    Some((caption, cpu))
}

/// CPU use of each turn over the time that passed in turns, without those of the others in between.
fn cpu_of_turns(turns: &[KeptTurn]) -> Vec<(f64, f64)> {
    let mut elapsed = 0.0;
    turns
        .iter()
        .filter(|turn| turn.wall_ns > 0)
        .map(|turn| {
            let wall = turn.wall_ns as f64;
            elapsed += wall;
            (elapsed, (turn.user_ns + turn.sys_ns) as f64 / wall * 100.0)
        })
        .collect()
}

/// The most points of a curve: more are not seen.
const MOST_POINTS: usize = 120;

fn over_time(
    plan: &Plan,
    title: &str,
    curves: &[Vec<(f64, f64)>],
    label: &dyn Fn(f64) -> String,
) -> Option<Svg> {
    const HEIGHT: f64 = 130.0;
    let curves: Vec<Vec<(f64, f64)>> = curves.iter().map(|curve| thin(curve)).collect();
    if curves.iter().all(|curve| curve.len() < 2) {
        return None;
    }
    let points = || curves.iter().flatten();
    let across = Scale::from_zero(points().map(|(x, _)| *x))?;
    let up = Scale::from_zero(points().map(|(_, y)| *y))?;
    let y = |figure: f64| 8.0 + (1.0 - up.place(figure)) * (HEIGHT - 30.0);
    let x = |time: f64| 12.0 + across.place(time) * 88.0;
    let mut drawing = Drawing::new(HEIGHT);
    for tick in up.ticks(4) {
        drawing.line("grid", (12.0, y(tick)), (100.0, y(tick)));
        drawing.text("tick", (11.0, y(tick) + 4.0), Anchor::End, &label(tick));
    }
    for tick in across.ticks(4).into_iter().skip(1) {
        let anchor = if x(tick) > 94.0 {
            Anchor::End
        } else {
            Anchor::Middle
        };
        drawing.text("tick", (x(tick), HEIGHT - 2.0), anchor, &words::time(tick));
    }
    let mut said = Vec::new();
    for (variant, curve) in curves.iter().enumerate() {
        let placed: Vec<(f64, f64)> = curve.iter().map(|(a, b)| (x(*a), y(*b))).collect();
        drawing.path(&format!("curve {}", series(variant)), &placed);
        if let Some((x, y)) = placed.last() {
            drawing.marker(&symbol(variant), &series(variant), (*x, *y));
        }
        let figures: Vec<f64> = curve.iter().map(|(_, figure)| *figure).collect();
        if let Some(median) = crate::stats::median(&figures) {
            let highest = figures.iter().copied().fold(0.0, f64::max);
            said.push(format!(
                "{}: median {}, highest {}",
                plan.variants[variant].name,
                label(median),
                label(highest)
            ));
        }
    }
    Some(drawing.finish(title, &said.join("; ")))
}

/// Means of neighbours, so that at most [`MOST_POINTS`] are left.
fn thin(curve: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = curve.len().div_ceil(MOST_POINTS).max(1);
    curve
        .chunks(every)
        .map(|chunk| {
            let n = chunk.len() as f64;
            let sums = chunk
                .iter()
                .fold((0.0, 0.0), |sums, p| (sums.0 + p.0, sums.1 + p.1));
            (sums.0 / n, sums.1 / n)
        })
        .collect()
}
