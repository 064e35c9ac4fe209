// An expression: how many it takes while it is typed, and the first of them.
import { byId, count, post, profiles } from "/page/base.js";

let waiting;
let asking = new AbortController();

function answer(text, isRefused, people = []) {
  byId("expression-count").textContent = text;
  byId("expression-count").className = isRefused ? "error" : "";
  byId("expression-people").replaceChildren(...people);
}

async function tell(expression) {
  asking.abort();
  asking = new AbortController();
  if (!expression.trim()) return answer("", false);
  try {
    const found = await post("/local/expression", { expression }, { signal: asking.signal });
    const told = `${count(found.members)} of ${count(found.profiles)} profiles, by the merge policy ${found.mergePolicy.id}`;
    return answer(told, false, [profiles(found.people)]);
  } catch (error) {
    return error.name === "AbortError" ? undefined : answer(error.message, true);
  }
}

export function begin() {
  const box = byId("expression");
  box.oninput = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => tell(box.value), 250);
  };
  if (box.value) tell(box.value);
}
