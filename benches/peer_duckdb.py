"""The works of compare.py as a user of DuckDB would write them: from NDJSON, from Parquet, and from a database of
its own."""
import os
import time
from pathlib import Path
from typing import Callable, NamedTuple

import duckdb

from works import KEY, LEAVES, MEMBERS, PROFILES, SEGMENTS, STORED, W1

version = duckdb.__version__
# Rows may come in any order; and all of W6's files be open at a time, of which 100 may if nothing is said.
SETTINGS = "SET preserve_insertion_order = false; SET TimeZone = 'UTC'; SET partitioned_write_max_open_files = 256"
PARQUET = "FORMAT parquet, COMPRESSION zstd"
reads = {
    "DuckDB": "Parquet files that it wrote itself (zstd, its usual row groups, each dataset a file); in W5 the NDJSON, "
              "whose types it is given. A new connection in memory each time, whose making does not count; `threads`, and "
              f"`{SETTINGS}`.",
    "DuckDB database": "a database file of the same records, attached read-only to such a connection, which counts. The "
                       "ECID is a column of each table, `k HUGEINT`; events are sorted by it. Memberships stand in a "
                       "narrow table, too (`k, namespace, segment, status, time, t`), sorted by namespace and segment; "
                       "both are ENUMs, so that a row group's least and greatest value tell it from others. Its W4 is "
                       "the making of all that from NDJSON. The same settings.",
}
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


class Source(NamedTuple):
    """Where the records are: what stands for a table, the person's key in it, and what comes before all else."""
    table: Callable
    key: str = KEY
    first: tuple = ()

    @property
    def is_database(self):
        return self.key != KEY


def from_json(folder):
    def table(name):
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
    return Source(table)


def from_parquet(folder):
    return Source(lambda name: f"read_parquet('{folder}/{name}.parquet')")


def from_database(path):
    return Source(lambda name: f"own.{name}", "k", (f"ATTACH '{path}' AS own (READ_ONLY)",))


def exploded(source):
    """A row a membership."""
    parts = " UNION ALL ".join(
        f"SELECT {source.key} AS k, ingestedAt AS t, unnest(map_entries(segmentMembership)) AS n FROM {source.table(d)}"
        for d in PROFILES)
    return f"""SELECT k, n.key AS namespace, m.key AS segment, m.value.status AS status,
                      m.value.lastQualificationTime AS time, t
               FROM (SELECT k, t, n, unnest(map_entries(n.value)) AS m FROM ({parts}))"""


def to_parquet(source, folder):
    return [f"COPY (SELECT * FROM {source.table(d)}) TO '{folder}/{d}.parquet' ({PARQUET})" for d in COLUMNS]


def to_database(source, path):
    """The same records in a database of its own, laid out for these works."""
    tables = [f"CREATE TABLE own.{d} AS SELECT {KEY}::HUGEINT AS k, * FROM {source.table(d)}"
              f"{' ORDER BY k, timestamp' if d == 'events' else ''}" for d in COLUMNS]
    kinds = [f"CREATE TYPE own.a_{column} AS ENUM (SELECT DISTINCT {column} FROM exploded ORDER BY ALL)"
             for column in ("namespace", "segment", "status")]
    return [f"ATTACH '{path}' AS own", *tables,
            f"CREATE TEMP TABLE exploded AS {exploded(from_database(path))}", *kinds,
            """CREATE TABLE own.memberships AS SELECT k, namespace::own.a_namespace AS namespace,
               segment::own.a_segment AS segment, status::own.a_status AS status, time, t
               FROM exploded ORDER BY namespace, segment, k""",
            "CHECKPOINT own", "DETACH own"]


def w1_sql(source, out, number):
    ns, segment, status = SEGMENTS[number]
    ns = STORED[ns]
    key, table = source.key, source.table
    if source.is_database:
        members = f"""SELECT k, t, {{'status': status, 'lastQualificationTime': time}} AS m FROM {table('memberships')}
                      WHERE namespace = '{ns}' AND segment = '{segment}'"""
    else:
        members = " UNION ALL ".join(
            f"SELECT {key} AS k, ingestedAt AS t, segmentMembership['{ns}']['{segment}'] AS m FROM {table(d)}"
            for d in PROFILES)
    updated = " UNION ALL ".join(
        f"SELECT {key} AS k, ingestedAt AS t, personalEmail.address AS address, "
        f"{'identities' if d == 'crm' else 'NULL'} AS identities FROM {table(d)}" for d in PROFILES)
    return f"""COPY (
        WITH latest AS (SELECT k, arg_max(m, t) AS best FROM ({members}) WHERE m IS NOT NULL GROUP BY k),
        member AS (SELECT k FROM latest WHERE best.status = '{status}' AND best.lastQualificationTime
                   BETWEEN '{W1['window'][0]}' AND '{W1['window'][1]}'),
        profile AS (SELECT k, arg_max(address, t) AS address, arg_max(identities, t) AS identities FROM ({updated})
                    SEMI JOIN member USING (k) GROUP BY k HAVING max(t) > '{W1['ingested']}'),
        event AS (SELECT {key} AS k, list({{'environment': {{'browserDetails': {{'name': environment.browserDetails.name,
                  'version': environment.browserDetails.version}}}}}} ORDER BY timestamp, _id) AS e
                  FROM {table('events')} WHERE ingestedAt > '{W1['events']}'
                  AND {key} IN (SELECT k FROM profile) GROUP BY 1)
        SELECT [{{'id': i.id}} FOR i IN identities] AS identities, {{'address': address}} AS personalEmail,
               coalesce(e, []) AS timeSeriesEvents FROM profile LEFT JOIN event USING (k)
        ) TO '{out}/{number}.parquet' ({PARQUET})"""


def w2_sql(source, out):
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
    key = "" if source.is_database else f", {source.key} AS k"
    tables = [f"(SELECT *{key} FROM {source.table(d)}) AS {d}" for d in PROFILES]
    return f"""COPY (SELECT {', '.join(columns)} FROM {tables[0]} FULL JOIN {tables[1]} USING (k)
        FULL JOIN {tables[2]} USING (k)) TO '{out}/0.parquet' ({PARQUET})"""


def fragments(source):
    return " UNION ALL ".join(
        f"SELECT {source.key} AS k, ingestedAt AS t, _id, personalEmail.address AS address, "
        f"{'NULL' if d == 'web' else 'person.name.lastName'} AS last FROM {source.table(d)}" for d in PROFILES)


def w3_sql(source, out):
    return f"""COPY (
        WITH profile AS (SELECT k, arg_max(_id, t) AS _id, arg_max(address, t) AS address, arg_max(last, t) AS last
                         FROM ({fragments(source)}) GROUP BY k),
        event AS (SELECT {source.key} AS k, list({{'timestamp': timestamp, 'eventType': eventType}} ORDER BY timestamp, _id) AS e
                  FROM {source.table('events')} GROUP BY 1)
        SELECT _id, {{'address': address}} AS personalEmail, {{'name': {{'lastName': last}}}} AS person,
               coalesce(e, []) AS timeSeriesEvents FROM profile LEFT JOIN event USING (k)
        ) TO '{out}/0.parquet' ({PARQUET})"""


def w6_sql(source, out):
    memberships = source.table("memberships") if source.is_database else f"({exploded(source)})"
    return f"""COPY (
        WITH member AS (SELECT k, segment FROM {memberships} GROUP BY k, namespace, segment
                        HAVING arg_max(status, t) IN {MEMBERS}),
        profile AS (SELECT k, arg_max(address, t) AS address, arg_max(last, t) AS last
                    FROM ({fragments(source)}) GROUP BY k)
        SELECT segment, {{'address': address}} AS personalEmail, {{'name': {{'lastName': last}}}} AS person
        FROM member JOIN profile USING (k)
        ) TO '{out}' ({PARQUET}, PARTITION_BY (segment), OVERWRITE_OR_IGNORE)"""


def sql_of(work, source, out):
    if work == "W1":
        return [w1_sql(source, out, number) for number in range(2)]
    return [{"W2": w2_sql, "W3": w3_sql, "W6": w6_sql}[work](source, out)]


def read_so_far():
    """The bytes that this process has read from the disk."""
    [told] = [line for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("read_bytes")]
    return int(told.split()[1])


class Took(NamedTuple):
    seconds: float
    read: int


def executed(statements, threads):
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute(SETTINGS)
        os.sync()
        before, start = read_so_far(), time.perf_counter()
        for statement in statements:
            connection.execute(statement)
        return Took(time.perf_counter() - start, read_so_far() - before)


def timed(work, source, out, threads):
    return executed([*source.first, *sql_of(work, source, out)], threads)
