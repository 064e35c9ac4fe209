"""Both interactive classes of aepp, unmodified: what its QueryService is told by /connection_parameters is all they get."""
import pytest

from conftest import ORG

PROFILES = "profile_snapshot_export"


@pytest.fixture(params=["InteractiveQuery", "InteractiveQuery2"])
def interactive(server, request):
    if request.param == "InteractiveQuery":
        pytest.importorskip("pg", reason="no PyGreSQL here, which is built: pip install PyGreSQL, with libpq-dev on Debian")
    from aepp import queryservice
    told = {"dbName": "prod:all", "host": "127.0.0.1", "port": server.port, "username": ORG, "token": "any",
            "websocketHost": "127.0.0.1"}
    return getattr(queryservice, request.param)(told)


def test_a_query_is_a_frame(interactive):
    frame = interactive.query("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY a")
    assert list(frame.columns) == ["a", "b"] and frame["a"].tolist() == [1, 2] and frame["b"].tolist()[0] == "x"
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
