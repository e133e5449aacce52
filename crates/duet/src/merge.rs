//! Several results folders side by side: each machine is a level of its own, and times are never pooled.
//!
//! A time on one machine says nothing about a time on another, and the interval of one says nothing about a third.
//! What can be compared are the ratios and verdicts that each machine came to by itself.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::analysis::{Comparison, RatioInterval, RunResult};
use crate::error::{Error, Result};
use crate::machine::Machine;
use crate::plan::Plan;
use crate::stats::{self, Verdict};

/// The version of `merged.json`.
pub const MERGED_SCHEMA: u32 = 1;

/// A run that takes part.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its results folder.
    pub folder: PathBuf,
    /// What was planned.
    pub plan: Plan,
    /// Where it was run.
    pub machine: Machine,
    /// What it says.
    pub result: RunResult,
}

/// Several runs side by side; `merged.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Merged {
    /// The version of this format: [`MERGED_SCHEMA`].
    pub schema: u32,
    /// The variant that the others are compared with, on every machine.
    pub reference: String,
    /// The margin of equivalence as a ratio minus one, on every machine.
    pub margin: f64,
    /// The machines in the order of the folders.
    pub machines: Vec<MergedMachine>,
    /// One per case and variant that any machine has.
    pub comparisons: Vec<MergedComparison>,
}

/// One of the machines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedMachine {
    /// A letter that it is called by: `A`, `B`, ….
    pub name: String,
    /// Its results folder.
    pub folder: String,
    /// The processor.
    pub cpu: Option<String>,
    /// CPUs that are online.
    pub logical_cpus: Option<u32>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// What it is a guest of.
    pub virtualisation: Option<String>,
    /// The versions of the variants' C libraries: variant and version.
    pub libcs: Vec<(String, String)>,
    /// The suite.
    pub suite: String,
    /// When the plan was made, RFC 3339.
    pub created: String,
    /// Blocks a case that were planned.
    pub blocks: usize,
    /// Blocks that were dropped.
    pub dropped: usize,
    /// An earlier machine whose facts are the same: then these may be two runs on one machine.
    pub looks_like: Option<String>,
}

/// A variant against the reference on one case, on every machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedComparison {
    /// The case's id.
    pub case: String,
    /// The variant.
    pub variant: String,
    /// What each machine says, in the order of the machines; null where it did not measure it.
    pub machines: Vec<Option<OnMachine>>,
    /// Whether they say the same.
    pub agreement: Agreement,
    /// The lowest of the machines' ratios.
    pub lowest: f64,
    /// The median of the machines' ratios. It describes these machines; nothing says how far it holds for another.
    pub median: f64,
    /// The highest of the machines' ratios.
    pub highest: f64,
}

/// What one machine says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnMachine {
    /// The verdict, corrected for the comparisons of its own run.
    pub verdict: Verdict,
    /// The metric that it rests on.
    pub metric: String,
    /// The median ratio of that metric.
    pub ratio: f64,
    /// Its interval.
    pub interval_95: Option<RatioInterval>,
    /// Valid blocks.
    pub blocks: usize,
}

/// Whether machines say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Agreement {
    /// The same verdict everywhere, and it is not `inconclusive`.
    Agree,
    /// Some are inconclusive, and the others agree.
    Partly,
    /// Equivalent on some, faster or slower on others.
    Differ,
    /// Faster on some, slower on others.
    Contradict,
    /// Inconclusive everywhere.
    Open,
    /// Only one machine measured it.
    Single,
}

impl Agreement {
    fn of(verdicts: &[Verdict]) -> Self {
        let has = |verdict| verdicts.contains(&verdict);
        let (slower, faster) = (has(Verdict::Slower), has(Verdict::Faster));
        let (equivalent, open) = (has(Verdict::Equivalent), has(Verdict::Inconclusive));
        match () {
            () if verdicts.len() < 2 => Self::Single,
            () if slower && faster => Self::Contradict,
            () if equivalent && (slower || faster) => Self::Differ,
            () if open && !(slower || faster || equivalent) => Self::Open,
            () if open => Self::Partly,
            () => Self::Agree,
        }
    }

    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Partly => "partly open",
            Self::Differ => "differ",
            Self::Contradict => "contradict",
            Self::Open => "open",
            Self::Single => "one machine",
        }
    }
}

/// Puts runs side by side.
///
/// # Errors
/// Fewer than two runs, one that is given twice, or runs that do not answer the same question: another reference or
/// margin, a variant or case that means something else, or nothing in common.
pub fn merge(members: &[Member]) -> Result<Merged> {
    let [first, others @ ..] = members else {
        return Err(Error::Usage("there is no results folder to merge".into()));
    };
    if others.is_empty() {
        return Err(Error::Usage(
            "one results folder has nothing to be merged with; give two or more".into(),
        ));
    }
    for (index, member) in members.iter().enumerate() {
        for earlier in &members[..index] {
            check_pair(earlier, member)?;
        }
    }
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for comparison in members.iter().flat_map(|member| &member.result.comparisons) {
        let key = (comparison.case.as_str(), comparison.variant.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let comparisons: Vec<MergedComparison> = keys
        .into_iter()
        .filter_map(|(case, variant)| side_by_side(case, variant, members))
        .collect();
    if comparisons.iter().all(|c| c.agreement == Agreement::Single) {
        return Err(Error::Usage(format!(
            "{} have no case with the same variant in common that both measured; merge runs of the same suite",
            folders(members)
        )));
    }
    Ok(Merged {
        schema: MERGED_SCHEMA,
        reference: first.result.reference.clone(),
        margin: first.plan.margin,
        machines: machines(members),
        comparisons,
    })
}

fn folders(members: &[Member]) -> String {
    let names: Vec<String> = members
        .iter()
        .map(|member| member.folder.display().to_string())
        .collect();
    names.join(" and ")
}

/// Whether two runs answer the same question.
fn check_pair(a: &Member, b: &Member) -> Result<()> {
    let (one, other) = (a.folder.display(), b.folder.display());
    let differ = |what: String| {
        Err(Error::Usage(format!(
            "{one} and {other} cannot be merged: {what}"
        )))
    };
    if same_file(&a.folder, &b.folder) {
        return Err(Error::Usage(format!("{other} is given twice")));
    }
    if a.result.reference != b.result.reference {
        return differ(format!(
            "the reference is `{}` in the first and `{}` in the second; name the same variant first in both runs \
             (--variants)",
            a.result.reference, b.result.reference
        ));
    }
    if a.plan.margin != b.plan.margin {
        return differ(format!(
            "the margin of equivalence is {} in the first and {} in the second, so that \"equivalent\" does not \
             mean the same",
            a.plan.margin, b.plan.margin
        ));
    }
    for variant in &a.plan.variants {
        let same_name = |other: &&crate::plan::PlannedVariant| other.name == variant.name;
        if let Some(other) = b.plan.variants.iter().find(same_name)
            && other.settings != variant.settings
        {
            return differ(format!(
                "the variant `{}` is built or run in another way in the second (plan.toml has the settings)",
                variant.name
            ));
        }
    }
    for case in &a.plan.cases {
        if let Some(other) = b.plan.cases.iter().find(|other| other.id == case.id)
            && other.args != case.args
        {
            return differ(format!(
                "the case `{}` has the arguments `{}` in the first and `{}` in the second",
                case.id,
                case.args.join(" "),
                other.args.join(" ")
            ));
        }
    }
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

fn side_by_side(case: &str, variant: &str, members: &[Member]) -> Option<MergedComparison> {
    let on_machine = |comparison: &Comparison| {
        let estimate = comparison.primary();
        OnMachine {
            verdict: comparison.verdict,
            metric: comparison.metric.clone(),
            ratio: estimate.ratio,
            interval_95: estimate.interval_95,
            blocks: estimate.blocks,
        }
    };
    let machines: Vec<Option<OnMachine>> = members
        .iter()
        .map(|member| {
            let mut comparisons = member.result.comparisons.iter();
            let found = comparisons.find(|c| c.case == case && c.variant == variant);
            found.map(on_machine)
        })
        .collect();
    let measured: Vec<&OnMachine> = machines.iter().flatten().collect();
    let verdicts: Vec<Verdict> = measured.iter().map(|on| on.verdict).collect();
    let ratios: Vec<f64> = measured.iter().map(|on| on.ratio).collect();
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    Some(MergedComparison {
        case: case.into(),
        variant: variant.into(),
        agreement: Agreement::of(&verdicts),
        lowest: ratios.iter().copied().fold(f64::INFINITY, f64::min),
        median: stats::median(&logs)?.exp(),
        highest: ratios.iter().copied().fold(0.0, f64::max),
        machines,
    })
}

fn machines(members: &[Member]) -> Vec<MergedMachine> {
    let facts = |member: &Member| {
        let host = &member.machine.host;
        let memory = host.memory_bytes;
        (
            host.cpu_model.clone(),
            host.logical_cpus,
            memory,
            host.kernel.clone(),
        )
    };
    members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            let earlier = members[..index]
                .iter()
                .position(|e| facts(e) == facts(member));
            let host = &member.machine.host;
            let libcs = member.plan.variants.iter().map(|variant| {
                let identity = &variant.identity;
                let version = identity.libc_version.as_deref().unwrap_or("?");
                (variant.name.clone(), format!("{} {version}", identity.libc))
            });
            MergedMachine {
                name: letter(index),
                folder: member.folder.display().to_string(),
                cpu: host.cpu_model.clone(),
                logical_cpus: host.logical_cpus,
                memory_bytes: host.memory_bytes,
                kernel: host.kernel.clone(),
                virtualisation: host.virtualisation.clone(),
                libcs: libcs.collect(),
                suite: member.plan.suite.clone(),
                created: member.plan.created.clone(),
                blocks: member.plan.blocks,
                dropped: member.result.dropped.len(),
                looks_like: earlier.map(letter),
            }
        })
        .collect()
}

/// `A` to `Z`, then `A2`, ….
fn letter(index: usize) -> String {
    let letter = char::from(b'A' + (index % 26) as u8);
    match index / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{}", round + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Equivalent, Faster, Inconclusive, Slower};

    #[test]
    fn agreement_needs_two_that_say_something() {
        let check = |verdicts: &[Verdict], expected| assert_eq!(Agreement::of(verdicts), expected);
        check(&[Slower], Agreement::Single);
        check(&[Slower, Slower], Agreement::Agree);
        check(&[Equivalent, Equivalent], Agreement::Agree);
        check(&[Slower, Inconclusive], Agreement::Partly);
        check(&[Inconclusive, Inconclusive], Agreement::Open);
        check(&[Slower, Equivalent, Inconclusive], Agreement::Differ);
        check(&[Slower, Equivalent, Faster], Agreement::Contradict);
    }

    #[test]
    fn letters_do_not_end() {
        assert_eq!([letter(0), letter(25), letter(26)], ["A", "Z", "A2"]);
    }
}
