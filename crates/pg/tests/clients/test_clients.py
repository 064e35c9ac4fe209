"""What clients ask of a catalog, each as it does it."""
import struct

import pandas
import pytest
import sqlalchemy

from conftest import ORG, Raw

PROFILES = "profile_snapshot_export"


def test_psql_lists(psql):
    assert PROFILES in psql("\\d").stdout
    tables = psql("\\dt").stdout.splitlines()
    assert f"public|{PROFILES}|table|{ORG}" in tables
    assert psql("\\l").stdout.splitlines()[0].startswith(f"prod:all|{ORG}|UTF8|")
    assert psql("\\dn").stdout.splitlines() == [f"public|{ORG}"]
    assert psql("\\dv").stdout == ""
    assert "system_jobs" in psql("\\dt system*").stdout
    assert psql("\\dt nothing*", check=False).stdout == ""


def test_psql_describes_a_table(psql):
    columns = {line.split("|")[0]: line.split("|")[1] for line in psql(f"\\d {PROFILES}").stdout.splitlines()}
    assert columns["personalemail"] == f"{PROFILES}_personalemail"
    assert columns["identitymap"] == "anymap" and columns["timeseriesevents"] == "anyarray"
    opened = psql(f"\\d {PROFILES}_personalemail").stdout.splitlines()
    assert "address|text|||" in opened
    times = psql("\\d system_jobs").stdout.splitlines()
    assert "created|timestamp without time zone|||" in times and "id|bigint|||" in times


def test_psql_sees_a_view_of_its_session(psql):
    done = psql("CREATE VIEW seen AS SELECT 1 AS one", "\\dv", "\\d seen")
    assert f"public|seen|view|{ORG}" in done.stdout and "one|bigint|||" in done.stdout


def test_psql_copies_into_a_file(psql, tmp_path):
    file = tmp_path / "rows.csv"
    psql(f"\\copy (SELECT 1 AS a, 'x' AS b) TO '{file}' CSV HEADER")
    assert file.read_text() == "a,b\n1,x\n"


@pytest.fixture(params=["postgresql+psycopg2", "postgresql+psycopg"])
def engine(server, request):
    engine = sqlalchemy.create_engine(server.url(request.param))
    yield engine
    engine.dispose()


def test_pandas_reads_a_statement(engine):
    frame = pandas.read_sql("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY a", engine)
    assert frame["a"].tolist() == [1, 2] and frame["b"].tolist()[0] == "x"
    with engine.connect() as connection:
        found = connection.execute(sqlalchemy.text("SELECT :v AS v"), {"v": "it's \\"}).fetchall()
        assert found == [("it's \\",)]


def test_sqlalchemy_looks_at_tables(engine):
    inspector = sqlalchemy.inspect(engine)
    assert PROFILES in inspector.get_table_names()
    assert inspector.get_schema_names() == ["information_schema", "public"]
    assert inspector.has_table(PROFILES) and not inspector.has_table("nowhere")
    columns = {column["name"]: column["type"] for column in inspector.get_columns("system_jobs")}
    assert isinstance(columns["id"], sqlalchemy.BIGINT) and isinstance(columns["created"], sqlalchemy.TIMESTAMP)
    assert inspector.get_pk_constraint("system_jobs")["constrained_columns"] == []
    assert inspector.get_foreign_keys("system_jobs") == []
    assert inspector.get_indexes("system_jobs") == []


def test_pandas_reads_a_table(engine):
    frame = pandas.read_sql_table("system_merge_policies", engine)
    assert len(frame) >= 1 and "is_default" in frame.columns


@pytest.fixture
def adbc(server):
    from adbc_driver_postgresql import dbapi
    connection = dbapi.connect(server.url())
    yield connection
    connection.close()


STATEMENT = """SELECT true AS b, 9000000000 AS i8, 0.1 AS f8, 'x' AS t, date '2024-02-29' AS d,
  timestamp '2024-02-29 12:34:56.789' AS ts UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL ORDER BY i8 NULLS LAST"""


@pytest.mark.parametrize("copy", [True, False])
def test_adbc_reads_arrow(adbc, copy):
    cursor = adbc.cursor()
    cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copy).lower()})
    cursor.execute(STATEMENT)
    table = cursor.fetch_arrow_table()
    assert [str(field.type) for field in table.schema] == \
        ["bool", "int64", "double", "string", "date32[day]", "timestamp[us]"]
    first, second = table.to_pylist()
    assert first["b"] is True and first["i8"] == 9000000000 and first["f8"] == 0.1 and str(first["d"]) == "2024-02-29"
    assert str(first["ts"]) == "2024-02-29 12:34:56.789000"
    assert set(second.values()) == {None}


def test_adbc_looks_at_tables_and_binds(adbc):
    assert adbc.adbc_get_table_schema("system_jobs").field("id").type == "int64"
    catalogs = adbc.adbc_get_objects(depth="tables").read_all().to_pylist()
    schemas = [schema for catalog in catalogs for schema in catalog["catalog_db_schemas"]]
    names = {table["table_name"] for schema in schemas for table in schema["db_schema_tables"] or []}
    assert PROFILES in names
    cursor = adbc.cursor()
    cursor.execute("SELECT cast($1 AS bigint) + 1 AS v", parameters=(41,))
    assert cursor.fetchall() == [(42,)]


def test_pandas_reads_by_adbc(adbc):
    frame = pandas.read_sql("SELECT 1 AS a", adbc)
    assert frame["a"].tolist() == [1]


def test_a_portal_gives_so_many_rows_at_a_time(server):
    raw = Raw(server.port)
    raw.send(b"Q", b"BEGIN\0")
    assert raw.until(b"Z")[1] == b"T"
    raw.send(b"P", b"\0SELECT explode(array(1, 2, 3, 4, 5)) AS n\0\0\0")
    raw.send(b"B", b"p\0\0\0\0\0\0\0\0")
    for wanted in [b"DDs", b"DDs", b"DC", b"C"]:
        raw.send(b"E", b"p\0" + struct.pack(">i", 2))
        raw.send(b"S")
        seen, state = raw.until(b"Z")
        assert seen.lstrip(b"12") == wanted + b"Z" and state == b"T"
    raw.send(b"Q", b"COMMIT\0")
    assert raw.until(b"Z")[1] == b"I"
    # Behind the transaction it is gone.
    raw.send(b"E", b"p\0\0\0\0\0")
    raw.send(b"S")
    seen, _ = raw.until(b"Z")
    assert seen == b"EZ"
    raw.socket.close()


def test_jdbc(server, jdbc):
    """pgjdbc, which is DBeaver's driver."""
    jdbc(f"127.0.0.1:{server.port}")
