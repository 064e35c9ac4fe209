"""`?FLATTEN` behind the database's name: fields of objects are columns, as tools want them that know no objects."""
import pytest
import psycopg2

PROFILES = "profile_snapshot_export"


@pytest.fixture
def flat(server):
    with server.cursor(database="prod:all?FLATTEN") as cursor:
        yield cursor


def columns(cursor):
    cursor.execute("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s", (PROFILES,))
    return dict(cursor.fetchall())


def test_fields_of_objects_are_columns_and_lists_and_maps_stay(flat, cursor):
    nested, found = columns(cursor), columns(flat)
    assert "personalemail" in nested and "personalemail" not in found
    assert found["personalemail.address"] == "text"
    assert found["identitymap"] == nested["identitymap"] and found["timeseriesevents"] == nested["timeseriesevents"]
    flat.execute(f"SELECT * FROM {PROFILES} LIMIT 1")
    assert "personalEmail.address" in [column.name for column in flat.description]


def test_a_column_is_named_within_quotes_and_is_what_the_path_was(flat, cursor):
    cursor.execute(f"SELECT personalEmail.address, count(*) FROM {PROFILES} GROUP BY 1 ORDER BY 1")
    flat.execute(f'SELECT "personalEmail.address", count(*) FROM {PROFILES} GROUP BY 1 ORDER BY 1')
    wanted = cursor.fetchall()
    assert flat.fetchall() == wanted and any(address for address, _ in wanted) and any(not address for address, _ in wanted)
    cursor.execute(f"SELECT count(*) FROM {PROFILES} WHERE personalEmail.address IS NULL")
    flat.execute(f'SELECT count(*) FROM {PROFILES} WHERE "personalemail.address" IS NULL')
    assert flat.fetchall() == cursor.fetchall()
    flat.execute(f"SELECT identityMap['Email'][0].id FROM {PROFILES} WHERE \"personalEmail.address\" IS NOT NULL LIMIT 1")
    assert "@" in flat.fetchone()[0]
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        flat.execute(f"SELECT personalEmail FROM {PROFILES}")


def test_views_and_tables_of_the_session_are_flat_too(flat):
    flat.execute("CREATE VIEW v AS SELECT struct(1 AS a, struct('x' AS c) AS b) AS o, array(struct(1 AS d)) AS l")
    flat.execute("SELECT * FROM v")
    assert [column.name for column in flat.description] == ["o.a", "o.b.c", "l"]
    assert flat.fetchall() == [(1, "x", "{(1)}")]
    flat.execute("CREATE TEMP TABLE t AS SELECT * FROM v")
    flat.execute('SELECT "o.b.c" FROM t')
    assert flat.fetchall() == [("x",)]


def test_what_is_known_by_the_index_is_so_all_the_same(flat):
    flat.execute(f"SELECT key FROM (SELECT explode(segmentMembership['ups']) FROM {PROFILES}) WHERE value.status = 'realized'")
    segment, = flat.fetchone()
    flat.execute(f"EXPLAIN SELECT count(*) FROM {PROFILES} WHERE segmentMembership['ups']['{segment}'].status = 'realized'")
    assert any(f"segments=[ups/{segment}: realized]" in line for line, in flat.fetchall())
    flat.execute(f"EXPLAIN SELECT \"personalEmail.address\" FROM {PROFILES}")
    assert any("columns=[personalEmail]" in line for line, in flat.fetchall())
