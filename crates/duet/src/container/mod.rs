//! Variants that run in containers: an engine's images, one container a process, nothing left behind.
//!
//! A container is started by the engine's client, whose standard input and output are those of the program, so that
//! the paced protocol goes through it unchanged. The program reads its own clock: what the engine takes to start and
//! to end a container is never a part of a turn. Everything that is started carries a label whose value is this
//! process's alone, and only what carries it is ever removed.

mod image;
mod running;
mod sweep;

use std::io::ErrorKind;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use crate::config::Containers;
use crate::error::{Error, Result};
use crate::fixture::Environment;
use crate::process;
use crate::terminal::say;

pub use image::{Image, ImageRequest};
pub use running::{Container, ContainerUse};
pub use sweep::{SWEEP_COMMAND, SWEEP_COMMAND_C, sweep};

/// The label of everything that the tool starts; its value is of one process of the tool.
const LABEL: &str = "duet.run";

/// An engine that answers, and what each container may use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Its client: `docker`, or a program that is used in the same way.
    pub client: String,
    /// What it says its version is.
    pub version: String,
    /// CPU time per time that a container may use, in CPUs.
    pub cpus: f64,
    /// Memory that a container may use, as the engine writes it: `8g`. There is no swap beyond it.
    pub memory: String,
}

impl Engine {
    /// Asks the engine whether it is there, and how many CPUs it has: it refuses a cap above that.
    ///
    /// # Errors
    /// A client that is not installed, or an engine that does not answer it.
    pub fn reach(settings: &Containers) -> Result<Self> {
        let client = settings.engine.as_str();
        let format = "{{.ServerVersion}} {{.NCPU}}";
        let answer = run(Command::new(client).args(["info", "--format", format]))?;
        let mut words = answer.split_whitespace();
        let (version, cpus) = (
            words.next(),
            words.next().and_then(|cpus| cpus.parse().ok()),
        );
        let Some((version, there)) = version.zip(cpus).filter(|(_, cpus)| *cpus > 0.0) else {
            return Err(unreachable(client, &answer));
        };
        let cpus = settings.cpus.min(there);
        if cpus < settings.cpus {
            say(format_args!(
                "The container engine has {there} CPUs: containers are capped at {there} CPUs and not at {}.",
                settings.cpus
            ));
        }
        process::guard_containers(client, &label());
        Ok(Self {
            client: client.into(),
            version: version.into(),
            cpus,
            memory: settings.memory.clone(),
        })
    }

    /// Asks the engine of a plan whether it is there, and has the image.
    ///
    /// # Errors
    /// An engine that does not answer, or an image that is gone.
    pub fn check(&self, image: &Image) -> Result<()> {
        let client = self.client.as_str();
        run(Command::new(client).args(["info", "--format", "{{.ServerVersion}}"]))?;
        run(Command::new(client).args(["image", "inspect", "--format", "{{.Id}}", &image.id])).map_err(|error| {
            Error::Container(format!(
                "the image {} of the run is gone, so the run cannot go on; start a new one ({error})",
                image.id
            ))
        })?;
        process::guard_containers(client, &label());
        Ok(())
    }

    /// The command that runs the image's program in a container of its own, and the container.
    ///
    /// Values of the environment may be secrets: the client takes them from its own environment, and the command
    /// line has the names alone. A program that is given an address of something (a fixture's, say) shares the
    /// host's network; any other has none.
    pub fn run(
        &self,
        image: &Image,
        args: &[String],
        environment: &Environment,
        needs_network: bool,
    ) -> (Command, Container) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("duet-{}-{number}", std::process::id());
        let mut command = Command::new(&self.client);
        command.args(["run", "--interactive", "--name", &name]);
        command.args(["--label", &format!("{LABEL}={}", label())]);
        command.args(["--cpus", &self.cpus.to_string()]);
        command.args(["--memory", &self.memory, "--memory-swap", &self.memory]);
        command.args(["--network", if needs_network { "host" } else { "none" }]);
        command.args(["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"]);
        command.args(["--security-opt", "no-new-privileges"]);
        for variable in environment.keys() {
            command.args(["--env", variable]);
        }
        command.envs(environment);
        command.arg(&image.id).args(args);
        let container = Container::new(&self.client, name);
        (command, container)
    }
}

/// The label's value: of this process and of no other, also where process numbers come again.
fn label() -> String {
    use std::sync::OnceLock;
    static VALUE: OnceLock<String> = OnceLock::new();
    let fresh = || format!("{}-{}", std::process::id(), probe::monotonic_ns());
    VALUE.get_or_init(fresh).clone()
}

/// What a command of the engine's client prints.
///
/// # Errors
/// A client that is not there, or its complaint.
fn run(command: &mut Command) -> Result<String> {
    let client = command.get_program().to_string_lossy().into_owned();
    let output = output(command).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Error::Container(format!(
            "there is no container engine: `{client}` is not installed, or not on PATH; install Docker, or leave \
             the variants with `container` out: --variants gnu,musl"
        )),
        _ => Error::Container(format!("the container engine's client `{client}` cannot be run: {error}")),
    })?;
    let stdout = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let words = stderr.trim();
    let is_silent = [
        "Cannot connect",
        "error during connect",
        "permission denied",
        "failed to connect",
    ];
    match is_silent.iter().any(|sign| words.contains(sign)) {
        true => Err(unreachable(&client, words)),
        false => Err(Error::Container(format!(
            "`{}` failed ({}): {words}",
            process::show(command),
            output.status
        ))),
    }
}

fn output(command: &mut Command) -> std::io::Result<Output> {
    command.stdin(Stdio::null()).output()
}

fn unreachable(client: &str, words: &str) -> Error {
    Error::Container(format!(
        "the container engine does not answer `{client}`: {words}\nIs its daemon running, is DOCKER_HOST right, and \
         may you use it? `{client} info` must work"
    ))
}
