"""The works of compare.py as a user of ClickHouse would write them, from Parquet: ClickHouse local inside Python."""
import time

import chdb

from works import KEY, LEAVES, PROFILES, SEGMENTS, W1, nested

version = chdb.query("SELECT version()").data().strip().strip('"')
# Objects that are null as a whole are objects of nulls here: its tuples can't be null.
SETTINGS = ("output_format_parquet_compression_method = 'zstd', output_format_parquet_string_as_string = 1, "
            "enable_named_columns_in_function_tuple = 1, session_timezone = 'UTC'")


reads = f"DuckDB's Parquet files, by chdb in this process; `{SETTINGS}`, `max_threads`."


def read(name, folder):
    return f"file('{folder}/{name}.parquet', Parquet)"


def quoted(path):
    return ".".join(f"`{part}`" for part in path.split("."))


def best(leaf):
    """The value of the latest fragment that has one. What can't be null counts where its dataset has it."""
    column = f"`{leaf}`"
    if "." in leaf or leaf in ("_id", "lifetimeValue"):
        return f"argMax({column}, t)"
    listed = ", ".join(f"'{source}'" for source in LEAVES[leaf])
    return f"argMaxIf({column}, t, source IN ({listed}))"


def merged(folder, leaves, only=""):
    """Each leaf of each profile from the latest fragment that has it."""
    parts = []
    for name in PROFILES:
        columns = ", ".join(
            f"{quoted(leaf)} AS `{leaf}`" if name in LEAVES[leaf]
            else f"(SELECT defaultValueOfArgumentType({quoted(leaf)}) FROM {read(LEAVES[leaf][0], folder)} LIMIT 1) AS `{leaf}`"
            for leaf in leaves)
        parts.append(f"SELECT {KEY} AS k, ingestedAt AS t, '{name}' AS source, {columns} FROM {read(name, folder)} {only}")
    listed = ", ".join(f"{best(leaf)} AS `b_{leaf}`" for leaf in leaves)
    return f"SELECT k, max(t) AS updated, {listed} FROM ({' UNION ALL '.join(parts)}) GROUP BY k"


def structs(leaves):
    return nested(leaves, lambda leaf: f"`b_{leaf}`", lambda column, name: f"{column} AS `{name}`",
                  lambda columns: f"tuple({', '.join(columns)})")


def events(folder, item, where="1"):
    return (f"SELECT k, arrayMap(e -> e.3, arraySort(e -> (e.1, e.2), groupArray((timestamp, _id, item)))) AS list "
            f"FROM (SELECT {KEY} AS k, timestamp, _id, {item} AS item FROM {read('events', folder)} WHERE {where}) GROUP BY k")


def write(profiles, columns, out, number, more=None):
    if more is not None:
        profiles = f"SELECT * FROM ({profiles}) AS profile LEFT JOIN ({more}) AS event USING (k)"
        columns = [*columns, "list AS timeSeriesEvents"]
    return (f"INSERT INTO FUNCTION file('{out}/{number}.parquet', Parquet) "
            f"SELECT {', '.join(columns)} FROM ({profiles})")


def w1(folder, out):
    moment = lambda text: f"parseDateTime64BestEffort('{text}', 3, 'UTC')"
    for number, (namespace, segment, status) in enumerate(SEGMENTS):
        namespace = {"UPS": "ups"}.get(namespace, namespace)
        m = f"segmentMembership['{namespace}']['{segment}']"
        found = " UNION ALL ".join(
            f"SELECT {KEY} AS k, ingestedAt AS t, {m} AS m FROM {read(name, folder)} "
            f"WHERE mapContains(segmentMembership['{namespace}'], '{segment}')" for name in PROFILES)
        member = (f"SELECT k FROM (SELECT k, argMax(m, t) AS m FROM ({found}) GROUP BY k) WHERE m.status = '{status}' "
                  f"AND m.lastQualificationTime BETWEEN {moment(W1['window'][0])} AND {moment(W1['window'][1])}")
        profiles = merged(folder, ["identities", "personalEmail.address"], f"WHERE {KEY} IN ({member})")
        profiles += f" HAVING updated > {moment(W1['ingested'])}"
        columns = ["arrayMap(i -> tuple(i.id AS id), `b_identities`) AS identities", *structs(["personalEmail.address"])]
        details = "environment.browserDetails"
        item = f"tuple(tuple({details}.name AS name, {details}.version AS version) AS browserDetails) AS environment"
        taken = events(folder, f"tuple({item})", f"ingestedAt > {moment(W1['events'])} AND {KEY} IN (SELECT k FROM ({profiles}))")
        yield write(profiles, columns, out, number, taken)


def w2(folder, out):
    yield write(merged(folder, list(LEAVES)), structs(list(LEAVES)), out, 0)


def w3(folder, out):
    leaves = ["_id", "personalEmail.address", "person.name.lastName"]
    yield write(merged(folder, leaves), structs(leaves), out, 0, events(folder, "tuple(timestamp, eventType)"))


def timed(work, folder, out, threads):
    statements = list({"W1": w1, "W2": w2, "W3": w3}[work](folder, out))
    start = time.perf_counter()
    for statement in statements:
        chdb.query(f"{statement} SETTINGS max_threads = {threads}, {SETTINGS}")
    return time.perf_counter() - start
