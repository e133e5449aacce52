"""Makes the chapter out of the lines of a journal of `dbload_pgbench.py`; knows nothing of how they came about."""

from report import Results, spread, table

OURS, PGBENCH = "dbload", "pgbench"
HEAD = """# dbload: queries beside pgbench

Made by `benches/peers/run dbload pgbench`, which needs Python 3 with `venv` and is no part of the tests.

{machine}

## What was done

- The same server for both, with the same settings of the session (`force_generic_plan`, no `jit`, no parallel workers), over
  127.0.0.1: a temporary one of `workload serve-postgres`, without waiting for a disk. Only `dbload` has a `statement_timeout`, of a minute.
- The same statement for both, prepared once a connection: `user_by_name`, a user of 100,000 by a random name, joined over three tables.
  pgbench has no texts among its variables: its statement has `'user_' || lpad($1, 6, '0')` where that of `dbload` has `$1`,
  which the server works out once an execution.
- `dbload` decodes every field of the answer, draws its name from a seed and records the latency in a histogram;
  pgbench throws the answer away.
- pgbench runs with `-M prepared`, a thread for each client up to the number of processors; so do the closed loops of `dbload`; its open
  loops have a thread a client.
- {rounds} rounds of {seconds} s; in a round each ran every case, in an order shuffled from seed {seed}. A ratio is that of two
  runs of the same round; given are the median of the rounds, and the least and the most in brackets.
- *Client CPU* is user and system time of the client's process for each operation; for pgbench with its start, for `dbload` of the measured part.
- Open loop: Poisson arrivals (`-R` of pgbench, its latencies from `--log`) at 50 and 80 % of the median that both reached
  with 8 clients in a closed loop; latency counts from the scheduled start.

Not measured: other machines, a server on another machine, other statements, the Unix socket.
"""


def machine_text(facts):
    lines = [
        f"{facts['cpu']}, {facts['threads']} threads available, {facts['memory_gib']} GiB; Linux {facts['kernel']}; load before the run "
        f"{facts['load']:.1f}; {facts['date']}.",
        "",
        f"- dbload: revision {facts['revision']}, release profile, {facts['rustc']}, {facts['libc']}",
        f"- {facts['peers'][PGBENCH]['version']}",
    ]
    return "\n".join(lines)


def ratios(results, case, field):
    ours, theirs = (results.by.get((case, engine), {}) for engine in (OURS, PGBENCH))
    return [ours[round][field] / theirs[round][field] for round in sorted(ours.keys() & theirs.keys())]


def text(lines):
    head, results = lines[0], Results(lines[1:])
    of = lambda case, engine, field: [line[field] for line in results.by.get((case, engine), {}).values()]
    closed = [case for case in results.order if results.cases[case]["share"] is None]
    parts = [HEAD.format(machine=machine_text(head["machine"]), rounds=head["rounds"], seed=head["seed"], seconds=head["seconds"])]
    parts.append("## Closed loop\n")
    columns = ["clients", "dbload, a second", "pgbench, a second", "ratio", "dbload, client CPU µs", "pgbench, client CPU µs", "ratio"]
    rows = [
        [
            results.cases[case]["clients"],
            *(spread(of(case, engine, "tps"), 0) for engine in (OURS, PGBENCH)),
            spread(ratios(results, case, "tps"), 2),
            *(spread(of(case, engine, "cpu_us")) for engine in (OURS, PGBENCH)),
            spread(ratios(results, case, "cpu_us"), 2),
        ]
        for case in closed
    ]
    parts.append(table(columns, rows))
    opened = [case for case in results.order if case not in closed]
    if opened:
        parts.append("## Open loop\n")
        columns = ["share of the maximum", "arrivals a second", "dbload p50 ms", "pgbench p50 ms", "dbload p99 ms", "pgbench p99 ms", "ratio of p99"]
        rows = [
            [
                f"{results.cases[case]['share']:.0%}",
                spread(of(case, OURS, "rate"), 0),
                *(spread(of(case, engine, field), 2) for field in ("p50_ms", "p99_ms") for engine in (OURS, PGBENCH)),
                spread(ratios(results, case, "p99_ms"), 2),
            ]
            for case in opened
        ]
        parts.append(table(columns, rows))
    failed = [f"- {line['case']}, {line['engine']}: {line['error']}" for line in lines[1:] if "error" in line]
    if failed:
        parts.append("## Not run\n\n" + "\n".join(failed))
    return "\n".join(parts)
