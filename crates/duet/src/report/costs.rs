//! What each variant costs, in words.

use super::words;
use crate::analysis::{ContainerCosts, RunResult, VariantCosts};

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
    /// Its image, where it runs in containers: size, layers, time.
    pub image: Option<String>,
    /// What its containers may use and did, in a sentence.
    pub containers: Option<String>,
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
            image: costs.container.as_ref().map(image),
            containers: costs.container.as_ref().map(containers),
        }
    };
    result.variants.iter().map(row).collect()
}

fn image(costs: &ContainerCosts) -> String {
    let stand_in = match &costs.stand_in {
        Some(words) => format!("; base: {words}"),
        None => String::new(),
    };
    format!(
        "{} in {} layers, made in {:.1} s{stand_in}",
        words::bytes(costs.image_bytes as f64),
        costs.layers,
        costs.image_seconds
    )
}

fn containers(costs: &ContainerCosts) -> String {
    let caps = format!("{} CPUs, {} without swap", costs.cpus, costs.memory);
    if costs.containers == 0 {
        return format!("{caps}; what their control groups counted could not be read");
    }
    let peak = match costs.memory_peak_bytes {
        Some(bytes) => format!("at most {} held", words::bytes(bytes as f64)),
        None => "memory not known".into(),
    };
    let throttled = match costs.throttled {
        0 => "none stopped by the CPU quota".into(),
        some => format!(
            "{some} of {} stopped by the CPU quota, for {} together",
            costs.containers,
            words::time(costs.throttled_ns as f64)
        ),
    };
    format!("{caps}; {peak}; {throttled}")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn costs() -> ContainerCosts {
        ContainerCosts {
            image: "sha256:0".into(),
            image_bytes: 22_400_000,
            layers: 2,
            image_seconds: 1.04,
            stand_in: None,
            cpus: 0.5,
            memory: "256m".into(),
            containers: 4,
            throttled: 0,
            throttled_ns: 0,
            memory_peak_bytes: Some(19_000_000),
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut ContainerCosts), image_part: &str, part: &str) {
        let mut costs = costs();
        change(&mut costs);
        let (image, containers) = (image(&costs), containers(&costs));
        assert!(image.contains(image_part), "{image}");
        assert!(containers.contains(part), "{containers}");
    }

    #[test]
    fn images_and_containers_in_words() {
        check(
            |_| {},
            "22.4 MB in 2 layers, made in 1.0 s",
            "0.5 CPUs, 256m without swap; at most 19",
        );
        check(|_| {}, "", "none stopped");
        check(
            |c| c.stand_in = Some("not Alpine".into()),
            "base: not Alpine",
            "",
        );
        check(
            |c| (c.throttled, c.throttled_ns) = (3, 2_000_000_000),
            "",
            "3 of 4 stopped by the CPU quota, for 2",
        );
        check(|c| c.memory_peak_bytes = None, "", "memory not known");
        check(|c| c.containers = 0, "", "could not be read");
    }
}
