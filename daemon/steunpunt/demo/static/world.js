// Optional: the page works without it. Looks every second how things are, and sends the forms without a new page.
(() => {
  const away = document.getElementById("away");
  const things = document.querySelectorAll("[data-key]");
  const show = (marks) => {
    for (const thing of things) {
      const {text, look, do: act} = marks[thing.dataset.key];
      if (thing.dataset.look !== look) thing.dataset.look = look;
      if ("words" in thing.dataset && thing.textContent !== text) thing.textContent = text;
      if (thing.tagName === "BUTTON") { thing.value = act; thing.disabled = look === "disabled"; }
    }
  };
  const look = async () => {
    try {
      const reply = await fetch("/state", {cache: "no-store", signal: AbortSignal.timeout(8000)});
      if (!reply.ok) throw reply.status;
      show(await reply.json());
      away.hidden = true;
    } catch { away.hidden = false; }
    document.body.classList.toggle("stale", !away.hidden);
  };
  const again = async () => { await look(); setTimeout(again, 1000); };
  again();
  document.addEventListener("submit", async (event) => {
    event.preventDefault();
    const {submitter, target} = event, sent = new URLSearchParams(new FormData(target, submitter));
    submitter.dataset.busy = "";
    try { await fetch(target.action, {method: "POST", body: sent, redirect: "manual"}); } catch { away.hidden = false; }
    delete submitter.dataset.busy;
    look();
  });
})();
