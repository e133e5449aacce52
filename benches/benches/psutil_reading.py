#!/usr/bin/env python3
"""What psutil takes for the readings that `probe/reading/cpu-and-rss` measures.

Needs Python 3 and psutil (`pip install psutil`). Run it beside the bench, on the same idle machine:

    cargo bench --bench probe --target x86_64-unknown-linux-gnu -- probe/reading
    python3 benches/benches/psutil_reading.py

It prints the median and the 5th and 95th percentile of rounds of 100 calls each, in microseconds a call.
Nothing in the tests depends on it.
"""

import statistics
import sys
import time

import psutil

ROUNDS = 200
CALLS = 100


def measure(name, call):
    per_call_us = []
    for _ in range(ROUNDS):
        start = time.perf_counter_ns()
        for _ in range(CALLS):
            call()
        per_call_us.append((time.perf_counter_ns() - start) / CALLS / 1000)
    cuts = statistics.quantiles(per_call_us, n=20)
    median = statistics.median(per_call_us)
    print(f"{name:48} {median:8.2f} µs  ({cuts[0]:.2f} to {cuts[-1]:.2f}, n = {ROUNDS})")


def main():
    process = psutil.Process()
    process.cpu_percent(None)
    print(f"psutil {psutil.__version__}, Python {sys.version.split()[0]}")
    measure("cpu_percent(None)", lambda: process.cpu_percent(None))
    measure("memory_info().rss", lambda: process.memory_info().rss)
    measure("virtual_memory().total", lambda: psutil.virtual_memory().total)
    measure(
        "all three",
        lambda: (process.cpu_percent(None), process.memory_info().rss, psutil.virtual_memory().total),
    )
    measure("cpu_percent(None), memory_info().rss", lambda: (process.cpu_percent(None), process.memory_info().rss))


if __name__ == "__main__":
    main()
