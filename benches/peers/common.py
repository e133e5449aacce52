"""What the comparisons share: building, running and describing the machine."""

import argparse
import fnmatch
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "target" / "peers"


def say(text):
    print(f"peers: {text}", file=sys.stderr, flush=True)


def build():
    """Builds `workload` and gives its path."""
    target = f"{platform.machine()}-unknown-linux-gnu"
    say(f"building workload for {target}")
    command = ["cargo", "build", "--release", "--target", target, "--package", "benches", "--bin", "workload"]
    command += ["--message-format", "json-render-diagnostics"]
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(m["executable"] for m in map(json.loads, lines) if m.get("executable"))


def run_json(command, env=None, timeout=None):
    process = subprocess.run(command, env={**os.environ, **(env or {})}, timeout=timeout, capture_output=True, text=True)
    if process.returncode != 0:
        raise RuntimeError((process.stderr.strip().splitlines() or ["no message"])[-1])
    return json.loads(process.stdout.splitlines()[-1])


def machine(workload, peers):
    def out(*command):
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()

    cpu = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    memory_kib = int(next(line for line in open("/proc/meminfo") if line.startswith("MemTotal")).split()[1])
    identity = json.loads(out(workload, "identity", "--json"))
    return {
        "cpu": cpu[0] if cpu else platform.machine(),
        "threads": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory_kib / 2**20, 1),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d"),
        "load": os.getloadavg()[0],
        "revision": out("git", "rev-parse", "--short", "HEAD") + (" with changes" if out("git", "status", "--short") else ""),
        "rustc": identity["rustc"],
        "libc": f"{identity['libc']} {identity['libc_version']}",
        "python": platform.python_version(),
        "peers": peers,
    }


def write_chapter(path, text):
    """Replaces the chapter with the heading of the text, or adds it: other comparisons have theirs in the file, too."""
    heading = text.split("\n", 1)[0]
    chapters = []
    for line in path.read_text().splitlines(keepends=True) if path.exists() else []:
        if line.startswith("# ") or not chapters:
            chapters.append("")
        chapters[-1] += line
    new = text.rstrip() + "\n"
    if any(chapter.split("\n", 1)[0] == heading for chapter in chapters):
        chapters = [new if chapter.split("\n", 1)[0] == heading else chapter for chapter in chapters]
    else:
        chapters.append(new)
    path.write_text("\n".join(chapter.rstrip() + "\n" for chapter in chapters))


# Rounds of this workspace's engines alone, for what compares them with themselves.
ALONE_ROUNDS = 10


def arguments(comparison, description, example, rounds):
    """The options that all comparisons have."""
    parser = argparse.ArgumentParser(prog=f"benches/peers/run {comparison}", description=description)
    parser.add_argument("--quick", action="store_true", help="small cases, two rounds: to try this program itself")
    parser.add_argument("--cases", metavar="GLOB", default="*", help=f"only these, such as '{example}'")
    parser.add_argument("--rounds", type=int, help=f"how often every engine runs every case (default: {rounds})")
    parser.add_argument("--seed", type=int, default=42, help="of the order of the engines")
    parser.add_argument("--timeout", type=float, default=3600, help="seconds that a process may take")
    parser.add_argument("--output", type=pathlib.Path, help="the table (default: docs/performance.md with all cases)")
    parser.add_argument("--report", type=pathlib.Path, nargs="+", metavar="JOURNAL", help="only write the table of earlier runs")
    return parser


def lines_of(journals):
    """The lines of several journals, under the head of the first."""
    journals = [[json.loads(line) for line in path.open()] for path in journals]
    return [journals[0][0], *(line for journal in journals for line in journal[1:])]


def output_of(args):
    """Where the table goes: all cases go to the documents."""
    everything = not args.quick and args.cases == "*"
    return args.output or (ROOT / "docs" if everything else FOLDER) / "performance.md"


def chosen(parser, args, cases):
    """The cases that the arguments name."""
    found = [case for case in cases if fnmatch.fnmatch(case.name, args.cases)]
    if not found:
        parser.error(f"no case is called {args.cases}: there are {', '.join(case.name for case in cases)}")
    return found


def journal_path_of(comparison):
    return FOLDER / time.strftime(f"{comparison}-%Y%m%d-%H%M%S.jsonl")


def only_report(args, output, text):
    """Writes the table of earlier runs; gives the exit status."""
    write_chapter(output, text(lines_of(args.report)))
    say(f"written: {output}")
    return 0


def finish(output, text, lines, journal_path):
    """Writes and prints the table of a run; gives the exit status."""
    written = text(lines)
    write_chapter(output, written)
    print(written)
    say(f"written: {output}; the single figures: {journal_path}")
    return 1 if any("error" in line for line in lines) else 0


def unusable(peers, probe):
    """Asks every peer for its version; says loudly which cannot be run."""
    found = {}
    for peer in peers:
        try:
            found[peer] = probe(peer)
        except Exception as error:
            say(f"NOT RUN: {peer}: {error}")
            found[peer] = {"error": str(error)}
    return found


def measure_all(journal_path, head, cases, rounds, shuffler, measure, describe):
    """Runs every engine on every case in every round; gives the lines of the journal.

    Rounds are outermost, so that a machine that gets slower does so for every case and every engine. Cases that take
    minutes come in a further round, once; then come the rounds of what compares an engine with itself.
    """
    alone = [case for case in cases if case.alone]
    plan = [[(case, case.engines) for case in cases if not case.once]] * rounds
    plan += [[(case, case.engines) for case in cases if case.once]]
    plan += [[(case, case.alone) for case in alone]] * (ALONE_ROUNDS if alone else 0)
    lines = [head]
    with journal_path.open("w") as journal:
        print(json.dumps(head), file=journal, flush=True)
        for number, of_round in enumerate(plan):
            for case, engines in of_round:
                for engine in shuffler.sample(engines, len(engines)):
                    where = f"{number + 1}/{len(plan)} {case.name}"
                    try:
                        result = measure(case, engine)
                        say(f"{where}  {engine}  {describe(result)}")
                    except Exception as error:
                        result = {"error": str(error)}
                        say(f"{where}  NOT RUN: {engine}: {error}")
                    lines.append({"case": case.name, **case.facts, "engine": engine, "round": number, **result})
                    print(json.dumps(lines[-1]), file=journal, flush=True)
    return lines
