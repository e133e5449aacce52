"""Fits K-means twice in this process and prints one JSON object: what a peer of `kmeans.py` does in a process.

The first fit is the cold one. Imports and reading the data are not timed. The peak of memory counts from the moment
when the library is loaded and the data are not.
"""

import argparse
import importlib.metadata
import json
import time

import numpy as np


def status_bytes(field):
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def scikit_learn(k):
    from sklearn.cluster import KMeans

    def fit(x):
        model = KMeans(k, n_init=10, max_iter=300, tol=1e-4, random_state=42).fit(x)
        return lambda: (float(model.inertia_), int(model.n_iter_))

    return fit


def onedal(k):
    from sklearnex.cluster import KMeans

    def fit(x):
        model = KMeans(k, n_init=10, max_iter=300, tol=1e-4, random_state=42).fit(x)
        # It falls back to scikit-learn in silence where it cannot do something itself.
        assert hasattr(model, "_onedal_estimator"), "this fit did not run on oneDAL"
        return lambda: (float(model.inertia_), int(model.n_iter_))

    return fit


def faiss(k):
    import faiss

    def fit(x):
        model = faiss.Kmeans(x.shape[1], k, nredo=10, niter=20, seed=42, max_points_per_centroid=len(x))
        model.train(x)
        # Its own figure is that of the centroids before the last update.
        return lambda: (float(model.index.search(x, 1)[0].sum(dtype=np.float64)), model.cp.niter)

    return fit


PEERS = {
    "scikit-learn": (scikit_learn, "scikit-learn"),
    "oneDAL": (onedal, "scikit-learn-intelex"),
    "faiss": (faiss, "faiss-cpu"),
}


def pools():
    import threadpoolctl

    found = threadpoolctl.threadpool_info()
    return sorted({f"{pool['internal_api']} with {pool['num_threads']} threads" for pool in found})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("data", nargs="?", help="without data, fits a little and prints version and thread pools")
    parser.add_argument("--clusters", type=int, default=2)
    args = parser.parse_args()
    make, package = PEERS[args.peer]
    fit = make(args.clusters)
    if args.data is None:
        fit(np.arange(2000, dtype=np.float32).reshape(1000, 2))
        print(json.dumps({"version": importlib.metadata.version(package), "pools": pools()}))
        return

    # The most that was ever in memory begins anew; importing takes more than stays.
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    idle = status_bytes("VmRSS")
    x = np.load(args.data)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        result = fit(x)
        seconds.append(time.perf_counter() - start)
    peak = status_bytes("VmHWM")
    inertia, iterations = result()
    print(
        json.dumps(
            {
                "cold_s": seconds[0],
                "warm_s": seconds[1],
                "inertia": inertia,
                "iterations": iterations,
                "memory_bytes": peak - idle,
            }
        )
    )


if __name__ == "__main__":
    main()
