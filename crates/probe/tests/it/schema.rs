use jsonschema::Validator;
use probe::{Counters, Histogram, Identity, Mark, Observation, Phase, Thinned, Timeline};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../../../docs/observation.schema.json");

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is a valid schema");
    jsonschema::draft202012::new(&schema).expect("the schema can be used")
}

/// An observation in which every part is present.
fn full() -> Observation {
    let mut observation = Observation::new(
        "dbload/query/name-range",
        Identity::of_this_process("system"),
    );
    observation
        .identity
        .environment
        .insert("MALLOC_ARENA_MAX".into(), "1".into());
    let mut phase = Phase::default();
    phase.push(
        &Counters {
            wall_ns: 1_000,
            user_ns: 700,
            ..Counters::default()
        },
        1,
    );
    phase.push(
        &Counters {
            wall_ns: 9_000,
            sys_ns: 300,
            ..Counters::default()
        },
        8,
    );
    phase.histogram = Some(Histogram {
        count: 9,
        mean_ns: 1_111.5,
        max_ns: 2_000,
        ..Histogram::default()
    });
    phase.client_cpu_ns_per_operation = Some(111.25);
    observation.phases.insert("name_range".into(), phase);
    observation.peak_rss_bytes = Some(12 << 20);
    observation.setup_ns = 5;
    observation.timeline = Some(Timeline {
        interval_ns: 100_000_000,
        missed_ticks: 1,
        elapsed_ns: vec![100_000_000, 300_000_000],
        cpu_percent: vec![0.0, 199.5],
        rss_bytes: vec![1 << 20, 2 << 20],
        threads: vec![1, 2],
        processes: vec![1, 1],
        marks: vec![Mark {
            elapsed_ns: 7,
            label: "fit starts here".into(),
        }],
        thinned: Some(Thinned {
            intervals_per_entry: 2,
            samples: 4,
            average_rss_bytes: 1.5e6,
            peak_cpu_percent: 200.0,
        }),
        sampler_cpu_ns: Some(90_000),
    });
    observation.identity = observation
        .identity
        .with_source(Some("0123abc"), Some(true));
    observation.result.insert("rows".into(), 12_345.into());
    observation
        .fingerprint
        .insert("checksum".into(), "00ff".into());
    observation
}

fn value(observation: &Observation) -> Value {
    let line = observation
        .to_json_line()
        .expect("the observation is consistent");
    serde_json::from_str(&line).expect("the line is JSON")
}

#[track_caller]
fn check_valid(observation: &Value) {
    let errors: Vec<_> = validator()
        .iter_errors(observation)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn what_is_written_fits_the_schema() {
    check_valid(&value(&full()));
    check_valid(&value(&Observation::new(
        "a/b/c",
        Identity::of_this_process("mimalloc"),
    )));
    let mut unknown = full();
    unknown.identity.libc_version = None;
    check_valid(&value(&unknown));
}

#[test]
fn parts_that_are_none_are_null_or_left_out_as_promised() {
    let mut observation = Observation::new("a/b/c", Identity::of_this_process("system"));
    observation.phases.insert("fit".into(), Phase::default());
    let value = value(&observation);
    assert_eq!(value["peak_rss_bytes"], Value::Null);
    assert!(
        value
            .as_object()
            .is_some_and(|object| object.contains_key("timeline"))
    );
    assert!(value["phases"]["fit"].get("histogram").is_none());
    assert!(
        value["phases"]["fit"]
            .get("client_cpu_ns_per_operation")
            .is_none()
    );
}

#[test]
fn every_field_is_in_the_schema_and_required_there() {
    let value = value(&full());
    let optional = [
        "/phases/name_range/histogram",
        "/phases/name_range/client_cpu_ns_per_operation",
        "/identity/profile",
        "/identity/opt_level",
        "/identity/git_revision",
        "/identity/git_dirty",
        "/timeline/threads",
        "/timeline/processes",
        "/timeline/marks",
        "/timeline/thinned",
        "/timeline/sampler_cpu_ns",
    ];
    let mut removed = 0;
    for place in [
        "",
        "/identity",
        "/phases/name_range",
        "/phases/name_range/histogram",
        "/timeline",
        "/timeline/marks/0",
        "/timeline/thinned",
    ] {
        let names: Vec<String> = value
            .pointer(place)
            .and_then(Value::as_object)
            .expect("the place is an object")
            .keys()
            .cloned()
            .collect();
        for name in names {
            let mut without = value.clone();
            object(&mut without, place).remove(&name);
            let path = format!("{place}/{name}");
            assert_eq!(
                validator().is_valid(&without),
                optional.contains(&path.as_str()),
                "{path}"
            );
            removed += 1;
        }
        let mut with_more = value.clone();
        object(&mut with_more, place).insert("surprise".into(), json!(1));
        assert!(
            !validator().is_valid(&with_more),
            "{place} takes unknown fields"
        );
    }
    assert_eq!(removed, 9 + 13 + 10 + 9 + 10 + 2 + 4);
}

#[track_caller]
fn object<'a>(value: &'a mut Value, place: &str) -> &'a mut serde_json::Map<String, Value> {
    value
        .pointer_mut(place)
        .and_then(Value::as_object_mut)
        .expect("the place is an object")
}

#[track_caller]
fn check_invalid(place: &str, wrong: Value) {
    let mut observation = value(&full());
    *observation.pointer_mut(place).expect("the place exists") = wrong;
    assert!(!validator().is_valid(&observation));
}

#[test]
fn wrong_values_are_refused() {
    check_invalid("/schema", json!(2));
    check_invalid("/case", json!(""));
    check_invalid("/identity/libc", json!("uclibc"));
    check_invalid("/identity/linkage", json!("static_pie"));
    check_invalid("/identity/environment/MALLOC_ARENA_MAX", json!(1));
    check_invalid("/phases/name_range/wall_ns/0", json!(-1));
    check_invalid("/phases/name_range/wall_ns/0", json!(0.5));
    check_invalid("/phases/name_range/wall_ns/0", Value::Null);
    check_invalid("/phases/name_range/iterations/0", json!(0));
    check_invalid("/peak_rss_bytes", json!(0));
    check_invalid("/timeline/cpu_percent/0", Value::Null);
    check_invalid("/timeline/interval_ns", json!(0));
    check_invalid("/timeline/marks/0/label", json!(1));
    check_invalid("/timeline/thinned/intervals_per_entry", json!(1));
    check_invalid("/identity/git_dirty", json!("no"));
    check_invalid("/setup_ns", Value::Null);
}
