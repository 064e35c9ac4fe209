"""Segments evaluated, against what a user of DuckDB would write over a database of its own.

S1 counts a segment on two profile fields and events in a window, S2 evaluates 200 segments and writes who is in them, S3
is three events in order, S4 counts by profile fields alone. Counts are held against each other.
"""
import json
import shutil
import statistics
from typing import NamedTuple

import duckdb

import answers
import peer_duckdb
from program import ours

NOW = "2026-10-01T00:00:00Z"
POLICY = "timestampOrdered-none-mp"
NAMES = {"S1": "two fields and events in a window, counted", "S2": "200 segments evaluated and written",
         "S3": "three events in order, counted", "S4": "two fields, counted"}
GENDERS = ("female", "male", "not_specified")
COUNTRIES = ("DE", "FR", "US", "GB", "PL")
TYPES = ("web.webpagedetails.pageViews", "commerce.productViews", "commerce.purchases", "commerce.checkouts")


class Segment(NamedTuple):
    """An expression, and the condition on a row of `own.crm` that means the same."""
    pql: str
    sql: str


def fields(gender, country):
    return Segment(f'person.gender = "{gender}" and homeAddress.countryCode = "{country}"',
                   f"person.gender = '{gender}' AND homeAddress.countryCode = '{country}'")


def events(kind, days, more_than):
    return Segment(f'xEvent[eventType = "{kind}" and timestamp occurs <= {days} days before now].count() > {more_than}',
                   f"k IN (SELECT k FROM own.events WHERE eventType = '{kind}' AND timestamp BETWEEN "
                   f"TIMESTAMPTZ '{NOW}' - INTERVAL {days} DAY AND TIMESTAMPTZ '{NOW}' GROUP BY k HAVING count(*) > {more_than})")


def both(first, second):
    return Segment(f"{first.pql} and {second.pql}", f"{first.sql} AND {second.sql}")


def of_200(n):
    """Half of them look at events; parts are shared."""
    country = COUNTRIES[n % 5]
    if n % 2:
        year = 1940 + n * 7 % 65
        return both(fields(GENDERS[n % 3], country), Segment(f"person.birthYear > {year}", f"person.birthYear > {year}"))
    by_country = Segment(f'homeAddress.countryCode = "{country}"', f"homeAddress.countryCode = '{country}'")
    return both(by_country, events(TYPES[n // 2 % 4], 10 + n % 20 * 10, n % 3))


ALL = {f"bench-{n:03}": of_200(n) for n in range(200)}
COUNTED = {"S1": both(fields("female", "DE"), events("commerce.purchases", 90, 1)), "S4": fields("female", "DE")}
CHAIN = "CHAIN(xEvent, timestamp, [{}])".format(", ".join(
    f'{label}: WHAT(eventType = "{kind}")' for label, kind in zip("ABC", TYPES)))
WINDOWS = f"""WITH a AS (SELECT k, timestamp AS t, eventType,
                  min(timestamp) FILTER (eventType = '{TYPES[0]}') OVER (PARTITION BY k) AS first FROM own.events),
              b AS (SELECT k, t, eventType, min(t) FILTER (eventType = '{TYPES[1]}' AND t > first) OVER (PARTITION BY k)
                  AS second FROM a)
              SELECT count(DISTINCT k) FROM b WHERE eventType = '{TYPES[2]}' AND t > second"""


def measure(place):
    """Seconds by work and by whom, and our peak memory. S2 is done in a copy of the store, as if for the first time."""
    times, memory = {}, {}

    def add(work, who, seconds, peak=0):
        times.setdefault(work, {}).setdefault(who, []).append(seconds)
        memory[work] = max(peak, memory.get(work, 0))

    counts = {work: (segment.pql, f"SELECT count(*) FROM own.crm WHERE {segment.sql}") for work, segment in COUNTED.items()}
    counts["S3"] = (CHAIN, WINDOWS)
    first = peer_duckdb.from_database(place.database).first
    for work, (pql, sql) in counts.items():
        for _ in range(place.rounds):
            took = ours("segments", "estimate", pql, "--store", place.store, "--now", NOW, "--merge-policy", POLICY,
                        "--threads", place.threads, watched=True)
            add(work, "ours", took.seconds, took.peak)
            add(work, "database", peer_duckdb.executed([*first, sql], place.threads).seconds)
        with duckdb.connect() as connection:
            connection.execute(f"{peer_duckdb.SETTINGS}; {first[0]}")
            [theirs] = connection.execute(sql).fetchone()
        answers.agree(work, {"members": took.body[0]["members"]}, {"members": theirs})
    defined, store, database = (place.folder / name for name in ("defined", "evaluated", "evaluated.duckdb"))
    shutil.copytree(place.store, defined)
    definitions = place.folder / "definitions.json"
    definitions.write_text(json.dumps([
        {"id": id, "mergePolicyId": POLICY, "expression": {"type": "PQL", "format": "pql/text", "value": segment.pql}}
        for id, segment in ALL.items()]))
    ours("segments", "create", definitions, "--store", defined)
    shutil.copy(place.database, database)
    inserts = [f"INSERT INTO own.evaluated SELECT k, '{id}', 'realized', TIMESTAMPTZ '{NOW}' FROM own.crm WHERE {segment.sql}"
               for id, segment in ALL.items()]
    attach = f"ATTACH '{database}' AS own"
    for _ in range(place.rounds):
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(defined, store)
        took = ours("segments", "evaluate", "--all", "--store", store, "--now", NOW, "--threads", place.threads, watched=True)
        add("S2", "ours", took.seconds, took.peak)
        make = "CREATE OR REPLACE TABLE own.evaluated (k HUGEINT, segment VARCHAR, status VARCHAR, time TIMESTAMPTZ)"
        add("S2", "database", peer_duckdb.executed([attach, make, *inserts, "CHECKPOINT own"], place.threads).seconds)
    with duckdb.connect() as connection:
        connection.execute(attach)
        theirs = dict(connection.execute("SELECT segment, count(*) FROM own.evaluated GROUP BY 1").fetchall())
    answers.agree("S2", took.body["metrics"]["segmentedProfileCounter"], {id: theirs.get(id, 0) for id in ALL})
    for folder in (defined, store):
        shutil.rmtree(folder)
    database.unlink()
    return times, memory


def table(measured):
    times, memory = measured
    print("\n| | segments | Profile Export | peak memory | DuckDB, its own database |\n|---|---|---|---|---|")
    for work, name in NAMES.items():
        mine, theirs = (statistics.median(times[work][who]) for who in ("ours", "database"))
        print(f"| {work} | {name} | {mine:.3f} s | {memory[work]:.0f} MB | {theirs:.3f} s ({theirs / mine:.1f}) |")
