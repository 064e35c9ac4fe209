"""docs/compatibility.md: each request and each call of its list, sent to the server. PROFILE_EXPORT_WRITE_PAGE=1 writes the
page anew."""
import os
import string
from types import SimpleNamespace
from urllib.parse import urlsplit

import aepp
import pytest
import requests

from compatibility import CALLS, REQUESTS
from conftest import ROOT, UNION, until

PAGE = ROOT / "docs/compatibility.md"
WRITE = "PROFILE_EXPORT_WRITE_PAGE"
HEAD = f"""# What clients of the platform may ask

Each line was sent to the server by `crates/server/tests/api/test_compatibility.py`, which made this page
(`{WRITE}=1` writes it anew). A path that is not answered gets 404 with a problem document that says so and
names what there is beside it.
"""


def filled(value, known):
    if isinstance(value, str):
        names = {name for _, name, _, _ in string.Formatter().parse(value) if name} if "{" in value else ()
        return value.format(**known) if names and names <= known.keys() else value
    if isinstance(value, dict):
        return {name: filled(one, known) for name, one in value.items()}
    return [filled(one, known) for one in value] if isinstance(value, list) else value


def outcome(statuses, why, fault):
    if fault and all(status < 400 for status in statuses):
        return f"the client's own fault: {why}"
    if any(status >= 400 for status in statuses):
        return f"refused: {why}"
    return f"works; {why}" if why else "works"


@pytest.fixture
def known(server):
    """What the requests are about that nothing on the list makes: a job that has ended, batches that are loaded."""
    target = server.target()
    done = server.finished(server.create(target, fields="_id"))
    return {"done": done["id"], "batch": done["destination"]["batchId"],
            **{name: loaded_batch(server, name) for name in ("loaded", "aepp_loaded")}}


def loaded_batch(server, name):
    people = server.ask("POST", "/data/foundation/catalog/dataSets", json={"name": name, "schemaRef": UNION})
    people = people.json()[0].split("/")[-1]
    batches = "/data/foundation/import/batches"
    batch = server.ask("POST", batches, json={"datasetId": people, "inputFormat": {"format": "json"}}).json()["id"]
    server.ask("PUT", f"{batches}/{batch}/datasets/{people}/files/a.json",
               json={"identityMap": {"Email": [{"id": "loaded@x.example", "primary": True}]}})
    server.ask("POST", f"{batches}/{batch}?action=COMPLETE")
    until(lambda: server.get(f"{batches}/{batch}")["status"] == "success")
    return batch


@pytest.fixture
def sent(monkeypatch):
    """The requests that a client sends, with the status that each gets."""
    found = []
    send = requests.Session.send

    def recorded(session, prepared, **more):
        answer = send(session, prepared, **more)
        found.append((prepared.method, urlsplit(prepared.url).path, answer.status_code))
        return answer
    monkeypatch.setattr(requests.Session, "send", recorded)
    return found


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    aepp.configure(org_id="local@AdobeOrg", client_id="local", secret="local", sandbox="prod",
                   environment="support", accesstoken="local", endpoint=server.url, retry=0)
    aepp.config.config_object["connectionType"] = "support"
    aepp.config.config_object["date_limit"] = 4102444800
    from aepp import (catalog, customerprofile, dataaccess, identity, ingestion, queryservice, sandboxes,
                      schema, segmentation)
    made = SimpleNamespace(profile=customerprofile.Profile(), catalog=catalog.Catalog(), access=dataaccess.DataAccess(),
                           segmentation=segmentation.Segmentation(), ingestion=ingestion.DataIngestion(),
                           schemas=schema.Schema(), identity=identity.Identity(), sandboxes=sandboxes.Sandboxes(),
                           queries=queryservice.QueryService())
    # Its host is fixed for this one.
    made.identity.endpoint = f"{server.url}/data/core"
    return made


def test_the_page_says_what_the_server_does(server, known, client, sent):
    lines = [HEAD]
    wrong = []
    for title, requests_of_it in REQUESTS:
        lines += [f"## {title}", "", "| method | path | status | |", "|---|---|---|---|"]
        for one in requests_of_it:
            path = filled(one["path"], known)
            body = filled(one["body"], known)
            more = {"data": one["data"]} if one["data"] is not None else {"json": body} if body is not None else {}
            answer = requests.request(one["method"], server.url + path + one["query"], timeout=60, **more, headers={
                "Authorization": "Bearer local", "x-api-key": "local", "x-gw-ims-org-id": "local@AdobeOrg",
                "x-sandbox-name": "prod", **one["headers"]})
            if answer.status_code != one["status"]:
                wrong.append(f"{one['method']} {path}: {answer.status_code}, not {one['status']}: {answer.text[:300]}")
                continue
            if one["status"] == 404:
                detail = answer.json()["detail"]
                assert f"no path {path.rstrip('/')}" in detail and "There is /" in detail, detail
            assert bool(one["why"]) == (one["status"] >= 400), one
            if one["keep"]:
                name, find = one["keep"]
                known[name] = find(answer.json())
            lines.append(f"| {one['method']} | `{one['path']}` | {one['status']} | {outcome([one['status']], one['why'], None)} |")
        lines.append("")
    lines += ["## Calls of aepp", "", "By the name of the class and the method.", "", "| call | sends | |", "|---|---|---|"]
    for one in CALLS:
        sent.clear()
        returned = raised = None
        try:
            returned = one["run"](client, known)
        except Exception as error:
            raised = error
        if [status for _, _, status in sent] != one["statuses"] or bool(raised) != bool(one["fault"]):
            wrong.append(f"{one['name']}: {sent}, {raised!r}, {str(returned)[:200]}; not {one['statuses']}")
            continue
        if one["keep"]:
            name, find = one["keep"]
            known[name] = find(returned)
        what = ", ".join(f"{method} {status}" for method, _, status in sent)
        lines.append(f"| `{one['name']}` | {what or 'nothing'} | {outcome(one['statuses'], one['why'], one['fault'])} |")
    assert not wrong, "\n".join(wrong)
    page = "\n".join(lines) + "\n"
    if os.environ.get(WRITE) == "1":
        PAGE.write_text(page)
    assert PAGE.read_text() == page, f"{PAGE.name} says something else; {WRITE}=1 writes it anew"
