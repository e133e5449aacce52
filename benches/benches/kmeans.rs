//! The quick cases of the workload `kmeans` under criterion.

mod common;

fn main() {
    common::main("kmeans");
}
