//! CPU and memory over time as an SVG picture that stands for itself: no script, no font, no network.
//!
//! Two plots of one line each need some fifty lines; a plotting library would be a large part of a program
//! that is measured itself.

use std::fmt::Write as _;

use probe::Timeline;

use super::report::Report;

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 460.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const PLOT_HEIGHT: f64 = 150.0;
const TOPS: [f64; 2] = [60.0, 260.0];

/// Draws the time line of a report.
pub fn draw(report: &Report) -> String {
    let timeline = &report.timeline;
    let seconds = timeline.duration_ns() as f64 / 1e9;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let title = escaped(&shortened(&report.title()));
    text(&mut svg, LEFT, 24.0, "start", 16, &title);
    let cpu = timeline.cpu_percent.iter().copied();
    let memory = timeline.rss_bytes.iter().map(|&bytes| bytes as f64 / 1e6);
    let plots = [
        ("CPU, % of one core", "#1f77b4", cpu.collect::<Vec<_>>()),
        ("resident memory, MB", "#d62728", memory.collect()),
    ];
    for ((label, colour, values), top) in plots.iter().zip(TOPS) {
        plot(&mut svg, timeline, seconds, top, label, colour, values);
    }
    let middle = LEFT + (WIDTH - LEFT - RIGHT) / 2.0;
    text(&mut svg, middle, HEIGHT - 12.0, "middle", 12, "seconds");
    svg.push_str("</svg>\n");
    svg
}

fn plot(
    svg: &mut String,
    timeline: &Timeline,
    seconds: f64,
    top: f64,
    label: &str,
    colour: &str,
    values: &[f64],
) {
    let bottom = top + PLOT_HEIGHT;
    let right = WIDTH - RIGHT;
    let (x_step, x_end) = axis(seconds);
    let (y_step, y_end) = axis(values.iter().copied().fold(0.0, f64::max));
    let x = |seconds: f64| LEFT + (right - LEFT) * seconds / x_end;
    let y = |value: f64| bottom - PLOT_HEIGHT * value / y_end;
    text(svg, LEFT, top - 8.0, "start", 12, label);
    for step in steps(y_step, y_end) {
        line(svg, LEFT, y(step), right, y(step), "#ddd");
        text(
            svg,
            LEFT - 6.0,
            y(step) + 4.0,
            "end",
            11,
            &number(step, y_step),
        );
    }
    for step in steps(x_step, x_end) {
        line(svg, x(step), bottom, x(step), bottom + 4.0, "#888");
        text(
            svg,
            x(step),
            bottom + 17.0,
            "middle",
            11,
            &number(step, x_step),
        );
    }
    line(svg, LEFT, bottom, right, bottom, "#888");
    for mark in &timeline.marks {
        let at = x(mark.elapsed_ns as f64 / 1e9);
        line(svg, at, top, at, bottom, "#2ca02c");
        text(
            svg,
            at + 3.0,
            top + 10.0,
            "start",
            10,
            &escaped(&mark.label),
        );
    }
    let points = timeline
        .elapsed_ns
        .iter()
        .zip(values)
        .map(|(&ns, &value)| format!("{:.1},{:.1}", x(ns as f64 / 1e9), y(value)))
        .collect::<Vec<_>>()
        .join(" ");
    put(
        svg,
        format_args!(
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{points}\"><title>{label}</title></polyline>"
        ),
    );
}

/// A step of 1, 2 or 5 times a power of ten, and the end of an axis from 0 that has at most six of them.
fn axis(largest: f64) -> (f64, f64) {
    if !(largest.is_finite() && largest > 0.0) {
        return (1.0, 1.0);
    }
    let magnitude = 10f64.powf((largest / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * magnitude)
        .find(|step| largest / step <= 5.0)
        .unwrap_or(10.0 * magnitude);
    (step, (largest / step).ceil() * step)
}

fn steps(step: f64, end: f64) -> impl Iterator<Item = f64> {
    let count = (end / step).round() as u32;
    (0..=count).map(move |index| f64::from(index) * step)
}

/// With as many digits behind the point as the step has.
fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{value:.digits$}")
}

fn line(svg: &mut String, x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) {
    put(
        svg,
        format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
        ),
    );
}

/// `words` is escaped already.
fn text(svg: &mut String, x: f64, y: f64, anchor: &str, size: u32, words: &str) {
    put(
        svg,
        format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\">{words}</text>"
        ),
    );
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(svg, "{element}").expect("writing to a string does not fail");
}

/// Control characters are not allowed in XML, however they are written.
fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            letter if letter.is_control() || letter == '\u{fffe}' || letter == '\u{ffff}' => {
                text.push(' ');
            }
            letter => text.push(letter),
        }
    }
    text
}

/// As much of a command as fits above a plot.
fn shortened(words: &str) -> String {
    const MOST: usize = 80;
    if words.chars().count() <= MOST {
        return words.to_owned();
    }
    words.chars().take(MOST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::report::tests::report;

    #[test]
    fn both_lines_and_the_title_are_drawn() {
        let svg = draw(&report());
        assert!(svg.starts_with("<svg xmlns="), "{svg}");
        assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
        assert!(svg.contains("make -j2 &lt;all&gt;</text>"), "{svg}");
        // 1, 2 and 3 s of an axis to 3 s; 100, 200 and 150 % of one to 200 %.
        assert!(
            svg.contains("points=\"306.7,135.0 543.3,60.0 780.0,97.5\""),
            "{svg}"
        );
        // 100, 300 and 200 MB of an axis to 300 MB.
        assert!(
            svg.contains("points=\"306.7,360.0 543.3,260.0 780.0,310.0\""),
            "{svg}"
        );
    }

    #[test]
    fn without_samples_there_are_empty_axes() {
        let empty = Report {
            timeline: Timeline::default(),
            ..report()
        };
        let svg = draw(&empty);
        assert!(svg.contains("points=\"\""), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[track_caller]
    fn check_axis(largest: f64, step: f64, end: f64) {
        let (found_step, found_end) = axis(largest);
        assert!((found_step - step).abs() < 1e-9 * step, "{found_step}");
        assert!((found_end - end).abs() < 1e-9 * end, "{found_end}");
    }

    #[test]
    fn axes_have_round_steps() {
        check_axis(200.0, 50.0, 200.0);
        check_axis(187.3, 50.0, 200.0);
        check_axis(3.0, 1.0, 3.0);
        check_axis(0.035, 0.01, 0.04);
        check_axis(5_100.0, 2_000.0, 6_000.0);
        check_axis(0.0, 1.0, 1.0);
        check_axis(f64::NAN, 1.0, 1.0);
        assert_eq!(number(0.3, 0.1), "0.3");
        assert_eq!(number(150.0, 50.0), "150");
    }

    #[test]
    fn words_are_safe_and_short() {
        assert_eq!(escaped("a<b>&\u{1b}[0m\n"), "a&lt;b&gt;&amp; [0m ");
        assert_eq!(shortened(&"é".repeat(100)).chars().count(), 80);
        assert_eq!(shortened("cargo build"), "cargo build");
    }
}
