"""Values as each client gets them: in text, in binary, by COPY."""
import datetime
import decimal
import json

import psycopg
import pytest

from conftest import ORG


@pytest.fixture
def three(server):
    connection = psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all", autocommit=True)
    yield connection
    connection.close()


SCALARS = """SELECT true AS b, cast(7 AS smallint) AS i2, cast(-8 AS int) AS i4, 9000000000 AS i8,
  cast(1.5 AS float) AS f4, 0.1 AS f8, 'tä\\'xt' AS t, date '2024-02-29' AS d,
  timestamp '2024-02-29 12:34:56.789' AS ts, cast(NULL AS string) AS n"""
WANTED = (True, 7, -8, 9000000000, 1.5, 0.1, "tä'xt", datetime.date(2024, 2, 29),
          datetime.datetime(2024, 2, 29, 12, 34, 56, 789000), None)
OIDS = [16, 21, 23, 20, 700, 701, 25, 1082, 1114, 25]


def test_in_text(cursor):
    cursor.execute(SCALARS)
    assert cursor.fetchall() == [WANTED]
    assert [column.type_code for column in cursor.description] == OIDS


@pytest.mark.parametrize("binary", [False, True])
def test_by_the_extended_protocol(three, binary):
    cursor = three.cursor(binary=binary)
    cursor.execute(SCALARS.replace("true AS b", "%s AS b"), (True,))
    assert cursor.fetchall() == [WANTED]
    assert [column.type_code for column in cursor.description] == OIDS


@pytest.mark.parametrize("binary", [False, True])
def test_parameters(three, binary):
    moment = datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)
    marker = "%b" if binary else "%t"
    cursor = three.execute(
        f"SELECT {', '.join(f'{marker} AS v{i}' for i in range(6))}",
        (True, -5, 2.5, "it's \\ ä", datetime.date(2024, 2, 29), moment))
    assert cursor.fetchall() == [(True, -5, 2.5, "it's \\ ä", datetime.date(2024, 2, 29), moment)]
    cursor = three.execute("SELECT %s AS v", (None,))
    assert cursor.fetchall() == [(None,)]


LISTS = [[True, False], [1, -2], [100_000, None], [2**40], [0.5, None], ["a b", "it's", 'x"\\', "NULL", None, ""],
         [datetime.date(2024, 2, 29)], [datetime.datetime(2024, 2, 29, 12, 34, 56, 789000)], [decimal.Decimal("2.5")]]


@pytest.mark.parametrize("marker", ["%t", "%b"])
@pytest.mark.parametrize("items", LISTS, ids=str)
def test_lists_are_parameters(three, marker, items):
    if isinstance(items[0], str) and marker == "%t":
        pytest.skip("psycopg sends texts without a type, and lists of them")
    # As rows, which have the types of the items.
    rows = three.execute(f"SELECT explode({marker}) AS v", (items,)).fetchall()
    assert [value for value, in rows] == items
    for item in [item for item in items if item is not None]:
        assert three.execute(f"SELECT {marker} = ANY({marker}) AS v", (item, items)).fetchall() == [(True,)]


@pytest.mark.parametrize("marker", ["%s", "%t", "%b"])
def test_any_and_all_of_a_list(three, marker):
    def among(items, condition):
        rows = three.execute(f"SELECT n FROM (SELECT explode(array(1, 2, 3, NULL)) AS n) WHERE {condition} ORDER BY n", (items,))
        return [n for n, in rows.fetchall()]
    assert among([1, 3, 5], f"n = ANY({marker})") == [1, 3]
    assert among([1, 3, 5], f"n <> ALL({marker})") == [2]
    assert among([1, None], f"n = ANY ({marker})") == [1]
    assert among([1, None], f"NOT n = ANY ({marker})") == []
    # Nothing is in an empty list, which psycopg sends without a type.
    assert among([], f"n = ANY({marker})") == []
    assert among([], f"n <> ALL({marker})") == [None, 1, 2, 3]


def test_people_are_found_by_a_list(three):
    mails = three.execute("SELECT personalEmail.address FROM profile_snapshot_export "
                          "WHERE personalEmail.address IS NOT NULL LIMIT 2").fetchall()
    mails = [mail for mail, in mails] + ["nobody@example.com"]
    for condition in ["personalEmail.address = ANY(%s)", "array_contains(%b, personalEmail.address)"]:
        found = three.execute(f"SELECT personalEmail.address FROM profile_snapshot_export WHERE {condition}", (mails,))
        assert sorted(mail for mail, in found.fetchall()) == sorted(mails[:2])


def test_lists_of_psycopg2_are_written_down(cursor):
    for items, wanted in [([1, 3], [1, 3]), ([], [])]:
        cursor.execute("SELECT n FROM (SELECT explode(array(1, 2, 3)) AS n) WHERE n = ANY(%s) ORDER BY n", (items,))
        assert [n for n, in cursor.fetchall()] == wanted
    cursor.execute("SELECT n FROM (SELECT explode(array('a', 'b')) AS n) WHERE n <> ALL(%s)", (["a", "c"],))
    assert cursor.fetchall() == [("b",)]


def test_lists_of_lists_and_what_is_no_list_are_refused(three):
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="Lists of lists"):
        three.execute("SELECT 1 = ANY(%s)", ([[1, 2], [3, 4]],))
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        three.execute("SELECT 'a' = ANY(%s)", ("a",))


def test_a_parameter_finds_a_person(three):
    mail = three.execute("SELECT personalEmail.address FROM profile_snapshot_export "
                         "WHERE personalEmail.address IS NOT NULL LIMIT 1").fetchone()[0]
    found = three.execute("SELECT count(*) FROM profile_snapshot_export WHERE personalEmail.address = %s LIMIT %s",
                          (mail, 5)).fetchall()
    assert found == [(1,)]


def test_a_prepared_statement_is_described_and_runs_often(three):
    for number in range(8):
        found = three.execute("SELECT cast(%s AS bigint) + 1 AS v", (number,), prepare=True).fetchall()
        assert found == [(number + 1,)]
    three.execute("DEALLOCATE ALL")
    assert three.execute("SELECT cast(%s AS bigint) AS v", (1,), prepare=True).fetchall() == [(1,)]


def test_errors_of_the_extended_protocol_pass_over_what_follows(three):
    with pytest.raises(psycopg.errors.UndefinedTable):
        three.execute("SELECT %s FROM nowhere", (1,))
    result = three.pgconn.exec_params(b"SELECT $1 AS v", [b"x"], param_types=[20])
    assert result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"22P02"
    assert three.execute("SELECT %s AS v", (1,)).fetchall() == [(1,)]


def test_no_rows_and_no_columns_are_told(three):
    cursor = three.execute("SELECT 1 AS one WHERE false AND %s", (True,))
    assert cursor.fetchall() == [] and cursor.description[0].name == "one"
    three.execute("")
    assert three.execute("SET application_name = 'x'").statusmessage == "SET"
    assert three.execute("SELECT 1 AS a UNION ALL SELECT 2").statusmessage == "SELECT 2"


NESTED = """SELECT struct('a' AS x, struct(1 AS y, cast(NULL AS string) AS z) AS inner, true AS t) AS o,
  array(struct('a' AS k, 1.0 AS v), struct('b' AS k, 2.5 AS v)) AS l,
  map('ECID', array(struct('1' AS id, true AS primary))) AS m"""


def test_lists_maps_and_objects_as_the_platform_prints_them(cursor):
    cursor.execute(NESTED)
    assert cursor.fetchall() == [('(a,"(1,NULL)",t)', "{(a,1.0),(b,2.5)}", '[ECID -> "{(1,t)}"]')]


def test_lists_maps_and_objects_as_json(cursor):
    cursor.execute("set auto_to_json=true")
    cursor.execute(NESTED)
    found = [json.loads(value) for value in cursor.fetchone()]
    assert found == [{"x": "a", "inner": {"y": 1}, "t": True}, [{"k": "a", "v": 1.0}, {"k": "b", "v": 2.5}],
                     {"ECID": [{"id": "1", "primary": True}]}]


def test_identities_of_the_fixtures(cursor):
    cursor.execute("set auto_to_json=true")
    cursor.execute("SELECT identityMap FROM profile_snapshot_export")
    rows = cursor.fetchall()
    assert len(rows) > 1 and all(isinstance(json.loads(value), dict) for value, in rows if value)


def copied(connection, statement):
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        return b"".join(bytes(part) for part in copy)


def test_copy_in_text_and_csv(three):
    rows = "SELECT 1 AS a, 'x,\"y\"\t\\\\' AS b UNION ALL SELECT 2, NULL ORDER BY a"
    assert copied(three, f"COPY ({rows}) TO STDOUT") == b'1\tx,"y"\\t\\\\\n2\t\\N\n'
    assert copied(three, f"COPY ({rows}) TO STDOUT WITH (FORMAT csv, HEADER)") == b'a,b\n1,"x,""y""\t\\"\n2,\n'
    assert copied(three, "COPY (SELECT 1 AS a WHERE false) TO STDOUT WITH CSV HEADER") == b"a\n"


def test_copy_in_binary(three):
    with three.cursor() as cursor, cursor.copy(f"COPY ({SCALARS}) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["bool", "int2", "int4", "int8", "float4", "float8", "text", "date", "timestamp", "text"])
        assert list(copy.rows()) == [WANTED]
    head = b"PGCOPY\n\xff\r\n\0" + bytes(8)
    assert copied(three, "COPY (SELECT 1 AS a WHERE false) TO STDOUT (FORMAT binary)") == head + b"\xff\xff"


def test_an_error_within_a_copy(three):
    with pytest.raises(psycopg.errors.UndefinedTable):
        copied(three, "COPY (SELECT * FROM nowhere) TO STDOUT")
    assert three.execute("SELECT 1").fetchall() == [(1,)]


def test_decimals_in_both_formats(three):
    for binary in (False, True):
        cursor = three.cursor(binary=binary)
        cursor.execute("SELECT %s AS v", (decimal.Decimal("12.50"),))
        assert cursor.fetchall() == [(12.5,)]
