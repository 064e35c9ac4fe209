"""Sessions within TLS: who checks the certificate, who begins how, and what is refused."""
import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import psycopg
import psycopg2
import pytest

from conftest import ORG, PROGRAM, SCOPE, Server, program
from test_session import GENERATED, long_statement


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate of an authority of its own for `localhost`, its key, and one that is of another."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl here to make certificates with")
    folder = tmp_path_factory.mktemp("tls")
    for name in ["ca", "other"]:
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=profiles", "-keyout", folder / "server.key",
            "-out", folder / "server.csr")
    (folder / "names").write_text("subjectAltName = DNS:localhost\n")
    openssl("x509", "-req", "-in", folder / "server.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", folder / "names", "-out", folder / "server.pem")
    return folder


@pytest.fixture(scope="module")
def private(store, authority):
    """A server within TLS that asks for tokens; one of these."""
    file = authority / "tokens.json"
    token = program("tokens", "create", "one", "--token-file", file).strip()
    server = Server(store, "--token-file", file, "--sql-tls-cert", authority / "server.pem", "--sql-tls-key",
                    authority / "server.key")
    yield server, token
    assert server.stop() == 0, server.log_path.read_text()


def parameters(private, **more):
    server, token = private
    return {"host": "localhost", "hostaddr": "127.0.0.1", "port": server.port, "user": ORG, "dbname": "prod:all",
            "password": token, **more}


def psql(private, *statements, **more):
    server, token = private
    wanted = parameters(private, **more)
    del wanted["password"]
    conninfo = " ".join(f"{name}='{value}'" for name, value in wanted.items())
    commands = [part for statement in statements for part in ("-c", statement)]
    return subprocess.run([shutil.which("psql"), "-X", "-A", "-t", "-q", conninfo, *commands],
                          env={**os.environ, "PGPASSWORD": token}, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not shutil.which("psql"), reason="no psql here; on Debian: apt-get install postgresql-client")
def test_psql_checks_the_certificate(private, authority):
    root = authority / "ca.pem"
    for mode, more in [("require", {}), ("prefer", {}), ("allow", {}), ("verify-full", {"sslrootcert": root})]:
        done = psql(private, "SELECT 1", "\\conninfo", sslmode=mode, **more)
        assert done.returncode == 0, (mode, done.stderr)
        assert done.stdout.startswith("1\n") and "protocol: TLSv1.3" in done.stdout, (mode, done.stdout)
    for more in [{"sslrootcert": authority / "other.pem"}, {"sslrootcert": root, "host": "profiles.example.com"}]:
        done = psql(private, "SELECT 1", sslmode="verify-full", **more)
        assert done.returncode != 0 and "certificate" in done.stderr, done.stderr


@pytest.mark.parametrize("how", [
    {"sslmode": "require"}, {"sslmode": "verify-full"},
    {"sslmode": "require", "ssl_max_protocol_version": "TLSv1.2"},
    {"sslmode": "verify-full", "sslnegotiation": "direct"},
], ids=lambda how: " ".join(how.values()))
def test_psycopg_reads_and_binds(private, authority, how):
    with psycopg.connect(**parameters(private, sslrootcert=authority / "ca.pem", **how)) as connection:
        assert connection.pgconn.ssl_in_use
        # More than TLS takes at a time, in both directions.
        text = "x" * 300_000
        assert connection.execute("SELECT %s AS v", [text]).fetchall() == [(text,)]
        with connection.cursor().copy("COPY (SELECT explode(split(repeat('y ', 200000), ' ')) AS n) TO STDOUT") as copy:
            assert sum(len(part) for part in copy) == 2 * 200_000 + 1


def test_jdbc_within_tls(private, authority, jdbc):
    server, token = private
    jdbc(f"localhost:{server.port}", password=token, sslmode="verify-full", sslrootcert=authority / "ca.pem")


def test_whoever_is_not_within_tls_is_refused_before_a_password_is_asked_for(private):
    with pytest.raises(psycopg2.OperationalError, match="TLS"):
        psycopg2.connect(**parameters(private, sslmode="disable"))
    server, _ = private
    pairs = b"user\0" + ORG.encode() + b"\0database\0prod:all\0\0"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
        one.sendall(struct.pack(">i", 8 + len(pairs)) + b"\0\3\0\0" + pairs)
        answer = b""
        while part := one.recv(65536):
            answer += part
    assert answer.startswith(b"E") and b"C28000" in answer
    # As aepp connects: in the clear first, and within TLS where that is refused.
    connection = psycopg2.connect(**parameters(private, sslmode="allow"))
    assert connection.info.ssl_in_use
    connection.close()


def test_a_client_that_wants_tls_where_there_is_none_says_so(server):
    with pytest.raises(psycopg2.OperationalError, match="server does not support SSL, but SSL was required"):
        server.connect(sslmode="require")


# An error of the thread that cancels is a warning.
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("connect", [psycopg.connect, psycopg2.connect], ids=["within TLS", "in the clear"])
def test_a_statement_is_cancelled(private, connect):
    connection = connect(**parameters(private, sslmode="require"))
    with contextlib.closing(connection):
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(GENERATED)
        # libpq of psycopg2 asks for it in the clear; psycopg's within TLS.
        cancel = getattr(connection, "cancel_safe", connection.cancel)
        threading.Timer(0.5, cancel).start()
        began = time.monotonic()
        with pytest.raises((psycopg.errors.QueryCanceled, psycopg2.errors.QueryCanceled)):
            cursor.execute(long_statement())
        assert time.monotonic() - began < 5


SSL_REQUEST = struct.pack(">ii", 8, 80877103)


def context(*protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def test_who_begins_with_tls_names_the_protocol(private):
    server, _ = private
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
        within = context("postgresql").wrap_socket(one)
        assert within.selected_alpn_protocol() == "postgresql"
        within.sendall(struct.pack(">ii", 8, 1 << 17))
        assert b"C0A000" in within.recv(65536)
    # Of another protocol, and of none.
    for protocols in [("h2",), ()]:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one, \
                contextlib.suppress(ssl.SSLError, ConnectionError):
            within = context(*protocols).wrap_socket(one)
            within.sendall(SSL_REQUEST)
            assert within.recv(1) == b""


def test_nothing_in_the_clear_is_taken_for_what_came_within_tls(private):
    server, _ = private
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
        one.sendall(SSL_REQUEST + struct.pack(">ii", 8, 1 << 17))
        answer = b""
        with contextlib.suppress(ConnectionError):
            while part := one.recv(65536):
                answer += part
        # That it is had, and TLS's word for what was no handshake.
        assert answer.startswith(b"S\x15") and b"C0A000" not in answer
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
        one.sendall(SSL_REQUEST)
        assert one.recv(1) == b"S"
        within = context().wrap_socket(one)
        within.sendall(SSL_REQUEST)
        assert b"C08P01" in within.recv(65536)


def test_a_session_within_tls_goes_on_beside_broken_ones(private, authority):
    server, _ = private
    with psycopg.connect(**parameters(private, sslmode="require")) as connection:
        for garbage in [b"", b"\x16\x03\x01\xff\xff", b"\x16", SSL_REQUEST, SSL_REQUEST + b"\x16\x03\x01\0\x05xxxxx"]:
            with socket.create_connection(("127.0.0.1", server.port), timeout=10) as one:
                one.sendall(garbage)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def serve(store, *options):
    return subprocess.run([PROGRAM, "serve", "--store", store, "--no-http", *map(str, options)],
                          env={**os.environ, **SCOPE}, capture_output=True, text=True, timeout=60)


def test_what_can_not_be_used_is_an_error_at_the_start(store, authority, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    pair = authority / "server.pem", authority / "server.key"
    for certificate, key, named in [
        (tmp_path / "missing.pem", pair[1], "missing.pem"),
        (pair[0], tmp_path / "missing.key", "missing.key"),
        (tmp_path / "empty.pem", pair[1], "empty.pem"),
        (pair[0], tmp_path / "empty.pem", "empty.pem"),
        (pair[1], pair[1], "server.key"),
        (pair[0], pair[0], "server.pem"),
        (pair[0], authority / "other.key", "other.key is not the key of the certificate"),
    ]:
        done = serve(store, "--sql", "127.0.0.1:0", "--sql-tls-cert", certificate, "--sql-tls-key", key)
        assert done.returncode == 2 and named in done.stderr, done.stderr
        assert done.stdout == ""
    for some in [("--sql-tls-cert", pair[0]), ("--sql-tls-key", pair[1])]:
        assert serve(store, "--sql", "127.0.0.1:0", *some).returncode == 2


def test_other_machines_come_in_within_tls_or_as_somebody_wished(store, private, authority):
    server, _ = private
    everywhere = "--sql", "0.0.0.0:0"
    assert "token file" in serve(store, *everywhere).stderr
    with_tokens = *everywhere, "--token-file", authority / "tokens.json"
    refused = serve(store, *with_tokens)
    assert refused.returncode == 2 and "--sql-allow-clear-text" in refused.stderr and "--sql-tls-cert" in refused.stderr
    assert "in the clear" not in server.log_path.read_text()
    tls = "--sql-tls-cert", authority / "server.pem", "--sql-tls-key", authority / "server.key"
    for more, is_warned in [(tls, False), (("--sql-allow-clear-text",), True)]:
        process = subprocess.Popen([PROGRAM, "serve", "--store", store, "--no-http", *map(str, with_tokens + more)],
                                   env={**os.environ, **SCOPE}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline().startswith("postgresql://0.0.0.0:")
        process.terminate()
        assert ("in the clear" in process.communicate(timeout=20)[1]) == is_warned
