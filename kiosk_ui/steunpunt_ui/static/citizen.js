// Optional; pages need none of it
(() => {
  const {poll, mark, personal} = document.body.dataset;
  const byId = (id) => document.getElementById(id);
  const all = (what, act) => document.querySelectorAll(what).forEach(act);
  const now = () => performance.now();
  const stale = byId("stale"), idle = byId("idle");
  let heard = now(), touched = now() - (history.state?.still ?? 0);
  history.replaceState(null, "");
  const look = async () => {
    try {
      const got = await fetch(poll, {cache: "no-store", signal: AbortSignal.timeout(4000)});
      if (!got.ok) throw 0;
      if (await got.text() !== mark) {
        history.replaceState({still: now() - touched}, "");
        return location.reload();
      }
      heard = now();
    } catch {}
    stale.hidden = now() - heard < 20000;
  };
  if (poll) setInterval(look, 5000);

  all("[data-chars-max]", (area) => {
    const left = byId(area.id + "-left");
    const count = () => left.value = area.dataset.charsMax - [...area.value.normalize("NFC").trim()].length;
    area.addEventListener("input", count);
    left.parentElement.hidden = false;
    count();
  });

  const able = (yes) => all("button", (one) => one.disabled = !yes);
  addEventListener("submit", (e) => e.target.method === "post" && setTimeout(able));
  addEventListener("pageshow", able);

  const {warning, wipe, home} = idle?.dataset ?? {};
  if (!idle || location.pathname === home) return;
  const go = () => location.replace(home);
  if (personal !== undefined) {
    if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") go();
    onpageshow = (e) => e.persisted && go();
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
