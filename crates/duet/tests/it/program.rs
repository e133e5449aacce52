//! A program that speaks the paced protocol and does what the test tells it to. It does no work: it
//! reports made-up times, so that what the instrument must conclude is known exactly.

use std::io::{BufRead, Write};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let place = args.iter().position(|arg| arg == name);
        place.and_then(|place| args.get(place + 1)).cloned().unwrap_or_default()
    };
    let is_musl = cfg!(target_env = "musl");
    match args[0].as_str() {
        "identity" => return println!("{}", identity()),
        "serve" => return serve(),
        _ => {}
    }
    // A behaviour can be that of one variant only: `musl:crash`.
    let behaviour = match value("--behaviour").split_once(':') {
        Some((libc, behaviour)) if (libc == "musl") == is_musl => behaviour.to_string(),
        Some(_) => String::new(),
        None => value("--behaviour"),
    };
    match behaviour.as_str() {
        "refuse" => {
            eprintln!("error: k = 9 is more than the 5 rows");
            std::process::exit(2);
        }
        "mute" => std::thread::sleep(std::time::Duration::from_secs(60)),
        "needs" if std::env::var("TEST_FIXTURE").as_deref() != Ok("1") => {
            eprintln!("the fixture's variable is not there");
            std::process::exit(1);
        }
        _ => {}
    }
    if args.iter().any(|arg| arg == "--paced") {
        say(r#"{"ready":true}"#);
    }
    let factor: f64 = if is_musl { value("--factor").parse().unwrap_or(1.0) } else { 1.0 };
    let factor = factor * (1.0 + value("--slowdown").parse().unwrap_or(0.0));
    let base_ns: f64 = value("--iteration-ns").parse().unwrap_or(5e6);
    // Noise of the whole process, by its padding, which the instrument draws at random.
    let noise: f64 = value("--noise").parse().unwrap_or(0.0);
    let padding = std::env::var("DUET_PADDING").map_or(0, |padding| padding.len());
    let base_ns = base_ns * (1.0 + noise * (padding as f64 / 4096.0 - 0.5));
    let (mut clock, mut turn) = (1_000_000_000, 0);
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let Some(iterations) = line.strip_prefix("go ") else { break };
        let iterations: u64 = iterations.parse().unwrap();
        match behaviour.as_str() {
            "crash" if turn == 3 => std::process::abort(),
            "garbage" if turn == 3 => say("what?"),
            "slow" => std::thread::sleep(std::time::Duration::from_millis(20)),
            _ => {}
        }
        let wall = (base_ns * factor * iterations as f64) as u64;
        let end = if behaviour == "backwards" { clock - 1 } else { clock + wall };
        say(&format!(
            r#"{{"turn":{turn},"iterations":{iterations},"start_ns":{clock},"end_ns":{end},"user_ns":{wall},"sys_ns":0,"minor_faults":3,"major_faults":0,"voluntary_switches":0,"involuntary_switches":0}}"#
        ));
        turn += 1;
        clock += wall;
    }
    let answer = if behaviour == "differ" { 43 } else { 42 };
    let schema = if behaviour == "future" { 99 } else { 1 };
    say(&format!(
        r#"{{"schema":{schema},"case":"{}","identity":{},"phases":{{}},"peak_rss_bytes":1000000,"setup_ns":1,"timeline":null,"result":{{"inertia":128.5}},"fingerprint":{{"answer":{answer}}}}}"#,
        value("--id"),
        identity()
    ));
    if behaviour == "fail at the end" {
        std::process::exit(1);
    }
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().unwrap();
}

fn identity() -> String {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "glibc" };
    let linkage = if cfg!(target_feature = "crt-static") { "static-pie" } else { "dynamic" };
    format!(
        r#"{{"libc":"{libc}","libc_version":"1","linkage":"{linkage}","allocator":"system","target":"t","rustc":"r","target_features":[],"debug_assertions":false,"environment":{{}}}}"#
    )
}

fn serve() {
    say("TEST_FIXTURE=1");
    say("ready");
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {}
}
