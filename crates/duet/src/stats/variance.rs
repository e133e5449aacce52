//! Where the noise comes from, builds, processes or iterations, and how to spend repetitions.
//!
//! Sources: S. R. Searle, G. Casella, C. E. McCulloch, *Variance Components* (1992), section 3.6 (nested
//! analysis of variance with unequal numbers); T. Kalibera, R. Jones, "Rigorous benchmarking in
//! reasonable time", ISMM 2013, sections 6 and 7 (optimum numbers of repetitions).

use super::all_finite;

/// The variance that each level adds, in the squared unit of the values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VarianceComponents {
    /// Between builds; absent where there is one build only, because it then cannot be told.
    pub build: Option<f64>,
    /// Between processes of one build; absent where no build has two.
    pub process: Option<f64>,
    /// Between iterations of one process; absent where no process has two.
    pub iteration: Option<f64>,
    /// Whether an estimate was negative and was set to 0. That happens by chance where a level adds little: the
    /// component is then small, not proven to be nothing.
    pub truncated: bool,
}

/// Splits the variance of `builds[b][p][i]`, the i-th iteration of the p-th process of build b, by the method of
/// moments: each level's mean square is set equal to its expectation.
///
/// With one value a process (as a block's log-ratio is), iterations are absent and their variance is part of
/// the processes'. Empty processes and builds are passed over. `None` for values that are not finite or where no
/// level has two.
pub fn variance_components(builds: &[Vec<Vec<f64>>]) -> Option<VarianceComponents> {
    let builds: Vec<Vec<&[f64]>> = builds
        .iter()
        .map(|build| {
            build
                .iter()
                .map(Vec::as_slice)
                .filter(|process| !process.is_empty())
                .collect()
        })
        .filter(|build: &Vec<&[f64]>| !build.is_empty())
        .collect();
    if !builds.iter().flatten().all(|process| all_finite(process)) {
        return None;
    }
    let sums = Sums::of(&builds);
    let mut truncated = false;
    let mut component = |mean_square: f64, of_lower_levels: f64, coefficient: f64| {
        let estimate = (mean_square - of_lower_levels) / coefficient;
        truncated |= estimate < 0.0;
        estimate.max(0.0)
    };
    // Degrees of freedom.
    let (of_builds, of_processes, of_iterations) = (
        builds.len().saturating_sub(1) as f64,
        (sums.processes - builds.len()) as f64,
        sums.values - sums.processes as f64,
    );
    let iteration = (of_iterations > 0.0).then(|| sums.within_processes / of_iterations);
    let within = iteration.unwrap_or(0.0);
    let process = (of_processes > 0.0).then(|| {
        // The mean number of iterations by which a process's variance enters its mean square.
        let coefficient = (sums.values - sums.squares_over_builds) / of_processes;
        component(sums.between_processes / of_processes, within, coefficient)
    });
    let build = (of_builds > 0.0).then(|| {
        let of_process =
            (sums.squares_over_builds - sums.process_squares / sums.values) / of_builds;
        let of_build = (sums.values - sums.build_squares / sums.values) / of_builds;
        let lower = within + of_process * process.unwrap_or(0.0);
        component(sums.between_builds / of_builds, lower, of_build)
    });
    let some = build.is_some() || process.is_some() || iteration.is_some();
    some.then_some(VarianceComponents {
        build,
        process,
        iteration,
        truncated,
    })
}

/// What the mean squares and their expectations are made of. n_bp is the number of values of a process,
/// n_b of a build, N of all.
#[derive(Debug, Default)]
struct Sums {
    values: f64,
    processes: usize,
    within_processes: f64,
    between_processes: f64,
    between_builds: f64,
    /// Σ_b Σ_p n_bp² / n_b.
    squares_over_builds: f64,
    /// Σ_b Σ_p n_bp².
    process_squares: f64,
    /// Σ_b n_b².
    build_squares: f64,
}

impl Sums {
    fn of(builds: &[Vec<&[f64]>]) -> Self {
        let mut sums = Self::default();
        let grand_mean = mean(builds.iter().flatten().copied().flatten());
        for build in builds {
            let build_mean = mean(build.iter().copied().flatten());
            let of_build: usize = build.iter().map(|process| process.len()).sum();
            let mut squares = 0.0;
            for process in build {
                let n = process.len() as f64;
                let process_mean = mean(process.iter());
                let deviations = process.iter().map(|value| (value - process_mean).powi(2));
                sums.within_processes += deviations.sum::<f64>();
                sums.between_processes += n * (process_mean - build_mean).powi(2);
                squares += n * n;
            }
            let n = of_build as f64;
            sums.between_builds += n * (build_mean - grand_mean).powi(2);
            sums.values += n;
            sums.processes += build.len();
            sums.squares_over_builds += squares / n;
            sums.process_squares += squares;
            sums.build_squares += n * n;
        }
        sums
    }
}

fn mean<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    let (mut count, mut sum) = (0usize, 0.0);
    for value in values {
        count += 1;
        sum += value;
    }
    sum / count.max(1) as f64
}

/// What a repetition costs at each level, in seconds or any other unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// A further build, without its processes.
    pub build: f64,
    /// A further process, without its measured iterations: start, set-up and warm-up.
    pub process: f64,
    /// A further iteration.
    pub iteration: f64,
}

/// How to spend repetitions below the highest level; at that one, repeat until the interval is narrow
/// enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repetitions {
    /// Iterations in each process; absent where processes do not differ, so that a second process tells
    /// nothing that a further iteration does not.
    pub iterations_per_process: Option<u64>,
    /// Processes of each build; absent where builds do not differ, so that one build is enough.
    pub processes_per_build: Option<u64>,
}

/// The numbers of repetitions that give the narrowest interval for the cost: at each level below the
/// highest, ⌈√(cost above / cost here × variance here / variance above)⌉, at least 1.
///
/// A component that is absent counts as 0. Costs that are not positive and finite give `None`.
///
/// ```
/// use duet::stats::{Costs, Repetitions, VarianceComponents, best_repetitions};
/// let noise = VarianceComponents { build: Some(1.0), process: Some(1.0), iteration: Some(4.0), truncated: false };
/// let costs = Costs { build: 100.0, process: 1.0, iteration: 0.25 };
/// let advice = Repetitions { iterations_per_process: Some(4), processes_per_build: Some(10) };
/// assert_eq!(best_repetitions(&noise, &costs), Some(advice));
/// ```
pub fn best_repetitions(components: &VarianceComponents, costs: &Costs) -> Option<Repetitions> {
    let is_cost = |cost: f64| cost.is_finite() && cost > 0.0;
    if ![costs.build, costs.process, costs.iteration]
        .into_iter()
        .all(is_cost)
    {
        return None;
    }
    let count = |cost_above: f64, cost: f64, here: Option<f64>, above: Option<f64>| {
        let above = above.filter(|variance| *variance > 0.0)?;
        let best = (cost_above / cost * here.unwrap_or(0.0) / above).sqrt();
        Some(best.ceil().max(1.0) as u64)
    };
    Some(Repetitions {
        iterations_per_process: count(
            costs.process,
            costs.iteration,
            components.iteration,
            components.process,
        ),
        processes_per_build: count(
            costs.build,
            costs.process,
            components.process,
            components.build,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn close(got: Option<f64>, expected: f64) {
        assert!(
            got.is_some_and(|got| (got - expected).abs() < 1e-9),
            "{got:?} is not {expected}"
        );
    }

    fn example() -> Vec<Vec<Vec<f64>>> {
        vec![
            vec![vec![10.1, 10.3, 10.2], vec![10.6, 10.5, 10.9]],
            vec![vec![11.2, 11.0, 11.4], vec![11.9, 11.6, 11.7]],
            vec![vec![9.8, 9.9, 9.5], vec![9.4, 9.7, 9.6]],
        ]
    }

    /// The mean squares of the nested analysis of variance in NumPy. REML agrees to four digits, as it must
    /// for balanced data: statsmodels `mixedlm("y~1", groups="b", vc_formula={"p": "0+C(p)"})` gives build 0.78638,
    /// process 0.07814, iteration 0.03055.
    #[test]
    fn balanced_data_match_the_textbook() {
        let components = variance_components(&example()).expect("three levels");
        close(components.iteration, 0.030_555_555_555_555_6);
        close(components.process, 0.078_148_148_148_148_1);
        close(components.build, 0.786_111_111_111_111);
        assert!(!components.truncated);
    }

    /// NumPy: the three quadratic forms of the analysis of variance set equal to their expectations, whose
    /// coefficients are the traces of M·Z·Zᵀ (M the projection of the level, Z the design of the component).
    #[test]
    fn unequal_numbers_use_their_own_coefficients() {
        let mut data = example();
        data[0][0].pop();
        data[1].push(vec![12.0, 11.1]);
        data[2].pop();
        let components = variance_components(&data).expect("three levels");
        close(components.iteration, 0.072_5);
        close(components.process, 0.062_864_923_747_353_24);
        close(components.build, 0.726_978_709_908_564_5);
    }

    #[test]
    fn levels_that_are_not_there_are_absent() {
        // One build, one value a process: the variance of the processes and no more.
        let blocks = vec![vec![vec![1.0], vec![2.0], vec![4.0]]];
        let components = variance_components(&blocks).expect("three processes");
        assert_eq!((components.build, components.iteration), (None, None));
        close(components.process, 7.0 / 3.0);
        // Builds of one process each.
        let builds = vec![vec![vec![1.0]], vec![vec![2.0]], vec![vec![4.0]]];
        let components = variance_components(&builds).expect("three builds");
        assert_eq!((components.process, components.iteration), (None, None));
        close(components.build, 7.0 / 3.0);
    }

    #[test]
    fn a_negative_estimate_is_cut_and_said() {
        let data = vec![
            vec![vec![1.0, 9.0], vec![9.0, 1.0]],
            vec![vec![1.0, 9.0], vec![2.0, 8.0]],
        ];
        let components = variance_components(&data).expect("three levels");
        assert_eq!(
            (components.process, components.build),
            (Some(0.0), Some(0.0))
        );
        assert!(components.truncated);
    }

    #[test]
    fn degenerate_data_have_a_defined_result() {
        assert_eq!(variance_components(&[]), None);
        assert_eq!(variance_components(&[vec![], vec![vec![]]]), None);
        assert_eq!(variance_components(&[vec![vec![1.0]]]), None);
        assert_eq!(variance_components(&[vec![vec![1.0, f64::NAN]]]), None);
        assert_eq!(variance_components(&[vec![vec![1.0, f64::INFINITY]]]), None);
        let equal =
            variance_components(&[vec![vec![3.0; 4]; 2], vec![vec![3.0; 4]; 2]]).expect("values");
        assert_eq!(
            (equal.build, equal.process, equal.iteration),
            (Some(0.0), Some(0.0), Some(0.0))
        );
        assert!(!equal.truncated);
    }

    #[test]
    fn known_components_are_recovered() {
        use rand::Rng;
        use rand_xoshiro::Xoshiro256PlusPlus;
        use rand_xoshiro::rand_core::SeedableRng;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        // Uniform noise of ±√3·sd has the standard deviation sd.
        let mut noise = |sd: f64| rng.gen_range(-1.0..1.0) * 3f64.sqrt() * sd;
        let mut builds = Vec::new();
        for _ in 0..400 {
            let build = noise(3.0);
            let mut processes = Vec::new();
            for _ in 0..4 {
                let process = build + noise(2.0);
                processes.push((0..5).map(|_| process + noise(1.0)).collect());
            }
            builds.push(processes);
        }
        let components = variance_components(&builds).expect("three levels");
        for (got, sd) in [
            (components.build, 3.0f64),
            (components.process, 2.0),
            (components.iteration, 1.0),
        ] {
            let got = got.expect("three levels").sqrt();
            assert!((got / sd - 1.0).abs() < 0.1, "{got} is not {sd}");
        }
    }

    #[test]
    fn advice_follows_cost_and_noise() {
        let noise = |build, process, iteration| VarianceComponents {
            build: Some(build),
            process: Some(process),
            iteration: Some(iteration),
            truncated: false,
        };
        let costs = Costs {
            build: 60.0,
            process: 0.6,
            iteration: 0.1,
        };
        let advice = |noise| best_repetitions(&noise, &costs).expect("good costs");
        // √(0.6/0.1 × 1/1) = 2.4, √(60/0.6 × 1/4) = 5.
        let mixed = advice(noise(4.0, 1.0, 1.0));
        assert_eq!(
            (mixed.iterations_per_process, mixed.processes_per_build),
            (Some(3), Some(5))
        );
        // Quiet iterations: one each.
        assert_eq!(advice(noise(1.0, 1.0, 0.0)).iterations_per_process, Some(1));
        // A level that adds nothing needs no repetition.
        assert_eq!(advice(noise(0.0, 1.0, 1.0)).processes_per_build, None);
        assert_eq!(advice(noise(1.0, 0.0, 1.0)).iterations_per_process, None);
        let free = Costs {
            iteration: 0.0,
            ..costs
        };
        assert_eq!(best_repetitions(&noise(1.0, 1.0, 1.0), &free), None);
    }
}
