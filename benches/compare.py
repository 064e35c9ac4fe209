#!/usr/bin/env python3
"""Compares Profile Export with DuckDB, Polars, ClickHouse and Spark on the same work, data and threads, side by
side in one run.

    benches/compare.py [--people 100000 ...] [--threads 2] [--rounds 5 ...] [--nights 30] [--folder target/compare]
                       [--plot FILE] [--sql]

The programs take turns, each when all that was written before it is on the disk; the tables have medians.
Our times are those of the whole process; those of the peers leave out their start. Spark is left out where
there is no Java. For each work it is checked that all answers agree. `compare` (beside this script) is the
way to run it: it makes the virtual environment and builds the program first. Several numbers of people
show how time and memory grow; a million takes 20 GB of disk.

works.py says what is measured, peer_*.py how each peer does it; program.py runs ours, answers.py holds the answers
against each other. cold.py measures without the page cache, nights.py a store that grows, segments.py the evaluation of segments.
With --sql there are the works of queries.py alone, by a program that has SQL.
"""
import argparse
import importlib
import json
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

import answers
import cold
import nights
import peer_duckdb
import queries
import segments
from program import ROOT, Place, bytes_in, fresh, ours, workload
from works import NAMES

COLOURS = {"ours": "#d62728", "duckdb": "#1f77b4", "database": "#17becf", "polars": "#2ca02c", "clickhouse": "#bcbd22",
           "spark": "#9467bd"}
TITLES = {"ours": "Profile Export", "duckdb": "DuckDB", "database": "DuckDB database", "polars": "Polars",
          "clickhouse": "ClickHouse", "spark": "Spark"}
OURS = ("its store. A process each time, from its start to its end; what it writes is synced to the disk, which "
        "DuckDB does not do with Parquet.")


class Measured(NamedTuple):
    """Seconds by work and by whom, peak memory by work, sizes of files by work, bytes of what is read, and the
    tables of their own."""
    times: dict
    memory: dict
    sizes: dict
    places: dict
    graph: dict
    cold: Any
    nights: Any
    segments: Any


def size_of(folders):
    return sum(f.stat().st_size for folder in folders for f in folder.glob("*.parquet"))


def size_by_duckdb(folders):
    """What DuckDB makes of the same rows."""
    total = 0
    for folder in folders:
        again = folder / "again.parquet"
        duckdb.sql(f"COPY (SELECT * FROM read_parquet('{folder}/part-*.parquet')) TO '{again}' (FORMAT parquet, COMPRESSION zstd)")
        total += again.stat().st_size
        again.unlink()
    return total


def measure(people, threads, rounds, base, how_many_nights):
    source = base / f"source-{people}"
    if not source.exists():
        workload(source, people)
    place = Place(fresh(base / "work"), source, threads, rounds)
    times, memory, sizes = {}, {}, {}

    def add(work, who, seconds):
        times.setdefault(work, {}).setdefault(who, []).append(seconds)

    def add_ours(work, took):
        add(work, "ours", took.seconds)
        memory[work] = max(took.peak, memory.get(work, 0))
        return took

    ndjson = peer_duckdb.from_json(source)
    fresh(place.parquet)
    for _ in range(rounds):
        shutil.rmtree(place.store, ignore_errors=True)
        add_ours("W4", place.loaded(place.store))
        add("W4", "duckdb", peer_duckdb.executed(peer_duckdb.to_parquet(ndjson, place.parquet), threads).seconds)
        place.database.unlink(missing_ok=True)
        add("W4", "database", peer_duckdb.executed(peer_duckdb.to_database(ndjson, place.database), threads).seconds)
        shutil.rmtree(place.store)
        add("W4", "one thread", place.loaded(place.store, threads=1).seconds)
    body = place.folder / "dataset.json"
    body.write_text(json.dumps({"name": "Exports", "schemaRef": {"id": "https://ns.adobe.com/xdm/context/profile__union"}}))
    [made] = ours("datasets", "create", body, "--store", place.store).body
    place.ask(made.split("/")[-1])
    sources = {"duckdb": peer_duckdb.from_parquet(place.parquet), "database": peer_duckdb.from_database(place.database)}
    for work in ("W1", "W2", "W3", "W6"):
        others = PEERS if work != "W6" else {}
        for _ in range(rounds):
            out = fresh(place.folder / "out")
            job = add_ours(work, place.exported(work, out / "ours")).body
            for who, records in sources.items():
                add(work, who, peer_duckdb.timed(work, records, fresh(out / who), threads).seconds)
            for peer, module in others.items():
                add(work, peer, module.timed(work, place.parquet, fresh(out / peer), threads))
            add(work, "one thread", place.exported(work, out / "one", threads=1).seconds)
        mine = answers.ours(work, job, out / "ours")
        for peer in (*sources, *others):
            answers.agree(work, mine, answers.of_peer(work, out / peer))
        folders = answers.batches(job, out / "ours").values()
        sizes[work] = (size_of(folders), size_by_duckdb(folders))
        if work not in ("W1", "W3"):
            continue
        straight = f"W5 ({work})"
        for _ in range(rounds):
            out = fresh(place.folder / "out")
            request = ["run", place.folder / f"{work}.json", "--from", source]
            job = add_ours(straight, ours(*request, "--out", out / "ours", "--threads", threads)).body
            add(straight, "one thread", ours(*request, "--out", out / "one", "--threads", 1).seconds)
            add(straight, "duckdb", peer_duckdb.timed(work, ndjson, fresh(out / "duckdb"), threads).seconds)
        answers.agree(work, answers.ours(work, job, out / "ours"), answers.of_peer(work, out / "duckdb"))
    places = {"NDJSON": sum(f.stat().st_size for f in source.glob("*/records.ndjson")),
              "store": sum(f.stat().st_size for f in place.store.glob("runs/*/*")),
              "Parquet": bytes_in(place.parquet), "database": place.database.stat().st_size}
    graph = joined(place)
    from_disk = cold.measure(place)
    night_by_night = nights.measure(place, people, how_many_nights)
    return Measured(times, memory, sizes, places, graph, from_disk, night_by_night, segments.measure(place))


def queried(people, threads, rounds, base):
    """SQL alone."""
    source = base / f"source-{people}"
    if not source.exists():
        workload(source, people)
    place = Place(fresh(base / "work"), source, threads, rounds)
    ndjson = peer_duckdb.from_json(source)
    place.loaded(place.store)
    peer_duckdb.executed(peer_duckdb.to_parquet(ndjson, fresh(place.parquet)), threads)
    peer_duckdb.executed(peer_duckdb.to_database(ndjson, place.database), threads)
    return queries.measure(place, people)


def joined(place):
    """W1 and W2 with the identity graph and without, in turn. In this workload no two people share an identity, so
    the profiles are the same."""
    took = {}
    for work in ("W1", "W2"):
        for _ in range(place.rounds):
            out = fresh(place.folder / "out")
            told = {}
            for name, request in {"none": work, "pdg": f"{work}-pdg"}.items():
                export = place.exported(request, out / name)
                took.setdefault(work, {}).setdefault(name, []).append(export)
                told[name] = answers.ours(work, export.body, out / name)
            answers.agree(f"{work} with pdg", told["none"], told["pdg"])
    return took


def table(people, threads, rounds, result):
    times, memory, sizes, places = result[:4]
    versions = {"duckdb": peer_duckdb.version, **{peer: module.version for peer, module in PEERS.items()}}
    named = ", ".join(f"{TITLES[peer]} {version}" for peer, version in versions.items())
    print(f"\n{people:,} people, {threads} threads, medians of {rounds} rounds, {named}; in brackets: how many times our time\n")
    peers = ["duckdb", "database", *PEERS]
    heads = ["", "work", TITLES["ours"], "peak memory", "one thread", *(TITLES[peer] for peer in peers)]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for work in NAMES:
        median = {who: statistics.median(seconds) for who, seconds in times[work].items()}
        mine = median["ours"]
        told = lambda who: f"{median[who]:.3f} s ({median[who] / mine:.1f})" if who in median else ""
        one = f"{median['one thread']:.3f} s ({median['one thread'] / mine:.2f})"
        cells = [work, NAMES[work], f"{mine:.3f} s", f"{memory[work]:.0f} MB", one, *(told(peer) for peer in peers)]
        print(f"| {' | '.join(cells)} |")
    told = ", ".join(f"{work} {ours / theirs:.0%}" for work, (ours, theirs) in sizes.items())
    share = lambda name: f"{places[name] / places['NDJSON']:.0%}"
    print(f"\nThe store takes {share('store')} of the NDJSON, DuckDB's Parquet {share('Parquet')}, its database "
          f"{share('database')}; our files' size against DuckDB's of the same rows: {told}.")
    graph_table(result.graph)
    cold.table(result.cold, TITLES)
    nights.table(result.nights)
    segments.table(result.segments)


def graph_table(took):
    print("\n| merge policy's identity graph | none | pdg | peak memory with pdg |\n|---|---|---|---|")
    for work, by in took.items():
        none, pdg = (statistics.median(t.seconds for t in by[name]) for name in ("none", "pdg"))
        print(f"| {work} | {none:.3f} s | {pdg:.3f} s ({pdg / none:.2f}) | {max(t.peak for t in by['pdg']):.0f} MB |")


def settings(threads):
    """What each reads and how it is set, so that who knows a peer can say whether it is fair."""
    told = {TITLES["ours"]: OURS, **peer_duckdb.reads, **{TITLES[peer]: module.reads for peer, module in PEERS.items()}}
    print(f"\nWhat each reads, with {threads} threads; what is not named is as it comes:\n")
    for who, what in told.items():
        print(f"- {who}: {what}")


def growth(points):
    """Time a profile and peak memory against those of the smallest size."""
    first, *others = sorted(points)
    for people in others:
        print(f"\n{people:,} people against {first:,}\n\n| | time a profile | peak memory |\n|---|---|---|")
        for work in NAMES:
            (a, b) = (statistics.median(points[n].times[work]["ours"]) / n for n in (first, people))
            (c, d) = (points[n].memory[work] for n in (first, people))
            print(f"| {work} | {b / a:.2f} times | {d:.0f} MB, {d / c:.2f} times |")


def plot(path, points, threads):
    """Time against size, a panel a work, as SVG by hand: two lines need no library."""
    works = list(NAMES)
    width, height, pad = 300, 210, 45
    bottom = height * -(-len(works) // 3)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * 3}" height="{bottom + 30}" '
             'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>']
    sizes = sorted(points)
    for i, work in enumerate(works):
        x0, y0 = (i % 3) * width, (i // 3) * height
        known = [who for who in COLOURS if who in points[sizes[0]].times[work]]
        series = {who: [statistics.median(points[n].times[work][who]) for n in sizes] for who in known}
        top = max(max(s) for s in series.values()) * 1.05
        px = lambda n: x0 + pad + (width - pad - 15) * n / sizes[-1]
        py = lambda t: y0 + height - 35 - (height - 65) * t / top
        parts.append(f'<text x="{x0 + pad}" y="{y0 + 18}" font-weight="bold">{work}: {NAMES[work]}</text>')
        parts.append(f'<path d="M{x0 + pad},{y0 + 28}V{y0 + height - 35}H{x0 + width - 12}" fill="none" stroke="#888"/>')
        parts.append(f'<text x="{x0 + 5}" y="{py(top) + 8}">{top:.2f} s</text>')
        for n in (sizes[0], sizes[-1]):
            parts.append(f'<text x="{px(n)}" y="{y0 + height - 20}" text-anchor="end">{n:,}</text>')
        for who in known:
            at = [(px(n), py(t)) for n, t in zip(sizes, series[who])]
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y in [(x0 + pad, y0 + height - 35), *at])
            parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[who]}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{COLOURS[who]}"/>' for x, y in at]
    known = [who for who in COLOURS if who in points[sizes[0]].times["W1"]]
    legend = ", ".join(f'<tspan fill="{COLOURS[who]}">{TITLES[who]}</tspan>' for who in known)
    parts.append(f'<text x="20" y="{bottom + 18}">seconds against people, {threads} threads: {legend}</text></svg>')
    Path(path).write_text("\n".join(parts) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, nargs="+", default=[100_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, nargs="+", default=[5], help="for each number of people; the last counts for the rest")
    parser.add_argument("--nights", type=int, help="how many small loads after the large one; 30 if not given, and none "
                        "with more than 100,000 people")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/compare")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--sql", action="store_true")
    arguments = parser.parse_args()
    if arguments.sql:
        for i, people in enumerate(arguments.people):
            rounds = arguments.rounds[min(i, len(arguments.rounds) - 1)]
            measured = queried(people, arguments.threads, rounds, arguments.folder.resolve())
            print(f"\n{people:,} people, {arguments.threads} threads, medians of {rounds} rounds, DuckDB {peer_duckdb.version}; "
                  "in brackets: how many times our time")
            queries.table(measured)
        return
    # It counts its threads when it is imported.
    os.environ["POLARS_MAX_THREADS"] = str(arguments.threads)
    global PEERS
    peers = ["polars", "clickhouse"]
    if shutil.which("java"):
        peers.append("spark")
    else:
        print("no java: Spark is left out", file=sys.stderr)
    PEERS = {peer: importlib.import_module(f"peer_{peer}") for peer in peers}
    points = {}
    for i, people in enumerate(arguments.people):
        rounds = arguments.rounds[min(i, len(arguments.rounds) - 1)]
        how_many = arguments.nights
        if how_many is None:
            how_many = 30 if people <= 100_000 else 0
        result = measure(people, arguments.threads, rounds, arguments.folder.resolve(), how_many)
        points[people] = result
        table(people, arguments.threads, rounds, result)
    settings(arguments.threads)
    growth(points)
    if arguments.plot:
        plot(arguments.plot, points, arguments.threads)


if __name__ == "__main__":
    main()
