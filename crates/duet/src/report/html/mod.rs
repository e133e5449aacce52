//! `report.html`: one file with everything in it, which needs no network.
//!
//! Names from the configuration and words from processes reach the page through the template, which escapes
//! them (`askama` knows by the file's ending that it is HTML), or through [`svg`], which does it itself.
//! A policy in the page's head allows no script but its own.

mod case;
mod case_plots;
mod facts;
pub(super) mod ratio;
mod scale;
mod scaling;
mod self_test;
pub(super) mod svg;

use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use self::case::CaseView;
use self::facts::{Fact, VerdictRow};
use self::ratio::RatioPlot;
use self::scaling::ScalingGroup;
use self::self_test::SelfTest;
use super::answer::{Answer, answers};
use super::costs::{CostRow, cost_rows};
use super::{Report, csv, words};
use crate::analysis::{DroppedBlock, valid_blocks_of_cases};
use crate::plan::NotRun;

/// The page's style, the same for one run and for several.
pub(super) const STYLE: &str = include_str!("../../../templates/style.css");

/// The page's script: sorting and opening; the page is whole without it.
pub(super) const SCRIPT: &str = include_str!("../../../templates/script.js");

/// The markers, defined once a page.
pub(super) const SYMBOLS: &str = include_str!("../../../templates/symbols.svg");

/// The largest table of figures that is put into the page; a larger one is in `samples.csv` only.
const LARGEST_DATA_BYTES: usize = 700_000;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    style: &'static str,
    script: &'static str,
    script_hash: String,
    symbols: &'static str,
    title: String,
    suite: &'a str,
    date: String,
    cpu: String,
    reference: &'a str,
    margin: String,
    answers: Vec<Answer>,
    means: Option<RatioPlot>,
    several: bool,
    verdicts: Vec<VerdictRow>,
    ratios: RatioPlot,
    caveats: Vec<String>,
    not_run: &'a [NotRun],
    dropped: &'a [DroppedBlock],
    scaling: Vec<ScalingGroup>,
    costs: Vec<CostRow>,
    has_containers: bool,
    resources: Vec<(String, String, Vec<String>)>,
    cases: Vec<CaseView>,
    legend: Vec<(String, String, String)>,
    validity: Vec<Fact>,
    self_test: Option<SelfTest>,
    machine: Vec<Fact>,
    variants: Vec<facts::VariantRow>,
    command: String,
    data: Option<String>,
    version: &'a str,
}

/// The page.
pub fn html(report: &Report) -> String {
    let Report {
        plan,
        machine,
        blocks,
        result,
        self_test,
    } = *report;
    let names: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
    let by_case = valid_blocks_of_cases(plan, blocks);
    let cases = by_case
        .iter()
        .enumerate()
        .filter(|(_, (_, blocks))| !blocks.is_empty())
        .map(|(number, (case, blocks))| case::case_view(number, plan, case, blocks, result));
    let cases: Vec<CaseView> = cases.collect();
    let data = csv::processes(report);
    let legend = plan.variants.iter().enumerate();
    let page = Page {
        style: STYLE,
        script: SCRIPT,
        script_hash: script_hash(),
        symbols: SYMBOLS,
        title: names.join(" / "),
        suite: &plan.suite,
        date: words::moment(&plan.created),
        cpu: machine
            .host
            .cpu_model
            .clone()
            .unwrap_or("unknown processor".into()),
        reference: &result.reference,
        margin: words::margin(result.margin),
        answers: answers(plan, result),
        means: ratio::summary_plot(result),
        several: plan.variants.len() > 2,
        verdicts: facts::verdict_rows(result, &cases),
        ratios: ratio::ratio_plot(result),
        caveats: words::caveats(plan, result),
        not_run: &result.not_run,
        dropped: &result.dropped,
        scaling: scaling::scaling(plan, result),
        costs: cost_rows(result),
        has_containers: result
            .variants
            .iter()
            .any(|costs| costs.container.is_some()),
        resources: facts::resource_rows(result),
        cases,
        legend: legend
            .map(|(index, v)| (svg::symbol(index), svg::series(index), v.name.clone()))
            .collect(),
        validity: facts::validity(plan, result),
        self_test: self_test.and_then(self_test::self_test),
        machine: facts::machine(plan, machine),
        variants: facts::variant_rows(plan),
        command: machine.command_line.join(" "),
        data: (data.len() <= LARGEST_DATA_BYTES).then(|| csv::data_address(&data)),
        version: &machine.duet_version,
    };
    let page = page.render().expect("writing to a string does not fail");
    keep_units(&page)
}

/// The page with unbreakable spaces between figures and their percent signs, so that no line ends between the two.
pub(super) fn keep_units(page: &str) -> String {
    let mut kept = String::with_capacity(page.len() + page.len() / 64);
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(" %") {
        kept += before;
        kept += if before.ends_with(|last: char| last.is_ascii_digit()) {
            "\u{a0}%"
        } else {
            " %"
        };
        rest = after;
    }
    kept + rest
}

/// The hash by which the page's policy knows its script.
pub(super) fn script_hash() -> String {
    STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_ends_between_a_figure_and_its_percent_sign() {
        let page = "<b>+1.9 %</b>, ±3 %; n % 7 stays: %d % of";
        let kept = "<b>+1.9\u{a0}%</b>, ±3\u{a0}%; n % 7 stays: %d % of";
        assert_eq!(keep_units(page), kept);
        assert_eq!(keep_units(""), "");
    }
}
