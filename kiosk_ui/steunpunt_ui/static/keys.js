// The keyboard of the point's own screen, which has no other. Pages need none of it: nothing must be typed.
(() => {
  const keys = document.getElementById("keys"), {lang} = document.documentElement;
  let field;
  const show = (yes) => {
    keys.hidden = !yes;
    if (yes) field.scrollIntoView({block: "center"});
  };
  const typed = (one) => one.matches("textarea, input:not([type]), input[type=text], input[type=password]");
  addEventListener("focusin", ({target}) => {
    if (target.closest("#keys, button, a")) return;
    field = typed(target) ? target : undefined;
    keys.classList.toggle("figures", !!target.dataset?.figures || target.inputMode === "numeric");
    show(!!field);
  });
  addEventListener("keydown", (e) => e.isTrusted && e.key.length === 1 && show(false));
  const put = (text, from = field.selectionStart) => {
    field.setRangeText(text, from, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", {bubbles: true}));
  };
  const act = {
    upper: () => keys.classList.toggle("upper"),
    latin: () => keys.classList.toggle("latin"),
    figures: () => keys.classList.toggle("figures"),
    erase: () => {
      const at = field.selectionStart, last = [...field.value.slice(0, at)].pop() ?? "";
      put("", at === field.selectionEnd ? at - last.length : at);
    },
    enter: () => field.matches("textarea") ? put("\n") : act.done(),
    done: () => { field.blur(); show(false); },
  };
  keys.addEventListener("pointerdown", (e) => e.preventDefault());
  keys.addEventListener("click", ({target}) => {
    const key = target.closest("button");
    if (!key || !field) return;
    if (key.dataset.act) return act[key.dataset.act]();
    put(keys.classList.contains("upper") ? key.value.toLocaleUpperCase(lang) : key.value);
    keys.classList.remove("upper");
  });
  const first = document.activeElement;
  if (first && typed(first)) first.dispatchEvent(new FocusEvent("focusin", {bubbles: true}));
})();
