//! A program that speaks the paced protocol and does what the test tells it to. It does no work: it
//! reports made-up times, so that what the instrument must conclude is known exactly. With `--real` it works
//! for that much CPU time and reports what the clocks say.

use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    fn kill(pid: i32, signal: i32) -> i32;
}

const MONOTONIC: i32 = 1;
const PROCESS_CPU: i32 = 2;

fn clock_ns(clock: i32) -> u64 {
    let mut time = [0; 2];
    unsafe { clock_gettime(clock, &mut time) };
    time[0] as u64 * 1_000_000_000 + time[1] as u64
}

/// Works until that much CPU time is used.
fn work(ns: u64) {
    let end = clock_ns(PROCESS_CPU) + ns;
    while clock_ns(PROCESS_CPU) < end {
        for x in 0..1000_u64 {
            std::hint::black_box(x);
        }
    }
}

/// Starts this program again, in a process group of its own or not.
fn start_another(args: &[&str], own_group: bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args);
    if own_group {
        command.process_group(0);
    }
    command.spawn().unwrap();
}

/// Sends a signal to a process whenever it is in a state, until it is gone.
fn meddle(pid: &str, state: &str, signal: i32, times: usize) {
    let mut done = 0;
    while let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        if stat.contains(") Z") || done == times {
            return;
        }
        if stat.contains(&format!(") {state}")) {
            unsafe { kill(pid.parse().unwrap(), signal) };
            done += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

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
        "linger" => loop {
            std::thread::sleep(Duration::from_millis(1));
        },
        "meddle" => {
            return meddle(&args[1], &args[2], args[3].parse().unwrap(), args[4].parse().unwrap());
        }
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
    let own_id = std::process::id().to_string();
    let id = value("--id");
    match behaviour.as_str() {
        "flood errors" => drop(std::thread::spawn(|| {
            loop {
                eprintln!("{}", "and on ".repeat(100));
            }
        })),
        _ => {}
    }
    let real = args.iter().any(|arg| arg == "--real");
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
            "fork" | "fork and exit" if turn == 0 => start_another(&["linger", &id], false),
            "die while stopped" if turn == 0 => {
                start_another(&["meddle", &own_id, "T", "9", "1", &id], true);
            }
            "stopped by another" if turn == 0 => {
                start_another(&["meddle", &own_id, "R", "19", "1000", &id], true);
            }
            "continued by another" if turn == 0 => {
                start_another(&["meddle", &own_id, "T", "18", "1000", &id], true);
            }
            _ => {}
        }
        match behaviour.as_str() {
            "crash" if turn == 3 => std::process::abort(),
            "garbage" if turn == 3 => say("what?"),
            "slow" => std::thread::sleep(std::time::Duration::from_millis(20)),
            "fork and exit" if turn == 1 => std::process::exit(7),
            "hang" if turn == 1 => work(u64::MAX / 2),
            "flood" if turn == 1 => loop {
                println!("and on");
            },
            "flood without end of line" if turn == 1 => loop {
                print!("and on ");
            },
            _ => {}
        }
        let (start_wall, start_cpu) = (clock_ns(MONOTONIC), clock_ns(PROCESS_CPU));
        let wall = (base_ns * factor * iterations as f64) as u64;
        if real {
            work(wall);
            let (end, cpu) = (clock_ns(MONOTONIC), clock_ns(PROCESS_CPU) - start_cpu);
            say(&format!(
                r#"{{"turn":{turn},"iterations":{iterations},"start_ns":{start_wall},"end_ns":{end},"user_ns":{cpu},"sys_ns":0,"minor_faults":0,"major_faults":0,"voluntary_switches":0,"involuntary_switches":0}}"#
            ));
            turn += 1;
            continue;
        }
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
    match behaviour.as_str() {
        "fail at the end" => std::process::exit(1),
        "flood after the end" => loop {
            println!("and on");
        },
        _ => {}
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
