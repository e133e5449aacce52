//! The ratio plot: an interval a comparison on a common logarithmic axis, grouped by workload.

use super::scale::Scale;
use super::svg::{Anchor, Drawing, Svg};
use crate::analysis::{RatioInterval, RunResult, workload};
use crate::report::words;
use crate::stats::Verdict;

/// The plot: one row a comparison, each with its own drawing, so that names are text of the page.
#[derive(Debug)]
pub struct RatioPlot {
    /// The axis.
    pub axis: Svg,
    /// The workloads.
    pub groups: Vec<Group>,
}

/// The rows of a workload.
#[derive(Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The rows.
    pub rows: Vec<Row>,
}

/// A comparison, or a mean of many.
#[derive(Debug)]
pub struct Row {
    /// The case without its workload.
    pub label: String,
    /// Whether the row above has the same label, so that it need not be seen again.
    pub repeated: bool,
    /// The variant.
    pub variant: String,
    /// The drawing; what it shows stands beside it.
    pub plot: Svg,
    /// The ratio in words.
    pub ratio: String,
    /// Its interval in words.
    pub interval: String,
    /// The verdict; for a mean there is none.
    pub verdict: Option<Verdict>,
    /// Whether the verdict rests on CPU time.
    pub cpu: bool,
}

/// The height of a row's drawing.
const ROW: f64 = 22.0;

/// The least distance between two labels of the axis, in per cent of its width: a label and a gap on a phone.
const LABELS_APART: f64 = 17.0;

/// The widest axis: up to a factor of this; what lies beyond is an arrow at its end.
const WIDEST: f64 = 2.0;

/// The plot of all comparisons.
pub fn ratio_plot(result: &RunResult) -> RatioPlot {
    let ratios = result.comparisons.iter().map(|c| c.primary());
    let axis = Axis::new(
        ratios.flat_map(|estimate| {
            let ends = estimate.interval_95.map(|i| [i.low, i.high]);
            [estimate.ratio]
                .into_iter()
                .chain(ends.into_iter().flatten())
        }),
        result.margin,
    );
    let mut groups: Vec<Group> = Vec::new();
    let mut above = None;
    for comparison in &result.comparisons {
        let name = workload(&comparison.case);
        if groups.last().is_none_or(|group| group.name != name) {
            groups.push(Group {
                name: name.into(),
                rows: Vec::new(),
            });
        }
        let estimate = comparison.primary();
        let case = &comparison.case;
        let case_above = above.replace(case);
        let row = Row {
            repeated: case_above == Some(case),
            label: case
                .split_once('/')
                .map_or(case.as_str(), |(_, rest)| rest)
                .into(),
            variant: comparison.variant.clone(),
            plot: axis.row(
                estimate.ratio,
                estimate.interval_95,
                Some(comparison.verdict),
            ),
            ratio: words::percent(estimate.ratio),
            interval: words::interval(estimate.interval_95),
            verdict: Some(comparison.verdict),
            cpu: comparison.rests_on_cpu(),
        };
        if let Some(group) = groups.last_mut() {
            group.rows.push(row);
        }
    }
    RatioPlot {
        axis: axis.drawing(),
        groups,
    }
}

/// The plot of the geometric means: the suite first, then its workloads.
pub fn summary_plot(result: &RunResult) -> Option<RatioPlot> {
    let ratios = result.summaries.iter().flat_map(|summary| {
        let ends = summary.interval_95.map(|i| [i.low, i.high]);
        [summary.ratio]
            .into_iter()
            .chain(ends.into_iter().flatten())
    });
    let axis = Axis::new(ratios, result.margin);
    let rows: Vec<Row> = result
        .summaries
        .iter()
        .map(|summary| Row {
            repeated: false,
            label: match &summary.workload {
                Some(workload) => format!("{workload} ({})", summary.cases),
                None => format!("all cases ({})", summary.cases),
            },
            variant: summary.variant.clone(),
            plot: axis.row(summary.ratio, summary.interval_95, None),
            ratio: words::percent(summary.ratio),
            interval: words::interval(summary.interval_95),
            verdict: None,
            cpu: false,
        })
        .collect();
    let more_than_one_case = result.summaries.iter().any(|summary| summary.cases > 1);
    more_than_one_case.then(|| RatioPlot {
        axis: axis.drawing(),
        groups: vec![Group {
            name: String::new(),
            rows,
        }],
    })
}

/// The common axis of ratios.
#[derive(Debug)]
pub struct Axis {
    scale: Scale,
    margin: f64,
}

impl Axis {
    /// An axis for these ratios, symmetric about 1.
    pub fn new(ratios: impl Iterator<Item = f64>, margin: f64) -> Self {
        let widest = ratios
            .map(|ratio| ratio.ln().abs())
            .filter(|log| log.is_finite())
            .fold((1.0 + margin).ln() * 1.6, f64::max)
            .min(WIDEST.ln())
            * 1.06;
        Self {
            scale: Scale::ratios((-widest).exp(), widest.exp()),
            margin,
        }
    }

    fn at(&self, ratio: f64) -> f64 {
        self.scale.place(ratio) * 100.0
    }

    /// Round ratios, from 1 downwards and from 1 upwards.
    fn ticks(&self) -> Vec<f64> {
        let steps: [&[f64]; 4] = [
            &[0.01, 0.02, 0.03, 0.04, 0.05],
            &[0.05, 0.1, 0.15, 0.2],
            &[0.1, 0.2, 0.3, 0.5],
            &[0.25, 0.5, 1.0],
        ];
        // The finest that does not go on beyond its last step.
        let last_is_outside = |steps: &&&[f64]| {
            steps
                .last()
                .is_some_and(|last| !self.scale.contains(1.0 + last))
        };
        let steps = steps
            .iter()
            .find(last_is_outside)
            .copied()
            .unwrap_or(steps[3]);
        let up = steps.iter().map(|step| 1.0 + step);
        let down = steps.iter().map(|step| 1.0 / (1.0 + step));
        let ticks = [1.0].into_iter().chain(down).chain(up);
        ticks.filter(|tick| self.scale.contains(*tick)).collect()
    }

    /// The axis itself: what its ticks are, and which side is which.
    pub fn drawing(&self) -> Svg {
        let mut drawing = Drawing::new(34.0);
        drawing.text("axis-side", (0.0, 11.0), Anchor::Start, "← takes less");
        drawing.text("axis-side", (100.0, 11.0), Anchor::End, "takes more →");
        for tick in self.ticks() {
            let x = self.at(tick);
            drawing.line("grid", (x, 29.0), (x, 34.0));
        }
        for (tick, x) in self.labels() {
            let label = match tick == 1.0 {
                true => "same".into(),
                false if (0.5..2.0).contains(&tick) => {
                    let sign = if tick < 1.0 { "−" } else { "+" };
                    format!("{sign}{:.0}%", (tick - 1.0).abs() * 100.0)
                }
                false => words::percent(tick),
            };
            drawing.text("tick", (x, 26.0), Anchor::Middle, &label);
        }
        drawing.finish_beside_text()
    }

    /// The ticks that have a label, with the places of these, so that no two of them touch each other.
    fn labels(&self) -> Vec<(f64, f64)> {
        let mut labels: Vec<(f64, f64)> = Vec::new();
        for tick in self.ticks() {
            // At the end of the axis half of the label would have no room.
            let ends = (LABELS_APART / 2.0, 100.0 - LABELS_APART / 2.0);
            let place = self.at(tick).clamp(ends.0, ends.1);
            let is_free = |(_, other): &(f64, f64)| (place - other).abs() >= LABELS_APART;
            if labels.iter().all(is_free) {
                labels.push((tick, place));
            }
        }
        labels
    }

    /// A row: the band of equivalence, the interval and the estimate.
    pub fn row(
        &self,
        ratio: f64,
        interval: Option<RatioInterval>,
        verdict: Option<Verdict>,
    ) -> Svg {
        let mut drawing = Drawing::new(ROW);
        let middle = ROW / 2.0;
        let band = (
            self.at(1.0 / (1.0 + self.margin)),
            self.at(1.0 + self.margin),
        );
        drawing.rectangle("band", (band.0, 0.0), (band.1, ROW));
        for tick in self.ticks() {
            let class = if tick == 1.0 { "one" } else { "grid" };
            drawing.line(class, (self.at(tick), 0.0), (self.at(tick), ROW));
        }
        let class = verdict.map_or("mean".to_string(), |verdict| format!("v-{verdict}"));
        if let Some(interval) = interval {
            let (low, high) = (self.at(interval.low), self.at(interval.high));
            drawing.line(&format!("whisker {class}"), (low, middle), (high, middle));
            for end in [interval.low, interval.high] {
                if self.scale.contains(end) {
                    let x = self.at(end);
                    drawing.line(
                        &format!("whisker {class}"),
                        (x, middle - 4.0),
                        (x, middle + 4.0),
                    );
                }
            }
        }
        let symbol = match (self.scale.contains(ratio), verdict) {
            (false, _) if ratio > 1.0 => "m-beyond-more",
            (false, _) => "m-beyond-less",
            (true, Some(Verdict::Slower)) => "m-slower",
            (true, Some(Verdict::Faster)) => "m-faster",
            (true, Some(Verdict::Equivalent)) => "m-equivalent",
            (true, Some(Verdict::Inconclusive)) => "m-inconclusive",
            (true, None) => "m-mean",
        };
        drawing.marker(symbol, &class, (self.at(ratio), middle));
        drawing.finish_beside_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_an_axis_do_not_touch() {
        for widest in (101..=200).map(|percent| f64::from(percent) / 100.0) {
            let axis = Axis::new([widest].into_iter(), 0.001);
            let mut places: Vec<f64> = axis.labels().iter().map(|(_, place)| *place).collect();
            places.sort_by(f64::total_cmp);
            assert!(places.len() >= 3, "{widest}: {places:?}");
            let mut gaps = places.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(gaps.all(|gap| gap >= LABELS_APART), "{widest}: {places:?}");
        }
    }
}
