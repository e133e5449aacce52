//! The program `workload` as others use it: arguments, exit status, standard streams.

mod cases;
mod database;
mod load;
mod npy;
mod one_shot;
mod paced;
mod process;
mod watch;
