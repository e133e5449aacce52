//! What the harnesses share: the built-in cases of one workload under criterion.

use std::cell::RefCell;
use std::env;
use std::io::{self, Write};
use std::path::Path;
use std::process;
use std::time::Duration;

use benches::baseline;
use benches::case::Case;
use benches::registry::{self, Entry};
use benches::session::{Session, WorkloadError};
use criterion::{Criterion, PlottingBackend, SamplingMode};
use dbload::Server;

/// Runs the quick cases and those of the suite `database` whose names start with `workload/`, each as `workload/phase/size/engine`, then what
/// `more` adds to these.
pub fn main(workload: &str, more: impl FnOnce(&mut Criterion, &[&Entry])) {
    let mut criterion = configured();
    let server = RefCell::new(None);
    let entries = registry::read(Path::new(registry::WORKSPACE_FILE)).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "{error}");
        process::exit(1)
    });
    let quick: Vec<&Entry> = entries
        .iter()
        .filter(|entry| entry.is_in("quick") || entry.is_in("database"))
        .filter(|entry| entry.id.split('/').next() == Some(workload))
        .collect();
    for entry in &quick {
        bench(&mut criterion, entry, &server);
    }
    more(&mut criterion, &quick);
    criterion.final_summary();
}

/// Criterion's arguments win over these settings, which fit all harnesses into a few minutes.
pub fn configured() -> Criterion {
    let criterion = Criterion::default()
        .plotting_backend(PlottingBackend::Plotters)
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let args: Vec<String> = env::args().skip(1).collect();
    // Reading the arguments sets the baseline to "base" where they name none, so this comes after. `cargo
    // criterion` keeps the figures itself.
    if baseline::is_chosen(args.iter().map(String::as_str))
        || env::var_os("CARGO_CRITERION_PORT").is_some()
    {
        return criterion;
    }
    criterion.save_baseline(baseline::name().to_owned())
}

/// Runs one case. A database case uses the server, and starts it if it is the first.
pub fn bench(criterion: &mut Criterion, entry: &Entry, server: &RefCell<Option<Server>>) {
    let case = or_exit(entry.case(), entry, server);
    let mut group = criterion.benchmark_group(&entry.id);
    // Iterations are long: the same number in every sample keeps to the measurement time.
    group.sampling_mode(SamplingMode::Flat);
    let mut session = None;
    group.bench_function(case.engine(), |bencher| {
        // Only now is it known that the case is neither filtered out nor just listed. Criterion calls this
        // several times; the set-up is done once and never timed.
        let session =
            session.get_or_insert_with(|| or_exit(prepare(&case, entry, server), entry, server));
        let phases = session.phases().len();
        bencher.iter(|| {
            for phase in 0..phases {
                or_exit(session.run(phase), entry, server);
            }
        });
    });
    group.finish();
}

/// Does the set-up, runs one iteration, and verifies its result.
fn prepare(
    case: &Case,
    entry: &Entry,
    server: &RefCell<Option<Server>>,
) -> Result<Box<dyn Session>, WorkloadError> {
    let mut session = match case {
        Case::Dbload(args) => {
            // One server for all cases, started when the first needs it.
            let mut server = server.borrow_mut();
            let server = match server.as_mut() {
                Some(server) => server,
                None => server.insert(Server::obtain()?),
            };
            args.prepare_on(server.url())?
        }
        other => other.prepare()?,
    };
    for phase in 0..session.phases().len() {
        session.run(phase)?;
    }
    entry.verify(&session.outcome()?)?;
    Ok(session)
}

/// Criterion has no way to stop with an error.
fn or_exit<T>(
    result: Result<T, WorkloadError>,
    entry: &Entry,
    server: &RefCell<Option<Server>>,
) -> T {
    result.unwrap_or_else(|error| {
        let mut message = format!("{}: {error}\n", entry.id);
        if matches!(error, WorkloadError::Database(_)) {
            message.push_str("The cases without a database: ");
            message
                .push_str("cargo bench --bench kmeans --bench forest --bench libc --bench probe\n");
        }
        // Nobody is left to be told when standard error is closed.
        let _ = io::stderr().write_all(message.as_bytes());
        // `exit` runs no destructors; the server has to be ended by hand.
        if let Ok(mut server) = server.try_borrow_mut() {
            drop(server.take());
        }
        process::exit(1)
    })
}
