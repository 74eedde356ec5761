// Optional: refreshes the list, tells what an answer costs, runs the ages, and within 10 s of losing the desk's computer says so and stops them.
(() => {
  const {poll, mark} = document.body.dataset, list = document.getElementById("list");
  const away = document.getElementById("away");
  let heard = performance.now(), loaded = heard, last = "";
  const words = s => s < 3600
    ? `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s`
    : `${Math.floor(s / 3600)} u ${String(Math.floor(s % 3600 / 60)).padStart(2, "0")} min`;
  const put = html => {
    if (html === last) return;
    const focus = document.activeElement && document.activeElement.id;
    const open = [...list.querySelectorAll("details[open]")].map(d => d.id);
    list.innerHTML = last = html;
    loaded = performance.now();
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focus) document.getElementById(focus)?.focus();
  };
  const typed = () => [...document.querySelectorAll("main :is(textarea, input:not([type]))")].some(field => field.value !== field.defaultValue);
  const look = async () => {
    try {
      const reply = await fetch(poll, {cache: "no-store", redirect: "error", signal: AbortSignal.timeout(2500)});
      if (reply.status === 401) {  // to the login page, which hides all this; unless words would be lost by it
        if (list || !typed()) return location.reload();
        heard = performance.now();
        return void (document.getElementById("out").hidden = false);
      }
      document.getElementById("out").hidden = true;
      if (!reply.ok) return;
      const text = await reply.text();
      heard = performance.now();
      if (list) put(text); else document.getElementById("news").hidden = text === mark;
    } catch { /* the clock below says so */ }
  };
  const tick = () => {
    const gone = performance.now() - heard > 8000;
    away.hidden = !gone;
    document.body.classList.toggle("stopped", gone);
    if (!gone) for (const age of document.querySelectorAll("[data-age]"))
      age.textContent = words(+age.dataset.age + Math.floor((performance.now() - loaded) / 1000));
  };
  if (poll) { setInterval(look, 3000); setInterval(tick, 1000); }

  for (const area of document.querySelectorAll("[data-chars-max]")) {
    const left = document.getElementById(area.id + "-left");
    const count = () => {
      const fits = area.dataset.charsMax - [...area.value.normalize("NFC").trim()].length;
      left.value = Math.abs(fits);
      left.parentElement.className = fits < 0 ? "wrong" : "hint";
    };
    area.addEventListener("input", count);
    count();
  }

  // What an answer costs on the air: asks the page that reads it over, a second after the last key.
  const form = document.getElementById("cost")?.closest("form");
  let pause;
  const price = async () => {
    const fields = new URLSearchParams(new FormData(form));
    fields.set("do", "check");
    try {
      const reply = await fetch(form.action, {method: "POST", body: fields, signal: AbortSignal.timeout(10000)});
      const told = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("cost");
      const cost = document.getElementById("cost");
      cost.textContent = told?.textContent ?? "";
      cost.hidden = !cost.textContent;
    } catch { /* the page that reads it over tells it too */ }
  };
  form?.addEventListener("input", () => { clearTimeout(pause); pause = setTimeout(price, 1000); });
})();
