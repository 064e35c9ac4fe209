"""The status page in headless Chromium: a job from its start to its end."""
import subprocess
import time

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from conftest import PROGRAM, ROOT, SCOPE, Server, program, until

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


def open_page(browser, server):
    browser.get(server.url)
    form = browser.find_element(By.ID, "scope-form")
    browser.find_element(By.CSS_SELECTOR, "#sign-in summary").click()
    for name, value in [("org", SCOPE["PROFILE_EXPORT_ORG"]), ("sandbox", SCOPE["PROFILE_EXPORT_SANDBOX"])]:
        field = form.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)
    form.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    until(lambda: browser.find_elements(By.CSS_SELECTOR, "#dataset-rows tr"))


def text(browser, selector):
    return browser.execute_script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)


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
        for _ in range(40):
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


def test_what_goes_wrong_is_said(browser, server):
    browser.get(server.url)
    server.process.terminate()
    server.process.wait(60)
    until(lambda: "bad" in browser.find_element(By.ID, "state").get_attribute("class"))
