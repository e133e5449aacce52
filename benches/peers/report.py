"""Makes the table out of the lines of a journal of `kmeans.py`; knows nothing of how they came about."""

from collections import defaultdict
from statistics import median

OURS, ONE_THREAD = "kmeans", "kmeans, 1 thread"
HEAD = """# K-means against scikit-learn, oneDAL and faiss

Made by `benches/peers/run kmeans`, which needs Python 3 with `venv` and is no part of the tests.

{machine}

## What was done

- The same bytes for all: `make_blobs(n, d, centers=k, random_state=42)` of scikit-learn in `.npy` files, which are the
  rows that `workload kmeans` generates. Float32 rows are the same numbers, rounded.
- The same problem for all: `n_init` 10, k-means++ as the library does it, `max_iter` 300, `tol` 1e-4, all threads. faiss knows
  neither a tolerance nor k-means++: with `nredo` 10 and `niter` 20 it starts 10 times from random rows, on all points, in float32.
- Every fit in a fresh process, {rounds} rounds; in a round every engine ran every case, in an order shuffled from seed {seed}. Cases that
  take minutes were run once, after the others: n is 1 there, and the figure has no spread.
  The first fit of a process is *cold*, a second one *warm*. Only the fit is timed: no start, import or reading. Python's
  programs have read the file into memory before; `workload kmeans --data` reads it in place, so that its cold fit pays
  for the page faults.
- A ratio is that of two times of the same round; given are the median of the rounds, and the least and the most in
  brackets. More than 1 means that `kmeans` is faster. What compares `kmeans` with itself has further
  rounds, without the others; its own times below are those of all rounds.
- *Memory* is the peak of the resident set (`VmHWM`) above that of the idle process, data included: the idle process has
  loaded its libraries and no data. *× data* is the ratio to the bytes of the array.
- *Inertia* is the difference from the inertia of `kmeans`, relative to it: below 0 the peer's result is better. Where blobs overlap,
  different random numbers lead to different local optima.
- Environment variables that preset libraries of linear algebra or their threads (`OMP_*`, `KMP_*`, `OPENBLAS_*`, `GOTO_*`, `MKL_*`,
  `NVPL_*`, `BLIS_*`, `RAYON_*`) were unset for all.

Not measured: other processors, more threads than this machine has, GPUs, sparse rows, rows that do not fit into memory, time to
load data, quality on data that are not blobs, other parameters. The spread of so few rounds is no confidence interval.
"""


def spread(values, digits=1):
    if not values:
        return "—"
    shown = f"{median(values):.{digits}f}"
    return shown if len(values) == 1 else f"{shown} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def machine_text(facts):
    lines = [
        f"{facts['cpu']}, {facts['threads']} threads available, {facts['memory_gib']} GiB; Linux {facts['kernel']}; load before the run "
        f"{facts['load']:.1f}; {facts['date']}.",
        "",
        f"- kmeans: revision {facts['revision']}, release profile, {facts['rustc']}, {facts['libc']}",
    ]
    for peer, found in facts["peers"].items():
        if "error" in found:
            lines.append(f"- **{peer}: NOT RUN**: {found['error']}")
        else:
            pools = ", ".join(found.get("pools", [])) or "none found"
            runtime = found.get("runtime") or f"Python {facts['python']}; thread pools: {pools}"
            lines.append(f"- {peer}: {found['version']}, {runtime}")
    return "\n".join(lines)


class Results:
    """The lines that have figures, by case and engine; a round that failed is missing."""

    def __init__(self, lines):
        self.cases = {line["case"]: line for line in reversed(lines)}
        self.order = list(dict.fromkeys(line["case"] for line in lines))
        self.by = defaultdict(dict)
        self.engines = defaultdict(list)
        for line in lines:
            key = line["case"], line["engine"]
            if line["engine"] not in self.engines[line["case"]]:
                self.engines[line["case"]].append(line["engine"])
            if "error" not in line:
                self.by[key][line["round"]] = line

    def values(self, case, engine, field):
        return [line[field] for line in self.by[case, engine].values()]

    def ratios(self, above, below, field):
        """Of two (case, engine), in the rounds that both have."""
        above, below = self.by[above], self.by[below]
        return [above[r][field] / below[r][field] for r in sorted(above.keys() & below.keys())]


def row(results, case, engine):
    cold, warm = (results.values(case, engine, field) for field in ("cold_s", "warm_s"))
    name = f"`{case}`"
    if not warm:
        return [name, engine, "**NOT RUN**"] + ["—"] * 6
    first = next(iter(results.by[case, engine].values()))
    ours = next(iter(results.by[case, OURS].values()), None)
    size = first["rows"] * first["columns"] * (4 if first["dtype"] == "float32" else 8)
    memory = median(results.values(case, engine, "memory_bytes"))
    return [
        name,
        engine,
        spread(cold, 3),
        spread(warm, 3),
        *(
            "1" if engine == OURS else spread(results.ratios((case, engine), (case, OURS), field))
            for field in ("cold_s", "warm_s")
        ),
        f"{(first['inertia'] - ours['inertia']) / ours['inertia']:+.1e}" if ours else "—",
        first["iterations"],
        f"{memory / 1e6:.0f} MB, {memory / size:.2f} × data",
    ]


def rank(engine):
    return [OURS, ONE_THREAD, "scikit-learn", "oneDAL", "faiss"].index(engine)


def text(lines):
    head, lines = lines[0], lines[1:]
    results = Results(lines)
    parts = [HEAD.format(machine=machine_text(head["machine"]), rounds=head["rounds"], seed=head["seed"])]
    peers = sorted({line["engine"] for line in lines} - {OURS, ONE_THREAD}, key=rank)
    rows = []
    for case in results.order:
        cells = []
        for peer in peers:
            if peer not in results.engines[case]:
                cells += ["", ""]
                continue
            for field in ("cold_s", "warm_s"):
                ratios = results.ratios((case, peer), (case, OURS), field)
                cells.append(f"{spread(ratios)}, n = {len(ratios)}" if ratios else "**NOT RUN**")
        rows.append([f"`{case}`", *cells])
    columns = [f"{peer}, {kind}" for peer in peers for kind in ("cold", "warm")]
    parts += ["## How many times as fast `kmeans` is\n", table(["case: rows × columns, clusters", *columns], rows)]

    columns = ["case", "engine", "cold, s", "warm, s", "cold ratio", "warm ratio", "inertia", "iterations", "memory"]
    rows = [row(results, case, engine) for case in results.order for engine in sorted(results.engines[case], key=rank)]
    parts += ["## All figures\n", table(columns, rows)]

    rows = []
    for case in results.order:
        comparisons = [("one thread ÷ all threads", (case, ONE_THREAD), (case, OURS))]
        comparisons.append(("float64 ÷ float32", (case, OURS), (f"{case}-f32", OURS)))
        for name, above, below in comparisons:
            if cold := results.ratios(above, below, "cold_s"):
                warm = results.ratios(above, below, "warm_s")
                rows.append([name, f"`{case}`", spread(cold, 2), spread(warm, 2), len(warm)])
    if rows:
        parts += ["## `kmeans` against itself\n", table(["times", "case", "cold", "warm", "n"], rows)]
    return "\n".join(parts)
