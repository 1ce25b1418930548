// <button data-opens="ID"> opens the <dialog id="ID">; a <button value="cancel" formmethod="dialog"> in it closes it.
// Without scripts such a button submits its own form, which leads to a page that asks the same question.
export function keepDialogs(root = document) {
  for (const opener of root.querySelectorAll("[data-opens]")) {
    const dialog = document.getElementById(opener.dataset.opens);
    if (!dialog) continue;
    opener.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.showModal();
    });
    dialog.addEventListener("close", () => opener.focus());
  }
}
