//! The quick cases of the workload `libc` under criterion.

mod common;

fn main() {
    common::main("libc", |_, _| {});
}
