// A new export: who and what are chosen, and what it gives is told meanwhile.
import { byId, count, element, fail, json, look, paths, post, profiles, tell } from "/page/base.js";

const form = () => byId("new-form");
const targetSchema = "https://ns.adobe.com/xdm/context/profile__union";
// The dataset that exports go to where nobody names one, as the command line makes it.
const usualTarget = "Profile exports";
let waiting = 0;
let asking = new AbortController();

const quote = (part) => (/^[\w:-]+$/.test(part) ? part : `"${part.replaceAll('"', '\\"')}"`);

function segmentBox(one, chosen) {
  const box = element("input", { type: "checkbox", name: "segment", value: one.id, checked: chosen });
  box.dataset.namespace = one.namespace;
  const name = one.name ?? one.id;
  const members = one.realized === undefined ? "not counted" : one.isEvaluated === false ? "not evaluated yet" : count(one.realized + one.existing);
  const line = element(
    "label", {}, box, element("span", { textContent: name }),
    element("span", { className: "count", textContent: `${one.namespace} · ${members}` }),
  );
  line.dataset.text = `${name} ${one.id} ${one.namespace}`.toLowerCase();
  return line;
}

// A tree of fields: an object is open where something in it is looked for.
function fieldTree(nodes, before) {
  return nodes.map((node) => {
    const path = [...before, quote(node.name)].join(".");
    const box = element("input", { type: "checkbox", name: "field", value: path });
    const line = element("label", {}, box, element("span", { textContent: node.name }),
      element("span", { className: "count", textContent: node.type }));
    line.dataset.text = path.toLowerCase();
    if (node.type !== "object" || node.fields.length === 0) return line;
    const inner = element("div", { className: "inner" }, ...fieldTree(node.fields, [...before, quote(node.name)]));
    const open = element("details", {}, element("summary", { textContent: `what is in ${node.name}` }), inner);
    return element("div", { className: "branch" }, line, open);
  });
}

function find(input, choice) {
  const words = input.value.toLowerCase();
  for (const line of choice.querySelectorAll("label")) line.hidden = !line.dataset.text.includes(words);
  for (const branch of choice.querySelectorAll("details")) {
    const some = [...branch.querySelectorAll("label")].some((line) => !line.hidden);
    branch.hidden = !some;
    if (words) branch.open = some;
  }
}

const boxes = (name) => [...form().querySelectorAll(`input[name="${name}"]:checked`)];

// A field in a chosen object is chosen with it.
function chosenFields() {
  const all = boxes("field").map((box) => box.value);
  return all.filter((path) => !all.some((other) => path.startsWith(`${other}.`)));
}

export function request() {
  const fields = form().elements;
  const segments = boxes("segment").map((box) =>
    box.dataset.namespace ? { segmentId: box.value, segmentNs: box.dataset.namespace } : { segmentId: box.value });
  const window = {};
  if (fields.since.value) window.startTime = `${fields.since.value}T00:00:00Z`;
  if (fields.until.value) window.endTime = `${fields.until.value}T23:59:59.999999Z`;
  const filter = {};
  if (segments.length) filter.segments = segments;
  if (Object.keys(window).length) filter.segmentQualificationTime = window;
  if (fields.empty.checked) filter.emptyProfiles = true;
  const body = { destination: { datasetId: fields.dataset.value } };
  if (fields["per-segment"].checked && segments.length) body.destination.segmentPerBatch = true;
  if (chosenFields().length) body.fields = chosenFields().join(",");
  if (Object.keys(filter).length) body.filter = filter;
  if (fields.policy.value) body.mergePolicy = { id: fields.policy.value };
  if (fields.events.checked) {
    const list = fields["event-fields"].value.trim();
    body.additionalFields = { eventList: list ? { fields: list } : {} };
  }
  if (fields.evaluate.checked) body.evaluationInfo = { segmentation: true };
  body.schema = { name: "_xdm.context.profile" };
  return body;
}

async function tellCount(body) {
  asking.abort();
  asking = new AbortController();
  try {
    const plan = await look("/local/plan", body, { signal: asking.signal });
    const events = body.additionalFields ? ` and ${count(plan.events)} events` : "";
    byId("live").textContent = `${count(plan.profiles)} profiles${events}`;
    const lines = plan.batches.filter((batch) => batch.segmentId).map((batch) =>
      element("li", { textContent: `${batch.segmentId}: ${count(batch.profiles)}` }));
    const notes = body.evaluationInfo
      ? [element("li", { className: "faint", textContent: "counted as memberships are now; the export evaluates the segments first" })]
      : plan.unknownSegments.map((id) => element("li", { className: "error", textContent: `no record names ${id}` }));
    byId("live-batches").replaceChildren(
      lines.length + notes.length ? element("ul", {}, ...lines, ...notes) : "",
      element("p", { className: "faint", textContent: `by the merge policy ${plan.mergePolicy.id}: ${plan.mergePolicy.why}` }),
    );
    if (byId("state").className === "bad") tell("Idle");
  } catch (error) {
    if (error.name === "AbortError") return;
    byId("live").textContent = "…";
    fail(error);
  }
}

function changed() {
  const body = request();
  byId("request").textContent = JSON.stringify(body, null, 2);
  clearTimeout(waiting);
  waiting = setTimeout(() => tellCount(body), 250);
}

async function preview() {
  const { rows } = await look("/local/preview?limit=20", request());
  byId("preview").hidden = false;
  byId("preview").replaceChildren(profiles(rows));
}

async function target() {
  const { value } = form().elements.dataset;
  if (value) return value;
  const made = await post(`${paths.catalog}/dataSets`, {
    name: usualTarget,
    schemaRef: { id: targetSchema, contentType: "application/vnd.adobe.xed+json;version=1" },
  });
  const id = made[0].split("/").pop();
  // What comes next may fail, and is tried again.
  form().elements.dataset.selectedOptions[0].value = id;
  return id;
}

async function start() {
  byId("start").disabled = true;
  try {
    const body = request();
    body.destination.datasetId = await target();
    const job = await post(paths.jobs, body);
    location.hash = `#/exports/${job.id}`;
  } finally {
    byId("start").disabled = false;
  }
}

async function prepare(parameters) {
  const [{ audiences, leftOut }, schema, policies, datasets] = await Promise.all([
    json("/local/audiences"), json("/local/schema"), json(paths.policies), json(`${paths.catalog}/dataSets`),
  ]);
  // NAMESPACE:ID; what is not among those that were counted is still meant.
  const wanted = parameters.getAll("segment");
  const key = (one) => `${one.namespace}:${one.id}`;
  const others = wanted.filter((word) => !audiences.some((one) => key(one) === word)).map((word) => {
    const [namespace, ...id] = word.split(":");
    return id.length ? { namespace, id: id.join(":") } : { namespace: "", id: word };
  });
  const lines = [...others.map((one) => segmentBox(one, true)), ...audiences.map((one) => segmentBox(one, wanted.includes(key(one))))];
  if (leftOut) lines.push(element("p", { className: "faint", textContent: `and ${leftOut} smaller ones` }));
  byId("segment-choice").replaceChildren(...lines);
  byId("field-choice").replaceChildren(...fieldTree(schema.profile, []));
  const { elements } = form();
  const first = elements.policy.options[0];
  elements.policy.replaceChildren(first, ...policies.children.map((policy) =>
    element("option", { value: policy.id, textContent: policy.name ? `${policy.name} (${policy.id})` : policy.id })));
  // Datasets that have records are sources.
  const isTarget = ([, dataset]) => dataset.schemaRef?.id === targetSchema && !dataset.rows;
  const targets = Object.entries(datasets).filter(isTarget);
  const usual = targets.find(([, dataset]) => dataset.name === usualTarget);
  elements.dataset.replaceChildren(
    element("option", { value: usual?.[0] ?? "", textContent: usualTarget }),
    ...targets.filter((one) => one !== usual).map(([id, dataset]) => element("option", { value: id, textContent: dataset.name })),
  );
  byId("segment-find").oninput = (event) => find(event.target, byId("segment-choice"));
  byId("field-find").oninput = (event) => find(event.target, byId("field-choice"));
  form().onchange = changed;
  form().onsubmit = (event) => {
    event.preventDefault();
    start().catch(fail);
  };
  byId("look").onclick = () => preview().catch(fail);
  byId("preview").hidden = true;
  changed();
}

export async function show(rest, parameters, isNew) {
  if (isNew) await prepare(parameters);
  return 0;
}
