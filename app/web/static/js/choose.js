// Ticks of the people page are kept at once, one by one and in their order; without scripts the page's form keeps them.
import { leadsAway, showSignedOut } from "./signed_out.js";

const form = document.querySelector("form[data-choose]");
if (form) keepTicks(form);

function keepTicks(form) {
  const token = form.elements.csrf_token.value;
  const fault = form.querySelector("[data-fault]");
  const number = form.querySelector("[data-chosen]");
  let last = Promise.resolve();
  for (const button of form.querySelectorAll("[data-without-scripts]")) button.hidden = true;
  form.addEventListener("change", (event) => {
    const box = event.target;
    if (box.name !== "chosen") return;
    const wanted = box.checked;
    last = last.then(() => send(box, wanted));
  });

  async function send(box, wanted) {
    try {
      const answer = await fetch(form.dataset.choose, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
        body: JSON.stringify({ position: Number(box.value), chosen: wanted }),
        redirect: "manual",
      });
      if (leadsAway(answer)) showSignedOut();
      if (!answer.ok) throw new Error(String(answer.status));
      number.textContent = (await answer.json()).text;
      fault.hidden = true;
    } catch {
      box.checked = !wanted;
      fault.hidden = false;
    }
  }
}
