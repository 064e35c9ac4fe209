// The page: which view is shown, and whose data. What it shows is what the API says.
import { beginView, byId, element, json, scope, tell } from "/page/base.js";
import * as exports from "/page/exports.js";
import * as job from "/page/job.js";
import * as create from "/page/new.js";
import * as audiences from "/page/audiences.js";
import * as person from "/page/person.js";
import * as data from "/page/data.js";

const views = { exports, job, new: create, audiences, person, data };
let shown = "";
let timer = 0;

// The address: #/view/rest?parameters. It is all that a view knows, so that it can be sent to somebody.
function address() {
  const [path, query = ""] = location.hash.slice(2).split("?");
  const [name = "", ...rest] = path.split("/");
  const view = name === "exports" && rest[0] ? "job" : name in views ? name : "exports";
  return { view, rest, parameters: new URLSearchParams(query) };
}

async function show() {
  clearTimeout(timer);
  const { view, rest, parameters } = address();
  const isNew = view !== shown;
  const signal = beginView();
  shown = view;
  for (const name of Object.keys(views)) byId(name).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) {
    const is = link.hash.slice(2) === (view === "job" ? "exports" : view);
    if (is) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (isNew && document.activeElement?.closest("nav")) byId("view").focus();
  let next;
  try {
    next = await views[view].show(rest, parameters, isNew);
    if (signal.aborted) return;
    if (byId("state").className === "bad" || !next) tell(next === 250 ? "At work" : "Idle");
    if (next) tell(next === 250 ? "At work" : "Idle");
  } catch (error) {
    if (signal.aborted) return;
    tell(error.message, true);
    if (error.status === 401 || error.status === 403) byId("sign-in").open = true;
    next = 1000;
    shown = "";
  }
  if (next && address().view === view) timer = setTimeout(show, document.hidden ? 10000 : next);
}

function showScope() {
  byId("scope").textContent = `${scope.org}, ${scope.sandbox}`;
  for (const [name, value] of Object.entries(scope)) byId("scope-form").elements[name].value = value;
}

function use(chosen) {
  for (const [name, value] of Object.entries(chosen)) {
    scope[name] = value.trim();
    sessionStorage.setItem(name, scope[name]);
  }
  byId("sign-in").open = false;
  for (const rows of document.querySelectorAll("tbody, #job-card, #person-card, #overlap, #schema")) rows.replaceChildren();
  showScope();
  shown = "";
  show();
}

byId("scope-form").addEventListener("submit", (event) => {
  event.preventDefault();
  use(Object.fromEntries(new FormData(event.target)));
});

// At the first visit nobody knows what there is: where there is one, that is meant.
async function firstVisit() {
  const { scopes } = await json("/local/scopes").catch(() => ({ scopes: [] }));
  byId("scopes").hidden = scopes.length === 0;
  byId("scope-links").replaceChildren(
    ...scopes.map((one) => {
      const button = element("button", { type: "button", textContent: `${one.org}, ${one.sandbox}` });
      button.addEventListener("click", () => use(one));
      return button;
    }),
  );
  if (sessionStorage.getItem("org")) return;
  const isThere = scopes.some((one) => one.org === scope.org && one.sandbox === scope.sandbox);
  if (scopes.length === 1) use(scopes[0]);
  else if (scopes.length > 1 && !isThere) byId("sign-in").open = true;
}

addEventListener("hashchange", show);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) show();
});
showScope();
firstVisit().finally(show);
