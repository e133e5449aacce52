"""Compares loading users by `dbload` with SQLAlchemy and psycopg, on one server; started by `run dbload load`."""

import contextlib
import pathlib
import random
import subprocess
import sys
from dataclasses import asdict, dataclass

import dbload_load_report as report
from common import FOLDER, arguments, build, chosen, finish, journal_path_of, machine, measure_all, only_report, output_of, run_json, unusable
from dbload_load_report import INSERT, MEMORY, OURS

PEERS = ["SQLAlchemy", "psycopg COPY", "psycopg COPY, keys last"]
DEFAULT_ROUNDS = 5


@dataclass(frozen=True)
class Case:
    users: int
    # Only how much memory it takes.
    once: bool = False
    alone = ()

    @property
    def name(self):
        return f"{self.users // 1_000_000}m" if self.users % 1_000_000 == 0 else f"{self.users // 1000}k"

    @property
    def facts(self):
        return asdict(self)

    @property
    def engines(self):
        return [MEMORY] if self.once else [OURS, INSERT, *PEERS]


CASES = [Case(100_000), Case(1_000_000, once=True)]
QUICK = [Case(2_000)]


@contextlib.contextmanager
def server(workload):
    """A temporary server, or that of DATABASE_URL; gives its URL."""
    process = subprocess.Popen([workload, "serve-postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline().strip()
        if not line.startswith("DATABASE_URL="):
            raise RuntimeError("there is no server; see above")
        yield line.removeprefix("DATABASE_URL=")
    finally:
        process.stdin.close()
        process.wait()


def peer_py(*args, env=None, timeout=None):
    return run_json([sys.executable, str(pathlib.Path(__file__).with_name("dbload_load_peer.py")), *args], env, timeout)


CHECKSUM = """
SELECT count(*), md5(string_agg(concat_ws('|', u.id, u.uid, i.id, i.name, i.age, i.gender, p.id, p.nickname, p.pic), ';' ORDER BY u.id))
FROM {s}.users_tbl u FULL JOIN {s}.user_info_tbl i ON i.uid = u.uid FULL JOIN {s}.user_profile_tbl p ON p.uid = u.uid
"""
CONSTRAINTS = "SELECT contype, count(*) FROM pg_constraint WHERE connamespace = %s::regnamespace GROUP BY 1 ORDER BY 1"


class Measurement:
    def __init__(self, workload, url, timeout):
        import psycopg

        self.workload, self.url, self.timeout = workload, url, timeout
        self.connection = psycopg.connect(url, autocommit=True)
        self.expected = {}

    def content(self, schema):
        rows = self.connection.execute(CHECKSUM.format(s=schema)).fetchall()
        return rows + self.connection.execute(CONSTRAINTS, [schema]).fetchall()

    def ours(self, *args):
        return run_json([self.workload, "dbload", *args, "--json"], {"DATABASE_URL": self.url}, self.timeout)

    def rows_file(self, case):
        """The users as text, and what they come to in the tables."""
        path = FOLDER / "data" / f"users-{case.users}.tsv"
        if case.users not in self.expected:
            self.ours("--users", str(case.users), "--operation", "user_by_name", "--operations", "1")
            schema = f"dbload_{case.users}_42"
            path.parent.mkdir(parents=True, exist_ok=True)
            query = (
                f"SELECT u.id, u.uid, name, age, gender, nickname, pic FROM {schema}.users_tbl u JOIN {schema}.user_info_tbl i USING (uid) "
                f"JOIN {schema}.user_profile_tbl USING (uid) ORDER BY u.id"
            )
            with path.open("wb") as out, self.connection.cursor().copy(f"COPY ({query}) TO STDOUT") as copy:
                for data in copy:
                    out.write(data)
            self.expected[case.users] = self.content(schema)
        return path

    def __call__(self, case, engine):
        if engine in PEERS:
            path, schema = self.rows_file(case), "peer_load"
            try:
                found = peer_py(engine, str(path), "--schema", schema, env={"DATABASE_URL": self.url}, timeout=self.timeout)
                if self.content(schema) != self.expected[case.users]:
                    raise RuntimeError("what was loaded is not what was to be loaded")
            finally:
                for name in (schema, f"{schema}_warm"):
                    self.connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
            return found
        method = ["--method", "insert", "--batch", "1000"] if engine == INSERT else []
        # It compares what it has loaded with what its users are.
        seen = self.ours("--users", str(case.users), "--operation", "load", *method)
        load = seen["phases"]["load"]
        cpu_s = (load["user_ns"][0] + load["sys_ns"][0]) / 1e9
        return {"seconds": load["wall_ns"][0] / 1e9, "cpu_s": cpu_s, "memory_bytes": seen["peak_rss_bytes"]}


def main():
    parser = arguments("dbload load", __doc__, "100k", DEFAULT_ROUNDS)
    args = parser.parse_args()
    output = output_of(args)
    if args.report:
        return only_report(args, output, report.text)

    cases = chosen(parser, args, QUICK if args.quick else CASES)
    rounds = args.rounds or (2 if args.quick else DEFAULT_ROUNDS)
    workload = build()
    peers = unusable(PEERS, peer_py)
    with server(workload) as url:
        measurement = Measurement(workload, url, args.timeout)

        def measure(case, engine):
            if "error" in peers.get(engine, {}):
                raise RuntimeError(peers[engine]["error"])
            return measurement(case, engine)

        facts = machine(workload, peers)
        facts["server"] = measurement.connection.execute("SHOW server_version").fetchone()[0]
        head = {"machine": facts, "rounds": rounds, "seed": args.seed}
        journal_path = journal_path_of("dbload-load")
        described = lambda result: f"{result['seconds']:.3f} s, CPU {result['cpu_s']:.2f} s, {result['memory_bytes'] / 1e6:.0f} MB"
        lines = measure_all(journal_path, head, cases, rounds, random.Random(args.seed), measure, described)
        measurement.connection.close()
    return finish(output, report.text, lines, journal_path)


if __name__ == "__main__":
    sys.exit(main())
