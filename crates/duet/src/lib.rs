//! The instrument: is one build of a program faster than another, by how much, and how surely?
//!
//! A run goes through the modules in this order: [`project`] finds the [`config`], `duet.toml`, [`toolchain`] gets the targets,
//! [`builds`] builds every variant and asks the binary what it is, [`calibrate`] measures how long an iteration takes,
//! [`plan`] fixes everything in advance ([`pilot`] and [`budget`] help where asked to), [`schedule`] gives the random balanced orders, [`block`] runs
//! fresh processes ([`process`]) that take [`turns`] or [`slices`], as [`measure`] and [`resume`] tell it to, [`conditions`] tells what
//! else went on, [`journal`] keeps what they report, [`analysis`] turns it into
//! comparisons with the procedures of [`stats`], and [`report`] shows them.
//!
//! Where variants run in containers, [`container`] makes their images and starts and removes what they run in.
//!
//! [`verify`] tests all of that as an instrument is tested.
//!
//! Nothing here knows any workload: cases are argument lists, observations are JSON.

pub mod analysis;
pub mod block;
pub mod budget;
pub mod builds;
pub mod calibrate;
pub mod cli;
pub mod conditions;
pub mod config;
pub mod container;
pub mod disturbance;
pub mod doctor;
pub mod error;
pub mod fixture;
pub mod gate;
pub mod journal;
pub mod machine;
pub mod measure;
pub mod merge;
pub mod pilot;
pub mod plan;
pub mod process;
mod progress;
pub mod project;
pub mod report;
pub mod results;
pub mod resume;
pub mod run;
pub mod schedule;
pub mod slices;
pub mod stage;
pub mod stats;
mod terminal;
#[cfg(test)]
mod testing;
pub mod toolchain;
pub mod trial;
pub mod turns;
pub mod units;
pub mod verify;
