// All exports: totals, a chart of them, the list, and their batches.
import {
  ask, audience, button, byId, cell, count, datasetNames, datasetOf, download, drawn, duration, element, ended, fail, fill, json, link, paths, segmentNames,
  short, size, time,
} from "/page/base.js";

const pageSize = 25;
let names = new Map();

// What is typed letter by letter is one step of the browser's history: from the second letter on it is replaced.
function go(parameters, change, replaces = false) {
  for (const [name, value] of Object.entries(change)) {
    if (value) parameters.set(name, value);
    else parameters.delete(name);
  }
  if (!replaces) {
    location.hash = `#/exports?${parameters}`;
    return;
  }
  history.replaceState(null, "", `#/exports?${parameters}`);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

function jobRow(job) {
  const { metrics } = job;
  const runs = job.status === "PROCESSING";
  const took = metrics.totalTime.totalTimeInMs ?? (runs ? Date.now() - metrics.totalTime.startTimeInMs : undefined);
  const batches = job.destination.batches?.map((batch) => batch.batchId) ?? [job.destination.batchId];
  const more = batches.length > 2 ? [element("div", { textContent: `and ${batches.length - 1} more` })] : [];
  const told =
    job.status === "SUCCEEDED"
      ? [...batches.slice(0, more.length ? 1 : 2).map((id) => element("div", { className: "id", textContent: id })), ...more]
      : job.errors.map((error) => element("div", { className: "error", textContent: `${error.code}: ${error.msg}` }));
  const state = [element("span", { className: job.status, textContent: job.status })];
  if (runs) {
    const made = element("progress", { ariaLabel: `Job ${job.id} runs`, max: 1e6 });
    if (metrics.progressInMillionths !== undefined) made.value = metrics.progressInMillionths;
    state.push(made);
  }
  const cancel = button("Cancel", `cancel-${job.id}`, () => ask(`${paths.jobs}/${job.id}`, { method: "DELETE" }).catch(fail));
  cancel.setAttribute("aria-label", `Cancel job ${job.id}`);
  return element(
    "tr",
    { id: `job-${job.id}` },
    cell("Job", link(`#/exports/${job.id}`, String(job.id))),
    cell("State", state),
    cell("Audience", short(audience(job.filter, names))),
    cell("Profiles", count(metrics.totalExportedProfileCounter), "number"),
    cell("Events", count(metrics.totalExportedEventCounter), "number"),
    cell("Size", size(metrics.totalWrittenBytes), "number"),
    cell("Took", took === undefined ? "" : duration(took), "number"),
    cell("Created", time(job.creationTime)),
    cell("Batches, errors", told),
    cell("", ended.includes(job.status) ? "" : cancel),
  );
}

function batchRow(id, batch, datasets) {
  const dataset = datasetOf(batch);
  const wrote = batch.jobId !== undefined && batch.status === "success";
  const told = wrote
    ? (batch.files ?? []).map((file, i) =>
        button(`${file.name} (${size(file.length)})`, `${id}-${i}`, () =>
          download(`${id}-${i + 1}`, file.name, `${id}-${file.name}`).catch(fail),
        ),
      )
    : (batch.errors ?? []).map((error) =>
        element("div", { className: "error", textContent: `${error.code}: ${error.description}` }),
      );
  return element(
    "tr",
    { id: `batch-${id}` },
    cell("Batch", id, "id"),
    cell("State", element("span", { className: batch.status, textContent: batch.status })),
    cell("Dataset", datasets.get(dataset) ?? dataset),
    cell("Records", count(batch.metrics?.recordsWritten), "number"),
    cell("Created", time(batch.created)),
    cell("Files, errors", told),
  );
}

function totals(jobs) {
  const done = jobs.filter((job) => job.status === "SUCCEEDED");
  const sum = (of) => done.reduce((all, job) => all + (of(job.metrics) ?? 0), 0);
  const figures = {
    "exports shown": count(jobs.length),
    succeeded: count(done.length),
    failed: count(jobs.filter((job) => job.status === "FAILED").length),
    profiles: count(sum((metrics) => metrics.totalExportedProfileCounter)),
    written: size(sum((metrics) => metrics.totalWrittenBytes)),
  };
  byId("totals").replaceChildren(
    ...Object.entries(figures).map(([name, figure]) =>
      element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: figure })),
    ),
  );
}

// Of which exports the figures are: of those that are shown, which may be a part of all.
function totalsOf(jobs, page, parameters) {
  const [state, words] = [parameters.get("status"), parameters.get("find")];
  const kind = `${state ? `${state.toLowerCase()} ` : ""}exports`;
  const all = page.link.next || parameters.get("offset") ? "" : "all ";
  if (!words) return all ? `Of all ${count(jobs.length)} ${kind}` : `Of the ${count(jobs.length)} ${kind} on this page`;
  return `Of ${count(jobs.length)} ${kind} with “${words}”, found in ${all || "the newest "}${count(page.records.length)}`;
}

function chart(jobs) {
  const [width, height, step] = [400, 60, 16];
  const shown = jobs.slice(0, width / step).reverse();
  const rows = (job) => job.metrics.totalExportedProfileCounter ?? 0;
  const most = Math.max(1, ...shown.map(rows));
  const bars = shown.map((job, i) => {
    const tall = Math.max(3, (rows(job) / most) * height);
    const told = drawn("title");
    told.textContent = `job ${job.id}, ${job.status}: ${count(rows(job))} profiles`;
    return drawn("rect", {
      x: width - (shown.length - i) * step, y: height - tall, width: step - 4, height: tall, rx: 2, class: job.status,
    }, told);
  });
  const all = `${shown.length} exports; the largest has ${count(most)} profiles`;
  byId("runs").replaceChildren(
    drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": all }, ...bars),
  );
}

// Words of the segments' names and IDs, or a job's number.
function matches(job, words) {
  const text = [job.id, ...audience(job.filter, names), ...(job.filter?.segments ?? []).map((one) => one.segmentId)];
  return text.join(" ").toLowerCase().includes(words.toLowerCase());
}

export async function show(rest, parameters, isNew) {
  const words = parameters.get("find") ?? "";
  if (byId("find").value !== words) byId("find").value = words;
  const wanted = new URLSearchParams({ limit: words ? 1000 : pageSize });
  for (const name of ["offset", "status"]) if (parameters.get(name)) wanted.set(name, parameters.get(name));
  if (isNew) {
    names = await segmentNames();
  }
  byId("status").value = parameters.get("status") ?? "";
  byId("status").onchange = (event) => go(parameters, { status: event.target.value, offset: "" });
  byId("find").oninput = (event) => go(parameters, { find: event.target.value, offset: "" }, parameters.has("find"));
  byId("find").form.onsubmit = (event) => event.preventDefault();
  const [page, batches] = await Promise.all([
    json(`${paths.jobs}?${wanted}`),
    json(`${paths.catalog}/batches?limit=${pageSize}`),
  ]);
  const jobs = page.records.filter((job) => matches(job, words)).slice(0, 100);
  totals(jobs);
  byId("totals-of").textContent = totalsOf(jobs, page, parameters);
  chart(jobs);
  fill("job-rows", jobs.map(jobRow));
  byId("no-jobs").hidden = jobs.length > 0;
  byId("older").hidden = !page.link.next;
  byId("older").onclick = () => go(parameters, { offset: page.page.pageOffset });
  byId("newest").hidden = !parameters.get("offset");
  byId("newest").onclick = () => go(parameters, { offset: "" });
  const list = Object.entries(batches);
  const datasets = await datasetNames(list.map(([, batch]) => datasetOf(batch)));
  fill("batch-rows", list.map(([id, batch]) => batchRow(id, batch, datasets)));
  byId("no-batches").hidden = list.length > 0;
  const waits = (state) => ["loading", "staged", "processing"].includes(state);
  const busy = page.records.some((job) => !ended.includes(job.status)) || list.some(([, batch]) => waits(batch.status));
  return busy ? 250 : 1000;
}
