// <div id="held-names" data-reads="/address"> is read from freee after the page has come. Each <input data-held> then becomes
// a choice of the names that freee holds, with a way back to typing. What freee does not answer stays a text field.
import { leadsAway, showSignedOut } from "./signed_out.js";

const part = document.getElementById("held-names");
if (part) read(part);

async function read(part) {
  const waiting = part.querySelector("[data-reading]");
  if (waiting) waiting.hidden = false;
  try {
    const answer = await fetch(part.dataset.reads, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (leadsAway(answer)) return showSignedOut();
    if (!answer.ok) return;
    const held = document.createElement("template");
    held.innerHTML = await answer.text();
    const next = held.content.firstElementChild;
    part.replaceWith(next);
    offer(next);
  } catch {
    return; // the names can be typed
  } finally {
    if (waiting) waiting.hidden = true;
  }
}

function offer(part) {
  const again = part.querySelector("[data-again]");
  if (again) {
    again.hidden = false;
    again.addEventListener("click", () => read(part));
  }
  const names = JSON.parse(part.dataset.names);
  if (names.length) for (const input of document.querySelectorAll("input[data-held]")) choose(input, names, part.dataset);
}

function choose(input, names, texts) {
  const select = document.createElement("select");
  for (const each of ["id", "name"]) select[each] = input[each];
  for (const each of ["aria-describedby", "aria-invalid"]) {
    if (input.hasAttribute(each)) select.setAttribute(each, input.getAttribute(each));
  }
  if (!input.value) select.append(new Option(texts.choose, ""));
  else if (!names.includes(input.value)) select.append(new Option(`${input.value} ${texts.unknown}`, input.value, true, true));
  for (const name of names) select.append(new Option(name, name, false, name === input.value));
  const other = new Option(texts.other, input.value);
  select.append(other);
  select.addEventListener("change", () => {
    if (select.selectedOptions[0] !== other) return;
    select.replaceWith(input);
    input.focus();
    input.select();
  });
  const focused = document.activeElement === input;
  input.replaceWith(select);
  if (focused) select.focus();
}
