//! Ways of loading, and loads that fail.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dbload::{Dataset, DatasetConfig, DbloadError, LoadMethod, Loader, TemporaryServer, Users};
use rustix::process::{Pid, Signal, kill_process};

use super::{config, connect, helper, own_server, server};

const TABLES: [&str; 3] = ["users_tbl", "user_info_tbl", "user_profile_tbl"];

/// Every field of every row, and every key and constraint.
#[track_caller]
fn content(url: &str, schema: &str) -> (String, Vec<String>) {
    let mut client = connect(url);
    let rows = format!(
        "SELECT md5(string_agg(concat_ws('|', u.id, u.uid, i.id, i.uid, i.name, i.age, i.gender, p.id, p.uid, \
         p.nickname, coalesce(p.pic, '-')), ';' ORDER BY u.id)) \
         FROM {schema}.users_tbl u FULL JOIN {schema}.user_info_tbl i ON i.uid = u.uid \
         FULL JOIN {schema}.user_profile_tbl p ON p.uid = u.uid"
    );
    let rows = client.query_one(&rows, &[]).expect("the tables are there");
    let constraints = "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) \
                       FROM pg_constraint WHERE connamespace = $1::text::regnamespace ORDER BY 1";
    let constraints = client
        .query(constraints, &[&schema])
        .expect("the schema is there");
    let constraints = constraints.iter().map(|row| {
        let text: String = row.get(0);
        text.replace(&format!("{schema}."), "")
    });
    (rows.get(0), constraints.collect())
}

/// How many rows each table has; `None` when the schema is not there.
#[track_caller]
fn counts(url: &str, schema: &str) -> Option<[i64; 3]> {
    let mut client = connect(url);
    let present = client
        .query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema])
        .expect("a plain query");
    present.get::<_, bool>(0).then(|| {
        TABLES.map(|table| {
            let query = format!("SELECT count(*) FROM {schema}.{table}");
            client
                .query_one(&query, &[])
                .expect("the tables are there")
                .get(0)
        })
    })
}

#[test]
fn all_methods_give_the_same_content() {
    let insert = |batch| LoadMethod::Insert { batch };
    let largest = insert(LoadMethod::MAX_BATCH);
    let methods = [
        LoadMethod::Copy,
        // Batches of one, a last one that is smaller, a last one that is as large, more than there are.
        insert(1),
        insert(7),
        insert(30),
        largest,
        LoadMethod::RowByRow,
    ];
    let mut contents = Vec::new();
    for (number, method) in methods.into_iter().enumerate() {
        let config = config(&format!("method_{number}"), 60);
        let mut loader = Loader::new().method(method);
        let dataset = loader
            .open_or_load(server().url(), &config)
            .unwrap_or_else(|error| panic!("{method:?}: {error}"));
        contents.push(content(server().url(), &config.schema));
        assert!(!dataset.reused());
        // Into the tables that another method filled, and a plain opening finds it all there.
        let other = methods[(number + 1) % methods.len()];
        assert_eq!(
            Loader::new()
                .method(other)
                .reload(&dataset)
                .expect("a load"),
            180
        );
        contents.push(content(server().url(), &config.schema));
        let opened = Dataset::open_or_load(server().url(), &config).expect("the same users");
        assert!(opened.reused());
    }
    assert_eq!(contents[0].1.len(), 10, "{:?}", contents[0].1);
    for other in &contents {
        assert_eq!(other, &contents[0]);
    }
}

#[test]
fn a_full_batch_of_the_largest_size_is_accepted() {
    let method = LoadMethod::Insert {
        batch: LoadMethod::MAX_BATCH,
    };
    let users = LoadMethod::MAX_BATCH + 1;
    let config = config("largest_batch", users);
    Loader::new()
        .method(method)
        .open_or_load(server().url(), &config)
        .unwrap_or_else(|error| panic!("{error}"));
    let count = i64::from(users);
    assert_eq!(counts(server().url(), "largest_batch"), Some([count; 3]));
}

#[track_caller]
fn check_refused(method: LoadMethod, users: u32, message: &str) {
    // Nobody listens there: what is wrong with the parameters is said before a connection is tried.
    let url = "postgresql://me@127.0.0.1:1/x";
    let config = config("refused", users);
    let mut loader = Loader::new().method(method);
    for outcome in [
        loader.open_or_load(url, &config),
        loader.replace(url, &config),
    ] {
        let error = outcome.expect_err("bad parameters");
        assert!(matches!(error, DbloadError::Parameter { .. }), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn sizes_out_of_range_are_refused() {
    let insert = |batch| LoadMethod::Insert { batch };
    check_refused(insert(0), 10, "batch: 0 users are not in 1 to 13107");
    check_refused(
        insert(13_108),
        10,
        "batch: 13108 users are not in 1 to 13107",
    );
    let range = "is not in 1 to 10000000";
    check_refused(LoadMethod::Copy, 0, &format!("users: 0 {range}"));
    check_refused(
        LoadMethod::Copy,
        10_000_001,
        &format!("users: 10000001 {range}"),
    );
    check_refused(LoadMethod::RowByRow, u32::MAX, range);
}

#[test]
fn one_user_and_extreme_seeds_load_by_every_method() {
    let insert = LoadMethod::Insert { batch: 1_000 };
    for seed in [0, u64::MAX] {
        let mut contents = Vec::new();
        for method in [LoadMethod::Copy, insert, LoadMethod::RowByRow] {
            let config = DatasetConfig {
                seed,
                ..config("one_user", 1)
            };
            Loader::new()
                .method(method)
                .replace(server().url(), &config)
                .unwrap_or_else(|error| panic!("{error}"));
            contents.push(content(server().url(), "one_user"));
            let name = Users::name(1);
            let found = connect(server().url())
                .query_one("SELECT name FROM one_user.user_info_tbl", &[])
                .expect("one row");
            assert_eq!(found.get::<_, String>(0), name);
        }
        assert!(contents.iter().all(|other| other == &contents[0]));
    }
}

#[test]
fn the_server_puts_names_in_the_order_of_numbers() {
    let ids = [1, 42, 999_999, 1_000_000, 1_000_001, 9_999_999, 10_000_000];
    let names: Vec<String> = ids.iter().rev().map(|&id| Users::name(id)).collect();
    let sorted =
        "SELECT array_agg(name ORDER BY name COLLATE \"C\") FROM unnest($1::text[]) AS name";
    let row = connect(server().url())
        .query_one(sorted, &[&names])
        .expect("a plain query");
    let expected: Vec<String> = ids.iter().map(|&id| Users::name(id)).collect();
    assert_eq!(row.get::<_, Vec<String>>(0), expected);
}

#[test]
fn progress_counts_up_to_all_rows() {
    let insert = LoadMethod::Insert { batch: 500 };
    for method in [LoadMethod::Copy, insert, LoadMethod::RowByRow] {
        let mut seen = Vec::new();
        Loader::new()
            .method(method)
            .on_progress(|at| seen.push(at))
            .replace(server().url(), &config("progress", 1_200))
            .unwrap_or_else(|error| panic!("{error}"));
        assert!(seen.len() >= 3, "{method:?}: {seen:?}");
        assert!(seen.is_sorted_by(|a, b| a.rows_done < b.rows_done));
        assert!(seen.iter().all(|at| at.rows_total == 3_600));
        assert_eq!(seen.last().map(|at| at.rows_done), Some(3_600));
    }
}

#[test]
fn memory_does_not_grow_with_the_users() {
    let peak_kib = |users: &str| {
        let output = helper::command("load")
            .env("TEST_URL", server().url())
            .env("TEST_SCHEMA", format!("memory_{users}"))
            .env("TEST_USERS", users)
            .stdin(Stdio::null())
            .output()
            .expect("the test program runs");
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let (_, peak) = output.split_once("peak_kib=").expect(&output);
        let end = peak.find(|c: char| !c.is_ascii_digit());
        peak[..end.unwrap_or(peak.len())]
            .parse::<u64>()
            .expect("a number")
    };
    let (few, many) = (peak_kib("2000"), peak_kib("60000"));
    assert!(many < 64 << 10, "{many} KiB");
    // The rows alone are 12 MB.
    assert!(many < few + (4 << 10), "{few} KiB, then {many} KiB");
}

#[test]
fn a_dataset_of_another_format_is_replaced_only_when_asked() {
    let wanted = config("other_format", 20);
    Dataset::open_or_load(server().url(), &wanted).expect("a load");
    connect(server().url())
        .batch_execute(
            "UPDATE other_format.dbload_meta SET version = 1; \
             ALTER TABLE other_format.user_info_tbl DROP COLUMN age; CREATE TABLE other_format.precious ()",
        )
        .expect("plain statements");
    let error = Dataset::open_or_load(server().url(), &wanted).expect_err("another format");
    let message = error.to_string();
    assert!(
        message.contains("a dataset in format 1, where this program uses 2"),
        "{message}"
    );
    let replaced = Dataset::replace(server().url(), &wanted).expect("a dataset may be replaced");
    assert_eq!(counts(server().url(), "other_format"), Some([20; 3]));

    // What others have put beside the tables stays, and the schema with it.
    replaced.drop_schema().expect("a dataset may be dropped");
    let rest = "SELECT string_agg(relname, ',') FROM pg_class \
                WHERE relnamespace = 'other_format'::regnamespace AND relkind = 'r'";
    let rest = connect(server().url())
        .query_one(rest, &[])
        .expect("a query");
    assert_eq!(rest.get::<_, Option<&str>>(0), Some("precious"));
}

/// The URL with settings of the session.
fn with_options(url: &str, options: &str) -> String {
    let options = options.replace(' ', "%20").replace('=', "%3D");
    format!("{url}?options={options}")
}

#[test]
fn a_statement_time_out_leaves_nothing_and_a_retry_all() {
    let url = with_options(server().url(), "-c statement_timeout=300");
    let wanted = config("timed_out", 5_000);
    let error = Loader::new()
        .on_progress(|_| thread::sleep(Duration::from_millis(400)))
        .open_or_load(&url, &wanted)
        .expect_err("the first statement takes longer");
    assert_eq!(error.sqlstate(), Some("57014"), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains("loading the users failed on postgresql://dbload:***@")
            && message.contains("statement timeout"),
        "{message}"
    );
    assert_eq!(counts(server().url(), "timed_out"), None);
    let dataset = Dataset::open_or_load(server().url(), &wanted).expect("a retry");
    assert!(!dataset.reused());
    assert_eq!(counts(server().url(), "timed_out"), Some([5_000; 3]));
}

#[test]
fn a_lock_time_out_leaves_the_rows_that_were_there() {
    let wanted = config("locked_out", 200);
    Dataset::open_or_load(server().url(), &wanted).expect("a load");
    let url = with_options(server().url(), "-c lock_timeout=200");
    let more = config("locked_out", 300);

    let mut reader = connect(server().url());
    let mut transaction = reader.transaction().expect("a transaction");
    transaction
        .batch_execute("LOCK TABLE locked_out.user_info_tbl IN ACCESS SHARE MODE")
        .expect("a plain statement");
    let error = Dataset::replace(&url, &more).expect_err("the table is in use");
    assert_eq!(error.sqlstate(), Some("55P03"), "{error:?}");
    assert!(error.to_string().contains("lock timeout"), "{error}");
    transaction.rollback().expect("the end");
    assert_eq!(counts(server().url(), "locked_out"), Some([200; 3]));

    // Another load is on its way: it is waited for, but not for ever.
    let (started, wait) = mpsc::channel();
    let (go_on, end) = mpsc::channel::<()>();
    let loading = thread::spawn(move || {
        let mut first = true;
        Loader::new()
            .on_progress(|_| {
                if std::mem::take(&mut first) {
                    started.send(()).expect("the test waits");
                    end.recv().expect("the test goes on");
                }
            })
            .replace(server().url(), &more)
            .map(|_| ())
    });
    wait.recv().expect("a load has begun");
    let error = Dataset::open_or_load(&url, &wanted).expect_err("the schema is in use");
    assert_eq!(error.sqlstate(), Some("55P03"), "{error:?}");
    assert!(error.to_string().contains("locking the schema"), "{error}");
    go_on.send(()).expect("the load waits");
    let loaded = loading.join().expect("no panic");
    loaded.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(counts(server().url(), "locked_out"), Some([300; 3]));
}

/// Kills the process that serves the load of `schema`, as the kernel does when memory runs out.
#[track_caller]
fn kill_backend(url: &str, schema: &str) {
    let serving = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%\"' || $1 || '\".%' AND pid <> pg_backend_pid()";
    let row = connect(url)
        .query_one(serving, &[&schema])
        .expect("one process serves the load");
    let pid = Pid::from_raw(row.get(0)).expect("a process");
    kill_process(pid, Signal::KILL).expect("a process of the test's own server");
}

/// Waits until the server has recovered.
#[track_caller]
fn wait_for(server: &TemporaryServer) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while let Err(error) = dbload::Server::connect(server.url()) {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn check_killed(server: &TemporaryServer, method: LoadMethod, wanted: &DatasetConfig) {
    let mut calls = 0;
    let error = Loader::new()
        .method(method)
        .on_progress(|_| {
            calls += 1;
            if calls == 2 {
                kill_backend(server.url(), &wanted.schema);
            }
        })
        .replace(server.url(), wanted)
        .expect_err("the server's process is gone");
    assert!(
        matches!(error, DbloadError::ConnectionLost { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("was lost during loading the users"),
        "{error}"
    );
    wait_for(server);
}

#[test]
fn a_server_killed_during_a_load_leaves_nothing_half_done() {
    let server = own_server();
    let url = server.url();
    let insert = LoadMethod::Insert { batch: 500 };
    for (number, method) in [LoadMethod::Copy, insert].into_iter().enumerate() {
        let schema = format!("killed_{number}");
        let wanted = config(&schema, 1_500);
        check_killed(&server, method, &wanted);
        assert_eq!(counts(url, &schema), None);
        let retried = Loader::new().method(method).open_or_load(url, &wanted);
        assert!(!retried.expect("a retry").reused());
        assert_eq!(counts(url, &schema), Some([1_500; 3]));

        // Users that are there stay, all of them, when those that replace them do not arrive.
        let before = content(url, &schema);
        check_killed(&server, method, &config(&schema, 2_000));
        assert_eq!(content(url, &schema), before);
        let opened = Dataset::open_or_load(url, &wanted).expect("the same users");
        assert!(opened.reused());
    }
}

/// A small file system, there as long as this value.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this account may not mount one.
    fn mount(server: &TemporaryServer) -> Option<Self> {
        let folder = tempfile::tempdir_in("/tmp").expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m,mode=700", "dbload-test"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        let disk = mounted.then(|| Self { folder })?;
        let owner = fs::metadata(server.data_directory()).expect("the server's folder");
        let path = disk.path();
        chown(path, Some(owner.uid()), Some(owner.gid())).expect("a mount of our own");
        Some(disk)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The server may still have files open there.
        let unmount = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmount.is_ok_and(|status| status.success()) || thread::panicking());
    }
}

#[test]
fn a_full_disk_is_named_and_leaves_the_rows_that_were_there() {
    let server = own_server();
    let disk = SmallDisk::mount(&server);
    let (options, sqlstate, message) = match &disk {
        Some(disk) => {
            let tablespace = format!(
                "CREATE TABLESPACE small LOCATION '{}'",
                disk.path().display()
            );
            connect(server.url())
                .batch_execute(&tablespace)
                .expect("a folder of the server's own");
            (
                "-c default_tablespace=small",
                "53100",
                "No space left on device",
            )
        }
        // Without the right to mount a disk that can be filled, the server's own limit for the files of
        // sorts stands in.
        None => (
            "-c temp_file_limit=500 -c maintenance_work_mem=1024",
            "53400",
            "temp_file_limit",
        ),
    };
    let url = with_options(server.url(), options);
    let (small, large) = (config("full_disk", 500), config("full_disk", 40_000));
    let check_full = |outcome: Result<Dataset, DbloadError>| {
        let error = outcome.expect_err("there is no room");
        assert_eq!(error.sqlstate(), Some(sqlstate), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    };
    check_full(Dataset::open_or_load(&url, &large));
    assert_eq!(counts(server.url(), "full_disk"), None);

    // What did not fit is gone from the disk: there is room for fewer.
    Dataset::open_or_load(&url, &small).unwrap_or_else(|error| panic!("{error}"));
    let before = content(server.url(), "full_disk");
    check_full(Dataset::replace(&url, &large));
    assert_eq!(content(server.url(), "full_disk"), before);
    assert_eq!(counts(server.url(), "full_disk"), Some([500; 3]));
    assert!(
        Dataset::open_or_load(&url, &small)
            .expect("the same users")
            .reused()
    );
    drop(server);
}
