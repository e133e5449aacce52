//! A case of any workload, and how it is read from a command line.

use clap::{Parser, Subcommand};

use crate::dbload::DbloadArgs;
use crate::forest::{ForestArgs, ForestCase};
use crate::kmeans::{KmeansArgs, KmeansCase};
use crate::libc::LibcArgs;
use crate::session::{Session, WorkloadError};

/// The arguments of a workload: one case, or several where lists are allowed.
#[derive(Clone, Debug, Subcommand)]
pub enum WorkloadArgs {
    /// K-means clustering of blobs, or of the rows of a file
    Kmeans(KmeansArgs),
    /// A random forest on generated rows, or on those of a file: training and prediction
    Forest(ForestArgs),
    /// Queries and loads of a PostgreSQL database
    Dbload(DbloadArgs),
    /// Allocating, copying and elementary functions of the C library
    Libc(LibcArgs),
}

impl WorkloadArgs {
    /// The cases that the arguments describe, in the order in which they are run. Never empty.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] for arguments that make sense for one case but describe several.
    pub fn cases(&self) -> Result<Vec<Case>, WorkloadError> {
        Ok(match self {
            WorkloadArgs::Kmeans(args) => args.cases()?.into_iter().map(Case::Kmeans).collect(),
            WorkloadArgs::Forest(args) => args.cases()?.into_iter().map(Case::Forest).collect(),
            WorkloadArgs::Dbload(args) => vec![Case::Dbload(args.clone())],
            WorkloadArgs::Libc(args) => vec![Case::Libc(args.clone())],
        })
    }
}

/// A workload with its parameters.
#[derive(Clone, Debug)]
pub enum Case {
    /// K-means clustering.
    Kmeans(KmeansCase),
    /// A random forest.
    Forest(ForestCase),
    /// A database.
    Dbload(DbloadArgs),
    /// The C library.
    Libc(LibcArgs),
}

impl Case {
    /// Reads the one case that a command line such as `kmeans --samples 5k` describes.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] when the arguments are wrong or describe more than one case.
    pub fn parse(args: &[&str]) -> Result<Case, WorkloadError> {
        #[derive(Parser)]
        #[command(name = "workload", no_binary_name = true)]
        struct CommandLine {
            #[command(subcommand)]
            workload: WorkloadArgs,
        }
        let line = CommandLine::try_parse_from(args)
            .map_err(|error| WorkloadError::Input(error.to_string()))?;
        match <[Case; 1]>::try_from(line.workload.cases()?) {
            Ok([case]) => Ok(case),
            Err(cases) => Err(WorkloadError::Input(format!(
                "`{}` describes {} cases, not one",
                args.join(" "),
                cases.len()
            ))),
        }
    }

    /// The case's name, `workload/phase/size`. What is not the default follows the size, so that two
    /// cases have the same name only when they are the same. Data in a file are named after the file.
    pub fn id(&self) -> String {
        match self {
            Case::Kmeans(case) => case.id(),
            Case::Forest(case) => case.id(),
            Case::Dbload(case) => case.id(),
            Case::Libc(case) => case.id(),
        }
    }

    /// Who does the work: the last part of the name in `cargo bench`.
    pub fn engine(&self) -> &'static str {
        match self {
            Case::Kmeans(case) => case.engine(),
            Case::Forest(case) => case.engine(),
            Case::Dbload(_) => "postgres",
            Case::Libc(_) => "std",
        }
    }

    /// Does everything that comes before the first iteration.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Input`] for parameters that describe nothing that can be run, else what failed.
    pub fn prepare(&self) -> Result<Box<dyn Session>, WorkloadError> {
        match self {
            Case::Kmeans(case) => case.prepare(),
            Case::Forest(case) => case.prepare(),
            Case::Dbload(case) => case.prepare(),
            Case::Libc(case) => case.prepare(),
        }
    }

    /// Sets the number of operations that one iteration has, where the arguments do not; without
    /// meaning for workloads that are not made of operations.
    pub fn default_operations(&mut self, operations: u32) {
        if let Case::Dbload(args) = self {
            args.default_operations(operations);
        }
    }
}
