"""What clients of the platform ask, and what comes of it: the list behind docs/compatibility.md.

A request has its method, its path, the status that it gets and, where that is a refusal, the reason. {names} in paths and
bodies are what earlier requests made. A call of the client aepp has the statuses of the requests that it sends.
"""
from conftest import UNION

UPS, CATALOG = "/data/core/ups", "/data/foundation/catalog"
EXPORT, IMPORT = "/data/foundation/export", "/data/foundation/import"
NAMESPACES, CORE = "/data/core/idnamespace", "/data/core/identity"
PROFILE = "_xdm.context.profile"
WHOSE = {"entityId": "person226@example.com", "entityIdNS": "email"}
PQL = {"type": "PQL", "format": "pql/text", "value": "xEvent"}
JOB = {"destination": {"datasetId": "{target}"}, "schema": {"name": PROFILE}, "fields": "_id"}
POLICY = {"name": "Mine", "schema": {"name": PROFILE}, "identityGraph": {"type": "none"},
          "attributeMerge": {"type": "timestampOrdered"}, "default": False}
SCHEDULE = {"name": "Nightly", "type": "batch_segmentation", "properties": {"segments": ["*"]}, "schedule": "0 0 2 * * ?"}
REGISTRY, CLASS = "/data/foundation/schemaregistry", "https://ns.adobe.com/xdm/context/profile"
SCHEMA = {"title": "Members", "type": "object", "allOf": [{"$ref": CLASS}, {"$ref": "#/definitions/own"}],
          "definitions": {"own": {"properties": {"_local": {"type": "object", "properties": {"member": {"type": "string"}}}}}}}
EDGE = {"type": "EDGE", "dataCenters": ["VA6"]}
UPLOAD = f"{IMPORT}/batches/{{incoming}}/datasets/{{target}}/files/a.json"

NO_QUERIES = "this one is built without SQL; a program with it has the query service ([sql.md](sql.md))"
NO_GROUPS = "a schema brings its fields in `definitions`; field groups are made from what records have"
NO_COMPUTED = "there are no computed attributes"
NOT_YET = "not yet"


def request(method, path, status, why="", body=None, keep=None, headers=None, data=None, query=""):
    """`keep` has a name for what an answer made, and how it is found there."""
    return {"method": method, "path": path, "status": status, "why": why, "body": body, "keep": keep,
            "headers": headers or {}, "data": data, "query": query}


def form(words):
    return {"Accept": f"application/vnd.adobe.{words}+json; version=1"}


def first_id(answer):
    return answer[0].split("/")[-1]


def own_id(answer):
    return answer["id"]


REQUESTS = [
    ("Tokens and sandboxes", [
        request("POST", "/ims/token/v3", 200, query="?grant_type=client_credentials&client_id=x"),
        request("POST", "/ims/token/v2", 200, query="?grant_type=client_credentials&client_id=x"),
        request("POST", "/ims/exchange/jwt", 404, "the platform ended it; `/ims/token/v3` gives tokens"),
        request("GET", "/data/foundation/sandbox-management/", 200),
        request("GET", "/data/foundation/sandbox-management/sandboxes", 200),
        request("GET", "/data/foundation/sandbox-management/sandboxes/prod", 200),
        request("GET", "/data/foundation/sandbox-management/sandboxTypes", 200),
        request("POST", "/data/foundation/sandbox-management/sandboxes", 405,
                "a sandbox is there as soon as something is kept in it", body={"name": "x"}),
    ]),
    ("Datasets and batches", [
        request("POST", f"{CATALOG}/dataSets", 201, body={"name": "Target", "schemaRef": UNION}, keep=("target", first_id)),
        request("GET", f"{CATALOG}/dataSets", 200, query="?limit=5&orderBy=desc:created&tags=adobe/pqs/table:*"),
        request("GET", f"{CATALOG}/dataSets/{{target}}", 200),
        request("PATCH", f"{CATALOG}/dataSets/{{target}}", 200, body={"description": "for exports"}),
        request("PATCH", f"{CATALOG}/v2/dataSets/{{target}}", 200, body={"description": "for exports"}),
        request("PUT", f"{CATALOG}/dataSets/{{target}}", 200, body={"name": "Target"}),
        request("GET", f"{CATALOG}/dataSets/{{target}}/views", 404, "a dataset has one view, its own"),
        request("GET", f"{CATALOG}/lastBatches", 200),
        request("GET", f"{CATALOG}/batches", 200, query="?limit=5&status=success&createdAfter=0"),
        request("POST", f"{CATALOG}/batches", 405, f"batches are begun by `POST {IMPORT}/batches`", body={}),
        request("POST", f"{IMPORT}/batches", 201, body={"datasetId": "{target}", "inputFormat": {"format": "json"}},
                keep=("incoming", own_id)),
        request("POST", f"{IMPORT}/batches", 400, "batches can't be replaced", body={
            "datasetId": "{target}", "replay": {"predecessors": ["x"], "reason": "replace"}}),
        request("POST", f"{IMPORT}/batches", 400, "JSON and Parquet come in, CSV does not", body={
            "datasetId": "{target}", "inputFormat": {"format": "csv"}}),
        request("PUT", UPLOAD, 200, data=b"{}"),
        request("POST", f"{UPLOAD}?action=INITIALIZE", 201),
        request("PATCH", UPLOAD, 200, data=b"{}", headers={"Content-Range": "bytes 0-1/2"}),
        request("HEAD", UPLOAD, 200),
        request("POST", f"{UPLOAD}?action=COMPLETE", 201),
        request("GET", f"{IMPORT}/batches/{{incoming}}", 200),
        request("GET", f"{CATALOG}/batches/{{incoming}}", 200),
        request("POST", f"{IMPORT}/batches/{{incoming}}?action=ABORT", 200),
        request("POST", f"{IMPORT}/batches/{{incoming}}?action=FAIL", 400, "a batch is completed, aborted or reverted"),
        request("DELETE", f"{CATALOG}/batches/{{incoming}}", 200),
        request("POST", f"{IMPORT}/batches/{{loaded}}?action=REVERT", 200),
    ]),
    ("Export jobs and their files", [
        request("POST", f"{UPS}/export/jobs", 200, body=JOB, keep=("job", own_id)),
        request("GET", f"{UPS}/export/jobs/", 200),
        request("GET", f"{UPS}/export/jobs", 200, query="?limit=2&status=SUCCEEDED"),
        request("GET", f"{UPS}/export/jobs/{{job}}", 200),
        request("DELETE", f"{UPS}/export/jobs/{{done}}", 409, "a job that has ended can't be cancelled"),
        request("GET", f"{EXPORT}/batches/{{batch}}/files", 200),
        request("GET", f"{EXPORT}/batches/{{batch}}/failed", 200),
        request("GET", f"{EXPORT}/batches/{{batch}}/meta", 200),
        request("GET", f"{EXPORT}/files/{{batch}}-1", 200),
        request("GET", f"{EXPORT}/files/{{batch}}-1", 206, query="?path=part-00000.parquet", headers={"Range": "bytes=0-3"}),
        request("HEAD", f"{EXPORT}/files/{{batch}}-1", 200, query="?path=part-00000.parquet"),
        request("GET", f"{EXPORT}/datasets/{{target}}/preview", 404, NOT_YET),
    ]),
    ("Merge policies", [
        request("POST", f"{UPS}/config/mergePolicies", 200, body=POLICY, keep=("policy", own_id)),
        request("GET", f"{UPS}/config/mergePolicies", 200),
        request("GET", f"{UPS}/config/mergePolicies/{{policy}}", 200),
        request("POST", f"{UPS}/config/mergePolicies/bulk-get", 207, body={"ids": [{"id": "{policy}"}]}),
        request("PATCH", f"{UPS}/config/mergePolicies/{{policy}}", 200, body=[{"op": "add", "path": "/name", "value": "x"}]),
        request("PUT", f"{UPS}/config/mergePolicies/{{policy}}", 200, body=POLICY),
        request("DELETE", f"{UPS}/config/mergePolicies/{{policy}}", 200),
    ]),
    ("Profiles, identities and projections", [
        request("GET", f"{UPS}/access/entities", 200, query=f"?schema.name={PROFILE}&entityId=x&entityIdNS=email"),
        request("POST", f"{UPS}/access/entities", 200, body={
            "schema": {"name": PROFILE}, "identities": [{"entityId": "x", "entityIdNS": {"code": "email"}}]}),
        request("DELETE", f"{UPS}/access/entities", 202, query=f"?schema.name={PROFILE}&entityId=x&entityIdNS=email"),
        request("DELETE", f"{UPS}/access/entities", 400, "whose records go is said", query=f"?schema.name={PROFILE}"),
        request("GET", f"{NAMESPACES}/identities", 200),
        request("POST", f"{NAMESPACES}/identities", 200, body={"name": "Own", "code": "own", "idType": "DEVICE"}),
        request("GET", f"{NAMESPACES}/identities/own", 200),
        request("PUT", f"{NAMESPACES}/identities/own", 200, body={"name": "Own", "code": "own", "idType": "COOKIE"}),
        request("GET", f"{NAMESPACES}/orgs/local@AdobeOrg/identities", 200),
        request("GET", f"{CORE}/identity", 200, query="?nsid=6&id=x"),
        request("GET", f"{CORE}/cluster/members", 200, query="?ns=email&id=x"),
        request("POST", f"{CORE}/clusters/members", 200, body={"compositeXids": [{"nsid": 6, "id": "x"}]}),
        request("POST", f"{CORE}/v2/graph", 404, "its answer is not documented; `/clusters/members` has the same"),
        request("GET", f"{CORE}/mapping", 404, "`/cluster/members` has all identities of a person"),
        request("POST", f"{UPS}/config/destinations", 200, body=EDGE, keep=("edge", own_id)),
        request("GET", f"{UPS}/config/destinations", 200),
        request("GET", f"{UPS}/config/destinations/{{edge}}", 200),
        request("PUT", f"{UPS}/config/destinations/{{edge}}", 200, body=EDGE),
        request("POST", f"{UPS}/config/projections", 200, query=f"?schemaName={PROFILE}", keep=("projection", own_id), body={
            "name": "names", "selector": "person(name)", "destinationId": "{edge}"}),
        request("GET", f"{UPS}/config/projections", 200),
        request("GET", f"{UPS}/config/projections/{{projection}}", 200),
        request("PUT", f"{UPS}/config/projections/{{projection}}", 200, body={
            "name": "names", "selector": "person(name)", "destinationId": "{edge}"}),
        request("GET", f"{UPS}/access/projections/names", 200, query="?entityId=x&entityIdNS=email"),
        request("DELETE", f"{UPS}/config/destinations/{{edge}}", 409, "a projection names it"),
        request("DELETE", f"{UPS}/config/projections/{{projection}}", 204),
        request("GET", f"{UPS}/config/computedAttributes", 404, NO_COMPUTED),
        request("GET", f"{UPS}/search", 404, "definitions are in no folders"),
    ]),
    ("Profile reports", [
        request("GET", f"{UPS}/previewsamplestatus", 200),
        request("GET", f"{UPS}/previewsamplestatus/report/dataset", 200),
        request("GET", f"{UPS}/previewsamplestatus/report/namespace", 200),
        request("GET", f"{UPS}/previewsamplestatus/report/dataset/overlap", 200, headers={"x-model-name": PROFILE}),
        request("GET", f"{UPS}/previewsamplestatus/report/namespace/overlap", 200, headers={"x-model-name": PROFILE}),
        request("GET", f"{UPS}/previewsamplestatus/report/unstitchedProfiles", 200),
        request("GET", f"{UPS}/previewsamplestatus/report/unknownProfiles", 200),
    ]),
    ("Schema registry", [
        request("GET", f"{REGISTRY}/stats", 200),
        request("GET", f"{REGISTRY}/global/classes", 200, headers=form("xed-id")),
        request("GET", f"{REGISTRY}/global/classes/_xdm.context.profile", 200, headers=form("xed-full")),
        request("GET", f"{REGISTRY}/global/behaviors", 200),
        request("GET", f"{REGISTRY}/global/fieldgroups", 200),
        request("GET", f"{REGISTRY}/global/datatypes", 200),
        request("GET", f"{REGISTRY}/tenant/unions", 200, headers=form("xed")),
        request("GET", f"{REGISTRY}/tenant/unions/_xdm.context.profile__union", 200, headers=form("xdm-full")),
        request("GET", f"{REGISTRY}/tenant/schemas", 200, headers=form("xed-id"),
                query="?property=meta:immutableTags==union&orderby=title&limit=5"),
        request("POST", f"{REGISTRY}/tenant/schemas", 201, body=SCHEMA, keep=("schema", lambda made: made["meta:altId"])),
        request("POST", f"{REGISTRY}/tenant/schemas", 400, "what it refers to is here, or in its definitions", body={
            "title": "x", "allOf": [{"$ref": CLASS}, {"$ref": "https://ns.adobe.com/xdm/context/none"}]}),
        request("POST", f"{REGISTRY}/tenant/fieldgroups", 400, NO_GROUPS, body={"title": "x"}),
        request("POST", f"{REGISTRY}/tenant/classes", 400, "there are the two classes of profiles and events", body={"title": "x"}),
        request("GET", f"{REGISTRY}/tenant/schemas/{{schema}}", 200, headers=form("xed-full-desc")),
        request("PATCH", f"{REGISTRY}/tenant/schemas/{{schema}}", 200,
                body=[{"op": "add", "path": "/meta:immutableTags", "value": ["union"]}]),
        request("PUT", f"{REGISTRY}/tenant/schemas/{{schema}}", 200, body=SCHEMA),
        request("POST", f"{REGISTRY}/tenant/descriptors", 201, body={
            "@type": "xdm:descriptorIdentity", "xdm:sourceSchema": "{schema}", "xdm:sourceProperty": "/_local/member",
            "xdm:namespace": "Loyalty", "xdm:isPrimary": True}, keep=("descriptor", lambda made: made["@id"])),
        request("POST", f"{REGISTRY}/tenant/descriptors", 400, "relationships between datasets are not followed", body={
            "@type": "xdm:descriptorOneToOne", "xdm:sourceSchema": "{schema}", "xdm:sourceProperty": "/_local/member"}),
        request("GET", f"{REGISTRY}/tenant/descriptors", 200, headers=form("xdm-v2")),
        request("GET", f"{REGISTRY}/tenant/descriptors/{{descriptor}}", 200, headers=form("xdm")),
        request("DELETE", f"{REGISTRY}/tenant/descriptors/{{descriptor}}", 204),
        request("GET", f"{REGISTRY}/rpc/sampledata/{{schema}}", 200, headers=form("xed")),
        request("GET", f"{REGISTRY}/rpc/export/{{schema}}", 200, headers=form("xed")),
        request("DELETE", f"{REGISTRY}/tenant/schemas/{{schema}}", 204),
    ]),
    ("System jobs", [
        request("POST", f"{UPS}/system/jobs", 200, body={"dataSetId": "{target}"}, keep=("system", own_id)),
        request("POST", f"{UPS}/system/jobs", 400, "a batch or a dataset, one of them", body={}),
        request("GET", f"{UPS}/system/jobs", 200, query="?limit=5"),
        request("GET", f"{UPS}/system/jobs/{{system}}", 200),
        request("DELETE", f"{UPS}/system/jobs/{{system}}", 200),
    ]),
    ("Segments", [
        request("POST", f"{UPS}/segment/definitions", 200, body={"name": "s", "expression": PQL}, keep=("segment", own_id)),
        request("GET", f"{UPS}/segment/definitions", 200),
        request("GET", f"{UPS}/segment/definitions/{{segment}}", 200),
        request("PATCH", f"{UPS}/segment/definitions/{{segment}}", 200, body={"name": "t", "expression": PQL}),
        request("POST", f"{UPS}/segment/definitions/bulk-get", 207, body={"ids": [{"id": "{segment}"}]}),
        request("POST", f"{UPS}/segment/conversion", 200, body={"name": "s", "expression": PQL}),
        request("POST", f"{UPS}/preview", 201, body={"predicateExpression": "xEvent"},
                keep=("preview", lambda answer: answer["previewId"])),
        request("GET", f"{UPS}/preview/{{preview}}", 200),
        request("GET", f"{UPS}/estimate/{{preview}}", 200),
        request("GET", f"{UPS}/audiences", 200),
        request("POST", f"{UPS}/segment/jobs", 200, body=[{"segmentId": "{segment}"}], keep=("evaluation", own_id)),
        request("GET", f"{UPS}/segment/jobs", 200),
        request("GET", f"{UPS}/segment/jobs/{{evaluation}}", 200),
        request("POST", f"{UPS}/config/schedules", 200, body=SCHEDULE, keep=("schedule", own_id)),
        request("GET", f"{UPS}/config/schedules", 200),
        request("DELETE", f"{UPS}/config/schedules/{{schedule}}", 204),
    ]),
    ("What there is not", [
        request("GET", "/data/foundation/query/queries", 404, NO_QUERIES),
        request("POST", "/data/foundation/query/queries", 404, NO_QUERIES, body={}),
        request("GET", f"{REGISTRY}/rpc/auditlog/x", 404, "changes are in the server's log"),
        request("GET", "/data/foundation/flowservice/flows", 404, "`export` writes files; there are no destinations to activate"),
    ]),
]


def call(name, statuses, run, why="", fault=None, keep=None):
    """`fault` is the exception that the client ends with, by itself or on a refusal."""
    return {"name": name, "statuses": statuses, "run": run, "why": why, "fault": fault, "keep": keep}


CALLS = [
    call("Catalog.createDataSet", [201], lambda c, k: c.catalog.createDataSet(data={"name": "By aepp", "schemaRef": UNION}),
         keep=("aepp_target", first_id)),
    call("Catalog.createUnionProfileDataset", [201], lambda c, k: c.catalog.createUnionProfileDataset()),
    call("Catalog.getDataSet", [200], lambda c, k: c.catalog.getDataSet(k["aepp_target"])),
    call("Catalog.getDataSets", [200], lambda c, k: c.catalog.getDataSets()),
    call("Catalog.enableDatasetProfile", [200], lambda c, k: c.catalog.enableDatasetProfile(k["aepp_target"])),
    call("Catalog.enableDatasetIdentity", [200], lambda c, k: c.catalog.enableDatasetIdentity(k["aepp_target"])),
    call("Catalog.enableDatasetUpsert", [200], lambda c, k: c.catalog.enableDatasetUpsert(k["aepp_target"]),
         "nothing is loaded into the dataset then"),
    call("Catalog.disableDatasetProfile", [200], lambda c, k: c.catalog.disableDatasetProfile(k["aepp_target"]),
         "nothing is loaded into the dataset then"),
    call("Catalog.patchDataset", [200], lambda c, k: c.catalog.patchDataset(k["aepp_target"], {"description": "x"})),
    call("Catalog.patchDatasetV2", [200], lambda c, k: c.catalog.patchDatasetV2(k["aepp_target"], {"description": "y"})),
    call("Catalog.putDataset", [200], lambda c, k: c.catalog.putDataset(k["aepp_target"], {"name": "By aepp"})),
    call("Catalog.getBatch", [200], lambda c, k: c.catalog.getBatch(k["batch"])),
    call("Catalog.getBatches", [200], lambda c, k: c.catalog.getBatches(limit=10)),
    call("Catalog.getLastBatches", [200], lambda c, k: c.catalog.getLastBatches(k["target"])),
    call("DataIngestion.createBatch", [201], lambda c, k: c.ingestion.createBatch(k["aepp_target"]),
         keep=("aepp_batch", own_id)),
    call("DataIngestion.uploadSmallFile", [200], lambda c, k: c.ingestion.uploadSmallFile(
        k["aepp_batch"], k["aepp_target"], "a.json", {"identityMap": {"Email": [{"id": "a@x.example"}]}})),
    call("DataIngestion.headFileStatus", [200], lambda c, k: c.ingestion.headFileStatus(
        k["aepp_batch"], k["aepp_target"], "a.json")),
    call("DataIngestion.uploadSmallFileFinish", [200], lambda c, k: c.ingestion.uploadSmallFileFinish(k["aepp_batch"])),
    call("DataIngestion.replayBatch", [405], lambda c, k: c.ingestion.replayBatch(k["aepp_target"], [k["aepp_batch"]]),
         "batches can't be replaced (and it sends PATCH, where the platform's documents have POST)"),
    call("DataIngestion.deleteBatch", [200], lambda c, k: c.ingestion.deleteBatch(k["aepp_loaded"])),
    call("DataAccess.getBatchFiles", [200], lambda c, k: c.access.getBatchFiles(k["batch"])),
    call("DataAccess.getBatchFailed", [200], lambda c, k: c.access.getBatchFailed(k["batch"])),
    call("DataAccess.getBatchMeta", [200], lambda c, k: c.access.getBatchMeta(k["batch"])),
    call("DataAccess.getFiles", [200], lambda c, k: c.access.getFiles(f"{k['batch']}-1")),
    call("DataAccess.getHeadFile", [200], lambda c, k: c.access.getHeadFile(f"{k['batch']}-1", "part-00000.parquet"),
         "always returns {}"),
    call("DataAccess.getParquetFilesToDataFrame", [], lambda c, k: c.access.getParquetFilesToDataFrame(k["batch"]),
         "`pandas.read_parquet(access.getFiles(id, path=name))` does it", fault=Exception),
    call("Profile.createExportJob", [200], lambda c, k: c.profile.createExportJob(
        fields=["_id"], mergePolicyId="latest", datasetId=k["target"]), keep=("aepp_job", own_id)),
    call("Profile.getExportJobs", [200], lambda c, k: c.profile.getExportJobs(limit=100)),
    call("Profile.getExportJob", [200], lambda c, k: c.profile.getExportJob(str(k["aepp_job"]))),
    call("Profile.deleteExportJob", [409], lambda c, k: c.profile.deleteExportJob(str(k["done"])),
         "a job that has ended can't be cancelled"),
    call("Segmentation.getExportJobs", [200], lambda c, k: c.segmentation.getExportJobs(limit=100)),
    call("Segmentation.getExport", [200], lambda c, k: c.segmentation.getExport(str(k["done"]))),
    call("Segmentation.deleteExport", [409], lambda c, k: c.segmentation.deleteExport(str(k["done"])),
         "a job that has ended can't be cancelled"),
    call("Profile.getMergePolicies", [200], lambda c, k: c.profile.getMergePolicies(limit=100)),
    call("Profile.createMergePolicy", [200], lambda c, k: c.profile.createMergePolicy(POLICY), keep=("aepp_policy", own_id)),
    call("Profile.getMergePolicy", [200], lambda c, k: c.profile.getMergePolicy(k["aepp_policy"])),
    call("Profile.updateMergePolicy", [200], lambda c, k: c.profile.updateMergePolicy(k["aepp_policy"], POLICY)),
    call("Profile.patchMergePolicy", [200], lambda c, k: c.profile.patchMergePolicy(
        k["aepp_policy"], [{"op": "add", "path": "/name", "value": "x"}])),
    call("Profile.deleteMergePolicy", [200], lambda c, k: c.profile.deleteMergePolicy(k["aepp_policy"])),
    call("Profile.getEntity", [200], lambda c, k: c.profile.getEntity(schema_name=PROFILE, **WHOSE)),
    call("Profile.getEntityEvents", [200], lambda c, k: c.profile.getEntityEvents(n_events=5, limit=1000, **WHOSE)),
    call("Profile.getDestinations", [200], lambda c, k: c.profile.getDestinations()),
    call("Profile.createDestination", [200], lambda c, k: c.profile.createDestination(EDGE), keep=("aepp_edge", own_id)),
    call("Profile.getDestination", [200], lambda c, k: c.profile.getDestination(k["aepp_edge"])),
    call("Profile.updateDestination", [200], lambda c, k: c.profile.updateDestination(k["aepp_edge"], EDGE)),
    call("Profile.createProjection", [200], lambda c, k: c.profile.createProjection(PROFILE, {
        "name": "aepp", "selector": "person(name)", "destinationId": k["aepp_edge"]}), keep=("aepp_projection", own_id)),
    call("Profile.getProjections", [200], lambda c, k: c.profile.getProjections(PROFILE, "aepp")),
    call("Profile.getProjection", [200], lambda c, k: c.profile.getProjection(k["aepp_projection"])),
    call("Profile.updateProjection", [200], lambda c, k: c.profile.updateProjection(k["aepp_projection"], {
        "name": "aepp", "selector": "person", "destinationId": k["aepp_edge"]})),
    call("Profile.deleteProjection", [204], lambda c, k: c.profile.deleteProjection(k["aepp_projection"])),
    call("Profile.deleteDestination", [204], lambda c, k: c.profile.deleteDestination(k["aepp_edge"])),
    call("Profile.deleteEntity", [202], lambda c, k: c.profile.deleteEntity(PROFILE, "x", "email")),
    call("Profile.createDeleteSystemJob", [200], lambda c, k: c.profile.createDeleteSystemJob(dataSetId=k["aepp_target"]),
         keep=("aepp_system", own_id)),
    call("Profile.getDeleteSystemJobs", [200], lambda c, k: c.profile.getDeleteSystemJobs()),
    call("Profile.getDeleteSystemJob", [200], lambda c, k: c.profile.getDeleteSystemJob(k["aepp_system"])),
    call("Profile.deleteDeleteSystemJob", [200], lambda c, k: c.profile.deleteDeleteSystemJob(k["aepp_system"])),
    call("Profile.getPreviewStatus", [200], lambda c, k: c.profile.getPreviewStatus()),
    call("Profile.getPreviewDataSet", [200], lambda c, k: c.profile.getPreviewDataSet()),
    call("Profile.getPreviewDataSetOverlap", [200], lambda c, k: c.profile.getPreviewDataSetOverlap()),
    call("Profile.getPreviewNamespace", [200], lambda c, k: c.profile.getPreviewNamespace()),
    call("Profile.getComputedAttributes", [404], lambda c, k: c.profile.getComputedAttributes(), NO_COMPUTED),
    call("Identity.getIdentities", [200], lambda c, k: c.identity.getIdentities()),
    call("Identity.getIdentityDetail", [200], lambda c, k: c.identity.getIdentityDetail("6")),
    call("Identity.createIdentity", [200], lambda c, k: c.identity.createIdentity("By aepp", "byaepp", "DEVICE"),
         keep=("aepp_namespace", own_id)),
    call("Identity.updateIdentity", [200], lambda c, k: c.identity.updateIdentity(
        str(k["aepp_namespace"]), "By aepp", "byaepp", "COOKIE", "x")),
    call("Identity.getIdentitiesIMS", [200], lambda c, k: c.identity.getIdentitiesIMS()),
    call("Identity.getIdentity", [200], lambda c, k: c.identity.getIdentity("x", namespace="email")),
    call("Identity.getLinkedIdentities", [404], lambda c, k: c.identity.getLinkedIdentities([{"ns": "email", "id": "x"}]),
         "`POST /data/core/identity/clusters/members` has the same"),
    call("Sandboxes.getSandboxes", [200], lambda c, k: c.sandboxes.getSandboxes()),
    call("Sandboxes.getSandbox", [200], lambda c, k: c.sandboxes.getSandbox("prod")),
    call("Sandboxes.getSandboxTypes", [200], lambda c, k: c.sandboxes.getSandboxTypes()),
    call("Segmentation.getSegments", [200], lambda c, k: c.segmentation.getSegments()),
    call("Schema.getStats", [200], lambda c, k: c.schemas.getStats()),
    call("Schema.getTenantId", [200], lambda c, k: c.schemas.getTenantId()),
    call("Schema.getBehaviors", [200], lambda c, k: c.schemas.getBehaviors()),
    call("Schema.getBehavior", [200], lambda c, k: c.schemas.getBehavior("https://ns.adobe.com/xdm/data/time-series")),
    call("Schema.getClasses", [200], lambda c, k: c.schemas.getClasses()),
    call("Schema.getClassesGlobal", [200], lambda c, k: c.schemas.getClassesGlobal()),
    call("Schema.getUnions", [200], lambda c, k: c.schemas.getUnions()),
    call("Schema.getUnion", [200], lambda c, k: c.schemas.getUnion("_xdm.context.profile__union")),
    call("Schema.getXDMprofileSchema", [200], lambda c, k: c.schemas.getXDMprofileSchema()),
    call("Schema.getSchemas", [200], lambda c, k: c.schemas.getSchemas(), keep=("aepp_generated", lambda all: all[0]["$id"])),
    call("Schema.getSchemasGlobal", [200], lambda c, k: c.schemas.getSchemasGlobal()),
    call("Schema.getSchema", [200], lambda c, k: c.schemas.getSchema(k["aepp_generated"])),
    call("Schema.getSchemaPaths", [200], lambda c, k: c.schemas.getSchemaPaths("_xdm.context.profile__union")),
    call("Schema.getSchemaSample", [200], lambda c, k: c.schemas.getSchemaSample("_xdm.context.profile__union")),
    call("Schema.exportResource", [200], lambda c, k: c.schemas.exportResource(k["aepp_generated"])),
    call("Schema.getFieldGroups", [200], lambda c, k: c.schemas.getFieldGroups(), keep=("aepp_group", lambda all: all[0]["$id"])),
    call("Schema.getFieldGroupsGlobal", [200], lambda c, k: c.schemas.getFieldGroupsGlobal()),
    call("Schema.getFieldGroup", [200], lambda c, k: c.schemas.getFieldGroup(k["aepp_group"])),
    call("Schema.createFieldGroup", [400], lambda c, k: c.schemas.createFieldGroup(
        {"title": "x", "type": "object", "definitions": {}}), NO_GROUPS),
    call("Schema.getDataTypes", [200], lambda c, k: c.schemas.getDataTypes()),
    call("Schema.getDataTypesGlobal", [200], lambda c, k: c.schemas.getDataTypesGlobal()),
    call("Schema.createSchema", [201], lambda c, k: c.schemas.createSchema(SCHEMA), keep=("aepp_schema", lambda made: made["$id"])),
    call("Schema.createProfileSchema", [201], lambda c, k: c.schemas.createProfileSchema("By aepp", [k["aepp_group"]])),
    call("Schema.patchSchema", [200], lambda c, k: c.schemas.patchSchema(
        k["aepp_schema"], [{"op": "replace", "path": "/title", "value": "Changed"}])),
    call("Schema.enableSchemaForRealTime", [200], lambda c, k: c.schemas.enableSchemaForRealTime(k["aepp_schema"])),
    call("Schema.putSchema", [200], lambda c, k: c.schemas.putSchema(k["aepp_schema"], SCHEMA)),
    call("Schema.createDescriptor", [201], lambda c, k: c.schemas.createDescriptor(
        sourceSchema=k["aepp_schema"], sourceProperty="/_local/member", namespace="Loyalty", primary=True),
        keep=("aepp_descriptor", lambda made: made["@id"])),
    call("Schema.getDescriptors", [200], lambda c, k: c.schemas.getDescriptors()),
    call("Schema.getDescriptor", [200], lambda c, k: c.schemas.getDescriptor(k["aepp_descriptor"])),
    call("Schema.putDescriptor", [201], lambda c, k: c.schemas.putDescriptor(k["aepp_descriptor"], {
        "@type": "xdm:descriptorIdentity", "xdm:sourceSchema": k["aepp_schema"], "xdm:sourceProperty": "/_local/member",
        "xdm:namespace": "Loyalty", "xdm:isPrimary": True})),
    call("Schema.deleteDescriptor", [204], lambda c, k: c.schemas.deleteDescriptor(k["aepp_descriptor"])),
    call("Schema.deleteSchema", [204], lambda c, k: c.schemas.deleteSchema(k["aepp_schema"])),
    call("Schema.getAuditLogs", [404], lambda c, k: c.schemas.getAuditLogs("x"), "changes are in the server's log"),
    call("QueryService.getQueries", [404], lambda c, k: c.queries.getQueries(), NO_QUERIES, fault=Exception),
    call("QueryService.postQueries", [404], lambda c, k: c.queries.postQueries(name="x", sql="SELECT 1"), NO_QUERIES),
    call("QueryService.getQuery", [404], lambda c, k: c.queries.getQuery("x"), NO_QUERIES),
]
