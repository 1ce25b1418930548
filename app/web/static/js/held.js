// A tick that lets a value be overwritten is kept at once; without scripts the button of the employee's form keeps it.
for (const form of document.querySelectorAll("form.preview-held")) {
  form.addEventListener("change", () => form.requestSubmit());
}
