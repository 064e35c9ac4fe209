// One person: the merged profile, where each field is from, memberships, events, and why they are in or out.
import { byId, element, fail, json, look } from "/page/base.js";

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

function card(found, segment) {
  const { explanation, mergePolicy } = found;
  const [first, ...others] = explanation.identities;
  const parts = explanation.fragments;
  const from = (i) => `${i + 1} ${parts[i]?.dataset ?? ""}`;
  const verdict = segment
    ? `is ${explanation.isExported ? "in" : "not in"} ${segment}`
    : explanation.isExported ? "is exported" : "is not exported";
  const memberships = explanation.batches.flatMap((batch) => batch.memberships);
  const made = [
    element("p", { className: "figure" }, `${first} ${verdict}`),
    others.length ? element("p", { textContent: `One profile with ${others.join(", ")}` }) : "",
    element("p", { className: "faint", textContent: `merge policy ${mergePolicy.id}, version ${mergePolicy.version}` }),
    element("h3", { textContent: "What decides" }),
    element("ul", { className: "conditions" }, ...explanation.conditions.map((one) => element("li", {}, mark(one.holds), ` ${one.text}`))),
  ];
  if (memberships.length) {
    made.push(element("h3", { textContent: "Memberships that were looked at" }),
      table(["", "Segment", "Status", "Qualified", "From", "Why"], memberships.map((one) =>
        row(mark(one.counts), `${one.namespace}:${one.segmentId}`, one.status, one.qualified, from(one.fragment), one.reason))));
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
        element("li", {}, element("time", { textContent: event.timestamp ?? "" }), ` ${event.dataset} `,
          element("span", { className: "id", textContent: event.id }),
          event.isAdded ? "" : element("span", { className: "faint", textContent: ` not added: ${event.reason}` })))));
  }
  return made;
}

export async function show(rest, parameters, isNew) {
  const form = byId("person-form");
  const [identity, segment] = [parameters.get("identity") ?? "", parameters.get("segment") ?? ""];
  if (isNew) {
    const { audiences } = await json("/local/audiences");
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
  byId("person-card").replaceChildren();
  if (!identity) return 0;
  const body = { additionalFields: { eventList: {} } };
  if (segment) body.filter = { segments: [{ segmentId: segment }] };
  try {
    const found = await look(`/local/explain?identity=${encodeURIComponent(identity)}`, body);
    byId("person-card").replaceChildren(...card(found, segment).filter((part) => part !== ""));
  } catch (error) {
    byId("person-card").replaceChildren(element("p", { className: "problem error", textContent: error.message }));
    if (error.status !== 404 && error.status !== 400) fail(error);
  }
  return 0;
}
