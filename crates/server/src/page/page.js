"use strict";
// Uses the API like any client: what it shows is what the API says.

const jobsPath = "/data/core/ups/export/jobs";
const catalogPath = "/data/foundation/catalog";
const filesPath = "/data/foundation/export";
const pageSize = 25;
const ended = ["SUCCEEDED", "FAILED", "CANCELLED"];

const byId = (id) => document.getElementById(id);
const scope = {
  org: sessionStorage.getItem("org") || "default",
  sandbox: sessionStorage.getItem("sandbox") || "prod",
  token: sessionStorage.getItem("token") || "",
};
let offset = "";
let timer = 0;

function ask(path, options = {}) {
  return fetch(path, {
    ...options,
    headers: {
      Authorization: `Bearer ${scope.token || "page"}`,
      "x-api-key": "status-page",
      "x-gw-ims-org-id": scope.org,
      "x-sandbox-name": scope.sandbox,
    },
  }).then(async (answer) => {
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || `${answer.status} ${answer.statusText}`);
    error.status = answer.status;
    throw error;
  });
}

const json = (path) => ask(path).then((answer) => answer.json());

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function cell(label, content, className = "") {
  const made = element("td", { className });
  made.dataset.label = label;
  made.append(...[content].flat().filter((part) => part !== undefined && part !== ""));
  return made;
}

const count = (n) => (n === undefined ? "" : n.toLocaleString("en"));

function size(bytes) {
  if (bytes === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

const time = (ms) => {
  const moment = new Date(ms);
  return element("time", { dateTime: moment.toISOString() }, moment.toLocaleString());
};

const duration = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

// A button keeps its focus when the table is made anew.
function fill(id, rows) {
  const body = byId(id);
  const focused = document.activeElement;
  const key = body.contains(focused) ? focused.dataset.key : undefined;
  body.replaceChildren(...rows);
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

function button(text, key, act) {
  const made = element("button", { type: "button", textContent: text });
  made.dataset.key = key;
  made.addEventListener("click", act);
  return made;
}

function jobRow(job) {
  const metrics = job.metrics;
  const runs = job.status === "PROCESSING";
  const start = metrics.totalTime.startTimeInMs;
  const took = metrics.totalTime.totalTimeInMs ?? (runs ? Date.now() - start : undefined);
  const batches = job.destination.batches?.map((batch) => batch.batchId) ?? [job.destination.batchId];
  const told =
    job.status === "SUCCEEDED"
      ? batches.map((id) => element("div", { className: "id", textContent: id }))
      : job.errors.map((error) => element("div", { className: "error", textContent: `${error.code}: ${error.msg}` }));
  const state = [element("span", { className: job.status, textContent: job.status })];
  if (runs) state.push(element("progress", { ariaLabel: `Job ${job.id} runs` }));
  const cancel = button("Cancel", `cancel-${job.id}`, () =>
    ask(`${jobsPath}/${job.id}`, { method: "DELETE" }).then(refresh, fail),
  );
  cancel.setAttribute("aria-label", `Cancel job ${job.id}`);
  const row = element(
    "tr",
    { id: `job-${job.id}` },
    cell("Job", String(job.id)),
    cell("State", state),
    cell("Profiles", count(metrics.totalExportedProfileCounter), "number"),
    cell("Events", count(metrics.totalExportedEventCounter), "number"),
    cell("Size", size(metrics.totalWrittenBytes), "number"),
    cell("Took", took === undefined ? "" : duration(took), "number"),
    cell("Created", time(job.creationTime)),
    cell("Batches, errors", told),
    cell("", ended.includes(job.status) ? "" : cancel),
  );
  return row;
}

function batchRow(id, batch) {
  const dataset = batch.relatedObjects?.find((related) => related.type === "dataSet")?.id ?? "";
  const wrote = batch.jobId !== undefined && batch.status === "success";
  const told = wrote
    ? (batch.files ?? []).map((file, i) =>
        button(`${file.name} (${size(file.length)})`, `${id}-${i}`, () => download(`${id}-${i + 1}`, file.name).catch(fail)),
      )
    : (batch.errors ?? []).map((error) =>
        element("div", { className: "error", textContent: `${error.code}: ${error.description}` }),
      );
  return element(
    "tr",
    { id: `batch-${id}` },
    cell("Batch", id, "id"),
    cell("State", element("span", { className: batch.status, textContent: batch.status })),
    cell("Dataset", dataset, "id"),
    cell("Records", count(batch.metrics?.recordsWritten), "number"),
    cell("Created", time(batch.created)),
    cell("Files, errors", told),
  );
}

function datasetRow(id, dataset) {
  return element(
    "tr",
    {},
    cell("Dataset", id, "id"),
    cell("Name", dataset.name),
    cell("Records are", dataset.classification.dataBehavior === "record" ? "profiles" : "events"),
    cell("Rows", count(dataset.rows), "number"),
    cell("Last batch", dataset.lastBatchId ?? "", "id"),
  );
}

// A link can't carry the headers that the API asks for.
async function download(fileId, name) {
  const answer = await ask(`${filesPath}/files/${fileId}?path=${encodeURIComponent(name)}`);
  const url = URL.createObjectURL(await answer.blob());
  element("a", { href: url, download: `${fileId}-${name}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function fail(error) {
  byId("state").textContent = error.message;
  byId("state").className = "bad";
  if (error.status === 401 || error.status === 403) byId("sign-in").open = true;
}

async function refresh() {
  clearTimeout(timer);
  let next = 1000;
  try {
    const wanted = new URLSearchParams({ limit: pageSize });
    if (offset) wanted.set("offset", offset);
    if (byId("status").value) wanted.set("status", byId("status").value);
    const [jobs, batches, datasets] = await Promise.all([
      json(`${jobsPath}?${wanted}`),
      json(`${catalogPath}/batches?limit=${pageSize}`),
      json(`${catalogPath}/dataSets?limit=100`),
    ]);
    fill("job-rows", jobs.records.map(jobRow));
    byId("no-jobs").hidden = jobs.records.length > 0;
    byId("older").hidden = !jobs.link.next;
    byId("older").onclick = () => {
      offset = jobs.page.pageOffset;
      refresh();
    };
    byId("newest").hidden = !offset;
    const list = Object.entries(batches);
    fill("batch-rows", list.map(([id, batch]) => batchRow(id, batch)));
    byId("no-batches").hidden = list.length > 0;
    const sets = Object.entries(datasets);
    fill("dataset-rows", sets.map(([id, dataset]) => datasetRow(id, dataset)));
    byId("no-datasets").hidden = sets.length > 0;
    const waits = (state) => ["loading", "staged", "processing"].includes(state);
    const busy = jobs.records.some((job) => !ended.includes(job.status)) || list.some(([, b]) => waits(b.status));
    if (busy) next = 250;
    byId("state").textContent = busy ? "At work" : "Idle";
    byId("state").className = "";
  } catch (error) {
    fail(error);
  }
  timer = setTimeout(refresh, document.hidden ? 10000 : next);
}

function showScope() {
  byId("scope").textContent = `${scope.org}, ${scope.sandbox}`;
  for (const [name, value] of Object.entries(scope)) byId("scope-form").elements[name].value = value;
}

byId("scope-form").addEventListener("submit", (event) => {
  event.preventDefault();
  for (const [name, value] of new FormData(event.target)) {
    scope[name] = value.trim();
    sessionStorage.setItem(name, scope[name]);
  }
  offset = "";
  showScope();
  refresh();
});
byId("status").addEventListener("change", () => {
  offset = "";
  refresh();
});
byId("newest").addEventListener("click", () => {
  offset = "";
  refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
showScope();
refresh();
