// One person: the merged profile, where each field is from, memberships, events, and why they are in or out.
import { byId, element, fail, json, look, paths, segmentNames } from "/page/base.js";
import { requestOf } from "/page/job.js";

const mark = (yes) => element("span", { className: yes ? "SUCCEEDED" : "FAILED", textContent: yes ? "yes" : "no" });

function table(head, rows) {
  const cells = head.map((name) => element("th", { scope: "col", textContent: name }));
  return element("div", { className: "wide", tabIndex: 0, role: "region", ariaLabel: head.filter(Boolean).join(", ") },
    element("table", { className: "plain" }, element("thead", {}, element("tr", {}, ...cells)), element("tbody", {}, ...rows)));
}

const row = (...cells) => element("tr", {}, ...cells.map((one) => element("td", {}, one ?? "")));
const text = (value) => (typeof value === "string" ? value : JSON.stringify(value));

// Each fragment in a column of its own; the winner of each field is marked.
function fields(explanation) {
  const parts = explanation.fragments;
  const head = ["Field", "The profile", ...parts.map((part, i) => `${i + 1} ${part.dataset}`)];
  const rows = explanation.fields.map((field) => {
    const lost = new Map(field.lost.map((one) => [one.fragment, one.value]));
    const own = parts.map((_, i) => {
      if (field.fragment === i) return element("mark", { textContent: text(field.value) });
      return lost.has(i) ? element("s", { textContent: text(lost.get(i)) }) : "";
    });
    return row(field.path, element("strong", { textContent: text(field.value) }), ...own);
  });
  return table(head, rows);
}

let names = new Map();
function segmentCell({ namespace, segmentId }) {
  const name = names.get(segmentId);
  const id = `${namespace}:${segmentId}`;
  return name ? element("div", {}, name, element("div", { className: "id", textContent: id })) : id;
}

function card(found, { segment, job }) {
  const { explanation, mergePolicy } = found;
  const [first, ...others] = explanation.identities;
  const parts = explanation.fragments;
  const from = (i) => `${i + 1} ${parts[i]?.dataset ?? ""}`;
  const place = job ? `the export of job ${job.id}` : segment;
  const verdict = place
    ? `is ${explanation.isExported ? "in" : "not in"} ${place}`
    : explanation.isExported ? "is exported" : "is not exported";
  const memberships = explanation.batches.flatMap((batch) => batch.memberships);
  const made = [
    element("p", { className: "figure" }, `${first} ${verdict}`),
    others.length ? element("p", { textContent: `One profile with ${others.join(", ")}` }) : "",
    element("p", { className: "faint", textContent: `merge policy ${mergePolicy.id}, version ${mergePolicy.version}` }),
    ...asked(job),
    element("h3", { textContent: "What decides" }),
    element("ul", { className: "conditions" }, ...explanation.conditions.map((one) => element("li", {}, mark(one.holds), ` ${one.text}`))),
  ];
  if (memberships.length) {
    // Where no segment is asked for nothing decides about one.
    const why = (one) => (place ? [one.reason] : []);
    made.push(element("h3", { textContent: place ? "Memberships that were looked at" : "Memberships" }),
      table(["", "Segment", "Status", "Qualified", "From", ...(place ? ["Why"] : [])], memberships.map((one) =>
        row(mark(one.counts), segmentCell(one), one.status, one.qualified, from(one.fragment), ...why(one)))));
  }
  made.push(element("h3", { textContent: "Fields, and the fragment that each is from" }), fields(explanation),
    element("h3", { textContent: "Fragments, best first" }),
    table(["", "Dataset", "Identity", "Came in", ""], [
      ...parts.map((part, i) => row(String(i + 1), part.dataset, part.identity, part.ingested, "")),
      ...explanation.recordsWithoutPart.map((one) => row("", one.dataset, one.identity, one.ingested, `no part: ${one.reason}`)),
    ]));
  if (explanation.events.length) {
    const events = [...explanation.events].reverse().slice(0, 100);
    made.push(element("h3", { textContent: `Events: ${explanation.events.length}` }),
      element("ol", { className: "timeline" }, ...events.map((event) =>
        element("li", {}, element("time", { textContent: event.timestamp ?? "" }), " ", element("strong", { textContent: event.eventType ?? "" }), ` ${event.dataset} `,
          element("span", { className: "id", textContent: event.id }),
          event.isAdded ? "" : element("span", { className: "faint", textContent: ` not added: ${event.reason}` })))));
  }
  return made;
}

// What is about rows has no part in an explanation of a profile, and a look evaluates nothing.
const rowsAlone = { deduplicationKeys: undefined, rowPerIdentity: undefined, sinceJob: undefined, evaluationInfo: undefined };

function asked(job) {
  if (!job) return [];
  const notes = ["by the request of the job, and the store as it is now"];
  if (job.deduplicationKeys) notes.push("of several with one key one was exported, which is not looked at here");
  if (job.sinceJob) notes.push("the job has whoever changed since an earlier one, which is not looked at here");
  return [element("p", { className: "faint", textContent: notes.join("; ") })];
}

function request(segment, job) {
  if (job) return { ...requestOf(job), ...rowsAlone };
  const body = { additionalFields: { eventList: {} } };
  if (segment) body.filter = { segments: [{ segmentId: segment }] };
  return body;
}

export async function show(rest, parameters, isNew) {
  const form = byId("person-form");
  const [identity, segment, number] = ["identity", "segment", "job"].map((name) => parameters.get(name) ?? "");
  if (isNew) {
    const { audiences } = await json("/local/audiences");
    names = await segmentNames();
    byId("segment-list").replaceChildren(
      ...audiences.map((one) => element("option", { value: one.id, textContent: one.name ?? "" })));
    form.onsubmit = (event) => {
      event.preventDefault();
      const wanted = new URLSearchParams(Object.entries(Object.fromEntries(new FormData(form))).filter(([, value]) => value));
      location.hash = `#/person?${wanted}`;
    };
  }
  form.elements.identity.value = identity;
  form.elements.segment.value = segment;
  form.elements.job.value = number;
  byId("person-card").replaceChildren();
  if (!identity) return 0;
  try {
    const job = number ? await json(`${paths.jobs}/${encodeURIComponent(number)}`) : undefined;
    const found = await look(`/local/explain?identity=${encodeURIComponent(identity)}`, request(segment, job));
    byId("person-card").replaceChildren(...card(found, { segment, job }).filter((part) => part !== ""));
  } catch (error) {
    byId("person-card").replaceChildren(element("p", { className: "problem error", textContent: error.message }));
    if (error.status !== 404 && error.status !== 400) fail(error);
  }
  return 0;
}
