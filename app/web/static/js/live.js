// <section data-live="/address" data-every="2"> is replaced by what the address answers, every so many seconds, until the
// answer no longer carries data-live. Keyboard focus and opened <details> outlive the replacement. When the session has
// ended the part stays as it is, and the page offers the sign-in; after one in another window it goes on by itself.
import { hideSignedOut, leadsAway, showSignedOut } from "./signed_out.js";

const SLOWEST = 30;

export function keepLive(root = document) {
  for (const part of root.querySelectorAll("[data-live]")) follow(part, Number(part.dataset.every) || 2);
}

function follow(part, seconds, pause = seconds) {
  setTimeout(async () => {
    if (!part.isConnected) return;
    if (document.hidden) return follow(part, seconds, seconds);
    try {
      const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" }, redirect: "manual" });
      if (leadsAway(answer)) {
        showSignedOut();
        return follow(part, seconds, Math.min(pause * 2, SLOWEST));
      }
      hideSignedOut();
      if (!answer.ok) return follow(part, seconds, Math.min(pause * 2, SLOWEST));
      const next = replace(part, await answer.text());
      if (next.dataset.live) follow(next, seconds);
      else if (next.dataset.then) location.assign(next.dataset.then);
    } catch {
      follow(part, seconds, Math.min(pause * 2, SLOWEST));
    }
  }, pause * 1000);
}

function replace(part, html) {
  const held = document.createElement("template");
  held.innerHTML = html;
  const next = held.content.firstElementChild;
  const opened = new Set([...part.querySelectorAll("details[open][id]")].map((each) => each.id));
  for (const each of next.querySelectorAll("details[id]")) each.open ||= opened.has(each.id);
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceWith(next);
  if (focused) document.getElementById(focused)?.focus();
  return next;
}
