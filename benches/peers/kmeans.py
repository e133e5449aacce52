"""Compares K-means of this workspace with Python's, side by side on the same bytes; started by `run kmeans`."""

import pathlib
import random
import sys
from dataclasses import asdict, dataclass

import report
from common import FOLDER, arguments, build, chosen, finish, journal_path_of, machine, measure_all, only_report, output_of, run_json, say, unusable
from report import ONE_THREAD, OURS

PEERS = ["scikit-learn", "oneDAL"]
DEFAULT_ROUNDS = 5


@dataclass(frozen=True)
class Case:
    rows: int
    columns: int
    clusters: int
    dtype: str = "float64"
    one_thread: bool = False
    faiss: bool = False
    # Takes minutes: run in one round only, after all others.
    once: bool = False

    @property
    def name(self):
        rows = f"{self.rows // 1_000_000}m" if self.rows % 1_000_000 == 0 else f"{self.rows // 1000}k"
        return f"{rows}x{self.columns}-k{self.clusters}" + ("-f32" if self.dtype == "float32" else "")

    @property
    def facts(self):
        return asdict(self)

    @property
    def path(self):
        return FOLDER / "data" / f"blobs-{self.name}.npy"

    @property
    def engines(self):
        return [OURS, *PEERS] + ["faiss"] * self.faiss + [ONE_THREAD] * self.one_thread

    @property
    def alone(self):
        """What is compared with itself: one thread with all, float32 with the float64 of the same name."""
        return [OURS] * (self.one_thread or self.dtype == "float32") + [ONE_THREAD] * self.one_thread


CASES = [
    Case(100_000, 128, 5, one_thread=True),
    Case(100_000, 128, 7),
    Case(500_000, 128, 5, one_thread=True),
    Case(500_000, 128, 7),
    Case(1_000_000, 128, 3),
    Case(1_000_000, 128, 5, one_thread=True),
    Case(100_000, 128, 5, "float32", faiss=True),
    Case(500_000, 128, 5, "float32"),
    Case(1_000_000, 128, 5, "float32"),
    Case(100_000, 128, 50),
    Case(1_000_000, 2, 50, once=True),
    Case(1_000_000, 16, 100, once=True),
    Case(100_000, 128, 500, once=True),
]
QUICK = [
    Case(5_000, 128, 5, one_thread=True),
    Case(5_000, 128, 5, "float32", faiss=True),
    Case(20_000, 2, 50),
]


def make_data(case):
    """The rows that `workload kmeans` generates by itself for the same numbers, once for all."""
    if case.path.exists():
        return
    import numpy as np
    from sklearn.datasets import make_blobs

    say(f"making {case.path}")
    case.path.parent.mkdir(parents=True, exist_ok=True)
    x, _ = make_blobs(case.rows, case.columns, centers=case.clusters, random_state=42)
    unfinished = case.path.with_suffix(".part.npy")
    np.save(unfinished, x.astype(case.dtype, copy=False))
    unfinished.rename(case.path)


def fit_py(peer, *args, timeout=None):
    return run_json([sys.executable, str(pathlib.Path(__file__).with_name("fit.py")), peer, *args], timeout=timeout)


def measure_ours(workload, case, idle_bytes, env, timeout):
    command = [workload, "kmeans", "--data", str(case.path), "--clusters", str(case.clusters)]
    seen = run_json([*command, "--json", "--iterations", "2"], env, timeout)
    cold_ns, warm_ns = seen["phases"]["fit"]["wall_ns"]
    return {
        "cold_s": cold_ns / 1e9,
        "warm_s": warm_ns / 1e9,
        "inertia": seen["result"]["inertia"],
        "iterations": seen["result"]["iterations"],
        "memory_bytes": seen["peak_rss_bytes"] - idle_bytes,
    }


def main():
    parser = arguments("kmeans", __doc__, "100k*", DEFAULT_ROUNDS)
    args = parser.parse_args()
    output = output_of(args)
    if args.report:
        return only_report(args, output, report.text)

    cases = chosen(parser, args, QUICK if args.quick else CASES)
    rounds = args.rounds or (2 if args.quick else DEFAULT_ROUNDS)
    workload = build()
    for case in cases:
        make_data(case)

    peers = unusable([*PEERS, "faiss"], fit_py)
    # What the program takes before it has any data: the peers' figures do not have that either.
    tiny = ["kmeans", "--samples", "16", "--features", "2", "--clusters", "2", "--json"]
    idle_bytes = run_json([workload, *tiny])["peak_rss_bytes"]

    def measure(case, engine):
        if "error" in peers.get(engine, {}):
            raise RuntimeError(peers[engine]["error"])
        if engine in peers:
            return fit_py(engine, str(case.path), "--clusters", str(case.clusters), timeout=args.timeout)
        env = {"RAYON_NUM_THREADS": "1"} if engine == ONE_THREAD else None
        return measure_ours(workload, case, idle_bytes, env, args.timeout)

    journal_path = journal_path_of("kmeans")
    shuffler = random.Random(args.seed)
    head = {"machine": machine(workload, peers), "rounds": rounds, "seed": args.seed}
    described = lambda result: f"{result['cold_s']:.3f} s, {result['warm_s']:.3f} s"
    lines = measure_all(journal_path, head, cases, rounds, shuffler, measure, described)
    return finish(output, report.text, lines, journal_path)


if __name__ == "__main__":
    sys.exit(main())
