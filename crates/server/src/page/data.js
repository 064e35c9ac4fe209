// What there is: datasets, what came in, and the union schemas.
import { byId, cell, count, datasetNames, datasetOf, element, fill, json, paths, time } from "/page/base.js";

function datasetRow(id, dataset) {
  return element(
    "tr", {},
    cell("Dataset", id, "id"),
    cell("Name", dataset.name),
    cell("Records are", dataset.classification.dataBehavior === "record" ? "profiles" : "events"),
    cell("Rows", count(dataset.rows), "number"),
    cell("Created", dataset.created ? time(dataset.created) : ""),
  );
}

function loadRow(id, batch, names) {
  const dataset = datasetOf(batch);
  const errors = (batch.errors ?? []).map((error) =>
    element("div", { className: "error", textContent: `${error.code}: ${error.description}` }));
  return element(
    "tr", {},
    cell("Batch", id, "id"),
    cell("State", element("span", { className: batch.status, textContent: batch.status })),
    cell("Dataset", names.get(dataset) ?? dataset),
    cell("Loaded", count(batch.metrics?.recordsWritten), "number"),
    cell("Rejected", count(batch.metrics?.recordsFailed), "number"),
    cell("Created", time(batch.created)),
    cell("Errors", errors),
  );
}

function tree(nodes) {
  return element("ul", { className: "fields" }, ...nodes.map((node) => {
    const told = [element("span", { textContent: node.name }), element("span", { className: "faint", textContent: ` ${node.type}` })];
    if (node.fields.length === 0) return element("li", {}, ...told);
    return element("li", {}, element("details", {}, element("summary", {}, ...told), tree(node.fields)));
  }));
}

export async function show() {
  const [datasets, batches, schema] = await Promise.all([
    json(`${paths.catalog}/dataSets?limit=100`), json(`${paths.catalog}/batches?limit=100`), json("/local/schema"),
  ]);
  const sets = Object.entries(datasets);
  fill("dataset-rows", sets.map(([id, dataset]) => datasetRow(id, dataset)));
  byId("no-datasets").hidden = sets.length > 0;
  const loads = Object.entries(batches).filter(([, batch]) => batch.jobId === undefined);
  const names = await datasetNames(loads.map(([, batch]) => datasetOf(batch)));
  fill("load-rows", loads.map(([id, batch]) => loadRow(id, batch, names)));
  byId("no-loads").hidden = loads.length > 0;
  byId("schema").replaceChildren(
    element("div", {}, element("h4", { textContent: "Profiles" }), tree(schema.profile)),
    element("div", {}, element("h4", { textContent: "Events" }), tree(schema.event)),
  );
  return 0;
}
