// Paddock's own script. Every page works without it; it only saves a click or a reload.
(() => {
  "use strict";
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const on = (type, handler, options) => document.addEventListener(type, handler, options);

  // ---- toasts: what went wrong in the background, in words, with the operation id ----
  function toast(text, look = "bad", link = null) {
    const region = document.getElementById("toasts");
    const model = document.getElementById("toast-model");
    if (!region || !model) return;
    const node = model.content.firstElementChild.cloneNode(true);
    node.dataset.look = look;
    node.querySelector("[data-text]").textContent = text;
    if (link) node.querySelector("[data-text]").append(" ", link);
    node.querySelector("button").addEventListener("click", () => node.remove());
    region.append(node);
    if (look !== "bad") setTimeout(() => node.remove(), 6000);
  }
  on("htmx:response:error", (event) => {
    const answer = event.detail?.ctx?.response;
    const operation = answer?.headers?.get("x-operation-id");
    if (answer?.status === 401) {
      if (document.getElementById("signed-out")) return;
      const link = Object.assign(document.createElement("a"), { href: "/sign-in", target: "_blank", className: "link", textContent: "Sign in in a new tab", id: "signed-out" });
      toast("Your session has ended. What you typed is still here.", "bad", link);
      return;
    }
    toast(`That did not work (${answer?.status ?? "no answer"}). Reload the page and try again.` + (operation ? ` Operation ${operation}.` : ""));
  });
  on("htmx:error", (event) => {
    if (event.detail?.error?.name === "AbortError") return;
    toast("Paddock could not be reached. What you typed is still here.");
  });

  // ---- times are told in the browser's zone: the server learns it by a cookie, from the next page on ----
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && !document.cookie.split("; ").includes(`paddock_browser_zone=${zone}`)) {
    document.cookie = `paddock_browser_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${location.protocol === "https:" ? "; Secure" : ""}`;
  }

  // ---- the palette: Ctrl-K, arrows, Enter ----
  const palette = document.getElementById("palette");
  if (palette) {
    const field = palette.querySelector("input");
    const hits = () => all("[data-hit]", palette);
    const open = () => {
      if (palette.open) return;
      palette.showModal();
      field.select();
      field.dispatchEvent(new Event("palette"));
    };
    on("click", (event) => {
      if (event.target.closest("[data-palette]")) open();
      else if (event.target === palette) palette.close(); // the backdrop
    });
    on("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open();
      }
    });
    palette.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const found = hits();
      if (step && found.length > 0) {
        event.preventDefault();
        const at = found.indexOf(document.activeElement) + step;
        (at < 0 ? field : found[Math.min(at, found.length - 1)]).focus();
      } else if (event.key === "Escape") {
        event.preventDefault(); // a search field would only empty itself
        palette.close();
      } else if (event.key === "Enter" && event.target === field && found.length > 0) {
        event.preventDefault();
        found[0].click();
      }
    });
    on("htmx:after:swap", () => {
      const status = document.getElementById("said");
      if (palette.open && status) status.textContent = hits().length === 1 ? "One result" : `${hits().length} results`;
    });
  }

  // ---- menus: <details class="menu"> closes on Escape and on a click outside ----
  on("click", (event) => {
    for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  on("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of all("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });

  // ---- copy ----
  on("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.dataset.done = "";
      const status = document.getElementById("said");
      if (status) status.textContent = "Copied";
      setTimeout(() => { delete button.dataset.done; if (status) status.textContent = ""; }, 1500);
    } catch {
      toast("The browser did not allow copying. Select the text and copy it by hand.");
    }
  });

  // ---- theme, density and rail change at once; the post only remembers them ----
  on("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    if (!form.matches("form[data-preferences]") || !button?.name) return;
    event.preventDefault();
    const root = document.documentElement;
    if (button.value === "default") delete root.dataset[button.name];
    else root.dataset[button.name] = button.value;
    for (const other of all(`button[name="${button.name}"][aria-pressed]`, form)) other.setAttribute("aria-pressed", String(other === button));
    const body = new URLSearchParams(new FormData(form, button));
    fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => toast("Your choice could not be saved."));
    if (button.name === "rail") {
      for (const toggle of all("[data-rail-toggle]")) toggle.hidden = toggle === button;
      all("[data-rail-toggle]").find((toggle) => !toggle.hidden)?.focus();
    }
  });

  // ---- on a phone the filters are folded: what was found comes first ----
  if (matchMedia("(max-width: 900px)").matches) for (const facets of all("details.facets")) facets.open = false;

  // ---- filter forms send themselves when a control changes ----
  on("change", (event) => {
    const form = event.target.form;
    if (form?.matches("form[data-auto]")) form.requestSubmit();
  });

  // ---- a form is sent once: the second click waits for the answer of the first ----
  on("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.matches("[data-preferences]")) return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    event.submitter?.setAttribute("aria-busy", "true");
    const words = event.submitter?.dataset.busy;
    if (words) event.submitter.textContent = words;
  });
  addEventListener("pageshow", (event) => { // back button: the page comes from memory with its old state
    if (event.persisted) for (const form of all("form[data-sent]")) delete form.dataset.sent;
  });

  // ---- the server shapes the request form anew: what was changed since it was asked stays as it is ----
  // htmx writes the answer's values into fields that lost the focus, and leaves choices at their old place
  // in a list. So: what differs from what was sent is put back, everything else is set as answered.
  const asked = new WeakMap();
  const controls = (form) => [...form.elements].filter((one) => one.name && one.matches("input:not([type=hidden]), select, textarea"));
  const keyOf = (one) => (one.type === "checkbox" ? `${one.name}=${one.value}` : one.name);
  function valuesOf(form) {
    const values = new Map();
    for (const one of controls(form)) {
      if (one.type === "radio") { if (one.checked) values.set(one.name, one.value); } else values.set(keyOf(one), one.type === "checkbox" ? one.checked : one.value);
    }
    return values;
  }
  function setTo(one, value) {
    if (one.type === "radio") one.checked = one.value === value;
    else if (one.type === "checkbox") one.checked = value;
    else if (one.value !== value) one.value = value;
  }
  function asAnswered(one) {
    if (one === document.activeElement && one.matches("textarea, input:not([type=radio], [type=checkbox])")) return;
    if (one.matches("[type=radio], [type=checkbox]")) one.checked = one.defaultChecked;
    else if (one.matches("select")) for (const option of one.options) option.selected = option.defaultSelected;
    else if (one.value !== one.defaultValue) one.value = one.defaultValue;
  }
  on("htmx:config:request", ({ detail: { ctx } }) => {
    if (ctx.request.form?.id === "request") asked.set(ctx, valuesOf(ctx.request.form));
  });
  on("htmx:before:swap", ({ detail: { ctx } }) => {
    const sent = asked.get(ctx);
    const form = document.getElementById("request");
    if (sent && form) asked.set(ctx, new Map([...valuesOf(form)].filter(([key, value]) => sent.get(key) !== value)));
  });
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    const changed = asked.get(ctx);
    const form = document.getElementById("request");
    if (!changed || !form || !ctx.select) return;
    for (const one of controls(form)) if (changed.has(keyOf(one))) setTo(one, changed.get(keyOf(one))); else asAnswered(one);
  });

  // ---- slider and number are one value ----
  on("input", (event) => {
    const pair = event.target.closest("[data-range]");
    if (!pair) return;
    for (const other of all("input", pair)) if (other !== event.target) other.value = event.target.value;
    fill(pair);
  });
  function fill(pair) {
    const range = pair.querySelector("input[type=range]");
    range.style.setProperty("--fill", `${(100 * (range.value - range.min)) / (range.max - range.min || 1)}%`);
  }
  const fillAll = () => {
    for (const pair of all("[data-range]")) {
      const number = pair.querySelector("input[type=number]");
      if (number?.value) pair.querySelector("input[type=range]").value = number.value;
      fill(pair);
    }
  };
  fillAll();
  on("htmx:after:swap", fillAll);

  // ---- the button that destroys wakes up when the name is typed; the server checks it again ----
  function checkName(field) {
    const button = document.getElementById(field.dataset.unlocks);
    if (button) button.disabled = field.value.trim() !== field.dataset.name;
  }
  on("input", (event) => { if (event.target.matches("[data-unlocks]")) checkName(event.target); });
  for (const field of all("[data-unlocks]")) checkName(field);

  // ---- log: wrap, follow, permanent links ----
  function setUpLog() {
    const log = document.getElementById("log");
    if (!log || log.dataset.ready) return;
    log.dataset.ready = "1";
    const follow = document.querySelector("[data-log-follow]");
    const wrap = document.querySelector("[data-log-wrap]");
    const pressed = (button) => button?.getAttribute("aria-pressed") === "true";
    const toEnd = () => { log.scrollTop = log.scrollHeight; };
    const setFollow = (yes) => { follow?.setAttribute("aria-pressed", String(yes)); if (yes) toEnd(); };
    // A page shows a window of the log; while it follows, the window moves: what is far above goes.
    const trim = () => {
      const lines = log.querySelectorAll(".log-line");
      const over = lines.length - (pressed(follow) ? 1000 : 5000);
      if (over < 200) return;
      const first = lines[over];
      while (first.previousElementSibling) first.previousElementSibling.remove();
      const earlier = document.getElementById("log-earlier");
      const number = first.id.slice(1) - 1;
      earlier.hidden = false;
      earlier.querySelector("a").href = `?line=${number}#L${number}`;
    };
    const last = sessionStorage.getItem("log-wrap");
    if (last === "1") { log.dataset.wrap = ""; wrap?.setAttribute("aria-pressed", "true"); }
    wrap?.addEventListener("click", () => {
      const yes = !pressed(wrap);
      wrap.setAttribute("aria-pressed", String(yes));
      if (yes) log.dataset.wrap = ""; else delete log.dataset.wrap;
      sessionStorage.setItem("log-wrap", yes ? "1" : "0");
    });
    follow?.addEventListener("click", () => setFollow(!pressed(follow)));
    log.addEventListener("scroll", () => {
      const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 32;
      if (pressed(follow) && !atEnd) follow.setAttribute("aria-pressed", "false");
    }, { passive: true });
    // A line's number is its permanent link; the page need not load again for it.
    log.addEventListener("click", (event) => {
      const link = event.target.closest(".log-line > a");
      if (!link || "found" in log.dataset || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      location.hash = link.hash;
      history.replaceState(history.state, "", link.href);
    });
    new MutationObserver(() => {
      trim();
      if (pressed(follow)) toEnd();
    }).observe(log, { childList: true, subtree: true });
    if (pressed(follow) && !location.hash) toEnd();
  }
  setUpLog();
  on("htmx:after:swap", setUpLog); // the last event of a run replaces the page's content

  // ---- approvals: j and k move, a and r go to approve and reject ----
  on("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select, [contenteditable]")) return;
    if (event.key === "a" || event.key === "r") document.querySelector(`[data-key="${event.key}"]`)?.focus();
    if (event.key !== "j" && event.key !== "k") return;
    const links = all("[data-rows] .row-link");
    if (links.length === 0) return;
    const at = links.indexOf(document.activeElement);
    links[Math.max(0, Math.min(links.length - 1, at + (event.key === "j" ? 1 : -1)))].focus();
  });
})();
