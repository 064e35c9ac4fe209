"""Both interactive classes of aepp, unmodified: what its QueryService is told by /connection_parameters is all they get."""
import time

import aepp
import pytest
from aepp import catalog, customerprofile, queryservice

from conftest import FIXTURES, ORG, program, start

PROFILES = "profile_snapshot_export"


@pytest.fixture(params=["InteractiveQuery", "InteractiveQuery2"])
def interactive(server, request):
    if request.param == "InteractiveQuery":
        pytest.importorskip("pg", reason="no PyGreSQL here, which is built: pip install PyGreSQL, with libpq-dev on Debian")
    told = {"dbName": "prod:all", "host": "127.0.0.1", "port": server.port, "username": ORG, "token": "any",
            "websocketHost": "127.0.0.1"}
    return getattr(queryservice, request.param)(told)


def test_a_query_is_a_frame(interactive):
    frame = interactive.query("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY a")
    assert list(frame.columns) == ["a", "b"] and frame["a"].tolist() == [1, 2] and frame["b"].tolist()[0] == "x"
    # PyGreSQL looks types up by their numbers.
    frame = interactive.query("SELECT timestamp '2024-02-29 12:34:56' AS at, date '2024-02-29' AS day, true AS b, 0.5 AS d")
    assert str(frame["at"][0]).startswith("2024-02-29 12:34:56") and str(frame["day"][0]).startswith("2024-02-29")
    assert frame["b"].tolist() == [True] and frame["d"].tolist() == [0.5]
    raw = interactive.query(f"SELECT count(*) AS people FROM {PROFILES}", output="raw")
    assert interactive.transformToDataFrame(raw)["people"].tolist()[0] > 3


def test_a_person_is_found_by_an_identity(interactive):
    ids = interactive.query(f"SELECT identityMap['ECID'][0].id AS ecid FROM {PROFILES} WHERE identityMap['ECID'] IS NOT NULL")
    ecid = ids["ecid"].tolist()[0]
    found = interactive.queryIdentity(ecid, fields=["identityMap['ECID'][0].id", "personalEmail.address"], tableName=PROFILES,
                                      limit="0")
    assert found.iloc[:, 0].tolist() == [ecid]
    mail = found.iloc[0, 1]
    if mail:
        same = interactive.queryIdentity(mail, fields=["identityMap.ECID[0].id"], tableName=PROFILES,
                                         fieldId="personalEmail.address")
        assert ecid in same.iloc[:, 0].tolist()


def test_members_of_a_segment_with_their_identities(interactive):
    segments = interactive.query(
        f"SELECT key FROM (SELECT explode(segmentMembership['ups']) FROM {PROFILES}) WHERE value.status = 'realized' LIMIT 0")
    segment = segments["key"].tolist()[0]
    # As its QueryService puts together who is in a segment.
    members = interactive.query(
        f"SELECT key, inline(value), '{segment}' segmentId FROM (SELECT explode(identityMap) FROM {PROFILES} "
        f"WHERE segmentMembership['ups']['{segment}'].status = 'realized') LIMIT 0")
    assert {"key", "id", "segmentId"} <= set(members.columns) and len(members) > 0


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """HTTP and SQL over a store, and what aepp is configured with."""
    folder = tmp_path_factory.mktemp("aepp")
    program("ingest", "--store", folder / "store", "--from", FIXTURES)
    with open(folder / "log", "w") as log:
        process = start("--store", folder / "store", "--listen", "127.0.0.1:0", "--sql", "127.0.0.1:0", log=log)
    http, _ = (process.stdout.readline().strip() for _ in range(2))
    assert http.startswith("http://"), (folder / "log").read_text()
    aepp.configure(org_id=ORG, client_id="local", secret="local", sandbox="prod", environment="support",
                   accesstoken="local", endpoint=http, retry=0)
    aepp.config.config_object["connectionType"] = "support"
    aepp.config.config_object["date_limit"] = 4102444800
    yield aepp.config.config_object
    process.terminate()
    assert process.wait(timeout=30) == 0, (folder / "log").read_text()


def exported(config, policy):
    """A snapshot of everybody by a merge policy, in a dataset that is marked as the platform's are."""
    made = catalog.Catalog(config=config).createDataSet({
        "name": f"Profile-Snapshot-Export-of-{policy}", "schemaRef": {
            "id": "https://ns.adobe.com/xdm/context/profile__union", "contentType": "application/vnd.adobe.xed+json;version=1"},
        "tags": {"unifiedProfile": [f"mergePolicyId:{policy}"]}})
    profile = customerprofile.Profile(config=config)
    job = profile.createExportJob({"schema": {"name": "_xdm.context.profile"}, "mergePolicy": {"id": policy, "version": 1},
                                   "destination": {"datasetId": made[0].split("/")[-1], "segmentPerBatch": False}})
    deadline = time.monotonic() + 60
    while profile.getExportJob(str(job["id"]))["status"] != "SUCCEEDED":
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_who_is_in_an_audience_is_read_from_a_snapshot(platform):
    exported(platform, "latest")
    told = queryservice.QueryService(config=platform).connection()
    interactive = queryservice.InteractiveQuery2(told, config=platform)
    people = interactive.queryAudiencePopulation("85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21")
    assert list(people.columns) == ["key", "id", "authenticatedState", "primary", "audienceId"]
    same = interactive.query(f"SELECT inline(value) FROM (SELECT explode(identityMap) FROM {PROFILES}_latest WHERE "
                             "segmentMembership['ups']['85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21'].status = 'realized')")
    assert sorted(people["id"]) == sorted(same["id"]) and len(people) > 3
    history = interactive.queryHistoryMeta(f"{PROFILES}_of_latest")
    assert history["is_current"].tolist() == [True]
