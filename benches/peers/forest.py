"""Compares random forests of this workspace with others, side by side on the same bytes; started by `run forest`."""

import functools
import pathlib
import random
import subprocess
import sys
from dataclasses import asdict, dataclass

import forest_report as report
from common import FOLDER, arguments, build, chosen, finish, journal_path_of, machine, measure_all, only_report, output_of, run_json, say, unusable
from forest_report import ONE_THREAD, OURS

PEERS = ["scikit-learn", "oneDAL", "biosphere", "ranger", "smartcore"]
DEFAULT_ROUNDS = 3
HERE = pathlib.Path(__file__).parent


@dataclass(frozen=True)
class Case:
    data: str
    rows: int
    columns: int
    trees: int
    others: tuple = ()
    one_thread: bool = False
    # Takes minutes: run in one round only, after all others.
    once: bool = False

    @property
    def name(self):
        return f"{self.data}-t{self.trees}"

    @property
    def facts(self):
        return {**asdict(self), "name": self.name}

    @property
    def engines(self):
        return [OURS, "scikit-learn", *self.others] + [ONE_THREAD] * self.one_thread

    @property
    def alone(self):
        return [OURS, ONE_THREAD] if self.one_thread else []

    def path(self, part):
        return FOLDER / "data" / f"forest-{self.data}-{self.rows}x{self.columns}-{part}.npy"

    @property
    def has_test(self):
        return self.data.startswith("learnable")


ALL = ("oneDAL", "biosphere", "ranger")
CASES = [
    Case("noise", 100_000, 100, 1, (*ALL, "smartcore"), one_thread=True),
    Case("noise", 100_000, 100, 10, ALL, one_thread=True),
    Case("noise", 100_000, 100, 100, ("oneDAL",), once=True),
    *(Case(f"learnable-{seed}", 100_000, 100, 10) for seed in range(5)),
    *(Case(f"learnable-{seed}", 100_000, 100, 100, once=True) for seed in range(5)),
    Case("wide", 1_000, 10_000, 10),
    Case("tall", 5_000_000, 10, 1, once=True),
    Case("ties", 100_000, 100, 10),
    Case("constant", 100_000, 100, 10),
    Case("classes", 100_000, 100, 10),
]
QUICK = [
    Case("noise", 5_000, 100, 5, (*ALL, "smartcore"), one_thread=True),
    Case("learnable-0", 5_000, 20, 5),
    Case("ties", 5_000, 20, 5),
]


def make_data(case):
    """Rows and labels, once for all; those of `noise` are what `workload forest` generates by itself."""
    import numpy as np
    from sklearn.datasets import make_classification

    if case.path("y").exists():
        return
    say(f"making {case.path('x')}")
    case.path("x").parent.mkdir(parents=True, exist_ok=True)
    n, d = case.rows, case.columns
    state = np.random.RandomState(42)
    parts = {}
    if case.has_test:
        seed = int(case.data.rsplit("-", 1)[1])
        informative = min(20, d // 2)
        x, y = make_classification(n, d, n_informative=informative, random_state=seed)
        split = n * 4 // 5
        parts = {"test-x": x[split:], "test-y": y[split:]}
        x, y = x[:split], y[:split]
    else:
        x = state.randn(n, d)
        if case.data == "ties":
            x = np.round(x * 10)
        elif case.data == "constant":
            # A third of the columns is constant, another third a copy of the first.
            x[:, : d // 3] = 7.0
            x[:, d // 3 : 2 * d // 3] = x[:, 2 * d // 3 :][:, : d // 3]
        y = state.randint(0, 50 if case.data == "classes" else 2, n)
    for part, array in {"x": x, **parts, "y": y}.items():
        unfinished = case.path(part).with_suffix(".part.npy")
        np.save(unfinished, np.ascontiguousarray(array))
        unfinished.rename(case.path(part))


@functools.cache
def smartcore():
    """Builds the program of the Rust peer and gives its path."""
    manifest = HERE / "forest_smartcore" / "Cargo.toml"
    command = ["cargo", "build", "--release", "--quiet", "--locked", "--manifest-path", str(manifest)]
    target = FOLDER / "smartcore"
    subprocess.run([*command, "--target-dir", str(target)], check=True)
    return str(target / "release" / "forest_smartcore")


def run_peer(peer, *args, timeout=None):
    """What a peer's program says. Without arguments it is built, where it needs to be, and tells its version."""
    if peer == "ranger":
        command = ["Rscript", "--vanilla", str(HERE / "forest_fit.R")]
    elif peer == "smartcore":
        command = [smartcore()]
    else:
        command = [sys.executable, "-B", str(HERE / "forest_fit.py"), peer]
    return run_json([*command, *args], timeout=timeout)


def measure_peer(peer, case, timeout):
    args = [str(case.path("x")), str(case.path("y")), "--trees", str(case.trees)]
    if case.has_test:
        args += ["--test", str(case.path("test-x")), str(case.path("test-y"))]
    return run_peer(peer, *args, timeout=timeout)


def measure_ours(workload, case, idle_bytes, env, timeout):
    command = [workload, "forest", "--data", str(case.path("x")), "--labels", str(case.path("y"))]
    command += ["--trees", str(case.trees), "--json"]
    if case.has_test:
        command += ["--test-data", str(case.path("test-x")), "--test-labels", str(case.path("test-y"))]
    trained = run_json([*command, "--phase", "train"], env, timeout)
    predicted = run_json([*command, "--phase", "predict", "--iterations", "3"], env, timeout)
    return {
        "train_s": trained["phases"]["train"]["wall_ns"][0] / 1e9,
        "predict_s": min(predicted["phases"]["predict"]["wall_ns"]) / 1e9,
        "nodes": trained["result"]["nodes"],
        "mean_depth": trained["result"]["mean_depth"],
        "test_accuracy": trained["result"].get("test_accuracy"),
        "oob_score": trained["result"]["oob_score"],
        "memory_bytes": trained["peak_rss_bytes"] - idle_bytes,
    }


def main():
    parser = arguments("forest", __doc__, "noise*", DEFAULT_ROUNDS)
    args = parser.parse_args()
    output = output_of(args)
    if args.report:
        return only_report(args, output, report.text)

    cases = chosen(parser, args, QUICK if args.quick else CASES)
    rounds = args.rounds or (2 if args.quick else DEFAULT_ROUNDS)
    workload = build()
    for case in cases:
        make_data(case)
    peers = unusable(PEERS, run_peer)
    # What the program takes before it has any data: the peers' figures do not have that either.
    tiny = ["forest", "--samples", "16", "--features", "2", "--trees", "1", "--json"]
    idle_bytes = run_json([workload, *tiny])["peak_rss_bytes"]

    def measure(case, engine):
        if "error" in peers.get(engine, {}):
            raise RuntimeError(peers[engine]["error"])
        if engine in peers:
            return measure_peer(engine, case, args.timeout)
        env = {"RAYON_NUM_THREADS": "1"} if engine == ONE_THREAD else None
        return measure_ours(workload, case, idle_bytes, env, args.timeout)

    journal_path = journal_path_of("forest")
    head = {"machine": machine(workload, peers), "rounds": rounds, "seed": args.seed}
    shuffler = random.Random(args.seed)
    describe = lambda result: f"{result['train_s']:.3f} s, {result['predict_s']:.4f} s"
    lines = measure_all(journal_path, head, cases, rounds, shuffler, measure, describe)
    return finish(output, report.text, lines, journal_path)


if __name__ == "__main__":
    sys.exit(main())
