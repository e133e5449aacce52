//! Temporary servers begin and end with their owner.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::panic;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dbload::{Server, ServerSettings, TemporaryServer};
use rustix::process::geteuid;

use super::helper::{self, Owner};
use super::{connect, own_server, password, server};

/// The folder of a server: above its data.
fn folder(data_directory: &Path) -> &Path {
    data_directory
        .parent()
        .expect("the data have a folder of their own")
}

/// Processes that have `folder` among their arguments: the server and its guardian.
fn processes(folder: &Path) -> Vec<String> {
    let text = folder.to_str().expect("a path of letters and digits");
    fs::read_dir("/proc")
        .expect("/proc is there")
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|arguments| arguments.contains(text))
        .collect()
}

#[track_caller]
fn check_gone(data_directory: &Path, url: &str, patience: Duration) {
    let folder = folder(data_directory);
    let deadline = Instant::now() + patience;
    while (folder.exists() || !processes(folder).is_empty()) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert_eq!(processes(folder), Vec::<String>::new());
    assert!(Server::connect(url).is_err(), "the server still answers");
}

#[test]
fn a_server_is_gone_when_it_is_dropped() {
    let server = own_server();
    let (data, url) = (server.data_directory(), server.url().to_owned());
    assert!(data.exists() && !processes(folder(&data)).is_empty());
    // A client that is still connected does not keep it.
    let _client = connect(&url);
    drop(server);
    check_gone(&data, &url, Duration::ZERO);
}

#[test]
fn a_server_is_gone_after_a_panic_of_its_owner() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let outcome = thread::spawn(move || {
        let server = own_server();
        sender
            .send((server.data_directory(), server.url().to_owned()))
            .expect("the receiver is there");
        panic::resume_unwind(Box::new("a panic without a message"));
    })
    .join();
    assert!(outcome.is_err());
    let (data, url) = receiver
        .recv()
        .expect("the thread sent it before the panic");
    check_gone(&data, &url, Duration::ZERO);
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let server = thread::spawn(own_server).join().expect("no panic");
    thread::sleep(Duration::from_millis(100));
    assert!(Server::connect(server.url()).is_ok());
}

#[test]
fn a_server_is_gone_after_its_owner_was_killed() {
    let mut owner = Owner::start(helper::command("serve"));
    assert!(Server::connect(&owner.url).is_ok());
    owner.child.kill().expect("a process of our own");
    owner.child.wait().expect("a process of our own");
    check_gone(&owner.data_directory, &owner.url, Duration::from_secs(10));
}

#[test]
fn a_server_is_gone_after_its_owner_aborted_or_exited() {
    for action in ["abort", "exit"] {
        let mut owner = Owner::start(helper::command(action));
        owner.child.wait().expect("a process of our own");
        check_gone(&owner.data_directory, &owner.url, Duration::from_secs(10));
    }
}

/// As root, the test program is copied to where another user can read it, and run as that user.
#[test]
fn an_ordinary_user_can_start_a_server() {
    let place = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .expect("a temporary folder");
    let copy = place.path().join("test-program");
    fs::copy(
        std::env::current_exe().expect("a running program has a path"),
        &copy,
    )
    .expect("room for a copy");
    let template = helper::command("serve");
    let mut command = Command::new(&copy);
    command
        .args(template.get_args())
        .env_remove("TMPDIR")
        .current_dir("/");
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let uid = if geteuid().is_root() {
        command.uid(65_534).gid(65_534);
        65_534
    } else {
        geteuid().as_raw()
    };
    let mut owner = Owner::start(command);
    assert_eq!(owner.server_uid, uid);
    assert!(Server::connect(&owner.url).is_ok());
    drop(owner.stdin.take());
    assert!(owner.child.wait().expect("a process of our own").success());
    check_gone(&owner.data_directory, &owner.url, Duration::from_secs(10));
}

#[test]
fn root_gives_up_its_privileges_and_nobody_else_can_read_the_data() {
    let folder = folder(&server().data_directory()).to_owned();
    let metadata = fs::metadata(&folder).expect("a running server");
    assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    assert_ne!(metadata.uid(), 0);
    if !geteuid().is_root() {
        assert_eq!(metadata.uid(), geteuid().as_raw());
    }
    assert!(!folder.join("password").exists());
    for arguments in processes(&folder) {
        assert!(
            !arguments.contains(password(server().url())),
            "a command line has the password"
        );
    }
}

#[test]
fn several_servers_run_at_once() {
    let starting: Vec<_> = (0..3).map(|_| thread::spawn(own_server)).collect();
    let servers: Vec<TemporaryServer> = starting
        .into_iter()
        .map(|server| server.join().expect("every server starts"))
        .collect();
    for server in &servers {
        let row = connect(server.url())
            .query_one("SHOW data_directory", &[])
            .expect("a plain query");
        assert_eq!(Path::new(row.get::<_, &str>(0)), server.data_directory());
    }
    let passwords: std::collections::BTreeSet<&str> = servers
        .iter()
        .map(|server| password(server.url()))
        .collect();
    assert_eq!(passwords.len(), 3);
}

#[test]
fn a_server_is_set_up_as_promised() {
    for url in [server().url(), server().socket_url()] {
        let mut client = connect(url);
        let mut show = |name: &str| -> String {
            client
                .query_one(&format!("SHOW {name}"), &[])
                .expect("a plain query")
                .get(0)
        };
        assert_eq!(show("server_version"), server().version());
        for (name, value) in [
            ("lc_collate", "C"),
            ("server_encoding", "UTF8"),
            ("password_encryption", "scram-sha-256"),
            ("listen_addresses", "127.0.0.1"),
            ("fsync", "off"),
            ("jit", "off"),
            ("autovacuum", "off"),
            ("shared_buffers", "128MB"),
        ] {
            assert_eq!(show(name), value, "{name}");
        }
    }
    let without = server()
        .url()
        .replace(&format!(":{}", password(server().url())), "");
    assert!(
        Server::connect(&without).is_err(),
        "a connection without password was let in"
    );
}

#[test]
fn a_report_can_show_the_settings() {
    let obtained = Server::connect(server().socket_url()).expect("a server");
    let settings = obtained.settings().expect("the server tells");
    assert_eq!(settings.version, server().version());
    let mut client = connect(server().url());
    for (name, value) in settings.entries() {
        let expected: String = match name {
            "version" | "encrypted" => continue,
            "collation" => "C".into(),
            "encoding" => "UTF8".into(),
            name => client
                .query_one("SELECT current_setting($1)", &[&name])
                .expect("a plain query")
                .get(0),
        };
        assert_eq!(value, expected, "{name}");
    }
    let shown = settings.to_string();
    assert!(
        shown.contains("fsync off") && shown.contains("shared_buffers 128MB"),
        "{shown}"
    );
    assert!(ServerSettings::read("postgresql://me@%2Fnowhere/x").is_err());
}

#[test]
fn a_server_takes_up_where_it_stopped() {
    let mut server = own_server();
    let mut client = connect(server.url());
    client
        .batch_execute("CREATE TABLE kept AS SELECT 7 AS x")
        .expect("a plain statement");
    let url = server.url().to_owned();
    server.stop().expect("a running server");
    assert!(client.batch_execute("SELECT 1").is_err());
    assert!(Server::connect(&url).is_err());
    // Again, and of a running server.
    for _ in 0..2 {
        server.restart().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(server.url(), url);
        let row = connect(&url)
            .query_one("SELECT x FROM kept", &[])
            .expect("the table is still there");
        assert_eq!(row.get::<_, i32>(0), 7);
    }
    let data = server.data_directory();
    server.stop().expect("a running server");
    server.stop().expect("a stopped server");
    // It did not end by itself.
    assert!(server.failure().is_none());
    assert!(data.exists());
    drop(server);
    check_gone(&data, &url, Duration::ZERO);
}

#[track_caller]
fn check_obtained(variables: &[(&str, impl AsRef<OsStr>)], parts: &[&str]) {
    let output = helper::command("obtain")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("the test program runs");
    let text = String::from_utf8(output.stdout).expect("the output is text");
    for part in parts {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn the_environment_chooses_the_server() {
    let given = format!("obtained={} temporary=false", server().redacted_url());
    check_obtained(&[("DATABASE_URL", server().url())], &[&given]);
    let (own, host) = server().url().split_once('@').expect("a user");
    let (user, password) = own.rsplit_once(':').expect("a password");
    let url = format!("{user}@{host}");
    check_obtained(
        &[("DATABASE_URL", url.as_str()), ("PGPASSWORD", password)],
        &[&given],
    );
    check_obtained(&[("DATABASE_URL", &url)], &["refused=", "password"]);
    let latin = OsStr::from_bytes(b"na\xefve");
    check_obtained(
        &[("DATABASE_URL", OsStr::new(&url)), ("PGPASSWORD", latin)],
        &["refused=", "PGPASSWORD is not UTF-8"],
    );
    check_obtained(
        &[("DATABASE_URL", "nonsense")],
        &["refused=the database URL cannot be used"],
    );
    let parts = [
        "refused=no PostgreSQL server found",
        "in /nowhere;",
        "apt-get install postgresql",
        "DATABASE_URL",
    ];
    check_obtained(&[("PGBIN", "/nowhere")], &parts);
}

#[test]
fn a_failing_initdb_is_shown() {
    let place = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in("/tmp")
        .expect("a temporary folder");
    for (name, script) in [
        ("initdb", "#!/bin/sh\necho broken on purpose >&2\nexit 3\n"),
        ("postgres", "#!/bin/sh\n"),
    ] {
        let path = place.path().join(name);
        fs::write(&path, script).expect("a file in a temporary folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file of our own");
    }
    let folder = place.path().to_str().expect("a path of letters and digits");
    check_obtained(
        &[("PGBIN", folder)],
        &[
            "refused=the temporary PostgreSQL server did not start",
            "broken on purpose",
        ],
    );
    // A server that ends at once is noticed at once.
    fs::write(place.path().join("initdb"), "#!/bin/sh\n").expect("a file in a temporary folder");
    fs::write(
        place.path().join("postgres"),
        "#!/bin/sh\necho no server today\n",
    )
    .expect("a file of our own");
    check_obtained(
        &[("PGBIN", folder)],
        &["the server ended by itself", "no server today"],
    );
}
