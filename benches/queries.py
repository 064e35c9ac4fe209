"""SQL as the platform's Query Service has it, against what a user of DuckDB would write over Parquet and over a database of
its own.

Q1 has the members of each segment by status, Q2 a person by identity with all events, Q3 counts events by day and type,
Q4 joins a segment's profiles to their orders, Q5 hands events to pandas. Answers are held against each other.

Ours is asked over the wire, as clients do: a server that runs already, a connection that is there. *process* is
`profile-export sql` from its start to its end. DuckDB is asked in this process; its connection is new each time but in Q2, and
made before the clock runs. Cold means that none of the files is in the page cache: of ours it is the process.
"""
import contextlib
import os
import random
import statistics
import subprocess
import time

import duckdb
import psycopg
from adbc_driver_postgresql import dbapi

import answers
import cold
import peer_duckdb
from program import PROGRAM
from works import SEGMENTS, STORED

NAMES = {"Q1": "members of each segment by status", "Q2": "one person by identity, with all events",
         "Q3": "events of 90 days by day and type", "Q4": "a segment's profiles joined to their orders, revenue by city",
         "Q5": "a million events to pandas"}
SINCE = "2026-07-30T00:00:00Z"
NAMESPACE, SEGMENT, STATUS = SEGMENTS[0]
MOST = 1_000_000
LOOK_UPS = 300
ORG = "default"
OURS = {
    "Q1": "SELECT namespace, id, realized, existing, exited FROM system_segments",
    "Q3": f"""SELECT cast(date(timestamp) AS string) AS day, eventType AS type, count(*) AS events FROM events
              WHERE timestamp >= to_timestamp('{SINCE}') GROUP BY 1, 2""",
    "Q4": f"""SELECT p.homeAddress.city AS city, count(*) AS orders, sum(e.commerce.`order`.priceTotal) AS revenue
              FROM profile_snapshot_export p JOIN events e ON p.identityMap['ECID'][0].id = e.identityMap['ECID'][0].id
              WHERE p.segmentMembership['{STORED[NAMESPACE]}']['{SEGMENT}'].status = '{STATUS}'
                AND e.eventType = 'commerce.purchases'
              GROUP BY 1""",
    "Q5": f"""SELECT _id AS id, timestamp, eventType AS type, identityMap['ECID'][0].id AS ecid,
                     commerce.`order`.priceTotal AS total FROM events LIMIT {MOST}""",
}
# The first three are what answers must agree in.
PERSON = """SELECT person.name.lastName, personalEmail.address, size(timeSeriesEvents), timeSeriesEvents
            FROM profile_snapshot_export WHERE identityMap['ECID'][0].id = '{}'"""


class Peer:
    """DuckDB over Parquet, or over its own database."""

    def __init__(self, source, place, files):
        self.source, self.place, self.files = source, place, files

    @contextlib.contextmanager
    def connection(self):
        with duckdb.connect(config={"threads": self.place.threads}) as connection:
            connection.execute(peer_duckdb.SETTINGS)
            yield connection

    def rows(self, sql, **parameters):
        """Seconds, and the rows."""
        with self.connection() as connection:
            os.sync()
            start = time.perf_counter()
            for statement in self.source.first:
                connection.execute(statement)
            rows = connection.execute(sql, **parameters).fetchall()
            return time.perf_counter() - start, rows

    def sql(self, work):
        return {"Q1": self.q1, "Q3": self.q3, "Q4": self.q4, "Q5": self.q5}[work]()

    def memberships(self):
        return self.source.table("memberships") if self.source.is_database else f"({peer_duckdb.exploded(self.source)})"

    def q1(self):
        counts = ", ".join(f"count(*) FILTER (status = '{status}')" for status in ("realized", "existing", "exited"))
        return f"""SELECT namespace::VARCHAR, segment::VARCHAR, {counts}
                   FROM (SELECT namespace, segment, arg_max(status, t) AS status FROM {self.memberships()} GROUP BY k, 1, 2)
                   GROUP BY 1, 2"""

    def q2(self):
        """For one person after the other: the ECID is the parameter."""
        key = "k" if self.source.is_database else self.source.key
        wanted = f"{key} = ${'id::HUGEINT' if self.source.is_database else 'id'}"
        fragments = " UNION ALL ".join(
            f"SELECT ingestedAt AS t, personalEmail.address AS address, "
            f"{'NULL' if d == 'web' else 'person.name.lastName'} AS last FROM {self.source.table(d)} WHERE {wanted}"
            for d in peer_duckdb.PROFILES)
        return f"""SELECT last, address, len(e), e
                   FROM (SELECT arg_max(last, t) AS last, arg_max(address, t) AS address FROM ({fragments}) HAVING count(*) > 0),
                        (SELECT coalesce(list(x ORDER BY timestamp, _id), []) AS e FROM {self.source.table('events')} x
                         WHERE {wanted})"""

    def q3(self):
        return f"""SELECT timestamp::DATE::VARCHAR AS day, eventType AS type, count(*) FROM {self.source.table('events')}
                   WHERE timestamp >= TIMESTAMPTZ '{SINCE}' GROUP BY 1, 2"""

    def q4(self):
        key = self.source.key
        if self.source.is_database:
            members = f"""SELECT k, t, status FROM {self.memberships()}
                          WHERE namespace = '{STORED[NAMESPACE]}' AND segment = '{SEGMENT}'"""
        else:
            members = " UNION ALL ".join(
                f"SELECT {key} AS k, ingestedAt AS t, segmentMembership['{STORED[NAMESPACE]}']['{SEGMENT}'].status AS status "
                f"FROM {self.source.table(d)}" for d in peer_duckdb.PROFILES)
        return f"""WITH member AS (SELECT k FROM ({members}) WHERE status IS NOT NULL GROUP BY k
                                   HAVING arg_max(status, t) = '{STATUS}'),
                   home AS (SELECT {key} AS k, homeAddress.city AS city FROM {self.source.table('crm')}),
                   bought AS (SELECT {key} AS k, commerce."order".priceTotal AS total FROM {self.source.table('events')}
                              WHERE eventType = 'commerce.purchases')
                   SELECT city, count(*), sum(total) FROM member JOIN bought USING (k) LEFT JOIN home USING (k) GROUP BY 1"""

    def q5(self):
        return f"""SELECT _id AS id, timestamp, eventType AS type, identityMap['ECID'][1].id AS ecid,
                          commerce."order".priceTotal AS total FROM {self.source.table('events')} LIMIT {MOST}"""

    def look_ups(self, ids):
        """Seconds of each, over one connection, and what each had."""
        took, told = [], {}
        with self.connection() as connection:
            for statement in self.source.first:
                connection.execute(statement)
            sql = self.q2()
            for id in ids:
                start = time.perf_counter()
                rows = connection.execute(sql, {"id": id}).fetchall()
                took.append(time.perf_counter() - start)
                told[id] = sorted(row[:3] for row in rows)
        return took, told

    def frame(self):
        with self.connection() as connection:
            start = time.perf_counter()
            for statement in self.source.first:
                connection.execute(statement)
            frame = connection.sql(self.q5()).to_arrow_table().to_pandas()
            return time.perf_counter() - start, frame


@contextlib.contextmanager
def server(place):
    """`serve --sql` alone, for as long as it is needed; its address."""
    command = [PROGRAM, "serve", "--store", place.store, "--sql", "127.0.0.1:0", "--no-http", "--threads", str(place.threads)]
    with open(place.folder / "serve.log", "w") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                                                        text=True) as process:
        try:
            line = process.stdout.readline().strip()
            if not line.startswith("postgresql://"):
                raise SystemExit(f"serve --sql: {(place.folder / 'serve.log').read_text()}")
            yield f"postgresql://{ORG}:any@127.0.0.1:{line.rsplit(':', 1)[1]}/prod%3Aall"
        finally:
            process.terminate()


def process(place, work):
    """Seconds of a process for a statement."""
    os.sync()
    command = [PROGRAM, "sql", OURS.get(work) or PERSON.format(ecid(0)), "--store", place.store, "--jsonl", "--threads",
               str(place.threads)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def ecid(number):
    return f"{number:038}"


def plain(work, rows):
    """What answers must agree in, by a name for each row; sums of doubles are not added up in one order."""
    if work == "Q4":
        return {city: (orders, round(revenue, 2)) for city, orders, revenue in rows}
    return {tuple(row[:2]): tuple(row[2:]) for row in rows if any(row[2:])}


def same(work, mine, theirs):
    """Whether answers agree; a program's name for a namespace is in its own case."""
    lower = lambda rows: [(row[0].lower(), *row[1:]) for row in rows] if work == "Q1" else rows
    named = lambda rows: {str(key): value for key, value in plain(work, lower(rows)).items()}
    answers.agree(work, named(mine), named(theirs))


def measure(place, people):
    """Seconds by work and by whom, and the same from a cold disk."""
    times, from_disk = {}, {}

    def add(to, work, who, seconds):
        to.setdefault(work, {}).setdefault(who, []).append(seconds)

    peers = {"duckdb": Peer(peer_duckdb.from_parquet(place.parquet), place, place.parquet),
             "database": Peer(peer_duckdb.from_database(place.database), place, place.database)}
    ids = [ecid(number) for number in random.Random(7).sample(range(people), min(LOOK_UPS, people))]
    with server(place) as address, psycopg.connect(address, autocommit=True) as connection:
        for work in ("Q1", "Q3", "Q4"):
            for _ in range(place.rounds):
                os.sync()
                start = time.perf_counter()
                mine = connection.execute(OURS[work]).fetchall()
                add(times, work, "ours", time.perf_counter() - start)
                for who, peer in peers.items():
                    seconds, theirs = peer.rows(peer.sql(work))
                    add(times, work, who, seconds)
                    same(work, mine, theirs)
        mine = {}
        # What is prepared once is not a look-up's.
        for count in (ids[:20], ids):
            took = []
            for id in count:
                start = time.perf_counter()
                rows = connection.execute(PERSON.format(id)).fetchall()
                took.append(time.perf_counter() - start)
                mine[id] = sorted(row[:3] for row in rows)
        times["Q2"] = {"ours": took}
        for who, peer in peers.items():
            # A scan each: few of them say how long it takes.
            some = ids if peer.source.is_database else ids[:20]
            times["Q2"][who], theirs = peer.look_ups(some)
            answers.agree("Q2", {id: mine[id] for id in some}, theirs)
        with dbapi.connect(address) as arrow, arrow.cursor() as cursor:
            for _ in range(place.rounds):
                start = time.perf_counter()
                cursor.execute(OURS["Q5"])
                frame = cursor.fetch_arrow_table().to_pandas()
                add(times, "Q5", "ours", time.perf_counter() - start)
                for who, peer in peers.items():
                    seconds, other = peer.frame()
                    add(times, "Q5", who, seconds)
                    # Of more than a million there may be others.
                    if len(frame) < MOST:
                        answers.agree("Q5", of_frame(frame), of_frame(other))
                    answers.agree("Q5", {"rows": len(frame)}, {"rows": len(other)})
    for work in ("Q1", "Q2", "Q3", "Q4"):
        for _ in range(place.rounds):
            add(times, work, "process", process(place, work))
            cold.evict(place.store)
            add(from_disk, work, "ours", process(place, work))
            for who, peer in peers.items():
                cold.evict(peer.files)
                first = {"parameters": {"id": ecid(0)}} if work == "Q2" else {}
                seconds, _ = peer.rows(peer.q2() if work == "Q2" else peer.sql(work), **first)
                add(from_disk, work, who, seconds)
    return times, from_disk


def of_frame(frame):
    return {"ids": hash(tuple(sorted(frame["id"]))), "total": round(frame["total"].sum(), 2),
            "last": str(frame["timestamp"].max())[:19], "ecids": frame["ecid"].nunique()}


def told(seconds):
    return f"{seconds:.3f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def table(measured):
    times, from_disk = measured
    print("\n| | SQL | Profile Export | process | DuckDB | DuckDB database |\n|---|---|---|---|---|---|")
    for work, name in NAMES.items():
        median = {who: statistics.median(seconds) for who, seconds in times[work].items()}
        mine = median["ours"]
        cells = [told(median["process"]) if "process" in median else ""]
        cells += [f"{told(median[who])} ({median[who] / mine:.1f})" for who in ("duckdb", "database")]
        print(f"| {work} | {name} | {told(mine)} | {' | '.join(cells)} |")
    print("\n| | Profile Export, process | DuckDB | DuckDB database |\n|---|---|---|---|")
    for work, by in from_disk.items():
        median = {who: statistics.median(seconds) for who, seconds in by.items()}
        others = [f"{told(median[who])} ({median[who] / median['ours']:.1f})" for who in ("duckdb", "database")]
        print(f"| {work} cold | {told(median['ours'])} | {' | '.join(others)} |")
    p99 = sorted(times["Q2"]["ours"])[-(-len(times["Q2"]["ours"]) // 100) * -1]
    print(f"\nQ2 is a median of {len(times['Q2']['ours'])} look-ups; the 99th percentile of ours is {told(p99)}.")
