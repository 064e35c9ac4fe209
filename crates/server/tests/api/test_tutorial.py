"""The platform's tutorial, by curl; docs/api.md, as it stands there."""
import json
import os
import re
import socket
import subprocess
from pathlib import Path

from conftest import HEADERS, PROGRAM, ROOT


def curl(script, folder, server):
    variables = {"HOST": server.url, "ACCESS_TOKEN": "local", "API_KEY": "local",
                 "IMS_ORG": HEADERS["x-gw-ims-org-id"], "SANDBOX_NAME": HEADERS["x-sandbox-name"]}
    subprocess.run(["bash", script], cwd=folder, env={**os.environ, **variables}, check=True)
    answers = {}
    for path in folder.glob("*.headers"):
        head = path.read_text().splitlines()
        body = path.with_suffix(".json")
        answers[path.stem] = (int(head[0].split()[1]), head, json.loads(body.read_text()) if body.exists() else None)
    return answers


def test_the_tutorial_as_the_platform_has_it(server, tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    answers = curl(Path(__file__).with_name("tutorial.sh"), folder, server)
    status, _, dataset = answers["dataset"]
    assert status == 201 and re.fullmatch(r"@/dataSets/[0-9a-f]{24}", dataset[0])
    target = dataset[0].split("/")[-1]

    status, _, created = answers["created"]
    assert status == 200
    assert created["status"] in ("NEW", "PROCESSING")
    assert created["destination"]["dataSetId"] == created["destination"]["datasetId"] == target
    assert {"profileInstanceId", "jobType", "id", "schema", "mergePolicy", "status", "requestId",
            "computeGatewayJobId", "metrics", "destination", "updateTime", "imsOrgId", "creationTime"} <= created.keys()
    assert created["metrics"]["totalTime"]["startTimeInMs"] >= created["creationTime"]

    status, _, listed = answers["list"]
    assert status == 200 and [job["id"] for job in listed["records"]] == [created["id"]]
    assert listed["page"]["sortField"] == "createdTime" and listed["page"]["sort"] == "desc"
    assert "next" not in listed["link"]

    status, _, done = answers["done"]
    assert status == 200 and done["status"] == "SUCCEEDED"
    for step in ("totalTime", "profileExportTime", "aCPDatasetWriteTime"):
        times = done["metrics"][step]
        assert times["endTimeInMs"] - times["startTimeInMs"] == times["totalTimeInMs"]
    batches = done["destination"]["batches"]
    assert [batch["segmentNs"] for batch in batches] == ["AAM", "UPS"]
    assert [b["batchId"] for b in batches] == [b["batchId"] for b in created["destination"]["batches"]]
    assert answers["deleted"][0] == 409

    catalog = server.get(f"/data/foundation/catalog/batches?dataSet={target}")
    assert set(catalog) == {batch["batchId"] for batch in batches}


def test_segments_from_the_expression_to_the_export(server, tmp_path):
    folder = tmp_path / "answers"
    folder.mkdir()
    answers = curl(Path(__file__).with_name("segmentation.sh"), folder, server)
    told = {name: body for name, (status, _, body) in answers.items() if status in (200, 201)}
    assert told.keys() == answers.keys()
    # Fifty-two of 403 people live in France: counted from the fixtures by hand.
    assert (told["estimate"]["estimatedSize"], told["estimate"]["totalRows"]) == (52, 403)
    assert len(told["people"]["results"]) == 52
    segment = told["defined"]["id"]
    assert told["refined"]["id"] == segment and told["refined"]["name"] == "People in FR"
    metrics = told["evaluated"]["metrics"]
    assert metrics["segmentedProfileByStatusCounter"][segment] == {"realized": 52, "existing": 0, "exited": 0}
    assert told["exported"]["metrics"]["totalExportedProfileCounter"] == 52


def test_a_job_that_waits_is_cancelled_with_204(server):
    target = server.target()
    jobs = [server.create(target, additionalFields={"eventList": {}}) for _ in range(20)]
    answer = server.ask("DELETE", f"/data/core/ups/export/jobs/{jobs[-1]}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert server.finished(jobs[-1])["status"] == "CANCELLED"


def test_the_page_of_the_api_works_as_written(tmp_path):
    section = (ROOT / "docs/api.md").read_text()
    commands = "".join(re.findall(r"```sh\n(.*?)```", section, re.S))
    assert commands.count("ask ") >= 6
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (tmp_path / "fixtures").symlink_to(ROOT / "fixtures")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands.replace("8080", port) + "\nkill %1; wait"],
                          cwd=tmp_path, env={**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert '"status":"SUCCEEDED"' in done.stdout
    assert (tmp_path / "export.parquet").read_bytes()[-4:] == b"PAR1"
