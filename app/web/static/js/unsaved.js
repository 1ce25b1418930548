// <form data-asks-before-leaving>: whoever leaves the page with changes in it that were not sent is asked by the browser.
// Another form of the page counts, too: sending one would lose what was typed into the other. data-asks-before-leaving=
// "typed" stands on a form that the server has given back with a fault: nothing of it is saved.
export function keepEdits(root = document) {
  const forms = [...root.querySelectorAll("form[data-asks-before-leaving]")];
  if (!forms.length) return;
  const before = new Map(forms.map((form) => [form, contentOf(form)]));
  let leaving = null;
  document.addEventListener("submit", (event) => (leaving = event.target));
  addEventListener("beforeunload", (event) => {
    const sent = leaving;
    leaving = null;
    if (forms.some((form) => form !== sent && isChanged(form, before.get(form)))) event.preventDefault();
  });
}

function isChanged(form, before) {
  return form.isConnected && (form.dataset.asksBeforeLeaving === "typed" || contentOf(form) !== before);
}

function contentOf(form) {
  return new URLSearchParams([...new FormData(form)].filter(([name]) => name !== "csrf_token")).toString();
}
