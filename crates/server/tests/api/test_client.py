"""The public Python client aepp, as it comes from PyPI, against the server."""
import aepp
import pandas
import pytest

from conftest import UNION, until


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    """The client, pointed at the server: the host is all that is changed."""
    monkeypatch.chdir(tmp_path)
    aepp.configure(org_id="local@AdobeOrg", client_id="local", secret="local", sandbox="prod",
                   environment="support", accesstoken="local", endpoint=server.url, retry=0)
    aepp.config.config_object["connectionType"] = "support"
    aepp.config.config_object["date_limit"] = 4102444800
    from aepp import catalog, customerprofile, dataaccess, segmentation
    return {"profile": customerprofile.Profile(), "catalog": catalog.Catalog(),
            "access": dataaccess.DataAccess(), "segmentation": segmentation.Segmentation()}


def finished(profile, job):
    return until(lambda: shown if (shown := profile.getExportJob(str(job)))["status"] == "SUCCEEDED" else None)


def test_an_export_from_the_dataset_to_the_data_frame(client):
    profile, catalog, access = client["profile"], client["catalog"], client["access"]
    made = catalog.createDataSet(data={"name": "Exports", "schemaRef": UNION})
    target = made[0].split("/")[-1]
    assert catalog.getDataSet(target)[target]["name"] == "Exports"
    assert "Exports" in str(catalog.getDataSets())
    assert catalog.createUnionProfileDataset()[0].startswith("@/dataSets/")

    job = profile.createExportJob(exportDefinition={
        "fields": "identities.id,personalEmail.address", "mergePolicy": {"id": "timestampOrdered-none-mp", "version": 1},
        "destination": {"datasetId": target, "segmentPerBatch": False}, "schema": {"name": "_xdm.context.profile"}})
    done = finished(profile, job["id"])
    other = profile.createExportJob(fields=["person.name"], mergePolicyId="latest", datasetId=target)
    finished(profile, other["id"])

    batch = done["destination"]["batchId"]
    assert catalog.getBatch(batch)[batch]["status"] == "success"
    assert batch in str(catalog.getBatches(limit=10))
    files = access.getBatchFiles(batch)
    listed = access.getFiles(files[0]["dataSetFileId"])
    name = listed["data"][0]["name"]
    frame = pandas.read_parquet(access.getFiles(files[0]["dataSetFileId"], path=name))
    assert len(frame) == done["metrics"]["totalExportedProfileCounter"] > 0
    assert list(frame.columns) == ["identities", "personalEmail"]
    assert frame["personalEmail"].dropna().iloc[0]["address"].count("@") == 1


def test_jobs_are_listed_and_deleted(client, server):
    profile, segmentation = client["profile"], client["segmentation"]
    target = server.target()
    ids = [server.create(target, fields="_id") for _ in range(3)]
    for job in ids:
        server.finished(job)
    assert [job["id"] for job in profile.getExportJobs(limit=100)["records"]] == ids[::-1]
    # This one walks the pages by itself.
    assert [job["id"] for job in segmentation.getExportJobs(limit=2)] == ids[::-1]
    assert segmentation.getExport(str(ids[0]))["id"] == ids[0]
    refused = profile.deleteExportJob(str(ids[0]))
    assert refused["status"] == 409, refused
    fourth = server.create(target)
    assert profile.deleteExportJob(str(fourth)) in (204, refused) or server.finished(fourth)["status"] == "SUCCEEDED"


def test_merge_policies_are_listed_made_and_changed(client):
    profile = client["profile"]
    ids = {policy["id"] for policy in profile.getMergePolicies(limit=2)}
    assert {"timestampOrdered-none-mp", "timestampOrdered-pdg-mp", "crm-first", "latest"} <= ids
    made = profile.createMergePolicy({
        "name": "Mine", "schema": {"name": "_xdm.context.profile"}, "identityGraph": {"type": "none"},
        "attributeMerge": {"type": "timestampOrdered"}, "default": False})
    assert profile.getMergePolicy(made["id"])["name"] == "Mine"
    patched = profile.patchMergePolicy(made["id"], [{"op": "add", "path": "/identityGraph.type", "value": "pdg"}])
    assert (patched["version"], patched["identityGraph"]["type"]) == (2, "pdg")
    profile.deleteMergePolicy(made["id"])
    assert made["id"] not in {policy["id"] for policy in profile.getMergePolicies()}


def test_segments_are_listed(client):
    segments = client["segmentation"].getSegments()
    assert {segment["id"] for segment in segments} >= {"holiday-shoppers"}


def test_failed_batches_are_listed_with_their_errors(client, server):
    target = server.target()
    failed = []
    for content in (b"nonsense", b'{"identityMap": {"Email": [{"id": "a@x.example"}]}}'):
        made = server.ask("POST", "/data/foundation/import/batches", json={"datasetId": target, "inputFormat": {"format": "json"}})
        batch = made.json()["id"]
        path = f"/data/foundation/import/batches/{batch}"
        assert server.ask("PUT", f"{path}/datasets/{target}/files/a.json", data=content).status_code == 200
        for _ in range(2):
            assert server.ask("POST", f"{path}?action=COMPLETE").status_code == 200
        shown = until(lambda: s if (s := client["catalog"].getBatch(batch)[batch])["status"] in ("success", "failed") else None)
        failed += [batch] if shown["status"] == "failed" else []
    frame = client["catalog"].getFailedBatchesDF()
    assert len(failed) == 1 and list(frame.index) == failed
    assert frame["sandbox"].iloc[0] == "prod" and frame["dataSetId"].iloc[0] == target
    assert "a.json" in frame["errorMessage"].iloc[0][0]
