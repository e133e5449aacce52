"""Trains a forest and predicts with it, and prints one JSON object: what a peer of `forest.py` does in a process.

Imports and reading the data are not timed. The peak of memory counts from the moment when the library is loaded and the
data are not.
"""

import argparse
import importlib.metadata
import json
import time

import numpy as np

from fit import pools, status_bytes


def scikit_learn(trees):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, n_jobs=-1, random_state=42)


def onedal(trees):
    from sklearnex.ensemble import RandomForestClassifier

    return RandomForestClassifier(trees, n_jobs=-1, random_state=42)


class Biosphere:
    """The crate `biosphere`, which has a Python interface: exact, all threads."""

    def __init__(self, trees):
        import biosphere

        self.forest = biosphere.RandomForest(n_estimators=trees, max_features="sqrt", n_jobs=-1, random_state=42)

    def fit(self, x, y):
        self.classes = np.unique(y)
        if len(self.classes) > 2:
            raise ValueError("biosphere regresses on labels, which makes sense for two classes only")
        self.forest.fit(x, y.astype(np.float64))
        return self

    def predict(self, x):
        return (np.asarray(self.forest.predict(x)) > 0.5).astype(np.int64)


PEERS = {
    "scikit-learn": (scikit_learn, "scikit-learn"),
    "oneDAL": (onedal, "scikit-learn-intelex"),
    "biosphere": (Biosphere, "biosphere"),
}


def shape(peer, model):
    """Nodes of all trees and the mean of their depths, where the peer tells."""
    if peer == "oneDAL" and not hasattr(model, "_onedal_estimator"):
        raise RuntimeError("this fit did not run on oneDAL")
    trees = [tree.tree_ for tree in getattr(model, "estimators_", [])] if peer in ("scikit-learn", "oneDAL") else []
    if not trees:
        return None, None
    return sum(int(tree.node_count) for tree in trees), sum(int(tree.max_depth) for tree in trees) / len(trees)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("data", nargs="?", help="without data, trains a little and prints version and thread pools")
    parser.add_argument("labels", nargs="?")
    parser.add_argument("--test", nargs=2, metavar=("DATA", "LABELS"))
    parser.add_argument("--trees", type=int, default=2)
    args = parser.parse_args()
    make, package = PEERS[args.peer]
    if args.data is None:
        x = np.random.RandomState(0).randn(200, 4)
        make(2).fit(x, (x[:, 0] > 0).astype(np.int64)).predict(x)
        print(json.dumps({"version": importlib.metadata.version(package), "pools": pools()}))
        return

    make(1)
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    idle = status_bytes("VmRSS")
    x, y = np.load(args.data), np.load(args.labels)
    start = time.perf_counter()
    model = make(args.trees).fit(x, y)
    train_s = time.perf_counter() - start
    memory = status_bytes("VmHWM") - idle
    predict = []
    for _ in range(3):
        start = time.perf_counter()
        model.predict(x)
        predict.append(time.perf_counter() - start)
    accuracy = None
    if args.test:
        accuracy = float((model.predict(np.load(args.test[0])) == np.load(args.test[1])).mean())
    nodes, depth = shape(args.peer, model)
    print(
        json.dumps(
            {
                "train_s": train_s,
                "predict_s": min(predict),
                "nodes": nodes,
                "mean_depth": depth,
                "test_accuracy": accuracy,
                "memory_bytes": memory,
            }
        )
    )


if __name__ == "__main__":
    main()
