"""What a client may not do to a server, and what it is told then."""
import socket
import struct
import time

import psycopg
import psycopg2
import pytest

from conftest import ORG, Raw, Server, program


@pytest.fixture
def raw(server):
    return Raw(server.port)


def alive(raw):
    raw.send(b"Q", b"SELECT 1\0")
    assert raw.until(b"Z")[0].startswith(b"TD")


CHAINS = ["SELECT version(), 1" + "+1" * 1_000_000, "SELECT 1" + "=1" * 40_000,
          "COPY (SELECT version(), 1" + "+1" * 1_000_000 + ") TO STDOUT"]


@pytest.mark.parametrize("text", CHAINS, ids=["plus", "equals", "copy"])
def test_a_text_that_is_too_deep_is_refused(raw, text):
    raw.send(b"Q", text.encode() + b"\0")
    assert b"C54001" in raw.until(b"E")[1]
    raw.until(b"Z")
    raw.send(b"P", b"\0" + text.encode() + b"\0\0\0")
    raw.send(b"S")
    assert b"C54001" in raw.until(b"E")[1]
    raw.until(b"Z")
    alive(raw)


def test_a_catalog_query_is_ended_in_time(cursor):
    cursor.execute("SET statement_timeout = '300ms'")
    tables = ", ".join(f"pg_type t{i}" for i in range(6))
    with pytest.raises(psycopg2.errors.QueryCanceled):
        cursor.execute(f"SELECT count(*) FROM {tables} WHERE "
                       + " || ".join(f"t{i}.typname" for i in range(6)) + " = 'x'")


def test_what_a_session_keeps_has_an_end(raw):
    text = b"SELECT '" + b"x" * (4_000_000) + b"'\0\0\0"
    for number in range(64):
        raw.send(b"P", f"s{number}".encode() + b"\0" + text)
        raw.send(b"S")
        kinds, _ = raw.until(b"Z")
        if b"E" in kinds:
            break
    assert 2 < number < 20
    # What is closed makes room.
    raw.send(b"C", b"Ss0\0")
    raw.send(b"P", b"again\0" + text)
    raw.send(b"S")
    assert raw.until(b"Z")[0] == b"31Z"
    raw.socket.close()


def test_a_list_takes_memory_in_each_of_its_places(server):
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all") as connection:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute("SELECT " + ", ".join(["size(%(list)s)"] * 40), {"list": [1] * 100_000})


def test_only_a_sync_ends_passing_over(raw):
    raw.send(b"P", b"\0SELECT FROM WHERE\0\0\0")
    raw.send(b"Q", b"CREATE TEMP TABLE behind AS SELECT 1 AS one\0")
    raw.send(b"S")
    assert raw.until(b"Z")[0] == b"EZ"
    alive(raw)


def test_before_signing_in_there_is_room_for_a_password_only(guarded_port):
    with socket.create_connection(("127.0.0.1", guarded_port), timeout=10) as one:
        pairs = b"user\0" + ORG.encode() + b"\0database\0prod:all\0\0"
        one.sendall(struct.pack(">i", 8 + len(pairs)) + b"\0\3\0\0" + pairs)
        assert one.recv(9)[:1] == b"R"
        one.sendall(b"p" + struct.pack(">i", 1 << 20))
        answer = b""
        while part := one.recv(65536):
            answer += part
        assert b"C08P01" in answer


def test_transactions_that_only_read(server):
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all") as connection:
        connection.read_only = True
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE never_kept AS SELECT 1 AS one")
        connection.execute("CREATE TEMP TABLE own AS SELECT 1 AS one")
        assert connection.execute("SHOW transaction_read_only").fetchone() == ("on",)
        connection.rollback()
        connection.read_only = None
        connection.execute("SET LOCAL statement_timeout = '5s'")
        assert connection.execute("SHOW statement_timeout").fetchone() == ("5000",)
        connection.commit()
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
        connection.rollback()
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            connection.execute("SELECT 1")


def test_who_may_write_writes_a_batch_and_is_told_that_it_stays(server):
    notices = []
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all") as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        assert connection.execute("CREATE TABLE sql_kept AS SELECT 1 AS one").rowcount == 1
        assert connection.execute("INSERT INTO sql_kept SELECT 2 AS one").rowcount == 1
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="sql_kept"):
            connection.rollback()
        assert connection.execute("SELECT one FROM sql_kept ORDER BY one").fetchall() == [(1,), (2,)]
        connection.execute("DROP TABLE sql_kept")
        notices.clear()
        connection.commit()
        connection.execute("SELECT 1")
        connection.rollback()
        assert not notices


def test_rows_are_fetched_from_a_cursor(server):
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all") as connection:
        with connection.cursor(name="some", binary=True) as cursor:
            cursor.itersize = 2
            cursor.execute("SELECT explode(split('1 2 3 4 5', ' ')) AS n")
            assert [n for n, in cursor] == ["1", "2", "3", "4", "5"]


def test_parameters_are_of_the_type_that_they_are_told_to_be(server):
    with psycopg.connect(host="127.0.0.1", port=server.port, user=ORG, dbname="prod:all",
                         autocommit=True) as connection:
        run = connection.pgconn.exec_params
        for value, binary in [(b"5", 1), (b"5", 0), (b"2.5", 1)]:
            result = run(b"SELECT $1 AS v", [value], param_types=[1700], result_format=binary)
            assert result.ftype(0) == 701
        assert run(b"SELECT $1 AS v", [b"5"], param_types=[1700], result_format=1).get_value(0, 0) == struct.pack(">d", 5)
        state = psycopg.pq.DiagnosticField.SQLSTATE
        for value, oid, code in [(b"9007199254740993", 1700, b"22003"), (b"nothing", 1082, b"22007"),
                                 (b"2024-02-30", 1082, b"22008"), (b"2024-02-30 10:00", 1114, b"22008")]:
            assert run(b"SELECT $1 AS v", [value], param_types=[oid]).error_field(state) == code
        result = run(b"SELECT $1 AS v", [b"2024-02-29 12:00:00+02"], param_types=[1184])
        assert result.get_value(0, 0) == b"2024-02-29 10:00:00.0"


def test_one_organisation_leaves_places_for_the_others(store, tmp_path):
    file = tmp_path / "tokens.json"
    token = program("tokens", "create", "one", "--token-file", file).strip()
    other = program("tokens", "create", "two", "--token-file", file, PROFILE_EXPORT_ORG="other@AdobeOrg").strip()
    server = Server(store, "--token-file", file)
    try:
        all_of_one = [server.connect(password=token) for _ in range(75)]
        with pytest.raises(psycopg2.OperationalError, match="this organisation"):
            server.connect(password=token)
        server.connect(user="other@AdobeOrg", password=other).close()
        all_of_one.pop().close()
        deadline = time.monotonic() + 10
        while True:
            try:
                all_of_one.append(server.connect(password=token))
                break
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline
        for one in all_of_one:
            one.close()
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("text", [
    "SELECT version(), 1" + "+1" * 499,
    "SELECT version(), " + "(1+" * 20 + "1" + ")" * 20 + " = 21" + " AND 1=1" * 400,
    "SELECT version(), 1" + "::int" * 100,
    "SELECT 1" + " + 1" * 499,
], ids=["plus", "nested", "casts", "dialect"])
def test_a_text_as_deep_as_may_be_is_answered(cursor, text):
    cursor.execute(text)
    assert len(cursor.fetchall()) == 1
