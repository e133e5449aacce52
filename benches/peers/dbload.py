"""Compares `dbload` with its peers on one temporary server; started by `run dbload [load|pgbench] …`.

`load` compares loading users with SQLAlchemy and psycopg, `pgbench` throughput and latency with pgbench. Without either,
both are run, with the same options.
"""

import pathlib
import subprocess
import sys

PARTS = {"load": "dbload_load.py", "pgbench": "dbload_pgbench.py"}


def main():
    args = sys.argv[1:]
    chosen = [args.pop(0)] if args and args[0] in PARTS else list(PARTS)
    here = pathlib.Path(__file__).parent
    programs = [here / PARTS[part] for part in chosen if (here / PARTS[part]).exists()]
    # A failure of one does not keep the other from running.
    return max(subprocess.run([sys.executable, "-B", program, *args]).returncode for program in programs)


if __name__ == "__main__":
    sys.exit(main())
