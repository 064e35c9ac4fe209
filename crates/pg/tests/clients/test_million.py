"""A million rows through each client: in the deep run."""
import os

import pandas
import psycopg
import pytest

from conftest import ORG

pytestmark = pytest.mark.skipif(not os.environ.get("PROFILE_EXPORT_DEEP_TESTS"), reason="PROFILE_EXPORT_DEEP_TESTS is not set")

THOUSAND = "SELECT explode(split(repeat('x ', 999), ' ')) AS t"
ROWS = f"SELECT a.t AS t, 9000000000 AS n, 0.5 AS d FROM ({THOUSAND}) a, ({THOUSAND}) b"
MILLION = 1_000_000


def peak(server):
    """The most memory that the server has had, in MB."""
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM"))


def test_by_psycopg2(server, cursor):
    before = peak(server)
    cursor.execute(ROWS)
    assert cursor.rowcount == MILLION
    # The rows are sent as they are made.
    assert peak(server) - before < 300


def test_by_psycopg(server):
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all") as connection:
        cursor = connection.cursor(binary=True)
        cursor.execute(ROWS)
        assert sum(n for _, n, _ in cursor) == MILLION * 9000000000
        with connection.cursor() as cursor, cursor.copy(f"COPY ({ROWS}) TO STDOUT") as copy:
            assert sum(1 for _ in copy) == MILLION


@pytest.mark.parametrize("copy", [True, False])
def test_by_adbc(server, copy):
    from adbc_driver_postgresql import dbapi
    with dbapi.connect(server.url()) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": str(copy).lower()})
        cursor.execute(ROWS)
        assert cursor.fetch_arrow_table().num_rows == MILLION


def test_by_pandas(server):
    from adbc_driver_postgresql import dbapi
    with dbapi.connect(server.url()) as connection:
        assert len(pandas.read_sql(ROWS, connection)) == MILLION


def test_by_psql(psql):
    assert psql(f"COPY ({ROWS}) TO STDOUT").stdout.count("\n") == MILLION
