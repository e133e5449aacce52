"""Compares queries by `dbload` with pgbench on one server; started by `run dbload pgbench`.

Closed loop: the same prepared statement with 1 and 8 clients, operations a second and the CPU of the client's process. Open loop:
Poisson arrivals at 50 and 80 % of what both reached in the closed loop, the 99th percentile of the latency from the scheduled start.
"""

import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from statistics import median

import dbload_pgbench_report as report
from common import arguments, build, chosen, finish, journal_path_of, machine, measure_all, only_report, output_of, run_json
from dbload_load import server
from dbload_pgbench_report import OURS, PGBENCH

DEFAULT_ROUNDS = 5
USERS = 100_000
SCHEMA = "dbload"
# What every connection of `dbload` is set to, too.
SETTINGS = "-c plan_cache_mode=force_generic_plan -c jit=off -c max_parallel_workers_per_gather=0 -c random_page_cost=1.1"
# pgbench has no texts among its variables: the server makes the name from the number.
SCRIPT = f"""\\set id random(1, {USERS})
SELECT u.id, u.uid, i.name, i.age, i.gender, p.nickname, p.pic FROM "{SCHEMA}".users_tbl u JOIN "{SCHEMA}".user_info_tbl i ON i.uid = u.uid \
JOIN "{SCHEMA}".user_profile_tbl p ON p.uid = u.uid WHERE i.name = 'user_' || lpad(:id, 6, '0');
"""


@dataclass(frozen=True)
class Case:
    clients: int
    # Of the maximum; none in the closed loop.
    share: float | None = None
    once = False
    alone = ()

    @property
    def name(self):
        return f"closed-c{self.clients}" if self.share is None else f"open-c{self.clients}-{self.share:.0%}".replace("%", "")

    @property
    def facts(self):
        return asdict(self)

    @property
    def engines(self):
        return [OURS, PGBENCH]


# The maximum is known when the open loops come.
CASES = [Case(1), Case(8), Case(8, 0.5), Case(8, 0.8)]


def pgbench_program():
    """pgbench on PATH, or beside the other programs of the server."""
    folders = [os.environ.get("PGBIN"), os.environ.get("PATH")]
    found = shutil.which("pgbench", path=os.pathsep.join(filter(None, folders)))
    for folder in sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        found = found or shutil.which("pgbench", path=str(folder))
    if not found:
        raise RuntimeError("there is no pgbench; it comes with the PostgreSQL server (Debian: apt-get install postgresql)")
    return found


class Measurement:
    def __init__(self, workload, pgbench, url, seconds, timeout):
        self.workload, self.pgbench, self.url, self.seconds, self.timeout = workload, pgbench, url, seconds, timeout
        self.folder = tempfile.TemporaryDirectory()
        self.script = pathlib.Path(self.folder.name, "script.sql")
        self.script.write_text(SCRIPT)
        self.mix = pathlib.Path(self.folder.name, "mix.toml")
        self.mix.write_text("[mix]\nuser_by_name = 1\n")
        self.reached = []

    def __call__(self, case, engine):
        rate = None if case.share is None else case.share * median(self.reached)
        result = (self.ours if engine == OURS else self.peer)(case.clients, rate)
        if rate is None and case.clients == max(c.clients for c in CASES):
            self.reached.append(result["tps"])
        return {**result, "rate": rate}

    def ours(self, clients, rate):
        command = [self.workload, "dbload", "--mix", str(self.mix), "--users", str(USERS), "--schema", SCHEMA, "--clients", str(clients)]
        command += ["--duration", f"{self.seconds}s", "--warm-up", "1s", "--quiet", "--json"]
        command += ["--rate", f"{rate:.0f}", "--arrivals", "poisson"] if rate else []
        run = run_json(command, {"DATABASE_URL": self.url}, self.timeout)["runs"][0]
        # The last arrivals may find no client free before the end.
        if run["ended"] != "as_planned" or run["total"]["failed"] or run["dropped"] > run["scheduled"] / 100:
            raise RuntimeError(f"ended {run['ended']}, {run['total']['failed']} failed, {run['dropped']} dropped: {run['last_failure']}")
        return {
            "tps": run["total"]["throughput_per_second"],
            "cpu_us": run["process_cpu_ns_per_operation"] / 1e3,
            "p50_ms": run["total"]["latency"]["p50_ns"] / 1e6,
            "p99_ms": run["total"]["latency"]["p99_ns"] / 1e6,
        }

    def peer(self, clients, rate):
        threads = min(clients, len(os.sched_getaffinity(0)))
        prefix = pathlib.Path(self.folder.name, "log")
        command = [self.pgbench, "-n", "-M", "prepared", "-f", self.script, "-c", str(clients), "-j", str(threads), "-T", str(self.seconds)]
        # Without a rate, a log would only cost.
        command += ["-R", f"{rate:.0f}", "--log", f"--log-prefix={prefix}"] if rate else []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = subprocess.run(
            [*command, self.url], env={**os.environ, "PGOPTIONS": SETTINGS}, timeout=self.timeout, capture_output=True, text=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if process.returncode != 0:
            raise RuntimeError((process.stderr.strip().splitlines() or ["no message"])[-1])
        done = int(re.search(r"transactions actually processed: (\d+)", process.stdout)[1])
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = {"tps": float(re.search(r"tps = ([\d.]+)", process.stdout)[1]), "cpu_us": cpu_s / done * 1e6, "p50_ms": None, "p99_ms": None}
        if rate:
            # Client, number, latency in microseconds from the scheduled start, script, time in two parts, lag.
            logs = list(pathlib.Path(self.folder.name).glob("log.*"))
            latencies = sorted(int(line.split()[2]) for log in logs for line in log.open())
            for log in logs:
                log.unlink()
            found |= {"p50_ms": latencies[len(latencies) // 2] / 1e3, "p99_ms": latencies[int(len(latencies) * 0.99)] / 1e3}
        return found


def main():
    parser = arguments("dbload pgbench", __doc__, "closed-*", DEFAULT_ROUNDS)
    args = parser.parse_args()
    output = output_of(args)
    if args.report:
        return only_report(args, output, report.text)

    cases = chosen(parser, args, CASES)
    if not any(case.clients == 8 and case.share is None for case in cases) and any(case.share for case in cases):
        parser.error("the rates of the open loop come from closed-c8, which has to be among the cases")
    rounds = args.rounds or (2 if args.quick else DEFAULT_ROUNDS)
    workload, pgbench = build(), pgbench_program()
    version = subprocess.run([pgbench, "--version"], capture_output=True, text=True).stdout.strip()
    with server(workload) as url:
        measurement = Measurement(workload, pgbench, url, 2 if args.quick else 5, args.timeout)
        # The users are there before anything is measured.
        measurement.ours(1, None)
        facts = machine(workload, {PGBENCH: {"version": version}})
        head = {"machine": facts, "rounds": rounds, "seed": args.seed, "seconds": measurement.seconds}
        journal_path = journal_path_of("dbload-pgbench")
        described = lambda result: f"{result['tps']:.0f} a second, client CPU {result['cpu_us']:.1f} µs, p99 {result['p99_ms']} ms"
        lines = measure_all(journal_path, head, cases, rounds, random.Random(args.seed), measurement, described)
    return finish(output, report.text, lines, journal_path)


if __name__ == "__main__":
    sys.exit(main())
