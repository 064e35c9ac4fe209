// One export: what was asked, how far it is, what came out, and what to do next.
import {
  ask, audience, button, byId, cell, count, download, duration, element, ended, fail, json, link, paths, post, scope, segmentNames,
  short, size, tell, time,
} from "/page/base.js";

export function requestOf(job) {
  return {
    fields: job.fields,
    mergePolicy: job.mergePolicy,
    filter: job.filter,
    additionalFields: job.additionalFields,
    mandatoryFields: job.mandatoryFields,
    deduplicationKeys: job.deduplicationKeys,
    rowPerIdentity: job.rowPerIdentity,
    sinceJob: job.sinceJob,
    mapKeys: job.mapKeys,
    evaluationInfo: job.evaluationInfo,
    destination: { datasetId: job.destination.datasetId, segmentPerBatch: job.destination.segmentPerBatch },
    schema: job.schema,
  };
}

const quoted = (word) => (/^[\w.,:@/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

export function asCommand(request) {
  const own = (one) => JSON.stringify([one.segmentNs ?? null, one.status ?? []]);
  const segments = request.filter?.segments ?? [];
  // Options say of all segments what they say of one.
  if (segments.some((one) => own(one) !== own(segments[0]))) {
    const where = `--org ${quoted(scope.org)} --sandbox ${quoted(scope.sandbox)}`;
    return `profile-export run - ${where} <<'END'\n${JSON.stringify(request, null, 2)}\nEND`;
  }
  const words = ["profile-export", "export"];
  const add = (name, value) => value !== undefined && value !== "" && words.push(name, quoted(String(value)));
  const { filter = {} } = request;
  for (const one of filter.segments ?? []) add("--segment", one.segmentId);
  const [first] = filter.segments ?? [];
  add("--segment-ns", first?.segmentNs ?? undefined);
  add("--status", first?.status?.join(","));
  add("--qualified-since", filter.segmentQualificationTime?.startTime);
  add("--qualified-until", filter.segmentQualificationTime?.endTime);
  add("--ingested-since", filter.fromIngestTimestamp);
  if (filter.emptyProfiles) words.push("--empty-profiles");
  add("--fields", request.fields);
  add("--require", request.mandatoryFields?.join(","));
  add("--dedupe", request.deduplicationKeys?.join(","));
  add("--row-per-identity", request.rowPerIdentity);
  add("--since-job", request.sinceJob);
  add("--map-keys", request.mapKeys);
  const events = request.additionalFields?.eventList;
  if (events) {
    words.push("--events");
    if (events.fields) words.push(quoted(events.fields));
    add("--events-since", events.filter?.fromIngestTimestamp);
    add("--events-until", events.filter?.toIngestTimestamp);
  }
  add("--merge-policy", request.mergePolicy?.id);
  if (request.evaluationInfo?.segmentation) words.push("--evaluate");
  if (request.destination?.segmentPerBatch) words.push("--segment-per-batch");
  add("--dataset", request.destination?.datasetId);
  words.push("--org", quoted(scope.org), "--sandbox", quoted(scope.sandbox));
  return words.join(" ");
}

export function asCurl(request) {
  const header = (name, value) => `-H ${quoted(`${name}: ${value}`)}`;
  return [
    `curl ${location.origin}${paths.jobs}`, header("Authorization", "Bearer $TOKEN").replaceAll("'", '"'),
    header("x-api-key", "curl"), header("x-gw-ims-org-id", scope.org), header("x-sandbox-name", scope.sandbox),
    header("Content-Type", "application/json"), `-d ${quoted(JSON.stringify(request))}`,
  ].join(" \\\n  ");
}

async function copy(text) {
  await navigator.clipboard.writeText(text);
  tell("Copied");
}

const pair = (name, ...what) => element("div", {}, element("dt", { textContent: name }), element("dd", {}, ...what));

function asked(job, names) {
  const window = job.filter?.segmentQualificationTime;
  const events = job.additionalFields?.eventList;
  const segments = audience(job.filter, names);
  return element(
    "dl", { className: "asked" },
    pair("Who", segments.length ? segments.join(", ") : "everybody"),
    window ? pair("Qualified", `${window.startTime ?? ""} to ${window.endTime ?? "now"}`) : "",
    pair("Fields", job.fields ?? "all"),
    pair("Events", events ? events.fields || "all fields" : "none"),
    pair("Merge policy", `${job.mergePolicy.id}, version ${job.mergePolicy.version}`),
    job.evaluationInfo?.segmentation ? pair("Segments", "evaluated first") : "",
    pair("Created", time(job.creationTime)),
  );
}

function results(job, batches, names) {
  const own = job.destination.batches ?? [{ batchId: job.destination.batchId }];
  const rows = own.map((one) => {
    const batch = batches.get(one.batchId);
    const name = one.segmentId ? (names.get(one.segmentId) ?? one.segmentId) : short(audience(job.filter, names));
    const files = (batch?.files ?? []).map((file, i) => {
      const saved = `${name.replace(/[^\w-]+/g, "-")}-${file.name.split("/").pop()}`;
      return button(`${saved} (${size(file.length)})`, `${one.batchId}-${i}`, () =>
        download(`${one.batchId}-${i + 1}`, file.name, saved).catch(fail),
      );
    });
    return element(
      "tr", {},
      cell("Segment", name),
      cell("Profiles", count(batch?.metrics?.recordsWritten), "number"),
      cell("Events", count(batch?.metrics?.eventsWritten), "number"),
      cell("Files", batch ? files : batches.has(one.batchId) ? "deleted" : "not looked at; batches files tells"),
    );
  });
  const head = ["Segment", "Profiles", "Events", "Files"].map((name, i) =>
    element("th", { scope: "col", textContent: name, className: i === 1 || i === 2 ? "number" : "" }),
  );
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

export async function show([id]) {
  const [job, names] = await Promise.all([json(`${paths.jobs}/${id}`), segmentNames()]);
  const { metrics } = job;
  byId("job-title").textContent = `Job ${job.id}`;
  const state = element("p", { className: "figure" }, element("span", { className: job.status, textContent: job.status }));
  if (job.status === "PROCESSING") {
    const made = element("progress", { max: 1e6, ariaLabel: "How much of it is done", className: "long" });
    if (metrics.progressInMillionths !== undefined) made.value = metrics.progressInMillionths;
    const share = Math.floor((metrics.progressInMillionths ?? 0) / 1e4);
    state.append(made, `${share} %, ${count(metrics.totalExportedProfileCounter ?? 0)} profiles`);
  } else if (job.status === "SUCCEEDED") {
    state.append(
      ` ${count(metrics.totalExportedProfileCounter)} profiles, ${count(metrics.totalExportedEventCounter)} events, ` +
        `${size(metrics.totalWrittenBytes)} in ${duration(metrics.totalTime.totalTimeInMs)}`,
    );
  }
  const errors = job.errors.map((error) =>
    element("div", { className: "problem" },
      element("p", { className: "error", textContent: `${error.code}: ${error.msg}` }),
      element("p", { textContent: error.nextStep ?? "" })),
  );
  const unknown = (metrics.unknownSegments ?? []).map((one) =>
    element("p", { className: "problem", textContent:
      `No record has a membership of ${one.segmentId}${one.didYouMean ? `; did you mean ${one.didYouMean}?` : ""}` }),
  );
  const request = requestOf(job);
  const actions = element(
    "p", { className: "inline" },
    ended.includes(job.status)
      ? button("Run again", "again", () =>
          post(paths.jobs, request).then((made) => { location.hash = `#/exports/${made.id}`; }, fail))
      : button("Cancel", `cancel-${job.id}`, () => ask(`${paths.jobs}/${job.id}`, { method: "DELETE" }).catch(fail)),
    button("Copy as command", "command", () => copy(asCommand(request)).catch(fail)),
    button("Copy as curl", "curl", () => copy(asCurl(request)).catch(fail)),
    link(`#/person?job=${job.id}`, "Why is somebody in it, or not?"),
  );
  let table = "";
  if (job.status === "SUCCEEDED") {
    const own = job.destination.batches?.map((one) => one.batchId) ?? [job.destination.batchId];
    const found = await Promise.all(
      own.slice(0, 100).map((batch) => json(`${paths.catalog}/batches/${batch}`).catch((error) => {
        if (error.status === 404) return { [batch]: undefined };
        throw error;
      })),
    );
    const batches = new Map(found.flatMap((one) => Object.entries(one)));
    table = element("div", { className: "wide" }, results(job, batches, names));
  }
  const focus = document.activeElement?.dataset?.key;
  byId("job-card").replaceChildren(state, ...errors, ...unknown, actions, asked(job, names), table);
  if (focus) document.querySelector(`#job-card [data-key="${CSS.escape(focus)}"]`)?.focus();
  return ended.includes(job.status) ? 0 : 250;
}

