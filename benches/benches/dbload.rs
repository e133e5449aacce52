//! The quick loads and every operation of the workload `dbload` under criterion.

mod common;

fn main() {
    common::main("dbload", |_, _| {});
}
