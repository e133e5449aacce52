//! What each variant costs, in words.

use super::words;
use crate::analysis::{RunResult, VariantCosts};

/// A row of the table of costs.
#[derive(Debug)]
pub struct CostRow {
    /// The variant.
    pub variant: String,
    /// Its binary, with the difference to the reference's.
    pub binary: String,
    /// Its start-up time, with the ratio.
    pub startup: String,
    /// Its build time.
    pub build: String,
    /// Its peak memory over the cases, as a ratio.
    pub memory: String,
}

/// What each variant costs.
pub fn cost_rows(result: &RunResult) -> Vec<CostRow> {
    let reference_bytes = result
        .variants
        .first()
        .map_or(0.0, |v| v.binary_bytes as f64);
    let row = |costs: &VariantCosts| {
        let size = costs.binary_bytes as f64;
        let difference = match size - reference_bytes {
            0.0 => String::new(),
            d if d < 0.0 => format!(" (−{})", words::bytes(-d)),
            d => format!(" (+{})", words::bytes(d)),
        };
        let startup = costs.startup.as_ref().map(|startup| {
            let ratio = startup.ratio.map_or(String::new(), |ratio| {
                let interval = match startup.interval_95 {
                    Some(_) => format!(", {}", words::interval(startup.interval_95)),
                    None => String::new(),
                };
                format!(" ({}{interval})", words::percent(ratio))
            });
            format!("{}{ratio}", words::time(startup.median_ns))
        });
        let build = costs.build_seconds.map(|seconds| match seconds {
            s if s < 100.0 => format!("{s:.1} s"),
            s => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
        });
        CostRow {
            variant: costs.variant.clone(),
            binary: format!("{}{difference}", words::bytes(size)),
            startup: startup.unwrap_or("–".into()),
            build: build.unwrap_or("–".into()),
            memory: memory(&costs.variant, result),
        }
    };
    result.variants.iter().map(row).collect()
}

/// The ratio of peak memory over the cases: the median, and from where to where.
fn memory(variant: &str, result: &RunResult) -> String {
    let mut ratios: Vec<f64> = result
        .comparisons
        .iter()
        .filter(|c| c.variant == variant)
        .filter_map(|c| Some(c.exploratory.get("peak_rss_bytes")?.ratio))
        .collect();
    ratios.sort_by(f64::total_cmp);
    match (crate::stats::median(&ratios), ratios.first(), ratios.last()) {
        (Some(median), Some(low), Some(high)) => format!(
            "{} ({} to {})",
            words::percent(median),
            words::percent(*low),
            words::percent(*high)
        ),
        _ => "–".into(),
    }
}
