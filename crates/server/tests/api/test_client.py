"""The public Python client aepp, as it comes from PyPI, against the server."""
import json

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
    from aepp import catalog, customerprofile, dataaccess, schema, segmentation
    return {"profile": customerprofile.Profile(), "catalog": catalog.Catalog(),
            "access": dataaccess.DataAccess(), "segmentation": segmentation.Segmentation(), "schemas": schema.Schema()}


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


def test_segments_are_listed(client, server):
    segmentation = client["segmentation"]
    assert {segment["id"] for segment in segmentation.getSegments()} >= {"holiday-shoppers"}
    for number in range(200):
        assert server.ask("POST", "/data/core/ups/segment/definitions", json={"id": f"s{number}"}).status_code == 200
    # It walks the pages by itself, and one page too far.
    assert len({segment["id"] for segment in segmentation.getSegments()}) == 204


def test_one_profile_and_its_events_are_looked_up(client):
    profile = client["profile"]
    whose = {"entityId": "person226@example.com", "entityIdNS": "email"}
    found = profile.getEntity(schema_name="_xdm.context.profile", fields="personalEmail.address", **whose)
    [entity] = found.values()
    assert entity["entity"]["personalEmail"]["address"] == "person226@example.com"
    assert entity["sources"] and all(len(source) == 24 for source in entity["sources"])
    all_events = profile.getEntityEvents(n_events=1000, limit=1000, **whose)
    some = profile.getEntityEvents(n_events=1000, limit=1, **whose)
    assert len(all_events) > 1
    ids = [event["entityId"] for event in all_events]
    assert [event["entityId"] for event in some] == ids and len(set(ids)) == len(ids)


def test_sandboxes_are_listed(client):
    from aepp import sandboxes
    own = sandboxes.Sandboxes()
    assert [one["name"] for one in own.getSandboxes()] == ["prod"]
    assert own.getSandbox("prod")["type"] == "production"
    assert len(own.getSandboxId("prod")) == 36
    assert "production" in own.getSandboxTypes()


def test_an_expression_is_estimated_and_previewed(client):
    segmentation = client["segmentation"]
    made = segmentation.createPreview(pql="xEvent")
    preview = made["previewId"]
    done = until(lambda: told if (told := segmentation.getEstimate(preview))["state"] == "RESULT_READY" else None)
    # Counted by hand from the fixtures: people as identity maps join them, and those who have events.
    assert (done["estimatedSize"], done["totalRows"], done["standardError"]) == (268, 328, 0)
    people = segmentation.getPreview(preview)
    assert people["state"] == "RESULT_READY" and len(people["results"]) == people["page"]["size"] == 268
    assert segmentation.deletePreview(preview)
    assert segmentation.getPreview(preview)["status"] == 404
    assert "line 1, column" in segmentation.createPreview(pql="xEvent and")["detail"]


def test_a_segment_is_made_evaluated_and_exported(client):
    segmentation, profile = client["segmentation"], client["profile"]
    made = segmentation.createSegment({
        "name": "In France", "description": "who lives there", "ttlInDays": 30, "mergePolicyId": "latest",
        "schema": {"name": "_xdm.context.profile"},
        "expression": {"type": "PQL", "format": "pql/text", "value": 'homeAddress.countryCode = "FR"'}})
    job = segmentation.createJob([made["id"]])
    done = until(lambda: told if (told := segmentation.getJob(job["id"]))["status"] == "SUCCEEDED" else None)
    assert done["metrics"]["segmentedProfileCounter"] == {made["id"]: 52}
    assert [one["id"] for one in segmentation.getJobs()] == [job["id"]]
    target = client["catalog"].createDataSet(data={"name": "In France", "schemaRef": UNION})[0].split("/")[-1]
    export = profile.createExportJob(exportDefinition={
        "fields": "personalEmail.address", "filter": {"segments": [{"segmentId": made["id"], "segmentNs": "ups"}]},
        "destination": {"datasetId": target, "segmentPerBatch": True}, "schema": {"name": "_xdm.context.profile"}})
    assert finished(profile, export["id"])["metrics"]["totalExportedProfileCounter"] == 52
    segmentation.deleteJob(job["id"])
    assert segmentation.getJobs() == []
    segmentation.deleteSegment(made["id"])


def test_audiences_are_made_listed_changed_and_deleted(client):
    segmentation = client["segmentation"]
    body = {**segmentation.PLATFORM_AUDIENCE_DICT, "expression": {"type": "PQL", "format": "pql/text", "value": "xEvent"}}
    made = segmentation.createAudience(body)
    audience = made["audienceId"]
    assert (made["namespace"], made["lifecycleState"]) == ("AEPSegments", "published")
    assert segmentation.createAudience(body)["status"] == 422
    # It asks for pages of two.
    assert {one["id"] for one in segmentation.getAudiences(limit=2)} >= {audience, "holiday-shoppers"}
    assert [one["id"] for one in segmentation.getAudiences(name="LAST 30")] == [audience]
    assert [one["id"] for one in segmentation.getAudiences(prop=f"audienceId=={audience}")] == [audience]
    assert segmentation.getAudience(audience)["labels"] == ["core/C1"]
    changes = [{"op": "add", "path": "/expression", "value": {"type": "PQL", "format": "pql/text", "value": "true"}}]
    assert segmentation.patchAudience(audience, changes)["expression"]["value"] == "true"
    assert segmentation.putAudience(audience, body)["expression"]["value"] == "xEvent"
    segmentation.deleteAudience(audience)
    assert segmentation.getAudience(audience)["status"] == 404


def test_schedules_are_made_changed_and_deleted(client):
    segmentation = client["segmentation"]
    made = segmentation.createSchedule({
        "name": "Nightly", "type": "batch_segmentation", "properties": {"segments": ["*"]},
        "schedule": "0 0 2 * * ?", "frequency": "daily"})
    # It looks for the daily one by itself.
    segmentation.updateScheduledBatchSegmentationJob("0 0 1 * * ?")
    segmentation.updateSchedule(made["id"], [{"op": "add", "path": "/state", "value": "active"}])
    changed = segmentation.getSchedule(made["id"])
    assert (changed["schedule"], changed["state"]) == ("0 0 1 * * ?", "active")
    assert [one["id"] for one in segmentation.getSchedules()] == [made["id"]]
    segmentation.deleteSchedule(made["id"])
    assert segmentation.getSchedule(made["id"])["status"] == 404


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


def test_a_profile_a_batch_and_a_dataset_are_deleted(client, server):
    profile = client["profile"]
    whose = {"entityId": "person226@example.com", "entityIdNS": "email"}
    assert profile.deleteEntity(schema_name="_xdm.context.profile", **whose) == 202
    [entity] = profile.getEntity(schema_name="_xdm.context.profile", **whose).values()
    assert entity["entity"] == {} and entity["sources"] == [""]
    assert profile.getEntityEvents(**whose) == []

    visits = next(name for name, body in client["catalog"].getDataSets().items() if body["name"] == "visits")
    made = server.ask("POST", "/data/foundation/import/batches", json={"datasetId": visits, "inputFormat": {"format": "json"}})
    batch = made.json()["id"]
    path = f"/data/foundation/import/batches/{batch}"
    event = b'{"_id": "new", "timestamp": "2026-01-01T00:00:00Z", "ingestedAt": "2026-01-01T00:00:00Z",' \
        b' "identityMap": {"Email": [{"id": "person226@example.com"}]}}'
    assert server.ask("PUT", f"{path}/datasets/{visits}/files/a.json", data=event).status_code == 200
    assert server.ask("POST", f"{path}?action=COMPLETE").status_code == 200
    until(lambda: client["catalog"].getBatch(batch)[batch]["status"] == "success" or None)
    assert len(profile.getEntityEvents(**whose)) == 1
    for what in ({"batchId": batch}, {"dataSetId": visits}):
        job = profile.createDeleteSystemJob(**what)
        done = until(lambda: s if (s := profile.getDeleteSystemJob(job["id"]))["status"] == "COMPLETED" else None)
        assert done["jobType"] == "DELETE" and json.loads(done["metrics"])["recordsProcessed"] > 0
        assert profile.getEntityEvents(**whose) == []
    listed = profile.getDeleteSystemJobs(limit=1)
    assert len(listed) == 2 and listed[0]["id"] != listed[1]["id"]
    assert profile.deleteDeleteSystemJob(job["id"]) == 200
    assert len(profile.getDeleteSystemJobs()) == 1


def test_what_profiles_are_made_of_is_counted(client):
    profile = client["profile"]
    status = profile.getPreviewStatus()
    assert (status["totalRows"], status["numRowsToRead"], status["samplingRatio"]) == ("403", "403", 1.0)
    # Counted by hand from the fixtures: different primary identities, since the default policy joins none.
    names = {one["name"]: one["fullIDsCount"] for one in profile.getPreviewDataSet()}
    assert set(names) == {"crm", "loyalty", "visits", "web"}, names
    frame = profile.getPreviewDataSet(output="df")
    overlap = profile.getPreviewDataSetOverlap()
    assert sum(overlap.values()) == int(status["totalRows"])
    for _, one in frame.iterrows():
        assert sum(count for ids, count in overlap.items() if one["value"] in ids.split(",")) == one["fullIDsCount"]
    codes = {one["code"]: one["fullIDsCount"] for one in profile.getPreviewNamespace()}
    assert 0 < codes["Email"] <= int(status["totalRows"])


def test_schemas_are_looked_up_declared_and_used(client, server):
    schemas, catalog = client["schemas"], client["catalog"]
    assert schemas.getTenantId() == "local"
    assert {one["meta:altId"] for one in schemas.getUnions()} == {
        "_xdm.context.profile__union", "_xdm.context.experienceevent__union"}
    union = schemas.getUnion("https://ns.adobe.com/xdm/context/profile__union")
    assert union["properties"]["xdm:personalEmail"]["properties"]["xdm:address"]["type"] == "string"
    paths = schemas.getSchemaPaths("_xdm.context.profile__union")
    assert {"person.name.firstName", "personalEmail.address", "identityMap"} <= set(paths)
    assert schemas.getSchemaSample("_xdm.context.profile__union")["xdm:personalEmail"]["xdm:address"] == "Sample value"
    listed = schemas.getSchemas()
    full = schemas.getSchema(listed[0]["$id"], schema_type="xed")
    assert full["title"] == listed[0]["title"] and full["meta:class"].startswith("https://ns.adobe.com/xdm/context/")

    own = {"_local": {"type": "object", "properties": {"member": {"type": "string"}, "points": {"type": "integer"}}}}
    made = schemas.createSchema({
        "title": "Members", "type": "object",
        "allOf": [{"$ref": "https://ns.adobe.com/xdm/context/profile"}, {"$ref": "#/definitions/own"}],
        "definitions": {"own": {"properties": own}}})
    assert schemas.enableSchemaForRealTime(made["$id"])["meta:immutableTags"] == ["union"]
    said = schemas.createDescriptor(sourceSchema=made["$id"], sourceProperty="/_local/member", namespace="Loyalty", primary=True)
    assert said["@id"] in {one["@id"] for one in schemas.getDescriptors(type_desc="xdm:descriptorIdentity")}
    members = catalog.createDataSet(data={"name": "Members", "schemaRef": {"id": made["$id"]}})[0].split("/")[-1]
    batches = "/data/foundation/import/batches"
    for points, status in (("many", "failed"), (7, "success")):
        batch = server.ask("POST", batches, json={"datasetId": members, "inputFormat": {"format": "json"}}).json()["id"]
        record = {"_local": {"member": "M1", "points": points}}
        assert server.ask("PUT", f"{batches}/{batch}/datasets/{members}/files/a.json", json=record).status_code == 200
        assert server.ask("POST", f"{batches}/{batch}?action=COMPLETE").status_code == 200
        until(lambda: catalog.getBatch(batch)[batch]["status"] == status or None)
    [entity] = client["profile"].getEntity("_xdm.context.profile", "M1", "Loyalty").values()
    assert entity["entity"]["_local"]["points"] == 7
    assert schemas.deleteDescriptor(said["@id"])["status"] == 409
    assert schemas.deleteSchema(made["$id"])["status"] == 409
