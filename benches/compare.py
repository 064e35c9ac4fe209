#!/usr/bin/env python3
"""Compares Profile Export with DuckDB, Polars, ClickHouse and Spark on the same work, data and threads, side by
side in one run.

    benches/compare.py [--people 100000 ...] [--threads 2] [--rounds 5 ...] [--folder target/compare] [--plot FILE]

The programs take turns, each when all that was written before it is on the disk; the tables have medians.
Our times are those of the whole process; those of the peers leave out their start. Spark is left out where
there is no Java. For each work it is checked that all answers agree. `compare` (beside this script) is the
way to run it: it makes the virtual environment and builds the program first. Several numbers of people
show how time and memory grow; a million takes 20 GB of disk.
"""
import argparse
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/profile-export"
WORKLOAD = ROOT / "target/release/workload"

IDENTITY = "MAP(VARCHAR, STRUCT(id VARCHAR, authenticatedState VARCHAR, \"primary\" BOOLEAN)[])"
MEMBERSHIP = ("MAP(VARCHAR, MAP(VARCHAR, STRUCT(lastQualificationTime TIMESTAMPTZ, status VARCHAR)))")
COLUMNS = {
    "crm": f"""_id VARCHAR, ingestedAt TIMESTAMPTZ, identityMap {IDENTITY},
        identities STRUCT(id VARCHAR, namespace STRUCT(code VARCHAR))[],
        person STRUCT(name STRUCT(firstName VARCHAR, lastName VARCHAR, fullName VARCHAR), gender VARCHAR, birthYear BIGINT),
        personalEmail STRUCT(address VARCHAR, "primary" BOOLEAN, status VARCHAR),
        homeAddress STRUCT(street1 VARCHAR, city VARCHAR, postalCode VARCHAR, countryCode VARCHAR),
        mobilePhone STRUCT(number VARCHAR),
        consents STRUCT(marketing STRUCT(email STRUCT(val VARCHAR), sms STRUCT(val VARCHAR))),
        interests VARCHAR[], lifetimeValue DOUBLE, segmentMembership {MEMBERSHIP}""",
    "loyalty": f"""_id VARCHAR, ingestedAt TIMESTAMPTZ, identityMap {IDENTITY},
        loyalty STRUCT(points BIGINT, tier VARCHAR, program VARCHAR, memberId VARCHAR, joinDate VARCHAR, upgradeDate VARCHAR),
        personalEmail STRUCT(address VARCHAR, "primary" BOOLEAN),
        person STRUCT(name STRUCT(firstName VARCHAR, lastName VARCHAR)),
        preferredStore STRUCT(id VARCHAR, city VARCHAR), segmentMembership {MEMBERSHIP}""",
    "web": f"""_id VARCHAR, ingestedAt TIMESTAMPTZ, identityMap {IDENTITY},
        web STRUCT(firstVisit VARCHAR, lastVisit VARCHAR, visits BIGINT, landingPage VARCHAR, browser VARCHAR, language VARCHAR),
        personalEmail STRUCT(address VARCHAR), propensity STRUCT(churn DOUBLE, purchase DOUBLE),
        segmentMembership {MEMBERSHIP}""",
    "events": f"""_id VARCHAR, "timestamp" TIMESTAMPTZ, ingestedAt TIMESTAMPTZ, eventType VARCHAR, identityMap {IDENTITY},
        environment STRUCT(browserDetails STRUCT(name VARCHAR, version VARCHAR, acceptLanguage VARCHAR), ipV4 VARCHAR),
        web STRUCT(webPageDetails STRUCT(name VARCHAR, URL VARCHAR)),
        commerce STRUCT("order" STRUCT(priceTotal DOUBLE, currencyCode VARCHAR), productViews STRUCT("value" BIGINT))""",
}
PROFILES = ("crm", "loyalty", "web")
KEY_COLUMN = "k"
KEY = "identityMap['ECID'][1].id"
SEGMENTS = [("AAM", "segment-0021-8b1f2c3d", "realized"), ("UPS", "segment-0040-8b1f2c3d", "exited")]
W1 = {"window": ("2026-02-01T00:00:00Z", "2026-09-01T00:00:00Z"), "ingested": "2026-03-01T00:00:00Z",
      "events": "2026-05-01T00:00:00Z"}


def requests(target):
    base = {"destination": {"datasetId": target}, "schema": {"name": "_xdm.context.profile"}}
    tutorial = {
        **base, "fields": "identities.id,personalEmail.address",
        "destination": {"datasetId": target, "segmentPerBatch": True},
        "filter": {"segments": [{"segmentId": s, "segmentNs": ns, "status": [status]} for ns, s, status in SEGMENTS],
                   "segmentQualificationTime": {"startTime": W1["window"][0], "endTime": W1["window"][1]},
                   "fromIngestTimestamp": W1["ingested"], "emptyProfiles": False},
        "additionalFields": {"eventList": {
            "fields": "environment.browserDetails.name,environment.browserDetails.version",
            "filter": {"fromIngestTimestamp": W1["events"]}}}}
    return {"W1": tutorial, "W2": base,
            "W3": {**base, "fields": "_id,personalEmail.address,person.name.lastName",
                   "additionalFields": {"eventList": {"fields": "eventType,timestamp"}}}}


def from_json(name, folder):
    columns = []
    depth, start = 0, 0
    text = COLUMNS[name]
    for i, c in enumerate(text + ","):
        depth += c in "([" and 1 or c in ")]" and -1 or 0
        if c == "," and depth == 0:
            column, kind = text[start:i].strip().split(None, 1)
            columns.append(f"{column}: $${' '.join(kind.split())}$$")
            start = i + 1
    listed = ", ".join(columns)
    return f"read_json('{folder}/{name}/records.ndjson', format='newline_delimited', columns={{{listed}}})"


def from_parquet(name, folder):
    return f"read_parquet('{folder}/{name}.parquet')"


def w1_sql(read, folder, out, number):
    ns, segment, status = SEGMENTS[number]
    ns = {"UPS": "ups"}.get(ns, ns)
    members = " UNION ALL ".join(
        f"SELECT {KEY} AS k, ingestedAt AS t, segmentMembership['{ns}']['{segment}'] AS m FROM {read(d, folder)}"
        for d in PROFILES)
    updated = " UNION ALL ".join(
        f"SELECT {KEY} AS k, ingestedAt AS t, personalEmail.address AS address, "
        f"{'identities' if d == 'crm' else 'NULL'} AS identities FROM {read(d, folder)}" for d in PROFILES)
    return f"""COPY (
        WITH latest AS (SELECT k, arg_max(m, t) AS best FROM ({members}) WHERE m IS NOT NULL GROUP BY k),
        member AS (SELECT k FROM latest WHERE best.status = '{status}' AND best.lastQualificationTime
                   BETWEEN '{W1['window'][0]}' AND '{W1['window'][1]}'),
        profile AS (SELECT k, arg_max(address, t) AS address, arg_max(identities, t) AS identities FROM ({updated})
                    SEMI JOIN member USING (k) GROUP BY k HAVING max(t) > '{W1['ingested']}'),
        event AS (SELECT {KEY} AS k, list({{'environment': {{'browserDetails': {{'name': environment.browserDetails.name,
                  'version': environment.browserDetails.version}}}}}} ORDER BY timestamp, _id) AS e
                  FROM {read('events', folder)} WHERE ingestedAt > '{W1['events']}'
                  AND {KEY} IN (SELECT k FROM profile) GROUP BY 1)
        SELECT [{{'id': i.id}} FOR i IN identities] AS identities, {{'address': address}} AS personalEmail,
               coalesce(e, []) AS timeSeriesEvents FROM profile LEFT JOIN event USING (k)
        ) TO '{out}/{number}.parquet' (FORMAT parquet, COMPRESSION zstd)"""


LEAVES = {
    "_id": PROFILES, "person.name.firstName": ("crm", "loyalty"), "person.name.lastName": ("crm", "loyalty"),
    "person.name.fullName": ("crm",), "person.gender": ("crm",), "person.birthYear": ("crm",),
    "personalEmail.address": PROFILES, "personalEmail.primary": ("crm", "loyalty"), "personalEmail.status": ("crm",),
    "identityMap": PROFILES, "identities": ("crm",), "homeAddress": ("crm",), "mobilePhone": ("crm",), "consents": ("crm",),
    "interests": ("crm",), "lifetimeValue": ("crm",), "loyalty": ("loyalty",), "preferredStore": ("loyalty",),
    "web": ("web",), "propensity": ("web",), "segmentMembership": PROFILES,
}


def nested(leaves, column, alias, struct):
    """The leaves as they were before they were merged, in structs, for a peer's own `column` of a leaf, `alias`
    of a column and `struct` of columns."""
    tops = {}
    for leaf in leaves:
        top, *rest = leaf.split(".")
        tops.setdefault(top, []).append((rest, column(leaf)))

    def build(name, parts):
        if len(parts) == 1 and not parts[0][0]:
            return alias(parts[0][1], name)
        inner = {}
        for (first, *rest), part in parts:
            inner.setdefault(first, []).append((rest, part))
        return alias(struct([build(part, columns) for part, columns in inner.items()]), name)
    return [build(top, parts) for top, parts in tops.items()]


def w2_sql(read, folder, out):
    """A join of the three datasets, each leaf from the latest fragment that has it. Memberships are
    taken whole from the latest fragment, which is less work than uniting them."""
    def leaf(path):
        sources = LEAVES[path]
        quoted = ".".join(f'"{p}"' if p == "primary" else p for p in path.split("."))
        if len(sources) == 1:
            return f"{sources[0]}.{quoted}"
        best = "greatest(" + ", ".join(f"CASE WHEN {s}.{quoted} IS NOT NULL THEN {s}.ingestedAt END" for s in sources) + ")"
        cases = " ".join(f"WHEN {s}.ingestedAt = {best} AND {s}.{quoted} IS NOT NULL THEN {s}.{quoted}" for s in sources)
        return f"CASE {cases} END"

    tops = {}
    for path in LEAVES:
        top, _, rest = path.partition(".")
        tops.setdefault(top, []).append((rest, path))
    columns = []
    for top, parts in tops.items():
        if top == "person":
            name = ", ".join(f"'{r.split('.')[1]}': {leaf(p)}" for r, p in parts if r.startswith("name."))
            rest = ", ".join(f"'{r}': {leaf(p)}" for r, p in parts if not r.startswith("name."))
            columns.append(f"{{'name': {{{name}}}, {rest}}} AS person")
        elif top == "personalEmail":
            columns.append("{" + ", ".join(f"'{r}': {leaf(p)}" for r, p in parts) + "} AS personalEmail")
        else:
            columns.append(f"{leaf(top)} AS {top}")
    tables = [f"(SELECT *, {KEY} AS k FROM {read(d, folder)}) AS {d}" for d in PROFILES]
    return f"""COPY (SELECT {', '.join(columns)} FROM {tables[0]} FULL JOIN {tables[1]} USING (k)
        FULL JOIN {tables[2]} USING (k)) TO '{out}/0.parquet' (FORMAT parquet, COMPRESSION zstd)"""


def w3_sql(read, folder, out):
    fragments = " UNION ALL ".join(
        f"SELECT {KEY} AS k, ingestedAt AS t, _id, personalEmail.address AS address, "
        f"{'NULL' if d == 'web' else 'person.name.lastName'} AS last FROM {read(d, folder)}" for d in PROFILES)
    return f"""COPY (
        WITH profile AS (SELECT k, arg_max(_id, t) AS _id, arg_max(address, t) AS address, arg_max(last, t) AS last
                         FROM ({fragments}) GROUP BY k),
        event AS (SELECT {KEY} AS k, list({{'timestamp': timestamp, 'eventType': eventType}} ORDER BY timestamp, _id) AS e
                  FROM {read('events', folder)} GROUP BY 1)
        SELECT _id, {{'address': address}} AS personalEmail, {{'name': {{'lastName': last}}}} AS person,
               coalesce(e, []) AS timeSeriesEvents FROM profile LEFT JOIN event USING (k)
        ) TO '{out}/0.parquet' (FORMAT parquet, COMPRESSION zstd)"""


def sql_of(work, read, folder, out):
    if work == "W1":
        return [w1_sql(read, folder, out, number) for number in range(2)]
    return [{"W2": w2_sql, "W3": w3_sql}[work](read, folder, out)]


CHECKS = {
    "W1": "count(*), sum(len(timeSeriesEvents)), bit_xor(hash(personalEmail.address)), bit_xor(hash(identities[1].id))",
    "W2": "count(*), bit_xor(hash(_id)), bit_xor(hash(person.name.lastName)), bit_xor(hash(personalEmail.address)), "
          "sum(loyalty.points), sum(person.birthYear), bit_xor(hash(web.landingPage)), sum(lifetimeValue)::BIGINT",
    "W3": "count(*), sum(len(timeSeriesEvents)), bit_xor(hash(_id)), bit_xor(hash(person.name.lastName)), "
          "bit_xor(hash(timeSeriesEvents[1].eventType, timeSeriesEvents[1].timestamp))",
}


def ours(arguments):
    """Runs the program; returns its seconds, the peak memory in MB that it reports, and its output."""
    os.sync()
    start = time.perf_counter()
    process = subprocess.run([PROGRAM, *map(str, arguments), "--json"], stdout=subprocess.PIPE)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"profile-export {arguments}: status {process.returncode}")
    body = json.loads(process.stdout)
    peak = 0
    if isinstance(body, dict):
        peak = body.get("peakMemoryBytes") or body.get("metrics", {}).get("peakMemoryBytes") or 0
    return seconds, peak / 1e6, process.stdout


def duck(threads, statements):
    connection = duckdb.connect(config={"threads": threads})
    connection.sql("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
    os.sync()
    start = time.perf_counter()
    for statement in statements:
        connection.execute(statement)
    return time.perf_counter() - start


def batches(text, folder):
    job = json.loads(text)
    destination = job["destination"]
    ids = [b["batchId"] for b in destination.get("batches", [])] or [destination["batchId"]]
    return [folder / batch for batch in ids]


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def answers_agree(work, ours_folders, duck_folder):
    for number, folder in enumerate(ours_folders):
        check = CHECKS[work]
        a = duckdb.sql(f"SELECT {check} FROM read_parquet('{folder}/*.parquet')").fetchall()
        b = duckdb.sql(f"SELECT {check} FROM read_parquet('{duck_folder}/{number}.parquet')").fetchall()
        if a != b:
            sys.exit(f"{work}: the answers differ: {a} and {b}")


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


def measure(people, threads, rounds, base):
    source = base / f"source-{people}"
    if not source.exists():
        subprocess.run([WORKLOAD, source, str(people)], check=True)
    folder = fresh(base / "work")
    parquet = fresh(folder / "parquet")
    store, times, memory = folder / "store", {}, {}

    def add(work, who, seconds):
        times.setdefault(work, {}).setdefault(who, []).append(seconds)

    loads = [f"COPY (SELECT * FROM {from_json(d, source)}) TO '{parquet}/{d}.parquet' (FORMAT parquet, COMPRESSION zstd)"
             for d in COLUMNS]
    for _ in range(rounds):
        shutil.rmtree(store, ignore_errors=True)
        seconds, peak, _ = ours(["ingest", "--store", store, "--from", source, "--threads", threads])
        add("W4", "ours", seconds)
        memory["W4"] = max(peak, memory.get("W4", 0))
        add("W4", "duckdb", duck(threads, loads))
        shutil.rmtree(store)
        add("W4", "one thread", ours(["ingest", "--store", store, "--from", source, "--threads", 1])[0])
    body = folder / "dataset.json"
    body.write_text(json.dumps({"name": "Exports", "schemaRef": {"id": "https://ns.adobe.com/xdm/context/profile__union"}}))
    made = json.loads(ours(["datasets", "create", body, "--store", store])[2])
    sizes = {}
    for work, request in requests(made[0].split("/")[-1]).items():
        path = folder / f"{work}.json"
        path.write_text(json.dumps(request))
        for _ in range(rounds):
            out = fresh(folder / "out")
            seconds, peak, text = ours(["run", path, "--store", store, "--out", out / "ours", "--threads", threads])
            add(work, "ours", seconds)
            memory[work] = max(peak, memory.get(work, 0))
            duck_out = fresh(out / "duckdb")
            add(work, "duckdb", duck(threads, sql_of(work, from_parquet, parquet, duck_out)))
            for peer, module in PEERS.items():
                add(work, peer, module.timed(work, parquet, fresh(out / peer), threads))
            one = ["run", path, "--store", store, "--out", out / "one", "--threads", 1]
            add(work, "one thread", ours(one)[0])
        folders = batches(text, out / "ours")
        answers_agree(work, folders, duck_out)
        for peer in PEERS:
            answers_agree(work, folders, out / peer)
        sizes[work] = (size_of(folders), size_by_duckdb(folders))
        if work == "W2":
            continue
        for _ in range(rounds):
            out = fresh(folder / "out")
            seconds, peak, text = ours(["run", path, "--from", source, "--out", out / "ours", "--threads", threads])
            add(f"W5 ({work})", "ours", seconds)
            memory[f"W5 ({work})"] = max(peak, memory.get(f"W5 ({work})", 0))
            one = ["run", path, "--from", source, "--out", out / "one", "--threads", 1]
            add(f"W5 ({work})", "one thread", ours(one)[0])
            duck_out = fresh(out / "duckdb")
            add(f"W5 ({work})", "duckdb", duck(threads, sql_of(work, from_json, source, duck_out)))
        answers_agree(work, batches(text, out / "ours"), duck_out)
    json_bytes = sum(f.stat().st_size for f in source.glob("*/records.ndjson"))
    store_bytes = sum(f.stat().st_size for f in store.glob("runs/*/*"))
    return times, memory, sizes, store_bytes / json_bytes


COLOURS = {"ours": "#d62728", "duckdb": "#1f77b4", "polars": "#2ca02c", "clickhouse": "#bcbd22", "spark": "#9467bd"}
TITLES = {"ours": "Profile Export", "duckdb": "DuckDB", "polars": "Polars", "clickhouse": "ClickHouse", "spark": "Spark"}
NAMES = {
    "W1": "tutorial's request, per segment", "W2": "all profiles, all fields", "W3": "three fields, all events",
    "W4": "load NDJSON", "W5 (W1)": "W1 straight from NDJSON", "W5 (W3)": "W3 straight from NDJSON",
}


def table(people, threads, rounds, result):
    times, memory, sizes, share = result
    versions = {"duckdb": duckdb.__version__, **{peer: module.version for peer, module in PEERS.items()}}
    named = ", ".join(f"{TITLES[peer]} {version}" for peer, version in versions.items())
    print(f"\n{people:,} people, {threads} threads, medians of {rounds} rounds, {named}; in brackets: how many times our time\n")
    heads = ["", "work", TITLES["ours"], "peak memory", "one thread", *(TITLES[peer] for peer in versions)]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for work in NAMES:
        median = {who: statistics.median(seconds) for who, seconds in times[work].items()}
        mine = median["ours"]
        told = lambda who: f"{median[who]:.3f} s ({median[who] / mine:.1f})" if who in median else ""
        one = f"{median['one thread']:.3f} s ({median['one thread'] / mine:.2f})"
        cells = [work, NAMES[work], f"{mine:.3f} s", f"{memory[work]:.0f} MB", one, *(told(peer) for peer in versions)]
        print(f"| {' | '.join(cells)} |")
    told = ", ".join(f"{work} {ours / theirs:.0%}" for work, (ours, theirs) in sizes.items())
    print(f"\nThe store takes {share:.0%} of the NDJSON; our files' size against DuckDB's of the same rows: {told}.")


def growth(points):
    """Time a profile and peak memory against those of the smallest size."""
    first, *others = sorted(points)
    for people in others:
        print(f"\n{people:,} people against {first:,}\n\n| | time a profile | peak memory |\n|---|---|---|")
        for work in NAMES:
            (a, b) = (statistics.median(points[n][0][work]["ours"]) / n for n in (first, people))
            (c, d) = (points[n][1][work] for n in (first, people))
            print(f"| {work} | {b / a:.2f} times | {d:.0f} MB, {d / c:.2f} times |")


def plot(path, points, threads):
    """Time against size, a panel a work, as SVG by hand: two lines need no library."""
    works = list(NAMES)
    width, height, pad = 300, 210, 45
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * 3}" height="{height * 2 + 30}" '
             'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>']
    sizes = sorted(points)
    for i, work in enumerate(works):
        x0, y0 = (i % 3) * width, (i // 3) * height
        known = [who for who in COLOURS if who in points[sizes[0]][0][work]]
        series = {who: [statistics.median(points[n][0][work][who]) for n in sizes] for who in known}
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
    known = [who for who in COLOURS if who in points[sizes[0]][0]["W1"]]
    legend = ", ".join(f'<tspan fill="{COLOURS[who]}">{TITLES[who]}</tspan>' for who in known)
    parts.append(f'<text x="20" y="{height * 2 + 18}">seconds against people, {threads} threads: {legend}</text></svg>')
    Path(path).write_text("\n".join(parts) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, nargs="+", default=[100_000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, nargs="+", default=[5], help="for each number of people; the last counts for the rest")
    parser.add_argument("--folder", type=Path, default=ROOT / "target/compare")
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
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
        result = measure(people, arguments.threads, rounds, arguments.folder.resolve())
        points[people] = result
        table(people, arguments.threads, rounds, result)
    growth(points)
    if arguments.plot:
        plot(arguments.plot, points, arguments.threads)


if __name__ == "__main__":
    main()
