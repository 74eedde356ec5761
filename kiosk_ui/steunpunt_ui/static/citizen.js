// Optional: every page works without it. Looks every 5 s whether something changed, says so when it cannot,
// and counts what still fits in a text. Pages with a form are never reloaded under someone's fingers.
(() => {
  const {poll, mark} = document.body.dataset;
  const stale = document.getElementById("stale");
  let heard = performance.now();
  const look = async () => {
    try {
      const reply = await fetch(poll, {cache: "no-store", signal: AbortSignal.timeout(4000)});
      if (!reply.ok) throw reply.status;
      if (await reply.text() !== mark) return location.reload();
      heard = performance.now();
    } catch { /* counted by the bar below */ }
    stale.hidden = performance.now() - heard < 20000;
  };
  if (poll) setInterval(look, 5000);

  for (const area of document.querySelectorAll("[data-chars-max]")) {
    const left = document.getElementById(area.id + "-left");
    const count = () => { left.value = area.dataset.charsMax - [...area.value.normalize("NFC").trim()].length; };
    area.addEventListener("input", count);
    left.parentElement.hidden = false;
    count();
  }
})();
