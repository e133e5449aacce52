//! Encrypted connections.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use dbload::{
    Client, Dataset, DbloadError, Length, LoadPlan, Mix, Operation, Pool, Server, ServerSettings,
    TemporaryServer,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::load_run::closed;
use super::{config, connect, own_server, server};

/// A server that lets nobody in over TCP without encryption, and the certificates of its authority
/// and of another.
struct Encrypted {
    server: TemporaryServer,
    folder: tempfile::TempDir,
}

impl Encrypted {
    /// The certificate of the server is for `localhost` alone.
    fn start() -> Self {
        let server = own_server();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new("one");
        fs::write(folder.path().join("one.pem"), &authority.pem).expect("a temporary folder");
        fs::write(folder.path().join("other.pem"), Authority::new("other").pem)
            .expect("a temporary folder");
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new(["localhost".to_owned()])
            .expect("a good name")
            .signed_by(&key, &authority.issuer)
            .expect("a certificate");
        let data = server.data_directory();
        give(&data, "server.crt", &certificate.pem());
        give(&data, "server.key", &key.serialize_pem());
        give(
            &data,
            "pg_hba.conf",
            "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n",
        );
        let mut client = connect(server.url());
        client
            .batch_execute("ALTER SYSTEM SET ssl = on")
            .expect("a plain statement");
        client
            .batch_execute("SELECT pg_reload_conf()")
            .expect("a plain statement");
        let encrypted = Self { server, folder };
        // The server reads its files again in its own time.
        let deadline = Instant::now() + Duration::from_secs(10);
        while Server::connect(&encrypted.url("sslmode=require")).is_err()
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(20));
        }
        encrypted
    }

    fn url(&self, options: &str) -> String {
        format!("{}?{options}", self.server.url())
    }

    fn localhost_url(&self, options: &str) -> String {
        self.url(options).replace("127.0.0.1", "localhost")
    }

    /// The option that names a certificate.
    fn root(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        format!(
            "sslrootcert={}",
            path.to_str()
                .expect("a path of letters")
                .replace('/', "%2F")
        )
    }
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(DnType::CommonName, format!("authority {name}"));
        let key = KeyPair::generate().expect("a key");
        let pem = parameters.self_signed(&key).expect("a certificate").pem();
        let issuer = Issuer::new(parameters, key);
        Self { pem, issuer }
    }
}

/// Writes a file that the server accepts as its own.
fn give(data: &Path, name: &str, text: &str) {
    let path = data.join(name);
    fs::write(&path, text).expect("a folder of our own");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of our own");
    let owner = fs::metadata(data).expect("a running server");
    chown(&path, Some(owner.uid()), Some(owner.gid())).expect("a file of our own");
}

/// Loads and asks over `url`.
#[track_caller]
fn check_works(url: &str, schema: &str) {
    let dataset = Dataset::open_or_load(url, &config(schema, 300))
        .unwrap_or_else(|error| panic!("{schema}: {error}"));
    let pool = Pool::connect(&dataset, 2).unwrap_or_else(|error| panic!("{schema}: {error}"));
    let mut client = Client::new(&pool, 1);
    for operation in Operation::ALL {
        let request = client.next_request(operation);
        let answer = client
            .run(&request)
            .unwrap_or_else(|error| panic!("{schema}: {error}"));
        assert_eq!(
            answer,
            request.expected_answer(&dataset.users()),
            "{operation}"
        );
    }
}

/// Clients of one thread, whose answers come in several records, see what one alone sees.
#[track_caller]
fn check_shares_a_thread(url: &str, schema: &str) {
    let dataset = Dataset::open_or_load(url, &config(schema, 3_000)).expect("a load");
    let sums = [1, 4].map(|clients| {
        let pool = Pool::connect(&dataset, clients).expect("a pool");
        let mix = Mix::builtin("read").expect("built in");
        let plan = LoadPlan {
            threads: Some(1),
            ..LoadPlan::new(mix, closed(clients), Length::Operations(400))
        };
        let report = plan.run(&pool).expect("a run");
        assert_eq!(report.total.failed(), 0, "{report:?}");
        (report.total.rows, report.total.bytes, report.total.checksum)
    });
    assert!(sums[0].1 > 100_000, "{sums:?}");
    assert_eq!(sums[0], sums[1]);
}

#[track_caller]
fn check_refused(url: &str, part: &str) {
    let errors = [
        Server::connect(url).expect_err("a refusal"),
        Dataset::open_or_load(url, &config("refused", 10)).expect_err("a refusal"),
    ];
    for error in errors {
        assert!(matches!(error, DbloadError::Connect { .. }), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn encryption_is_as_strict_as_the_url_says() {
    let encrypted = Encrypted::start();
    let one = encrypted.root("one.pem");
    let other = encrypted.root("other.pem");

    // Without encryption, this server lets nobody in.
    check_refused(encrypted.server.url(), "no encryption");
    check_refused(&encrypted.url("sslmode=disable"), "no encryption");

    check_works(&encrypted.url("sslmode=prefer"), "tls_prefer");
    check_works(&encrypted.url("sslmode=require"), "tls_require");
    check_shares_a_thread(&encrypted.url("sslmode=require"), "tls_shared");
    let settings = ServerSettings::read(&encrypted.url("sslmode=require")).expect("a server");
    assert!(settings.encrypted && settings.ssl == "on", "{settings}");
    let settings = ServerSettings::read(encrypted.server.socket_url()).expect("a server");
    assert!(!settings.encrypted, "{settings}");

    let url = |mode: &str, root: &str| encrypted.url(&format!("sslmode={mode}&{root}"));
    check_works(&url("verify-ca", &one), "tls_verify_ca");
    check_refused(&url("verify-ca", &other), "invalid peer certificate");
    check_refused(&url("require", &other), "invalid peer certificate");

    let localhost =
        |mode: &str, root: &str| encrypted.localhost_url(&format!("sslmode={mode}&{root}"));
    check_works(&localhost("verify-full", &one), "tls_verify_full");
    check_refused(
        &localhost("verify-full", &other),
        "invalid peer certificate",
    );
    // The right authority, but for another name.
    check_refused(&url("verify-full", &one), "not valid for name");
    // The authorities of the system do not know this one.
    check_refused(
        &encrypted.localhost_url("sslmode=verify-full"),
        "certificate",
    );
}

#[test]
fn a_server_without_encryption_is_refused_where_it_is_demanded() {
    let url = |mode: &str| format!("{}?sslmode={mode}", server().url());
    let error = Server::connect(&url("require")).expect_err("a refusal");
    assert!(error.to_string().contains("does not offer TLS"), "{error}");
    let error = Dataset::open_or_load(&url("require"), &config("refused", 10));
    let error = error.expect_err("a refusal").to_string();
    assert!(error.contains("does not support TLS"), "{error}");
    check_works(&url("prefer"), "tls_not_there");
    let settings = ServerSettings::read(&url("prefer")).expect("a server");
    assert!(!settings.encrypted && settings.ssl == "off", "{settings}");
}
