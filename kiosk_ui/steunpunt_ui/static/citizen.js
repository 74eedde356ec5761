// Optional
const {poll, mark, personal} = document.body.dataset;
const byId = id => document.getElementById(id);
const all = what => [...document.querySelectorAll(what)];
const now = () => performance.now(), on = addEventListener, hush = () => {};
const stale = byId("stale"), idle = byId("idle");
let heard = now(), moved = now() - (history.state?.still ?? 0), beats = 0;
history.replaceState(null, "");
const look = async () => {
  try {
    const got = await fetch(poll, {signal: AbortSignal.timeout(4e3)});
    if (!got.ok) throw 0;
    if (await got.text() != mark) {
      history.replaceState({still: now() - moved}, "");
      return location.reload();
    }
    heard = now();
  } catch {}
  stale.hidden = now() - heard < 2e4;
};
if (poll) setInterval(look, 5e3);

all("[data-chars-max]").map(area => {
  const left = byId(area.id + "-left");
  (area.oninput = () => {
    const fits = area.dataset.charsMax - [...area.value.normalize("NFC").trim()].length;
    left.value = Math.abs(fits);
    left.parentNode.className = fits < 0 ? "wrong" : "hint";
  })();
});

const able = yes => all("button").map(one => one.disabled = !yes);
on("submit", e => e.target.method == "post" && setTimeout(able));
on("pageshow", able);

const {warning, wipe, home} = idle?.dataset ?? {};
if (idle && location.pathname != home) {
  const go = () => location.replace(home);
  if (personal == "") {
    if (performance.getEntriesByType("navigation")[0]?.type == "back_forward") go();
    onpageshow = e => e.persisted && go();
  }
  const touch = () => idle.open || (moved = now());
  ["pointerdown", "keydown", "input", "scroll"].map(what => on(what, touch, true));
  idle.onclose = touch;
  setInterval(() => {
    ++beats % 60 || fetch(home + "stand").catch(hush);
    if (all(".listen audio").some(one => !one.paused)) touch();
    const still = (now() - moved) / 1e3;
    if (still >= wipe) fetch(home).then(go, hush);
    else if (still >= warning && !idle.open) {
      idle.showModal();
      byId("voice")?.play().catch(hush);
    }
  }, 1e3);
}
