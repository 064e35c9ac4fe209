"""The page in headless Chromium: each walk, a job from its start to its end, and axe's rules."""
import json
import shlex
import subprocess
import time
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from conftest import PROGRAM, ROOT, SCOPE, Server, clone_jobs, program, until

EVERYBODY = {"destination": {"datasetId": ""}, "schema": {"name": "_xdm.context.profile"}}
PICTURES = ROOT / "target/pictures"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    for option in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync",
                   "--window-size=1280,900", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.binary_location = "/usr/bin/chromium"
    driver = webdriver.Chrome(options, webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def large_store(tmp_path_factory):
    """People enough that exporting them takes a while."""
    folder = tmp_path_factory.mktemp("large")
    subprocess.run([PROGRAM.with_name("workload"), folder / "source", "120000"], check=True, stdout=subprocess.DEVNULL)
    program("ingest", "--quiet", "--store", folder / "store", "--from", folder / "source")
    return folder / "store"


@pytest.fixture
def large(large_store):
    """A slow server over them: one job at a time, on one thread."""
    running = Server(large_store, "--workers", "1", RAYON_NUM_THREADS="1")
    yield running
    running.stop()


def load(browser, address):
    """Loads a page anew: to another place in the page that is shown a browser does not load."""
    browser.get("about:blank")
    browser.get(address)


def open_page(browser, server, view=""):
    load(browser, f"{server.url}/{view}")
    browser.get_log("browser")
    form = browser.find_element(By.ID, "scope-form")
    until(lambda: text(browser, "#scope"))
    if not browser.execute_script("return document.getElementById('sign-in').open"):
        browser.find_element(By.CSS_SELECTOR, "#sign-in summary").click()
    for name, value in [("org", SCOPE["PROFILE_EXPORT_ORG"]), ("sandbox", SCOPE["PROFILE_EXPORT_SANDBOX"])]:
        field = form.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)
    form.find_element(By.CSS_SELECTOR, "button:not([type])").send_keys(Keys.ENTER)
    until(lambda: text(browser, "#state") in ("Idle", "At work"))


def text(browser, selector):
    return browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)


def text_with(browser, selector, words):
    """The text of the element that has these words."""
    return browser.execute_script("""
        const texts = [...document.querySelectorAll(arguments[0])].map((element) => element.innerText);
        return texts.find((text) => text.includes(arguments[1])) ?? "";""", selector, words)


def picture(browser, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert browser.save_screenshot(str(PICTURES / f"{name}.png"))


def test_a_job_is_followed_from_its_start_to_its_end(browser, large):
    target = large.target()
    open_page(browser, large)
    job = large.create(target, additionalFields={"eventList": {}})
    behind = large.create(target, fields="_id")
    row = f"#job-{job}"
    seen, counts = [], []
    while not seen or seen[-1] != "SUCCEEDED":
        state = text(browser, f"{row} [data-label=State]").strip()
        if state and (not seen or seen[-1] != state):
            seen.append(state)
            if state == "PROCESSING":
                picture(browser, "running")
        counts.append(text(browser, f"{row} [data-label=Profiles]").strip())
        assert "FAILED" not in seen
        time.sleep(0.02)
    assert "PROCESSING" in seen and seen.index("PROCESSING") < seen.index("SUCCEEDED"), seen
    done = large.finished(job)
    assert counts[-1] == f"{done['metrics']['totalExportedProfileCounter']:,}"
    assert any(0 < int(count.replace(",", "")) < int(counts[-1].replace(",", "")) for count in counts if count), counts
    batch = done["destination"]["batchId"]
    assert batch in text(browser, row)
    until(lambda: counts[-1] in text(browser, f"#batch-{batch} [data-label=Records]"))
    large.finished(behind)
    picture(browser, "done")
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert not severe, severe


def test_a_phone_and_a_keyboard_are_enough(browser, server):
    target = server.target()
    job = server.create(target, fields="_id")
    batch = server.finished(job)["destination"]["batchId"]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True})
    try:
        open_page(browser, server)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
        picture(browser, "phone")
        # The first stop is the way past everything; then by tabs alone to a file of the batch.
        browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
        body = browser.find_element(By.TAG_NAME, "body")
        stops = []
        for _ in range(60):
            body.send_keys(Keys.TAB)
            stops.append(browser.execute_script(
                "const e = document.activeElement; return e.dataset.key ?? e.textContent.trim() ?? ''"))
            if stops[-1] == f"{batch}-0":
                break
        assert stops[-1] == f"{batch}-0", stops
        browser.execute_cdp_cmd("Browser.setDownloadBehavior",
                                {"behavior": "allow", "downloadPath": str(server.store.parent)})
        browser.switch_to.active_element.send_keys(Keys.ENTER)
        file = until(lambda: next(server.store.parent.glob("*.parquet"), None))
        until(lambda: file.stat().st_size)
        assert file.read_bytes()[:4] == b"PAR1"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_waiting_job_is_cancelled_with_its_button(browser, large):
    target = large.target()
    open_page(browser, large)
    jobs = [large.create(target, additionalFields={"eventList": {}}) for _ in range(2)]
    button = until(lambda: browser.find_elements(By.CSS_SELECTOR, f'[data-key="cancel-{jobs[1]}"]'))[0]
    browser.execute_script("arguments[0].click()", button)
    until(lambda: "CANCELLED" in text(browser, f"#job-{jobs[1]}"))
    assert large.finished(jobs[1])["status"] == "CANCELLED"
    assert large.finished(jobs[0])["status"] == "SUCCEEDED"


def errors(browser):
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def axe(browser):
    """No violation of axe's rules in the view that is shown."""
    import axe_core_python
    source = Path(axe_core_python.__file__).with_name("axe.min.js").read_text()
    browser.execute_script(source)
    found = browser.execute_async_script(
        "const done = arguments[0]; axe.run().then((found) => done(found.violations), (e) => done([String(e)]))")
    assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def go(browser, hash):
    browser.execute_script("location.hash = arguments[0]", hash)


def test_an_export_is_made_by_choosing_and_followed_to_its_files(browser, server):
    open_page(browser, server, "#/new")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#segment-choice label"))
    everybody = until(lambda: text(browser, "#live") if "profiles" in text(browser, "#live") else None)
    browser.find_element(By.CSS_SELECTOR, "#segment-choice input[value=holiday-shoppers]").click()
    members = until(lambda: text(browser, "#live") if text(browser, "#live") not in ("…", everybody) else None)
    assert int(members.split()[0].replace(",", "")) < int(everybody.split()[0].replace(",", ""))
    field = browser.find_element(By.ID, "field-find")
    field.send_keys("personalemail")
    browser.find_element(By.CSS_SELECTOR, '#field-choice input[value="personalEmail"]').click()
    browser.find_element(By.NAME, "events").click()
    request = json.loads(until(lambda: text(browser, "#request") if "eventList" in text(browser, "#request") else None))
    assert request["fields"] == "personalEmail" and request["filter"]["segments"] == [{"segmentId": "holiday-shoppers", "segmentNs": "aam"}]
    browser.find_element(By.ID, "look").click()
    until(lambda: "personalEmail.address" in text(browser, "#preview"))
    axe(browser)
    picture(browser, "new-export")
    told = until(lambda: text(browser, "#live") if "events" in text(browser, "#live") else None)
    browser.find_element(By.ID, "start").click()
    until(lambda: "SUCCEEDED" in text(browser, "#job-card"))
    profiles = told.split()[0]
    assert f"{profiles} profiles" in text(browser, "#job-card"), (told, text(browser, "#job-card"))
    until(lambda: "Segment-3-of-AAM-part-00000.parquet" in text(browser, "#job-card"))
    axe(browser)
    picture(browser, "job")
    # The same as a command gives the same.
    command = browser.execute_script("""const done = arguments[0]; return import("/page/job.js").then(async (job) => {
        const base = await import("/page/base.js");
        const id = location.hash.split("/").pop();
        return job.asCommand(job.requestOf(await base.json(`${base.paths.jobs}/${id}`)));
    })""")
    words = shlex.split(command)[1:]
    printed = program(*words, "--store", server.store, "--json", "--quiet")
    assert json.loads(printed)["metrics"]["totalExportedProfileCounter"] == int(profiles.replace(",", ""))
    browser.find_element(By.CSS_SELECTOR, "[data-key=again]").click()
    until(lambda: "SUCCEEDED" in text(browser, "#job-card") and "Job 3" in text(browser, "#job-title"))
    go(browser, "#/exports")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#runs rect"))
    axe(browser)
    picture(browser, "exports")
    assert text(browser, "#totals-of") == "Of all 3 exports"
    before = browser.execute_script("return history.length")
    browser.find_element(By.ID, "find").send_keys("nothing like it")
    until(lambda: not browser.find_elements(By.CSS_SELECTOR, "#job-rows tr"))
    assert "find=nothing+like+it" in browser.current_url
    assert text(browser, "#totals-of") == "Of 0 exports with “nothing like it”, found in all 3"
    # All that was typed is one step, and the step back is in the field, too.
    assert browser.execute_script("return history.length") == before + 1
    browser.back()
    until(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#job-rows tr")) == 3)
    assert browser.find_element(By.ID, "find").get_property("value") == ""
    # Batches are told with the names of their datasets.
    until(lambda: "Profile exports" in text(browser, "#batch-rows"))
    assert not errors(browser)


def test_a_job_that_evaluates_its_segments_is_asked_for_again_as_it_was(browser, server):
    segment = "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21"
    job = server.create(server.target(), fields="_id", filter={"segments": [{"segmentId": segment}]},
                        evaluationInfo={"segmentation": True})
    assert server.finished(job)["status"] == "SUCCEEDED"
    open_page(browser, server, f"#/exports/{job}")
    until(lambda: "evaluated first" in text(browser, "#job-card"))
    words, curl = browser.execute_script("""return import("/page/job.js").then(async (job) => {
        const base = await import("/page/base.js");
        const request = job.requestOf(await base.json(`${base.paths.jobs}/${location.hash.split("/").pop()}`));
        return [job.asCommand(request), job.asCurl(request)];
    })""")
    assert "--evaluate" in shlex.split(words) and '"segmentation":true' in curl
    browser.find_element(By.CSS_SELECTOR, "[data-key=again]").click()
    until(lambda: text(browser, "#job-title") not in ("", f"Job {job}"))
    again = text(browser, "#job-title").removeprefix("Job ")
    assert server.finished(again)["evaluationInfo"] == {"segmentation": True}


def test_audiences_are_counted_and_compared(browser, server):
    for _ in range(2):
        job = server.ask("POST", "/data/core/ups/segment/jobs", json=[{"segmentId": "85ae2c1b-7a0f-4a3e-8d52-3f0c9b6e7d21"}])
        path = f"/data/core/ups/segment/jobs/{job.json()['id']}"
        until(lambda: server.get(path)["status"] == "SUCCEEDED")
    open_page(browser, server, "#/audiences")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#audience-rows tr"))
    shoppers = server.ask("POST", "/local/plan", json={**EVERYBODY, "filter": {"segments": [{"segmentId": "holiday-shoppers"}]}}).json()
    row = next(row for row in browser.find_elements(By.CSS_SELECTOR, "#audience-rows tr") if "holiday-shoppers" in row.text)
    counted = server.get("/local/audiences")["audiences"]
    own = [one for one in counted if one["id"] == "holiday-shoppers"]
    assert sum(one["realized"] + one["existing"] for one in own) >= shoppers["profiles"]
    boxes = browser.find_elements(By.CSS_SELECTOR, "#audience-rows input")
    names = [box.get_attribute("data-key").removeprefix("choose-") for box in boxes[:3]]
    for name in names:
        browser.find_element(By.CSS_SELECTOR, f'[data-key="choose-{name}"]').click()
        time.sleep(0.2)
    until(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#overlap circle")) == 3)
    # What is in any of them, by the circles, is what an export of them gives.
    segments = [dict(zip(("segmentNs", "segmentId"), name.split(":", 1))) for name in names]
    policy = server.get("/local/audiences")["mergePolicy"]
    body = {**EVERYBODY, "filter": {"segments": segments}, "mergePolicy": policy}
    union = server.ask("POST", "/local/plan", json=body).json()["profiles"]
    numbers = browser.execute_script("return [...document.querySelectorAll('#overlap text')].map((t) => t.textContent)")
    assert sum(int(number.replace(",", "")) for number in numbers) == union, numbers
    assert row is not None
    evaluated = next(row for row in browser.find_elements(By.CSS_SELECTOR, "#audience-rows tr") if "ups:85ae2c1b" in row.text)
    assert "last: 0 entered, 0 left" in evaluated.text, evaluated.text
    assert evaluated.find_elements(By.CSS_SELECTOR, "svg[aria-label^='2 evaluations']")
    # An expression is counted while it is typed.
    box = browser.find_element(By.ID, "expression")
    box.send_keys("personalEmail.address")
    everybody = server.ask("POST", "/local/expression", json={"expression": "1 = 1"}).json()
    until(lambda: f"of {everybody['profiles']} profiles" in text(browser, "#expression-count"))
    assert browser.find_elements(By.CSS_SELECTOR, "#expression-people tbody tr")
    box.send_keys(" and nobody")
    until(lambda: 'the field "nobody"' in text(browser, "#expression-count"))
    assert not browser.find_elements(By.CSS_SELECTOR, "#expression-people tr")
    # The browser tells of refusals, too; there are no others.
    assert all("/local/expression" in one["message"] for one in errors(browser))
    box.clear()
    box.send_keys("xEvent")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#expression-people tbody tr"))
    axe(browser)
    picture(browser, "audiences")
    assert not errors(browser)


def test_a_segment_that_is_defined_and_not_evaluated_is_chosen_and_evaluated_first(browser, server):
    expression = {"type": "PQL", "format": "pql/text", "value": "personalEmail.address"}
    made = server.ask("POST", "/data/core/ups/segment/definitions",
                      json={"name": "With an address", "expression": expression, "schema": EVERYBODY["schema"]})
    assert made.status_code == 200, made.text
    id = made.json()["id"]
    open_page(browser, server, "#/audiences")
    row = until(lambda: text_with(browser, "#audience-rows tr", "With an address"))
    assert "not evaluated yet" in row
    go(browser, f"#/new?segment=ups:{id}")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, f"#segment-choice input[value='{id}']:checked"))
    assert "not evaluated yet" in text_with(browser, "#segment-choice label", "With an address")
    until(lambda: f"no record names {id}" in text(browser, "#live-batches"))
    browser.find_element(By.NAME, "evaluate").click()
    until(lambda: "the export evaluates the segments first" in text(browser, "#live-batches"))
    axe(browser)
    browser.find_element(By.ID, "start").click()
    until(lambda: "SUCCEEDED" in text(browser, "#job-card"))
    assert "evaluated first" in text(browser, "#job-card") and "With an address" in text(browser, "#job-card")
    profiles = server.get("/data/core/ups/export/jobs")["records"][0]["metrics"]["totalExportedProfileCounter"]
    assert profiles > 0
    go(browser, "#/audiences")
    until(lambda: "not evaluated yet" not in text_with(browser, "#audience-rows tr", "With an address"))
    assert f"{profiles:,}" in text_with(browser, "#audience-rows tr", "With an address")
    assert not errors(browser)


def test_one_person_is_explained(browser, server):
    open_page(browser, server, "#/person?identity=email:person105@example.com")
    until(lambda: "Email:person105@example.com is exported" in text(browser, "#person-card"))
    for part in ["What decides", "Fragments, best first", "crm-105", "Memberships", "Segment 3 of AAM"]:
        assert part in text(browser, "#person-card"), part
    assert browser.find_elements(By.CSS_SELECTOR, "#person-card mark")
    axe(browser)
    picture(browser, "person")
    form = browser.find_element(By.ID, "person-form")
    form.find_element(By.NAME, "segment").send_keys("no such segment", Keys.ENTER)
    until(lambda: "is not in no such segment" in text(browser, "#person-card"))
    # Each event says what it is.
    go(browser, "#/person?identity=email:person000@example.com")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#person-card .timeline strong"))
    assert browser.find_element(By.CSS_SELECTOR, "#person-card .timeline strong").text
    # From a job's card: why somebody is in that export, or not.
    job = server.create(server.target(), fields="personalEmail", deduplicationKeys=["personalEmail.address"],
                        filter={"segments": [{"segmentId": "holiday-shoppers", "status": ["exited"]}]})
    assert server.finished(job)["status"] == "SUCCEEDED"
    go(browser, f"#/exports/{job}")
    until(lambda: browser.find_elements(By.LINK_TEXT, "Why is somebody in it, or not?"))[0].click()
    until(lambda: browser.current_url.endswith(f"#/person?job={job}"))
    form = browser.find_element(By.ID, "person-form")
    assert form.find_element(By.NAME, "job").get_property("value") == str(job)
    form.find_element(By.NAME, "identity").send_keys("email:person105@example.com", Keys.ENTER)
    until(lambda: f"the export of job {job}" in text(browser, "#person-card"))
    asked = {"filter": {"segments": [{"segmentId": "holiday-shoppers", "status": ["exited"]}]}}
    explained = server.ask("POST", "/local/explain?identity=email:person105@example.com", json={**EVERYBODY, **asked})
    verdict = "in" if explained.json()["explanation"]["isExported"] else "not in"
    assert f"is {verdict} the export of job {job}" in text(browser, "#person-card")
    assert "one was exported" in text(browser, "#person-card")
    axe(browser)
    picture(browser, "person-of-a-job")
    go(browser, "#/person?identity=Email:nobody@example.com")
    until(lambda: "no profile has" in text(browser, "#person-card"))
    # The browser logs each answer that is no success.
    assert all("404" in entry["message"] for entry in errors(browser))


def test_what_there_is_is_shown(browser, server):
    open_page(browser, server, "#/data")
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#dataset-rows tr"))
    assert "crm" in text(browser, "#dataset-rows") and "personalEmail" in text(browser, "#schema")
    axe(browser)
    picture(browser, "data")
    assert not errors(browser)


def test_the_first_visit_shows_whose_data_there_is(browser, server):
    browser.get(server.url)
    browser.execute_script("sessionStorage.clear()")
    load(browser, f"{server.url}/#/data")
    until(lambda: text(browser, "#scope") == f"{SCOPE['PROFILE_EXPORT_ORG']}, {SCOPE['PROFILE_EXPORT_SANDBOX']}")
    until(lambda: "crm" in text(browser, "#dataset-rows"))


def test_a_thousand_jobs_are_quick_and_dark_is_readable(browser, store):
    running = Server(store)
    try:
        running.finished(running.create(running.target(), fields="_id"))
    finally:
        running.stop()
    clone_jobs(store, 1000)
    running = Server(store)
    try:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        open_page(browser, running)
        until(lambda: len(browser.find_elements(By.CSS_SELECTOR, "#job-rows tr")) == 25)
        axe(browser)
        picture(browser, "dark")
        start = time.monotonic()
        browser.find_element(By.ID, "find").send_keys("1")
        until(lambda: browser.execute_script("return document.querySelectorAll('#job-rows tr').length") == 100)
        took = (time.monotonic() - start) * 1000
        print(f"a search among 1,000 jobs: {took:.0f} ms")
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        running.stop()


def test_what_goes_wrong_is_said(browser, server):
    browser.get(server.url)
    server.process.terminate()
    server.process.wait(60)
    until(lambda: "bad" in browser.find_element(By.ID, "state").get_attribute("class"))


def test_the_description_of_the_api_is_a_page_on_which_calls_are_tried(browser, server):
    # The page of before asked a server that has ended meanwhile.
    browser.get("about:blank")
    browser.get_log("browser")
    load(browser, f"{server.url}/reference#/Export%20jobs/list_jobs")
    opened = until(lambda: browser.find_elements(By.CSS_SELECTOR, ".opblock.is-open"))
    assert "/data/core/ups/export/jobs" in opened[0].text
    tags = [tag.get_attribute("data-tag") for tag in browser.find_elements(By.CSS_SELECTOR, ".opblock-tag")]
    assert {"Export jobs", "Catalog", "Identities", "Edge projections"} <= set(tags)
    # The policy of the page lets it ask nobody else, and it does not try.
    assert not [line for line in browser.get_log("browser") if line["source"] in ("security", "network")]
