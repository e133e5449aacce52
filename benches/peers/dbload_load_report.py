"""Makes the chapter out of the lines of a journal of `dbload_load.py`; knows nothing of how they came about."""

from report import Results, spread, table

OURS = "dbload COPY"
INSERT = "dbload INSERT"
MEMORY = "dbload COPY, memory"
WHAT = {
    OURS: "binary `COPY` into emptied tables, then keys, constraints, `ANALYZE`; one transaction",
    INSERT: "prepared multi-row `INSERT`, 1,000 users a statement, into tables with keys; `ANALYZE`; one transaction",
    "SQLAlchemy": "Core `insert()` with a list of 1,000 rows a table (`executemany` of psycopg, pipelined), into tables with keys; a transaction a batch",
    "psycopg COPY": "`COPY … FROM STDIN` in text, `write_row`, into tables with keys; one transaction",
    "psycopg COPY, keys last": "binary `COPY` with `FREEZE`, `set_types`, `write_row`, into bare tables, then keys and constraints, no `ANALYZE`; one transaction",
}
HEAD = """# dbload: loading

Made by `benches/peers/run dbload load`, which needs Python 3 with `venv` and is no part of the tests.

{machine}

## What was done

- The same users for all, {users:,} of seed 42, into the same three tables with the same keys and constraints at the end; what each had
  loaded was compared, field by field, by a checksum in the server.
- The same server for all, with the same settings: a temporary one of `workload serve-postgres`, its data in memory where there
  is room, without waiting for a disk.
- Every load in a fresh process that has loaded before (dbload the same users, peers 1,000 of them), {rounds} rounds; in a round every engine
  loaded once, in an order shuffled from seed {seed}. The time has the connection, the tables, rows, keys and the
  commit. The peers' rows are Python objects in memory before; `dbload` computes its users within its time.
- A ratio is that of two times of the same round; given are the median of the rounds, and the least and the most in brackets.
  More than 1 means that `dbload` is faster.
- *Client CPU* is the time of the client's process in the load, user and system; *memory* is the peak of its
  resident set (`VmHWM`) in all, for the peers with their rows, for `dbload` with nothing but the program.

Not measured: other machines, a server on another machine or on a slow disk, where the network or the disk decides, other scales,
asynchronous drivers.
"""


def machine_text(facts):
    lines = [
        f"{facts['cpu']}, {facts['threads']} threads available, {facts['memory_gib']} GiB; Linux {facts['kernel']}; load before the run "
        f"{facts['load']:.1f}; {facts['date']}; PostgreSQL {facts['server']}.",
        "",
        f"- dbload: revision {facts['revision']}, release profile, {facts['rustc']}, {facts['libc']}",
    ]
    for peer, found in facts["peers"].items():
        if "error" in found:
            lines.append(f"- **{peer}: NOT RUN**: {found['error']}")
        else:
            lines.append(f"- {peer}: {found['version']} ({found['implementation']}), Python {facts['python']}")
    return "\n".join(lines)


def text(lines):
    head, lines = lines[0], lines[1:]
    memory = [line for line in lines if line["engine"] == MEMORY and "error" not in line]
    results = Results([line for line in lines if line["engine"] != MEMORY])
    parts = []
    for case in results.order:
        users = results.cases[case]["users"]
        if not parts:
            parts.append(HEAD.format(machine=machine_text(head["machine"]), users=users, rounds=head["rounds"], seed=head["seed"]))
        rows = []
        for engine in WHAT:
            times = results.values(case, engine, "seconds")
            if not times:
                if engine in results.engines[case]:
                    rows.append([engine, "**NOT RUN**", "—", "—", "—", WHAT[engine]])
                continue
            ratio = "1" if engine == OURS else spread(results.ratios((case, engine), (case, OURS), "seconds"))
            cpu = spread(results.values(case, engine, "cpu_s"), 2)
            peak = max(results.values(case, engine, "memory_bytes"))
            rows.append([engine, spread(times, 3), ratio, cpu, f"{peak / 1e6:.0f} MB", WHAT[engine]])
        columns = ["engine", "time, s", "time ÷ that of dbload COPY", "client CPU, s", "memory", "what it does"]
        parts += [f"## {users:,} users, n = {len(results.values(case, OURS, 'seconds'))}\n", table(columns, rows)]
    for line in memory:
        parts.append(
            f"With {line['users']:,} users, the client of `dbload COPY` has a peak of {line['memory_bytes'] / 1e6:.1f} MB; they took "
            f"{line['seconds']:.1f} s (once).\n"
        )
    return "\n".join(parts)
