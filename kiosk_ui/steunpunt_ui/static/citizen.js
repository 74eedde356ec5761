// Optional: every page works without it. Looks every 5 s for changes, counts what still fits in a text, and at the
// point's own screen asks who is there and goes home.
(() => {
  const {poll, mark, personal} = document.body.dataset;
  const byId = (id) => document.getElementById(id);
  const now = () => performance.now();
  const stale = byId("stale"), idle = byId("idle");
  let heard = now(), touched = now() - (history.state?.still ?? 0);
  history.replaceState(null, "");
  const look = async () => {
    try {
      const reply = await fetch(poll, {cache: "no-store", signal: AbortSignal.timeout(4000)});
      if (!reply.ok) throw reply.status;
      if (await reply.text() !== mark) {
        history.replaceState({still: now() - touched}, "");
        return location.reload();
      }
      heard = now();
    } catch { /* the bar below says so */ }
    stale.hidden = now() - heard < 20000;
  };
  if (poll) setInterval(look, 5000);

  for (const area of document.querySelectorAll("[data-chars-max]")) {
    const left = byId(area.id + "-left");
    const count = () => left.value = area.dataset.charsMax - [...area.value.normalize("NFC").trim()].length;
    area.addEventListener("input", count);
    left.parentElement.hidden = false;
    count();
  }

  const {warning, wipe, home} = idle?.dataset ?? {};
  if (!idle || location.pathname === home) return;
  const go = () => location.replace(home);
  // Going back shows nothing that others left.
  if (personal !== undefined) {
    if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") go();
    onpageshow = (event) => event.persisted && go();
  }
  const touch = () => { if (!idle.open) touched = now(); };
  for (const what of ["pointerdown", "keydown", "input", "scroll"]) addEventListener(what, touch, true);
  idle.addEventListener("close", touch);
  setInterval(() => {
    const still = (now() - touched) / 1000;
    if (still >= wipe) fetch(home).then(go, () => {});
    else if (still >= warning && !idle.open) idle.showModal();
  }, 1000);
})();
