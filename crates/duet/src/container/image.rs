//! The image of a variant: a binary that was built outside, put on a base.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Engine, run};
use crate::error::{Error, Result};

/// An image, by what cannot be given to another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Its id, a hash of its whole content.
    pub id: String,
    /// The name by which people may use it.
    pub name: String,
    /// Its size in bytes, its base included.
    pub bytes: u64,
    /// Its layers.
    pub layers: usize,
    /// Seconds that making it took, or finding that it was made already.
    pub seconds: f64,
    /// What its base stands in for an official image with, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stand_in: Option<String>,
}

/// What an image is made of.
#[derive(Debug, Clone, Copy)]
pub struct ImageRequest<'a> {
    /// The file that says how, and has a stage `copied` which copies the program from the build's context.
    pub file: &'a Path,
    /// The binary; its file's name is the program's.
    pub binary: &'a Path,
    /// The image's name.
    pub name: &'a str,
    /// Build arguments that are taken from the environment, where they are set there.
    pub arguments: &'a [String],
    /// The revision of the source, where it is known.
    pub revision: Option<&'a str>,
    /// The time that the image's files and its label get, in seconds since 1970, so that the same binary makes the
    /// same image.
    pub epoch: u64,
}

impl Engine {
    /// Makes the image. The context is a folder with nothing but the program.
    ///
    /// # Errors
    /// What the engine says; a base that it does not have and cannot get.
    pub fn build(&self, request: &ImageRequest) -> Result<Image> {
        let ImageRequest {
            file,
            binary,
            name,
            arguments,
            revision,
            epoch,
        } = *request;
        if !file.is_file() {
            return Err(Error::Container(format!(
                "there is no file {} to make the image with",
                file.display()
            )));
        }
        let context = context(binary, epoch)?;
        let mut command = Command::new(&self.client);
        command
            .args(["build", "--force-rm", "--target", "copied"])
            .args(["--tag", name, "--file"])
            .arg(file);
        // Those that the environment has not set keep the file's default.
        for argument in arguments
            .iter()
            .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        {
            command.args(["--build-arg", argument]);
        }
        command.args([
            "--build-arg",
            &format!("REVISION={}", revision.unwrap_or("unknown")),
        ]);
        let created = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(epoch));
        command.args(["--build-arg", &format!("CREATED={created}")]);
        command.args(["--build-arg", &format!("SOURCE_DATE_EPOCH={epoch}")]);
        command.arg(&context).stdin(Stdio::null());
        let started = Instant::now();
        let output = super::output(&mut command).map_err(|error| {
            Error::Container(format!("`{}` cannot be run: {error}", self.client))
        })?;
        if !output.status.success() {
            return Err(failure(&output, name));
        }
        let seconds = started.elapsed().as_secs_f64();
        let _ = fs::remove_dir_all(&context);
        let format = r#"{{.Id}} {{.Size}} {{len .RootFS.Layers}} {{with .Config.Labels}}{{index . "stand-in"}}{{end}}"#;
        let answer =
            run(Command::new(&self.client).args(["image", "inspect", "--format", format, name]))?;
        let mut words = answer.splitn(4, ' ');
        let mut number = || words.next().unwrap_or_default().to_string();
        let (id, bytes, layers) = (number(), number(), number());
        let stand_in = words
            .next()
            .map(str::trim)
            .filter(|words| !words.is_empty() && *words != "<no value>");
        Ok(Image {
            id,
            name: name.into(),
            bytes: bytes.parse().unwrap_or(0),
            layers: layers.parse().unwrap_or(0),
            seconds,
            stand_in: stand_in.map(String::from),
        })
    }
}

/// A folder with the binary alone, as it is to be in the image: with its time, and for any user to execute, whatever
/// files are usually made like here.
fn context(binary: &Path, epoch: u64) -> Result<PathBuf> {
    let folder = binary.with_extension("context");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let copy = folder.join(binary.file_name().unwrap_or_default());
    fs::copy(binary, &copy).map_err(Error::io("write", &copy))?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755))
        .map_err(Error::io("make executable", &copy))?;
    let time = UNIX_EPOCH + Duration::from_secs(epoch);
    fs::File::options()
        .append(true)
        .open(&copy)
        .and_then(|file| file.set_modified(time))
        .map_err(Error::io("date", &copy))?;
    Ok(folder)
}

/// Why there is no image, in the last lines of what the engine says.
fn failure(output: &std::process::Output, name: &str) -> Error {
    let words = [&output.stdout, &output.stderr]
        .map(|bytes| String::from_utf8_lossy(bytes).trim().to_string());
    let words = words.join("\n");
    // Not what the classic builder says of itself each time.
    let idle = [
        "DEPRECATED",
        "Install the buildx",
        "docs.docker.com/go/buildx",
        "Sending build context",
    ];
    let says =
        |line: &&str| !line.trim().is_empty() && !idle.iter().any(|words| line.contains(words));
    let lines: Vec<&str> = words.lines().filter(says).collect();
    let last = lines[lines.len().saturating_sub(4)..].join("\n  ");
    let is_missing = [
        "pull access denied",
        "manifest unknown",
        "no such host",
        "failed to resolve",
        "dial tcp",
        "Client.Timeout",
        "not found: manifest",
        "registry",
    ];
    let advice = match is_missing.iter().any(|sign| last.contains(sign)) {
        true => {
            "\nThe base image is not there and no registry gives it. `eval \"$(docker/local-bases.sh)\"` makes \
                 stand-ins and says so in DEBIAN_IMAGE and ALPINE_IMAGE; or set these to images that you have"
        }
        false => "",
    };
    Error::Container(format!(
        "the image {name} could not be made:\n  {last}{advice}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_an_image_is_for_any_user_and_as_old_as_the_source() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let binary = folder.path().join("program");
        fs::write(&binary, "content").expect("a file");
        fs::set_permissions(&binary, Permissions::from_mode(0o700)).expect("a file of our own");
        let copy = context(&binary, 86_400).expect("a copy").join("program");
        let metadata = fs::metadata(copy).expect("the copy");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o755);
        let modified = metadata.modified().expect("a time");
        assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(86_400));
    }
}
