// <a data-cuts="DIALOG" data-smarthr data-freee data-who> asks in that one dialog instead of on a page of its own.
for (const link of document.querySelectorAll("[data-cuts]")) {
  const dialog = document.getElementById(link.dataset.cuts);
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    dialog.querySelector("[data-shows=who]").textContent = link.dataset.who;
    for (const side of ["smarthr", "freee"]) dialog.querySelector(`[name=${side}]`).value = link.dataset[side];
    dialog.addEventListener("close", () => link.focus(), { once: true });
    dialog.showModal();
  });
}
