const {poll, mark, personal} = document.body.dataset;
const all = what => [...document.querySelectorAll(what)];
const now = () => performance.now(), on = addEventListener, hush = () => {};
const stale = all("#stale")[0], idle = all("#idle")[0];
let told = now(), last = now() - (history.state?.still ?? 0), beat = 0;
history.replaceState(0, "");
const look = async () => {
  try {
    const got = await fetch(poll, {signal: AbortSignal.timeout(4e3)});
    if (!got.ok) throw 0;
    if (await got.text() != mark) {
      history.replaceState({still: now() - last}, "");
      return location.reload();
    }
    told = now();
  } catch {}
  stale.hidden = now() - told < 2e4;
};
poll && setInterval(look, 5e3);

all("textarea").map(box => {
  const left = all(`#${box.id}-left`)[0];
  (box.oninput = () => {
    const fits = box.dataset.charsMax - [...box.value.normalize("NFC").trim()].length;
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
  const touch = () => idle.open || (last = now());
  ["pointerdown", "keydown", "input", "scroll"].map(what => on(what, touch, true));
  idle.onclose = touch;
  setInterval(() => {
    ++beat % 60 || fetch(home + "stand").catch(hush);
    if (all(".listen audio").some(one => !one.paused)) touch();
    const still = (now() - last) / 1e3;
    if (still >= wipe) {
      document.body.replaceChildren(stale);
      fetch(home).then(go, () => stale.hidden = 0);
    } else if (still >= warning && !idle.open) {
      idle.showModal();
      all("#voice")[0]?.play().catch(hush);
    }
  }, 1e3);
}
