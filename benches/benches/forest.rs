//! The quick cases of the workload `forest` under criterion.

mod common;

fn main() {
    common::main("forest", |_, _| {});
}
