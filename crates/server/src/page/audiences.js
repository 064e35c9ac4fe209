// Audiences: members by status, how their exports and evaluations went, and what chosen ones have in common.
import { begin as beginExpression } from "/page/expression.js";
import { button, byId, cell, count, drawn, element, fail, fill, json, link, look, paths } from "/page/base.js";

const most = 3;
let audiences = [];
let policy;
let leftOut = 0;
let history = new Map();
let evaluated = new Map();
let chosen = [];

// Exports of one segment alone, oldest first: their profiles.
function histories(jobs) {
  const found = new Map();
  const add = (id, at, rows) => found.set(id, [...(found.get(id) ?? []), { at, rows }]);
  for (const job of [...jobs].reverse()) {
    if (job.status !== "SUCCEEDED") continue;
    const segments = job.filter?.segments ?? [];
    const by = job.metrics.exportedProfileBySegmentCounter;
    if (by) for (const [id, rows] of Object.entries(by)) add(id, job.creationTime, rows);
    else if (segments.length === 1) add(segments[0].segmentId, job.creationTime, job.metrics.totalExportedProfileCounter);
  }
  return found;
}

// Evaluations of each segment, oldest first: who was in, who came and who went.
function evaluations(jobs) {
  const found = new Map();
  for (const { metrics } of [...jobs].reverse()) {
    for (const [id, rows] of Object.entries(metrics.segmentedProfileCounter)) {
      const entered = metrics.segmentedProfileByStatusCounter[id].realized;
      found.set(id, [...(found.get(id) ?? []), { rows, entered, left: metrics.exitedProfileCounter[id] }]);
    }
  }
  return found;
}

function moved(points) {
  if (!points) return "";
  const { entered, left } = points.at(-1);
  const told = element("div", { className: "faint", textContent: `last: ${count(entered)} entered, ${count(left)} left` });
  return [element("div", {}, ...[line(points, "evaluations")].flat()), told];
}

function line(points, what) {
  if (!points || points.length < 2) return points ? `${count(points[0].rows)} once` : "";
  const [width, height] = [110, 26];
  const [low, high] = [Math.min(...points.map((one) => one.rows)), Math.max(...points.map((one) => one.rows))];
  const place = (one, i) => {
    const share = high === low ? 0.5 : (one.rows - low) / (high - low);
    return `${((i / (points.length - 1)) * (width - 6) + 3).toFixed(1)},${(height - 3 - share * (height - 6)).toFixed(1)}`;
  };
  const told = `${points.length} ${what}, from ${count(points[0].rows)} to ${count(points.at(-1).rows)} profiles`;
  const path = drawn("polyline", { points: points.map(place).join(" ") });
  return [drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "line", role: "img", "aria-label": told }, path),
    ` ${count(points.at(-1).rows)}`];
}

function bar(one, largest) {
  const [width, height] = [200, 12];
  const long = (n) => (n / Math.max(1, largest)) * width;
  const told = `${count(one.realized)} realized, ${count(one.existing)} existing`;
  return [
    drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "bar", role: "img", "aria-label": told },
      drawn("rect", { width: long(one.realized), height, class: "realized" }),
      drawn("rect", { x: long(one.realized), width: long(one.existing), height, class: "existing" })),
    element("span", { className: "faint", textContent: ` ${count(one.realized)}, ${count(one.existing)}` }),
  ];
}

const key = (one) => `${one.namespace}:${one.id}`;

function row(one, largest) {
  const box = element("input", { type: "checkbox", checked: chosen.includes(key(one)), ariaLabel: `Compare ${one.name ?? one.id}` });
  box.dataset.key = `choose-${key(one)}`;
  box.onchange = () => choose(one, box).catch(fail);
  return element(
    "tr", {},
    cell("", box),
    cell("Audience", [element("div", { textContent: one.name ?? one.id }), element("div", { className: "id", textContent: key(one) })]),
    cell("Members", count(one.realized + one.existing), "number"),
    cell("Realized, existing", one.isEvaluated === false ? element("span", { className: "faint", textContent: "not evaluated yet" }) : bar(one, largest)),
    cell("Exited", count(one.exited), "number"),
    cell("Exported, over time", line(history.get(one.id), "exports")),
    cell("Evaluated, over time", one.namespace === "ups" ? moved(evaluated.get(one.id)) : ""),
    cell("", link(`#/new?segment=${encodeURIComponent(key(one))}`, "Export")),
  );
}

async function choose(one, box) {
  chosen = chosen.filter((other) => other !== key(one));
  if (box.checked) chosen = [...chosen, key(one)].slice(-most);
  draw();
  await overlap();
}

const subsets = (list) => list.reduce((all, one) => [...all, ...all.map((some) => [...some, one])], [[]]).slice(1);

// How many are in any of these: what an export of them gives.
async function union(some) {
  const segments = some.map((one) => ({ segmentId: one.id, segmentNs: one.namespace }));
  const plan = await look("/local/plan", { filter: { segments }, mergePolicy: policy });
  return plan.profiles;
}

// Everybody in all of them, from those in any: inclusion and exclusion.
function common(some, unions) {
  return subsets(some).reduce((sum, part) => sum + (part.length % 2 ? 1 : -1) * unions.get(part.map(key).join("|")), 0);
}

async function overlap() {
  const place = byId("overlap");
  const list = chosen.map((id) => audiences.find((one) => key(one) === id));
  if (list.length < 2) {
    place.replaceChildren();
    return;
  }
  const unions = new Map();
  await Promise.all(subsets(list).map(async (some) => unions.set(some.map(key).join("|"), await union(some))));
  const circles = list.length === 2 ? [[80, 75], [140, 75]] : [[80, 60], [140, 60], [110, 108]];
  const labels = list.length === 2
    ? { "0": [55, 78], "1": [165, 78], "0|1": [110, 78] }
    : { "0": [58, 52], "1": [162, 52], "2": [110, 140], "0|1": [110, 48], "0|2": [80, 98], "1|2": [140, 98], "0|1|2": [110, 80] };
  const texts = [];
  const rows = [];
  for (const part of subsets(list.map((_, i) => i))) {
    const some = part.map((i) => list[i]);
    const inAll = common(some, unions);
    // Only in these: without those that are in others, too.
    const others = subsets(list).filter((larger) => larger.length > some.length && some.every((one) => larger.includes(one)));
    const only = others.reduce((n, larger) => n + ((larger.length - some.length) % 2 ? -1 : 1) * common(larger, unions), inAll);
    const [x, y] = labels[part.join("|")];
    const text = drawn("text", { x, y, "text-anchor": "middle" });
    text.textContent = count(only);
    texts.push(text);
    rows.push(element("li", { textContent: `${some.map((one) => one.name ?? one.id).join(" and ")}: ${count(inAll)}${some.length < list.length ? `, ${count(only)} of them in no other` : ""}` }));
  }
  const picture = drawn("svg", { viewBox: "0 0 220 180", class: "venn", role: "img", "aria-label": "How the audiences overlap; the list says it in words" },
    ...circles.map(([cx, cy], i) => drawn("circle", { cx, cy, r: 55, class: `set${i}` })), ...texts);
  const clear = button("Clear", "clear-overlap", () => {
    chosen = [];
    draw();
    overlap();
  });
  place.replaceChildren(element("div", { className: "overlap" }, picture, element("div", {}, element("ul", {}, ...rows), clear)));
}

function draw() {
  const largest = Math.max(0, ...audiences.map((one) => one.realized + one.existing));
  fill("audience-rows", audiences.map((one) => row(one, largest)));
  byId("no-audiences").hidden = audiences.length > 0;
  byId("more-audiences").hidden = leftOut === 0;
  byId("more-audiences").textContent = `${count(leftOut)} smaller ones are not shown; profile-export segments list --counts has all that are defined.`;
}

export async function show(rest, parameters, isNew) {
  if (!isNew) return 0;
  beginExpression();
  const [counted, jobs, evaluating] = await Promise.all([
    json("/local/audiences"), json(`${paths.jobs}?limit=1000`), json(`${paths.evaluations}?status=SUCCEEDED&limit=100`),
  ]);
  audiences = counted.audiences;
  policy = counted.mergePolicy ?? undefined;
  leftOut = counted.leftOut;
  history = histories(jobs.records);
  evaluated = evaluations(evaluating.children);
  chosen = [];
  draw();
  await overlap();
  return 0;
}
