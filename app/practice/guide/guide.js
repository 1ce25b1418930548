// Asks again and again what is done, and ticks it off without loading the page anew.
const every = 3000;

async function look() {
  try {
    const answer = await fetch("done", { headers: { accept: "application/json" } });
    if (answer.ok) show(new Set((await answer.json()).done));
  } catch {
    // Awase or the guide is being started again: the next look will tell
  }
  setTimeout(look, every);
}

function show(done) {
  let changed = "";
  for (const task of document.querySelectorAll("[data-task]")) {
    const is = done.has(task.dataset.task);
    if (task.classList.contains("done") === is) continue;
    task.classList.toggle("done", is);
    task.querySelector(".tick").textContent = is ? task.dataset.done : task.dataset.open;
    if (is) changed = `${task.querySelector("h2").textContent}: ${task.dataset.done}`;
  }
  document.querySelector("#count").textContent = done.size;
  document.querySelector("#all-done").hidden = done.size < document.querySelectorAll("[data-task]").length;
  if (changed) document.querySelector("#said").textContent = changed;
}

setTimeout(look, every);
