// Asking the API, and making what is shown.

export const paths = {
  jobs: "/data/core/ups/export/jobs",
  policies: "/data/core/ups/config/mergePolicies",
  segments: "/data/core/ups/segment/definitions",
  evaluations: "/data/core/ups/segment/jobs",
  catalog: "/data/foundation/catalog",
  files: "/data/foundation/export",
};

export const byId = (id) => document.getElementById(id);

export const scope = {
  org: sessionStorage.getItem("org") || "default",
  sandbox: sessionStorage.getItem("sandbox") || "prod",
  token: sessionStorage.getItem("token") || "",
};

// What a view asks is given up when another one is shown: its answer would come too late.
let looking = new AbortController();
export function beginView() {
  looking.abort();
  looking = new AbortController();
  return looking.signal;
}

export function ask(path, options = {}) {
  const headers = {
    Authorization: `Bearer ${scope.token || "page"}`,
    "x-api-key": "status-page",
    "x-gw-ims-org-id": scope.org,
    "x-sandbox-name": scope.sandbox,
  };
  if (options.body) headers["Content-Type"] = "application/json";
  const isLook = (options.method ?? "GET") === "GET" || path.startsWith("/local/");
  return fetch(path, { ...(isLook ? { signal: looking.signal } : {}), ...options, headers }).then(async (answer) => {
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    const error = new Error(problem.detail || `${answer.status} ${answer.statusText}`);
    error.status = answer.status;
    throw error;
  });
}

export const json = (path, options) => ask(path, options).then((answer) => answer.json());
export const post = (path, body, options = {}) =>
  json(path, { ...options, method: "POST", body: JSON.stringify(body) });

// What an export would be: the page's own questions, for which no dataset has to be named.
export const look = (path, body, options) =>
  post(path, { schema: { name: "_xdm.context.profile" }, destination: { datasetId: "" }, ...body }, options);

export function tell(text, bad = false) {
  const state = byId("state");
  if (state.textContent !== text) state.textContent = text;
  state.className = bad ? "bad" : "";
}

export const fail = (error) => tell(error.message, true);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.flat().filter((child) => child !== undefined && child !== ""));
  return made;
}

export function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export function cell(label, content, className = "") {
  const made = element("td", { className }, content);
  made.dataset.label = label;
  return made;
}

export const link = (href, text) => element("a", { href, textContent: text });
export const count = (n) => (n === undefined ? "" : n.toLocaleString("en"));

export function size(bytes) {
  if (bytes === undefined) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1024 && unit < units.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

export function age(ms) {
  const seconds = Math.max(0, Math.round((Date.now() - ms) / 1000));
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

export const time = (ms) => {
  const moment = new Date(ms);
  return element("time", { dateTime: moment.toISOString(), title: moment.toLocaleString() }, age(ms));
};

export const duration = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

// A button keeps its focus when the table is made anew.
export function fill(id, rows) {
  const body = byId(id);
  const focused = document.activeElement;
  const key = body.contains(focused) ? focused.dataset.key : undefined;
  body.replaceChildren(...rows);
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

export function button(text, key, act) {
  const made = element("button", { type: "button", textContent: text });
  made.dataset.key = key;
  made.addEventListener("click", act);
  return made;
}

// A link can't carry the headers that the API asks for.
export async function download(fileId, path, name) {
  const answer = await ask(`${paths.files}/files/${fileId}?path=${encodeURIComponent(path)}`);
  const url = URL.createObjectURL(await answer.blob());
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

export const ended = ["SUCCEEDED", "FAILED", "CANCELLED"];

// The segments of a job or a request by their names, in few words.
export async function segmentNames() {
  const { segments } = await json(`${paths.segments}?limit=100000`);
  return new Map(segments.filter((one) => one.name).map((one) => [one.id, one.name]));
}

// The names of datasets by their IDs, asked for once; what there isn't any more is called by its ID.
const named = new Map();
export async function datasetNames(ids) {
  const unknown = [...new Set(ids)].filter((id) => id && !named.has(id));
  await Promise.all(unknown.map(async (id) => {
    const found = await json(`${paths.catalog}/dataSets/${id}`).catch((error) => {
      if (error.status === 404) return {};
      throw error;
    });
    named.set(id, found[id]?.name ?? id);
  }));
  return named;
}

// The dataset that a batch is of.
export const datasetOf = (batch) => batch.relatedObjects?.find((related) => related.type === "dataSet")?.id ?? "";

export function audience(filter, names) {
  const segments = filter?.segments ?? [];
  return segments.map((one) => names.get(one.segmentId) ?? one.segmentId);
}

export const short = (list) =>
  list.length === 0 ? "everybody" : list.length <= 2 ? list.join(", ") : `${list[0]} and ${list.length - 1} more`;

function flattened(value, path, found) {
  if (value !== null && typeof value === "object" && !Array.isArray(value)) {
    for (const [name, inner] of Object.entries(value)) flattened(inner, path ? `${path}.${name}` : name, found);
  } else found.set(path, Array.isArray(value) ? JSON.stringify(value) : String(value));
  return found;
}

// Profiles as a table, with a column for each leaf.
export function profiles(rows) {
  if (!rows.length) return element("p", { className: "empty", textContent: "Nobody." });
  const flat = rows.map((row) => flattened(row, "", new Map()));
  const columns = [...new Set(flat.flatMap((row) => [...row.keys()]))];
  const head = columns.map((name) => element("th", { scope: "col", textContent: name }));
  const cut = (text = "") => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
  const lines = flat.map((row) => element("tr", {}, ...columns.map((name) => element("td", { textContent: cut(row.get(name)) }))));
  return element("table", { className: "plain" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
}
