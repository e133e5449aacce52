//! What a variant costs before its first iteration: size, build, start.

use serde::{Deserialize, Serialize};

use super::metric::log_ratio;
use super::{ALPHA, RatioInterval};
use crate::container::ContainerUse;
use crate::journal::KeptBlock;
use crate::plan::{Contained, Plan, PlannedVariant};
use crate::stats;

/// What a variant costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VariantCosts {
    /// The variant.
    pub variant: String,
    /// The size of its binary, debug line tables included.
    pub binary_bytes: u64,
    /// Seconds that its first build took; absent where cargo had it already or the time was not taken.
    pub build_seconds: Option<f64>,
    /// The time of a start that does nothing but say what it is; absent where it was not measured.
    pub startup: Option<Startup>,
    /// What its containers cost; absent where it runs in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerCosts>,
}

/// What the image and the containers of a variant cost. Its start-up is that of a whole container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerCosts {
    /// The image's id.
    pub image: String,
    /// The image's size in bytes, its base included.
    pub image_bytes: u64,
    /// Its layers.
    pub layers: usize,
    /// Seconds that making it took, or finding that it was made already.
    pub image_seconds: f64,
    /// What its base stands in for an official image with; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
    /// The cap on CPU time per time, in CPUs.
    pub cpus: f64,
    /// The cap on memory, as the engine writes it.
    pub memory: String,
    /// Containers of valid blocks whose control group was read.
    pub containers: usize,
    /// Those that the quota stopped at some time.
    pub throttled: usize,
    /// The time for which it stopped them, nanoseconds, summed over CPUs and over the containers.
    pub throttled_ns: u64,
    /// The most memory that one of their control groups held, in bytes; absent where it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak_bytes: Option<u64>,
}

/// The time from starting the program to its end, when it has nothing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Startup {
    /// Starts.
    pub starts: usize,
    /// The median, nanoseconds.
    pub median_ns: f64,
    /// The median ratio to the reference's start of the same number; absent for the reference.
    pub ratio: Option<f64>,
    /// Its exact interval at 95 % or more.
    pub interval_95: Option<RatioInterval>,
}

pub(super) fn costs(plan: &Plan, blocks: &[KeptBlock]) -> Vec<VariantCosts> {
    plan.variants
        .iter()
        .enumerate()
        .map(|(index, variant)| VariantCosts {
            variant: variant.name.clone(),
            binary_bytes: variant.binary_bytes,
            build_seconds: variant.build_seconds,
            startup: startup(variant, (index > 0).then(|| &plan.variants[0])),
            container: variant
                .container
                .as_ref()
                .map(|contained| container(&variant.name, contained, blocks)),
        })
        .collect()
}

fn container(name: &str, contained: &Contained, blocks: &[KeptBlock]) -> ContainerCosts {
    let used: Vec<&ContainerUse> = blocks
        .iter()
        .filter(|block| block.dropped.is_none())
        .flat_map(|block| &block.processes)
        .filter(|process| &*process.variant == name)
        .filter_map(|process| process.container.as_deref())
        .collect();
    let throttled = used.iter().filter_map(|one| one.throttled_ns);
    let Contained { engine, image } = contained;
    ContainerCosts {
        image: image.id.clone(),
        image_bytes: image.bytes,
        layers: image.layers,
        image_seconds: image.seconds,
        stand_in: image.stand_in.clone(),
        cpus: engine.cpus,
        memory: engine.memory.clone(),
        containers: used.len(),
        throttled: throttled.clone().filter(|ns| *ns > 0).count(),
        throttled_ns: throttled.fold(0, u64::saturating_add),
        memory_peak_bytes: used.iter().filter_map(|one| one.memory_peak_bytes).max(),
    }
}

fn startup(variant: &PlannedVariant, reference: Option<&PlannedVariant>) -> Option<Startup> {
    let times = variant.startup_ns.as_deref()?;
    let floats: Vec<f64> = times.iter().map(|ns| *ns as f64).collect();
    // Starts of the same number happened next to each other.
    let pairs: Option<Vec<f64>> = reference
        .and_then(|reference| reference.startup_ns.as_deref())
        .and_then(|reference| {
            let pairs = reference.iter().zip(times);
            pairs
                .map(|(a, b)| log_ratio(*a as f64, *b as f64))
                .collect()
        });
    let pairs = pairs.unwrap_or_default();
    Some(Startup {
        starts: times.len(),
        median_ns: stats::median(&floats)?,
        ratio: stats::median(&pairs).map(f64::exp),
        interval_95: stats::median_interval(&pairs, 1.0 - ALPHA).map(RatioInterval::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Engine, Image};
    use crate::journal::{Entry, keep};
    use crate::testing::{entries, plan};

    #[test]
    fn what_containers_used_is_put_together_by_variant() {
        let mut plan = plan(2, &["a/b/c"]);
        plan.variants[1].container = Some(Contained {
            engine: Engine {
                client: "docker".into(),
                version: "1".into(),
                cpus: 0.5,
                memory: "256m".into(),
            },
            image: Image {
                id: "sha256:1".into(),
                name: "w:b".into(),
                bytes: 9,
                layers: 2,
                seconds: 1.0,
                stand_in: None,
            },
        });
        let mut entries = entries(&plan);
        let mut throttled = [0, 7].into_iter();
        for entry in &mut entries {
            if let Entry::Process(process) = entry
                && process.variant == "b"
            {
                process.container = Some(ContainerUse {
                    throttled_ns: throttled.next(),
                    memory_peak_bytes: Some(100 + process.block as u64),
                    ..ContainerUse::default()
                });
            }
        }
        let found = costs(&plan, &keep(&entries));
        assert_eq!(found[0].container, None);
        let container = found[1].container.as_ref().expect("it has an image");
        assert_eq!(
            (
                container.containers,
                container.throttled,
                container.throttled_ns
            ),
            (2, 1, 7)
        );
        assert_eq!(
            (container.memory_peak_bytes, container.layers),
            (Some(101), 2)
        );
    }
}
