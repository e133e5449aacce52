"""Makes the chapter out of the lines of a journal of `forest.py`; knows nothing of how they came about."""

from statistics import mean, median

from report import Results, machine_text, spread, table

OURS, ONE_THREAD = "forest", "forest, 1 thread"
HEAD = """# Random forests against scikit-learn, oneDAL, biosphere, ranger and smartcore

Made by `benches/peers/run forest`, which needs Python 3 with `venv` and, for ranger, R with that package (Debian:
`r-base-core`, `r-cran-ranger`), and is no part of the tests.

{machine}

## What was done

- The same bytes for all, float64 in `.npy` files. `noise`: standard normals with random labels 0 and 1, which `workload forest`
  generates, too; trees are grown to purity. `learnable-S`: `make_classification(n_informative=20, random_state=S)`, four fifths to
  train and one to test. `wide`, `tall`: noise of other shapes. `ties`: noise in steps of 0.1. `constant`: noise, of which a third of the
  columns is constant and another third a copy of the last one. `classes`: noise with 50 labels.
- The same problem for all: `n_estimators` as named, √features for a split, bootstrap, no limits, all threads; only the training is
  timed, in a fresh process, then the best of three predictions of the training rows. `forest` computes the out-of-bag score with
  it, the peers do not. oneDAL splits on 256 bins, everybody else exactly; biosphere regresses on the labels; smartcore has one
  thread.
- {rounds} rounds; in a round every engine ran every case, in an order shuffled from seed {seed}. Cases that take minutes were run once,
  after the others: n is 1 there, and the figure has no spread.
- A ratio is that of two times of the same round; given are the median of the rounds, and the least and the most in
  brackets. More than 1 means that `forest` is faster. What compares `forest` with itself has further
  rounds, without the others; its own times below are those of all rounds.
- *Memory* is the peak of the resident set (`VmHWM`) above that of the idle process, less the array itself.
- Environment variables that preset libraries of linear algebra or their threads were unset for all.

Not measured: other processors, more threads than this machine has, other parameters. The spread of so few rounds is no
confidence interval.
"""


def number(value, digits=0):
    return "—" if value is None else f"{value:,.{digits}f}"


def row(results, case, engine):
    train, predict = (results.values(case, engine, field) for field in ("train_s", "predict_s"))
    if not train:
        return [f"`{case}`", engine, "**NOT RUN**"] + ["—"] * 7
    first = next(iter(results.by[case, engine].values()))
    ratio = lambda field: "1" if engine == OURS else spread(results.ratios((case, engine), (case, OURS), field))
    memory = median(results.values(case, engine, "memory_bytes")) - first["rows"] * first["columns"] * 8
    return [
        f"`{case}`",
        engine,
        spread(train, 3),
        ratio("train_s"),
        spread(predict, 4),
        ratio("predict_s"),
        number(first["nodes"] and first["nodes"] / first["trees"]),
        number(first["mean_depth"], 1),
        number(first["test_accuracy"], 4),
        f"{memory / 1e6:.0f} MB",
    ]


def quality(results):
    """The mean test accuracies over the seeds."""
    rows = []
    for trees in (10, 100):
        cases = [case for case in results.order if case.startswith("learnable-") and case.endswith(f"-t{trees}")]
        cells = []
        for engine in (OURS, "scikit-learn"):
            found = [results.values(case, engine, "test_accuracy")[:1] for case in cases]
            found = [one[0] for one in found if one]
            cells.append((mean(found), len(found)) if found else None)
        if all(cells):
            (ours, n), (theirs, m) = cells
            rows.append([trees, f"{ours:.4f}, n = {n}", f"{theirs:.4f}, n = {m}", f"{100 * (ours - theirs):+.2f}"])
    return rows


def text(lines):
    head, lines = lines[0], lines[1:]
    results = Results(lines)
    facts = machine_text(head["machine"]).replace("- kmeans: revision", "- forest: revision", 1)
    parts = [HEAD.format(machine=facts, rounds=head["rounds"], seed=head["seed"])]
    engines = [OURS, ONE_THREAD, "scikit-learn", "oneDAL", "biosphere", "ranger", "smartcore"]
    peers = [engine for engine in engines[2:] if any(engine in results.engines[case] for case in results.order)]
    for field, what in (("train_s", "trains"), ("predict_s", "predicts")):
        rows = []
        for case in results.order:
            cells = []
            for peer in peers:
                ratios = results.ratios((case, peer), (case, OURS), field)
                ran = peer in results.engines[case]
                cells.append(f"{spread(ratios)}, n = {len(ratios)}" if ratios else "**NOT RUN**" if ran else "")
            rows.append([f"`{case}`", *cells])
        parts += [f"## How many times as fast `forest` {what}\n", table(["case", *peers], rows)]
    if rows := quality(results):
        columns = ["trees", "forest", "scikit-learn", "difference, points"]
        parts += ["## Mean test accuracy on `learnable`\n", table(columns, rows)]
    columns = ["case", "engine", "train, s", "ratio", "predict, s", "ratio", "nodes a tree", "mean depth", "test accuracy", "memory"]
    rows = [
        row(results, case, engine)
        for case in results.order
        for engine in engines
        if engine in results.engines[case]
    ]
    parts += ["## All figures\n", table(columns, rows)]
    rows = []
    for case in results.order:
        for field, what in (("train_s", "training"), ("predict_s", "prediction")):
            if ratios := results.ratios((case, ONE_THREAD), (case, OURS), field):
                rows.append([f"`{case}`", what, spread(ratios, 2), len(ratios)])
    if rows:
        parts += ["## One thread ÷ all threads\n", table(["case", "what", "times", "n"], rows)]
    return "\n".join(parts)
