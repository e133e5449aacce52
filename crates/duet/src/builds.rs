//! Builds every variant and asks the binary what it is.

mod musl;

use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cargo_metadata::Message;
use probe::{Identity, Libc, Linkage};
use sha2::{Digest, Sha256};

use crate::config::{Containers, Link, Program, Variant};
use crate::container::{Engine, ImageRequest};
use crate::error::{Error, Result};
use crate::fixture::Environment;
use crate::machine;
use crate::plan::{Build, Contained, PlannedVariant};
use crate::process::{self, Launch};
use crate::terminal::{is_quiet, say};
use crate::toolchain;

/// Starts of each binary whose time is taken.
const STARTS: usize = 20;

/// The same where one of them is started in a container, which takes a second: the fewest that have an interval.
const STARTS_IN_CONTAINERS: usize = 6;

/// The longest that the starts of all variants may take together; a container as the runner needs a second
/// for each.
const LONGEST_STARTS: Duration = Duration::from_secs(20);

/// Where the builds of a run come from and go to.
#[derive(Debug, Clone, Copy)]
pub struct Workshop<'a> {
    /// The folder of the workspace.
    pub workspace: &'a Path,
    /// Cargo's target folder.
    pub target_folder: &'a Path,
    /// Where the binaries are kept, a folder a variant.
    pub kept: &'a Path,
    /// The program.
    pub program: &'a Program,
    /// The container engine, where a variant needs it.
    pub engine: Option<&'a Engine>,
    /// What the configuration says of images.
    pub containers: &'a Containers,
    /// Builds of each variant. One is a build as anyone would make it; of several, each has its functions
    /// in another order.
    pub builds: usize,
}

impl Workshop<'_> {
    /// Builds a variant and copies the binaries to the folder where they are kept, because the build of
    /// another variant of the same target replaces cargo's; then checks their identities.
    ///
    /// # Errors
    /// A build that fails, or a binary whose identity is not the variant's.
    pub fn build(&self, name: &str, settings: &Variant) -> Result<PlannedVariant> {
        let mut variant = PlannedVariant {
            name: name.into(),
            binary: PathBuf::new(),
            sha256: String::new(),
            binary_bytes: 0,
            build_seconds: None,
            startup_ns: None,
            container: None,
            more_builds: Vec::new(),
            identity: Identity::of_this_process("system"),
            settings: settings.clone(),
        };
        for number in 0..self.builds {
            let lock = self.lock()?;
            let started = Instant::now();
            let built = self.executable(name, settings, number)?;
            let seconds = started.elapsed().as_secs_f64();
            let build = self.keep(name, number, &built.executable)?;
            drop(lock);
            if number == 0 {
                variant.container = self.image(name, settings, &build.binary)?;
            }
            let identity = identity_of(&variant, &build.binary)?;
            check_identity(name, settings, &identity)?;
            if number == 0 {
                variant.identity = identity;
                variant.build_seconds = built.from_scratch.then_some(seconds);
                variant.binary = build.binary;
                variant.sha256 = build.sha256;
                variant.binary_bytes = build.binary_bytes;
            } else {
                variant.more_builds.push(build);
            }
        }
        warn_of_equal(&variant);
        Ok(variant)
    }

    /// Puts the binary of a variant that runs in containers into its image.
    fn image(&self, name: &str, settings: &Variant, binary: &Path) -> Result<Option<Contained>> {
        let (Some(file), Some(engine)) = (&settings.container, self.engine) else {
            return Ok(None);
        };
        if self.builds > 1 {
            return Err(Error::Usage(format!(
                "variant `{name}` runs in containers, of which there is one image: leave --builds out"
            )));
        }
        let git = |args: &[&str]| {
            machine::answer(Command::new("git").current_dir(self.workspace).args(args))
        };
        let revision = git(&["rev-parse", "HEAD"]);
        let epoch = std::env::var("SOURCE_DATE_EPOCH")
            .ok()
            .or_else(|| git(&["log", "-1", "--format=%ct"]));
        let repository = self.containers.images.as_ref().unwrap_or(&self.program.bin);
        let image = engine.build(&ImageRequest {
            file: &self.workspace.join(file),
            binary,
            name: &format!("{repository}:{name}"),
            arguments: &self.containers.build_args,
            revision: revision.as_deref(),
            epoch: epoch.and_then(|epoch| epoch.parse().ok()).unwrap_or(0),
        })?;
        Ok(Some(Contained {
            engine: engine.clone(),
            image,
        }))
    }

    /// Waits until no other run builds in this target folder: what cargo built must be copied before another
    /// build replaces it.
    fn lock(&self) -> Result<File> {
        fs::create_dir_all(self.target_folder).map_err(Error::io("create", self.target_folder))?;
        let path = self.target_folder.join(".duet-building");
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            say("  waiting for the build of another run");
        }
        match file.lock() {
            // Where the file system knows no locks, it is for the user not to build twice at once.
            Err(error) if error.kind() != ErrorKind::Unsupported => {
                Err(Error::io("lock", &path)(error))
            }
            _ => Ok(file),
        }
    }

    /// Copies a binary to where it is kept and computes its hash.
    fn keep(&self, name: &str, number: usize, built: &Path) -> Result<Build> {
        let mut folder = self.kept.join(name);
        if number > 0 {
            folder.push(format!("build-{number}"));
        }
        fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        let binary = folder.join(&self.program.bin);
        fs::copy(built, &binary).map_err(Error::io("write", &binary))?;
        let bytes = fs::read(&binary).map_err(Error::io("read", &binary))?;
        Ok(Build {
            binary,
            sha256: sha256(&bytes),
            binary_bytes: bytes.len() as u64,
        })
    }

    /// The executable that the variant names, or that cargo builds for it.
    fn executable(&self, name: &str, settings: &Variant, number: usize) -> Result<Built> {
        let built = match &settings.binary {
            Some(binary) => self.built_already(binary),
            None => self.cargo_build(settings, number),
        };
        built.map_err(|message| Error::Build {
            variant: name.into(),
            message,
        })
    }

    fn built_already(&self, binary: &Path) -> std::result::Result<Built, String> {
        let executable = self.workspace.join(binary);
        match self.builds {
            1 if executable.is_file() => Ok(Built {
                executable,
                from_scratch: false,
            }),
            1 => Err(format!("there is no file {}", executable.display())),
            builds => Err(format!(
                "its binary is built already, so that there is one build of it and not {builds}"
            )),
        }
    }

    /// Runs `cargo build` and finds the executable that its messages name.
    fn cargo_build(&self, settings: &Variant, number: usize) -> std::result::Result<Built, String> {
        let Program {
            package,
            bin,
            profile,
        } = self.program;
        let mut command = toolchain::tool("cargo", settings.toolchain.as_deref(), self.workspace);
        command.args(["build", "--message-format", "json-render-diagnostics"]);
        command.args(["--package", package, "--bin", bin]);
        command.args(["--profile", profile, "--target", &settings.target]);
        command.args(is_quiet().then_some("--quiet"));
        if let Some(allocator) = &settings.allocator {
            command.args(["--features", allocator]);
        }
        let mut flags = settings.rustflags.clone();
        match settings.link {
            Some(Link::Static) => flags.push("-Ctarget-feature=+crt-static".into()),
            Some(Link::Dynamic) => flags.push("-Ctarget-feature=-crt-static".into()),
            None => {}
        }
        if settings.link == Some(Link::Dynamic) && settings.target.ends_with("-musl") {
            let folder = self.target_folder.join("duet-musl");
            flags.extend(musl::dynamic(self.workspace, settings, &folder)?);
        }
        if self.builds > 1 {
            flags.extend(shuffled_layout(self.workspace, settings, number));
            // A folder for each layout: cargo would otherwise build everything anew whenever it changes.
            let folder = self.target_folder.join("duet-layouts");
            command
                .arg("--target-dir")
                .arg(folder.join(number.to_string()));
        }
        if !flags.is_empty() {
            // A setting of the target and not the environment variable, which would replace the
            // workspace's own flags instead of adding to them.
            let list: toml::Value = flags.into();
            command
                .arg("--config")
                .arg(format!("target.{}.rustflags={list}", settings.target));
        }
        run_cargo(command, self.program)
    }
}

/// What cargo built.
#[derive(Debug)]
struct Built {
    executable: PathBuf,
    /// Whether everything was compiled now and nothing taken from an earlier build.
    from_scratch: bool,
}

/// Says which builds of a variant came out the same: they are one sample of layout and not two.
fn warn_of_equal(variant: &PlannedVariant) {
    let others = variant.more_builds.iter().map(|build| &build.sha256);
    let hashes: Vec<&String> = std::iter::once(&variant.sha256).chain(others).collect();
    for (number, hash) in hashes.iter().enumerate() {
        if let Some(same) = hashes[..number].iter().position(|other| other == hash) {
            say(format_args!(
                "  builds {same} and {number} of {} are equal byte for byte: together they count as one layout",
                variant.name
            ));
        }
    }
}

/// Compiler flags that put the functions of the program and of all that is linked into it into a random
/// order, the same for each number.
///
/// The order of the functions decides which share cache sets and branch predictor entries, and how loops
/// lie in their cache lines. Only LLD can shuffle the sections of a single object, which is what is left
/// after link-time optimisation. The toolchains of rustup bring it along; where there is none, the C
/// compiler is asked for the system's.
fn shuffled_layout(workspace: &Path, settings: &Variant, number: usize) -> Vec<String> {
    let mut flags = Vec::new();
    let mut rustc = toolchain::tool("rustc", settings.toolchain.as_deref(), workspace);
    if let Ok(output) = rustc.args(["--print", "target-libdir"]).output() {
        let libraries = String::from_utf8_lossy(&output.stdout).trim().to_string();
        let wrapper = Path::new(&libraries).with_file_name("bin").join("gcc-ld");
        if wrapper.join("ld.lld").is_file() {
            flags.push(format!("-Clink-arg=-B{}", wrapper.display()));
        }
    }
    flags.push("-Clink-arg=-fuse-ld=lld".into());
    // 0 would mean an order that differs from link to link.
    flags.push(format!(
        "-Clink-arg=-Wl,--shuffle-sections=.text*={}",
        number + 1
    ));
    flags
}

/// Measures how long the binaries take from start to end when they only print what they are: the starts
/// of the variants take turns.
pub fn time_starts(variants: &mut [PlannedVariant]) {
    let mut times = vec![Vec::new(); variants.len()];
    let deadline = Instant::now() + LONGEST_STARTS;
    let starts = match variants.iter().any(|variant| variant.container.is_some()) {
        true => STARTS_IN_CONTAINERS,
        false => STARTS,
    };
    for _ in 0..starts {
        for (variant, times) in variants.iter().zip(&mut times) {
            let Launch {
                mut command,
                container,
            } = identity_launch(variant, &variant.binary);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            let started = Instant::now();
            // A container is removed after its time was taken.
            let _container = container;
            if command.status().is_ok_and(|status| status.success()) {
                times.push(started.elapsed().as_nanos() as u64);
            }
        }
        if Instant::now() > deadline {
            break;
        }
    }
    for (variant, times) in variants.iter_mut().zip(times) {
        variant.startup_ns = (!times.is_empty()).then_some(times);
    }
}

/// SHA-256, hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn run_cargo(mut command: Command, program: &Program) -> std::result::Result<Built, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let stdout = child.stdout.take().expect("standard output was piped");
    let mut executable = None;
    let mut from_scratch = true;
    for message in Message::parse_stream(BufReader::new(stdout)) {
        let message = message.map_err(|error| format!("cargo's messages: {error}"))?;
        if let Message::CompilerArtifact(artifact) = message {
            from_scratch &= !artifact.fresh;
            if artifact.target.name == program.bin
                && let Some(path) = artifact.executable
            {
                executable = Some(path.into_std_path_buf());
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("waiting for cargo: {error}"))?;
    if !status.success() {
        return Err(format!(
            "cargo build failed ({status}), its message is above"
        ));
    }
    let executable = executable.ok_or_else(|| {
        format!(
            "cargo built no binary `{}` in package `{}`",
            program.bin, program.package
        )
    })?;
    Ok(Built {
        executable,
        from_scratch,
    })
}

/// What makes a binary say what it is.
fn identity_launch(variant: &PlannedVariant, binary: &Path) -> Launch {
    let args = ["identity".into(), "--json".into()];
    let mut launch = process::launch(variant, binary, &args, &Environment::new(), false);
    launch.command.stdin(Stdio::null());
    launch
}

/// Runs the variant's binary with `identity --json` and reads its answer.
fn identity_of(variant: &PlannedVariant, binary: &Path) -> Result<Identity> {
    let refused = |message: String| Error::Identity {
        variant: variant.name.clone(),
        message,
    };
    // The container is removed at the end of this function, whatever it finds.
    let Launch {
        mut command,
        container: _container,
    } = identity_launch(variant, binary);
    let output = command.output().map_err(|error| {
        refused(format!(
            "{} cannot be run: {error}",
            process::show(&command)
        ))
    })?;
    if !output.status.success() {
        return Err(refused(format!(
            "`{}` failed ({}): {}",
            process::show(&command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| {
        refused(format!(
            "`{}` did not print an identity: {error}",
            process::show(&command)
        ))
    })
}

/// Compares what the running binary says with what the variant claims.
fn check_identity(name: &str, settings: &Variant, identity: &Identity) -> Result<()> {
    let refused = |what: &str, is: &dyn Display, claimed: &dyn Display| Error::Identity {
        variant: name.into(),
        message: format!(
            "its {what} is {is}, but the variant claims {claimed}; nothing is measured with a binary \
             that is not what its name says"
        ),
    };
    if let Some(libc) = libc_of(&settings.target)
        && identity.libc != libc
    {
        return Err(refused("C library", &identity.libc, &libc));
    }
    let is_static = identity.linkage != Linkage::Dynamic;
    match settings.link {
        Some(Link::Static) if !is_static => {
            return Err(refused("linkage", &identity.linkage, &"static"));
        }
        Some(Link::Dynamic) if is_static => {
            return Err(refused("linkage", &identity.linkage, &"dynamic"));
        }
        _ => {}
    }
    let allocator = settings.allocator.as_deref().unwrap_or("system");
    if identity.allocator != allocator {
        return Err(refused("allocator", &identity.allocator, &allocator));
    }
    Ok(())
}

/// The C library that a target triple stands for; `None` for targets with neither of the two.
fn libc_of(target: &str) -> Option<Libc> {
    match target.rsplit('-').next() {
        Some(environment) if environment.starts_with("gnu") => Some(Libc::Glibc),
        Some(environment) if environment.starts_with("musl") => Some(Libc::Musl),
        _ => None,
    }
}
