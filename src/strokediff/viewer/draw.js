// Pens over the viewer: draw, erase, undo and save; the drawing is the page's labels.
"use strict";

document.addEventListener("drawable", ({ detail: { nv, told, labels, colours } }) => {
  const page = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const say = (text, state) => {
    byId("saved").textContent = text;
    page.dataset.saved = state;
  };

  nv.loadDrawing(labels);
  nv.setDrawColormap(colours);
  nv.drawAddUndoBitmap();

  // Pen "look" moves the crosshair; 0 erases, k draws kind k.
  const pen = (name) => {
    nv.setDrawingEnabled(name !== "look");
    if (name !== "look") nv.setPenValue(Number(name), byId("fill").checked && name !== "0");
    for (const button of document.querySelectorAll("[data-pen]")) {
      button.setAttribute("aria-pressed", String(button.dataset.pen === name));
    }
    page.dataset.pen = name;
  };
  const count = () => {
    const voxels = told.kinds.map(() => 0);
    for (const value of nv.drawBitmap) if (value) voxels[value - 1] += 1;
    page.dataset.voxels = voxels.join(" ");
  };
  const changed = () => {
    count();
    say("not saved", "no");
  };
  const undo = () => {
    nv.drawUndo();
    changed();
  };
  const save = async () => {
    say("saving ...", "saving");
    try {
      const answer = await fetch(told.saveTo, { method: "POST", body: nv.drawBitmap.slice() });
      const found = answer.headers.get("Content-Type") === "application/json" ? await answer.json() : {};
      if (!answer.ok) throw new Error(found.error ?? `the server answered ${answer.status}`);
      const each = Object.entries(found.volumes_ml).map(([kind, ml]) => `${kind} ${ml.toFixed(1)} mL`);
      say(`${found.file}: ${each.join(", ")}`, "yes");
    } catch (error) {
      say(`Not saved: ${error.message}. The page still has the drawing.`, "failed");
    }
  };

  for (const button of document.querySelectorAll("[data-pen]")) {
    button.addEventListener("click", () => pen(button.dataset.pen));
  }
  byId("fill").addEventListener("change", () => pen(page.dataset.pen));
  byId("size").addEventListener("input", () => { nv.opts.penSize = Number(byId("size").value); });
  byId("undo").addEventListener("click", undo);
  byId("save").addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    const control = event.ctrlKey || event.metaKey;
    const keys = control ? { z: undo, s: save } : {
      l: () => pen("look"), e: () => pen("0"),
      ...Object.fromEntries(told.kinds.map((_, k) => [String(k + 1), () => pen(String(k + 1))])),
    };
    if (keys[event.key]) {
      keys[event.key]();
      event.preventDefault();
    }
  });
  nv.onDrawingChanged = changed;
  window.addEventListener("beforeunload", (event) => {
    if (page.dataset.saved !== "yes" && page.dataset.saved !== "nothing") event.preventDefault();
  });

  pen("look");
  count();
  say("nothing drawn yet", "nothing");
  page.dataset.drawing = "ready";
});
