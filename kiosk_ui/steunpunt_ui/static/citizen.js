// Optional: every page works without it. Looks every 5 s whether something changed, says so when it cannot,
// counts what still fits in a text, and takes one tap per form. Pages with a form are never reloaded under someone's fingers.
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

  // After the submit has read which button it was; the browser may show this very page again, so pageshow gives it back.
  const able = (form, yes) => { for (const button of form.querySelectorAll("button")) button.disabled = !yes; };
  addEventListener("submit", (event) => setTimeout(able, 0, event.target, false));
  addEventListener("pageshow", () => able(document, true));
})();
