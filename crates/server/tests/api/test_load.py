"""Many clients at a time, and many jobs in the catalog."""
import asyncio
import os
import signal
import subprocess

from conftest import HEADERS, ROOT, Server, clone_jobs, until

HEAD = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())


async def ask(address, path):
    """One request on a connection of its own; returns the status."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{HEAD}\r\n".encode())
        answer = await reader.read()
        return int(answer.split(b" ", 2)[1])
    except ConnectionResetError:
        # Turned away before all of the request was read.
        return 503
    finally:
        writer.close()


def address_of(server):
    host, port = server.url.removeprefix("http://").split(":")
    return host, int(port)


def test_a_thousand_clients_are_served_or_told_to_come_back(server):
    target = server.target()
    server.finished(server.create(target, fields="_id"))
    clone_jobs(server.store, 2000)

    async def all_of_them():
        paths = ["/data/core/ups/export/jobs?limit=20", "/data/foundation/catalog/batches", "/health", "/nowhere"]
        clients = [ask(address_of(server), paths[i % 4]) for i in range(1000)]
        return await asyncio.wait_for(asyncio.gather(*clients), 60)

    for _ in range(3):
        answers = asyncio.run(all_of_them())
        assert len(answers) == 1000
        assert set(answers) <= {200, 404, 503}, set(answers)
        assert answers.count(200) > 0
    assert server.get("/health")["status"] == "up"


def test_lists_are_whole_with_many_jobs(server):
    target = server.target()
    server.finished(server.create(target, fields="_id"))
    clone_jobs(server.store, 10_000)
    seen, path = set(), "/export/jobs?limit=1000"
    while path:
        page = server.get(f"/data/core/ups{path}")
        seen.update(job["id"] for job in page["records"])
        path = page["link"].get("next")
    assert len(seen) == 10_000


def test_a_killed_server_leaves_nothing_half_done(store):
    server = Server(store)
    target = server.target()
    jobs = [server.create(target, additionalFields={"eventList": {}}) for _ in range(6)]
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(60)
    again = Server(store)
    ends = [again.finished(job) for job in jobs]
    assert {job["status"] for job in ends} <= {"SUCCEEDED", "FAILED"}
    for job in ends:
        batch = again.ask("GET", f"/data/foundation/catalog/batches/{job['destination']['batchId']}")
        assert batch.status_code == (200 if job["status"] == "SUCCEEDED" else 404)
    assert not list((store / "staging").iterdir())
    # Asked to stop, it finishes what runs; what waits stays in line.
    more = [again.create(target, additionalFields={"eventList": {}}) for _ in range(6)]
    again.stop()
    third = Server(store)
    assert {third.finished(job)["status"] for job in more} == {"SUCCEEDED"}
    third.stop()


def test_the_log_has_a_line_a_request_with_its_id(server):
    made = server.ask("GET", "/data/core/ups/export/jobs")
    wanted = made.headers["x-request-id"]
    line = until(lambda: next((l for l in server.log() if l["fields"].get("request_id") == wanted), None))
    assert (line["fields"]["path"], line["fields"]["status"]) == ("/data/core/ups/export/jobs", 200)
    assert "local" not in str(line["fields"]), "no secrets in the log"


def test_one_server_a_store(server):
    program = ROOT / "target/debug/profile-export"
    second = subprocess.run([program, "serve", "--store", server.store, "--listen", "127.0.0.1:0"],
                            env=dict(os.environ), capture_output=True, text=True)
    assert second.returncode == 1 and "another process" in second.stderr
