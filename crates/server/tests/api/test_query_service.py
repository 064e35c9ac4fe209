"""The public Python client's QueryService, unmodified, over a program with SQL."""
import io
import time

import aepp
import pyarrow.parquet
import pytest

from conftest import until

CITIES = "SELECT homeAddress.city AS city, count(*) AS people FROM profile_snapshot_export GROUP BY 1"


@pytest.fixture
def queries(server, tmp_path, monkeypatch):
    if "/data/foundation/query/queries" not in server.get("/openapi.json")["paths"]:
        pytest.skip("the program was built without SQL")
    monkeypatch.chdir(tmp_path)
    aepp.configure(org_id="local@AdobeOrg", client_id="local", secret="local", sandbox="prod",
                   environment="support", accesstoken="local", endpoint=server.url, retry=0)
    aepp.config.config_object["connectionType"] = "support"
    aepp.config.config_object["date_limit"] = 4102444800
    from aepp import queryservice
    return queryservice.QueryService()


def ended(queries, query):
    def look():
        shown = queries.getQuery(query["id"])
        return shown if shown["state"] in ("SUCCESS", "FAILED", "KILLED") else None
    return until(look)


def test_a_query_makes_a_dataset_that_data_access_has(queries, server):
    made = queries.createQuery(name="cities", sql=CITIES, ctasParameters={"datasetName": "Some Cities", "description": "of people"})
    assert made["state"] == "SUBMITTED" and made["isCTAS"]
    done = ended(queries, made)
    assert (done["state"], done["errors"]) == ("SUCCESS", [])
    [dataset] = done["_links"]["referenced_datasets"]
    shown = server.get(dataset["href"])[dataset["id"]]
    assert (shown["name"], shown["description"], shown["tags"]["adobe/pqs/table"]) == ("Some Cities", "of people", ["some_cities"])
    batch = shown["lastBatchId"]
    [file] = server.get(f"/data/foundation/export/batches/{batch}/files")["data"]
    [file] = server.get(file["_links"]["self"]["href"])["data"]
    rows = pyarrow.parquet.read_table(io.BytesIO(server.ask("GET", file["_links"]["self"]["href"]).content))
    assert rows.num_rows == done["rowCount"] > 3 and rows.column_names == ["city", "people"]
    more = queries.createQuery(name="more", sql="SELECT 'Bern' AS city, 3 AS people", insertIntoParameters={"datasetName": "Some Cities"})
    assert ended(queries, more)["rowCount"] == 1
    counted = ended(queries, queries.createQuery(name="count", sql="SELECT * FROM some_cities"))
    assert counted["rowCount"] == rows.num_rows + 1


def test_what_fails_says_why_and_lists_find_it(queries):
    codes = {"SELECT FROM": "42601", "SELECT * FROM nowhere": "42P01", "SELECT nothing FROM crm": "42703",
             "UPDATE crm SET a = 1": "0A000", "DROP TABLE system_jobs": "42501"}
    for sql, code in codes.items():
        failed = ended(queries, queries.createQuery(name="wrong", sql=sql))
        assert failed["state"] == "FAILED" and failed["errors"][0]["code"] == code, failed
    found = queries.getQueries(limit=2, property="state==FAILED")
    assert sorted(one["errors"][0]["code"] for one in found) == sorted(codes.values())
    assert queries.deleteQuery(found[0]["id"])
    assert len(queries.getQueries(orderby="+created", excludeSoftDeleted=True)) == len(codes) - 1


def test_a_query_that_never_ends_is_cancelled(queries):
    endless = queries.createQuery(name="endless", sql="SELECT count(*) FROM visits a, visits b, visits c, visits d WHERE a._id || b._id < c._id || d._id")
    until(lambda: queries.getQuery(endless["id"])["state"] == "IN_PROGRESS")
    assert queries.cancelQuery(endless["id"])["statusCode"] == 202
    assert ended(queries, endless)["state"] == "KILLED"


def test_templates_and_schedules(queries):
    template = queries.createQueryTemplate(name="count", sql="SELECT * FROM $table", queryParameters={"table": "crm"})
    assert [one["id"] for one in queries.getTemplates()] == [template["id"]]
    run = ended(queries, queries.createQuery(name="t", templateId=template["id"]))
    assert run["state"] == "SUCCESS" and run["rowCount"] > 3
    made = queries.createSchedule(name="s", templateId=template["id"], schedule={"schedule": "@once", "maxActiveRuns": 1})
    assert [one["id"] for one in queries.getSchedules()] == [made["id"]]
    [once] = until(lambda: queries.getScheduleRuns(made["id"]))
    until(lambda: queries.getScheduleRun(made["id"], once["id"])["state"] == "SUCCESS")
    queries.disableSchedule(made["id"])
    assert queries.getSchedule(made["id"])["state"] == "DISABLED"
    queries.enableSchedule(made["id"])
    queries.updateSchedule(made["id"], [{"op": "replace", "path": "/schedule/schedule", "value": "@daily"}])
    assert queries.getSchedule(made["id"])["schedule"]["schedule"] == "@daily"
    time.sleep(1)
    assert len(queries.getScheduleRuns(made["id"])) == 1
    queries.deleteSchedule(made["id"])
    queries.deleteTemplate(template["id"])
    assert queries.getSchedules() == [] and queries.getTemplates() == []
    # There is nothing to connect to without the front for clients of PostgreSQL.
    assert queries.connection()["status"] == 404
