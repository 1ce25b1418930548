// The session has ended while a page was open: the page says so, keeps what it shows, and offers the sign-in. The way back
// leads to this page, at the place where it was scrolled to.
const KEY = "awase-place";

export function showSignedOut() {
  const told = document.getElementById("signed-out");
  if (!told || !told.hidden) return;
  told.hidden = false;
  told.querySelector("a").href = location.pathname + location.search + location.hash;
  told.querySelector("a").addEventListener("click", keepPlace);
}

export function hideSignedOut() {
  const told = document.getElementById("signed-out");
  if (told) told.hidden = true;
}

// An answer that leads elsewhere: all our pages send whoever is not signed in to the sign-in.
export function leadsAway(answer) {
  return answer.type === "opaqueredirect";
}

export function findPlace() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
    if (kept?.path !== location.pathname + location.search) return;
    sessionStorage.removeItem(KEY);
    scrollTo(0, kept.top);
  } catch {
    return; // no storage in this browser: the page begins at its top
  }
}

function keepPlace() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ path: location.pathname + location.search, top: scrollY }));
  } catch {
    return;
  }
}
