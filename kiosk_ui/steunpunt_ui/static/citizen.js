const {poll, mark, personal} = document.body.dataset;
const all = what => [...document.querySelectorAll(what)];
const now = () => performance.now(), on = addEventListener, hush = () => {};
const stale = all("#stale")[0], idle = all("#idle")[0];
let heard = now(), touched = now() - (history.state?.still ?? 0), beats = 0;
history.replaceState(0, "");
const look = async () => {
  try {
    const got = await fetch(poll, {cache: "no-store", signal: AbortSignal.timeout(4e3)});
    if (!got.ok) throw 0;
    if (await got.text() != mark) {
      history.replaceState({still: now() - touched}, "");
      return location.reload();
    }
    heard = now();
  } catch {}
  stale.hidden = now() - heard < 2e4;
};
poll && setInterval(look, 5e3);

for (const area of all("textarea")) {
  const left = all(`#${area.id}-left`)[0];
  area.oninput = () => left.value = area.dataset.charsMax - [...area.value.normalize("NFC").trim()].length;
  left.parentElement.hidden = 0;
  area.oninput();
}

const able = yes => all("button").map(one => one.disabled = !yes);
on("submit", e => e.target.method == "post" && setTimeout(able));
on("pageshow", able);

const {warning, wipe, home} = idle?.dataset ?? {};
if (idle && location.pathname != home) {
  const go = () => location.replace(home);
  if (personal != null) {
    if (performance.getEntriesByType("navigation")[0]?.type == "back_forward") go();
    onpageshow = e => e.persisted && go();
  }
  const touch = () => idle.open || (touched = now());
  for (const what of ["pointerdown", "keydown", "input", "scroll"]) on(what, touch, true);
  idle.onclose = touch;
  setInterval(() => {
    if (!(++beats % 60)) fetch(home + "stand").catch(hush);
    if (all(".listen audio").some(one => !one.paused)) touch();
    const still = (now() - touched) / 1e3;
    if (still >= wipe) {
      document.body.replaceChildren(stale);
      fetch(home).then(go, () => stale.hidden = 0);
    } else if (still >= warning && !idle.open) {
      idle.showModal();
      all("#voice")[0]?.play().catch(hush);
    }
  }, 1e3);
}
