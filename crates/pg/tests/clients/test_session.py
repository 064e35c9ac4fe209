"""Who comes in, what a session is told, and what it may."""
import json
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from conftest import ORG, Raw, Server, program, start


def refused(server, **how):
    with pytest.raises(psycopg2.OperationalError) as told:
        server.connect(**how)
    return str(told.value)


def test_without_tokens_everybody_comes_in(server):
    with server.cursor(password="") as cursor:
        cursor.execute("SELECT 1 AS one")
        assert cursor.fetchall() == [(1,)]
        assert cursor.description[0].name == "one"


def test_the_database_is_a_sandbox_and_all_of_it(server):
    assert "SANDBOX:all" in refused(server, database="prod")
    assert "not supported" in refused(server, database="prod:all?FLAT")


def test_another_organisation_and_another_sandbox_see_nothing_of_this_one(server):
    for who in [{"user": "other@AdobeOrg"}, {"database": "dev:all"}]:
        with server.cursor(**who) as cursor:
            cursor.execute("SHOW TABLES")
            assert not [row for row in cursor.fetchall() if row[1]]


@pytest.fixture(scope="module")
def guarded(store, tmp_path_factory):
    file = tmp_path_factory.mktemp("tokens") / "tokens.json"

    def token(name, *more, org=ORG):
        return program("tokens", "create", name, "--token-file", file, *more, PROFILE_EXPORT_ORG=org).strip()

    tokens = {"all": token("all"), "read": token("read", "--read-only"), "other": token("other", org="other@AdobeOrg")}
    server = Server(store, "--token-file", file)
    yield server, tokens, file
    assert server.stop() == 0


def test_a_token_is_the_password(guarded):
    server, tokens, _ = guarded
    with server.cursor(password=tokens["all"]) as cursor:
        cursor.execute("SELECT count(*) FROM profile_snapshot_export")
        assert cursor.fetchone()[0] > 0
    assert "unknown token" in refused(server, password="pe_guess")
    assert "not for organisation" in refused(server, password=tokens["other"])
    assert "not for sandbox" in refused(server, password=tokens["all"], database="dev:all")


def test_a_token_that_may_only_read_writes_nothing(guarded):
    server, tokens, _ = guarded
    with server.cursor(password=tokens["read"]) as cursor:
        cursor.execute("CREATE TEMP TABLE own AS SELECT 1 AS one")
        cursor.execute("SELECT one FROM own")
        assert cursor.fetchall() == [(1,)]
        for statement in ["CREATE TABLE kept AS SELECT 1 AS one", "INSERT INTO own SELECT 2"]:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(statement)


def test_a_token_that_is_taken_away_ends_its_sessions(guarded):
    server, _, file = guarded
    token = program("tokens", "create", "gone", "--token-file", file).strip()
    time.sleep(1)  # The server looks a few times a second.
    raw = Raw(server.port, token)
    raw.send(b"Q", b"SELECT 1\0")
    raw.until(b"Z")
    file.write_text(json.dumps([one for one in json.loads(file.read_text()) if one["name"] != "gone"]))
    deadline = time.monotonic() + 10
    while True:
        raw.send(b"Q", b"SELECT 1\0")
        kinds, body = raw.until(b"Z", b"E")
        if kinds.endswith(b"E"):
            break
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert b"SFATAL" in body and b"unknown token" in body and not raw.file.read(1)


def test_what_clients_are_told_when_they_come_in(server):
    connection = server.connect()
    told = connection.get_parameter_status
    assert told("server_version") == "9.6.24" and connection.server_version == 90624
    assert (told("client_encoding"), told("DateStyle"), told("TimeZone")) == ("UTF8", "ISO, MDY", "UTC")
    # The dialect's texts have escapes, and clients must know it.
    assert told("standard_conforming_strings") == "off"
    connection.close()


def test_a_value_is_no_statement(cursor):
    for value in ["it's", "back\\slash", "\\' OR 1=1 --", "a\nb", "ä€😀", "'; DROP TABLE x; --", "\\"]:
        cursor.execute("SELECT %s AS v", (value,))
        assert cursor.fetchall() == [(value,)], value


def test_errors_have_codes_and_places_and_the_session_goes_on(cursor):
    for statement, code in [
        ("SELECT FROM WHERE", "42601"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing FROM profile_snapshot_export", "42703"),
        ("SELECT no_such_function(1)", "42883"),
        ("UPDATE profile_snapshot_export SET a = 1", "0A000"),
        ("SET no_such = 1", "42704"),
        ("SET standard_conforming_strings = on", "22023"),
        ("COPY profile_snapshot_export FROM STDIN", "0A000"),
    ]:
        with pytest.raises(psycopg2.Error) as told:
            cursor.execute(statement)
        assert told.value.pgcode == code, (statement, told.value)
    with pytest.raises(psycopg2.Error) as told:
        cursor.execute("SELECT 1,\n  nothing FROM profile_snapshot_export")
    assert told.value.diag.statement_position == "13"
    cursor.execute("SELECT 1")
    assert cursor.fetchall() == [(1,)]


def test_several_statements_in_one_text(psql):
    done = psql("SELECT 1; CREATE TEMP TABLE t AS SELECT 2 AS two; SELECT two FROM t")
    assert done.stdout.split() == ["1", "2"]
    done = psql("SELECT 1; SELECT * FROM nowhere; SELECT 3", check=False)
    assert done.stdout.split() == ["1"] and "42P01" not in done.stdout and done.returncode != 0


def test_transactions(server):
    connection = server.connect()
    cursor = connection.cursor()
    status = psycopg2.extensions
    assert connection.get_transaction_status() == status.TRANSACTION_STATUS_IDLE
    cursor.execute("SELECT 1")
    assert connection.get_transaction_status() == status.TRANSACTION_STATUS_INTRANS
    with pytest.raises(psycopg2.Error):
        cursor.execute("SELECT * FROM nowhere")
    # Nothing was undone, so nothing has to be begun again.
    cursor.execute("SELECT 2")
    assert cursor.fetchall() == [(2,)]
    connection.commit()
    assert connection.get_transaction_status() == status.TRANSACTION_STATUS_IDLE
    connection.rollback()
    connection.close()


def test_settings(cursor):
    cursor.execute("SET application_name = 'a test'; SHOW application_name")
    assert cursor.fetchall() == [("a test",)]
    cursor.execute("show transaction isolation level")
    assert cursor.fetchall() == [("read committed",)]
    cursor.execute("SET TIME ZONE 'Europe/Berlin'")
    assert "UTC" in cursor.connection.notices[-1]
    cursor.execute("SHOW TimeZone")
    assert cursor.fetchall() == [("UTC",)]


GENERATED = "CREATE TEMP TABLE generated AS SELECT explode(split(repeat('x ', 200), ' ')) AS n"


def long_statement():
    tables = range(5)
    return (f"SELECT count(*) FROM {', '.join(f'generated g{i}' for i in tables)} "
            f"WHERE concat({', '.join(f'g{i}.n' for i in tables)}) = 'x'")


@pytest.fixture
def busy(server):
    """A session with a table that makes statements long."""
    with server.cursor() as cursor:
        cursor.execute(GENERATED)
        yield cursor


def test_a_statement_is_cancelled_from_another_connection(busy):
    cancel = threading.Timer(0.5, busy.connection.cancel)
    cancel.start()
    began = time.monotonic()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        busy.execute(long_statement())
    assert time.monotonic() - began < 5
    busy.execute("SELECT 1")
    # A wish that comes too late is none for the next statement.
    busy.connection.cancel()
    time.sleep(0.2)
    busy.execute("SELECT 2")
    assert busy.fetchall() == [(2,)]


def test_a_statement_may_take_only_so_long(busy):
    busy.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg2.errors.QueryCanceled) as told:
        busy.execute(long_statement())
    assert "statement_timeout" in str(told.value)


def processor_seconds(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_client_that_goes_away_ends_its_statement(store):
    server = Server(store)
    connection = server.connect()
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(GENERATED)
    raw = socket.socket(fileno=connection.fileno())
    raw.sendall(b"Q" + struct.pack(">i", 5 + len(long_statement())) + long_statement().encode() + b"\0")
    time.sleep(0.5)
    raw.shutdown(socket.SHUT_RDWR)
    raw.detach()
    time.sleep(1)
    before = processor_seconds(server.process)
    time.sleep(1)
    assert processor_seconds(server.process) - before < 0.3
    assert server.stop() == 0


def test_a_server_that_is_told_to_ends_within_a_second(store):
    server = Server(store)
    raw = Raw(server.port)
    raw.send(b"Q", f"{GENERATED}; {long_statement()}\0".encode())
    time.sleep(0.5)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 1.5
    assert b"57P01" in raw.until(b"E")[1]


def test_beside_http(store):
    process = start("--store", store, "--listen", "127.0.0.1:0", "--sql", "127.0.0.1:0", log=subprocess.DEVNULL)
    http, sql = (process.stdout.readline().strip() for _ in range(2))
    assert http.startswith("http://") and sql.startswith("postgresql://")
    with urllib.request.urlopen(f"{http}/health") as answer:
        assert answer.status == 200
    connection = psycopg2.connect(host="127.0.0.1", port=sql.rsplit(":", 1)[1], user=ORG, dbname="prod:all")
    connection.close()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0


def startup(*pairs):
    body = b"\0\3\0\0" + b"".join(text.encode() + b"\0" for pair in pairs for text in pair) + b"\0"
    return struct.pack(">i", 4 + len(body)) + body


def test_what_is_no_message_ends_its_connection_and_no_other(server, cursor):
    for garbage in [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\3", b"\xff" * 64, struct.pack(">ii", 8, 1 << 16), startup()]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(garbage)
            assert raw.recv(1)[:1] in (b"E", b"")
    login = startup(("user", ORG), ("database", "prod:all"))
    for garbage in [b"Q\0\0\0\3", b"Q\x7f\xff\xff\xff", b"?\0\0\0\4", b"P\0\0\0\5x", b"B\0\0\0\x0a\0\0\0\0\xff\xff"]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
            raw.sendall(login + garbage)
            answer = b""
            while part := raw.recv(65536):
                answer += part
            assert b"08P01" in answer
    cursor.execute("SELECT 1")


def test_there_are_so_many_sessions_and_no_more(store):
    server = Server(store)
    open_ones = [server.connect() for _ in range(100)]
    assert "100 sessions" in refused(server)
    # Who wants to cancel comes in all the same.
    open_ones[0].cancel()
    open_ones.pop().close()
    deadline = time.monotonic() + 5
    while True:
        try:
            open_ones.append(server.connect())
            break
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline
    for connection in open_ones:
        connection.close()
    assert server.stop() == 0
