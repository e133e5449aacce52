//! The program `workload` as others use it: arguments, exit status, standard streams.

mod cases;
mod database;
mod one_shot;
mod paced;
mod process;
