//! The quick cases of the workload `dbload` under criterion.

mod common;

fn main() {
    common::main("dbload", |_, _| {});
}
