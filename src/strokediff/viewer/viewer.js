// Steers NiiVue over the images of the page: planes, windows, overlays, lesions, keys.
"use strict";

(async () => {
  const page = document.documentElement;
  const told = JSON.parse(document.getElementById("told").textContent);
  const byId = (id) => document.getElementById(id);
  const WINDOWS = { stroke: [20, 60], brain: [0, 80], blood: [0, 120], bone: [-100, 300] };

  try {
    const nv = new niivue.Niivue({
      isRadiologicalConvention: true, isSliceMM: true, backColor: [0, 0, 0, 1],
      crosshairWidth: 0.5, crosshairColor: [1, 1, 1, 0.6], show3Dcrosshair: true,
      dragAndDropEnabled: false, isNearestInterpolation: false, multiplanarForceRender: true,
    });
    await nv.attachToCanvas(byId("canvas"));

    const load = async (id, options) => niivue.NVImage.loadFromBase64({
      base64: byId(id).textContent.trim(), name: byId(id).dataset.name, ...options,
    });
    const [low, high] = WINDOWS.stroke;
    nv.addVolume(await load("image-0", { colormap: "gray", cal_min: low, cal_max: high }));
    const labels = await load("image-1", { opacity: 0.45 });
    const drawn = Boolean(told.saveTo);
    const part = (i) => [0, ...told.kinds.map((kind) => kind.colour[i])];
    const colours = {
      R: part(0), G: part(1), B: part(2), A: [0, ...told.kinds.map(() => 255)],
      labels: ["", ...told.kinds.map((kind) => kind.name)],
    };
    if (!drawn) {
      labels.setColormapLabel(colours);
      nv.addVolume(labels);
    }
    const estimated = Boolean(byId("image-2"));
    if (estimated) {
      nv.addVolume(await load("image-2", { colormap: "viridis", cal_min: 1, cal_max: 100, opacity: 0 }));
    }

    const planes = {
      all: nv.sliceTypeMultiplanar, axial: nv.sliceTypeAxial, coronal: nv.sliceTypeCoronal,
      sagittal: nv.sliceTypeSagittal, turn: nv.sliceTypeRender,
    };
    const pressed = (group, name) => {
      for (const button of document.querySelectorAll(`[data-${group}]`)) {
        button.setAttribute("aria-pressed", String(button.dataset[group] === name));
      }
    };
    const plane = (name) => {
      nv.setSliceType(planes[name]);
      // From above nothing is seen of what lies within: the head is cut in half, the lesion is not.
      nv.setClipPlane(name === "turn" ? [0.05, 180, 40] : [2, 0, 0]);
      pressed("plane", name);
      page.dataset.plane = name;
    };
    const window_ = (name) => {
      [nv.volumes[0].cal_min, nv.volumes[0].cal_max] = WINDOWS[name];
      nv.updateGLVolume();
      pressed("window", name);
      page.dataset.window = name;
    };
    const overlay = (name) => {
      const opacity = Number(byId("opacity").value) / 100;
      const mask = name === "mask" ? opacity : 0;
      if (drawn) nv.setDrawOpacity(mask);
      else nv.setOpacity(1, mask);
      if (estimated) nv.setOpacity(drawn ? 1 : 2, name === "probability" ? opacity : 0);
      pressed("overlay", name);
      page.dataset.overlay = name;
    };
    const jump = (k) => {
      nv.scene.crosshairPos = nv.mm2frac(told.lesions[k].mm);
      nv.drawScene();
      page.dataset.lesion = String(k);
      page.dataset.at = Array.from(nv.frac2mm(nv.scene.crosshairPos)).slice(0, 3)
        .map((mm) => mm.toFixed(1)).join(" ");
    };
    const step = (by) => {
      const axis = { coronal: 1, sagittal: 0 }[page.dataset.plane] ?? 2;
      const move = [0, 0, 0];
      move[axis] = by;
      nv.moveCrosshairInVox(...move);
    };

    for (const [group, act] of [["plane", plane], ["window", window_], ["overlay", overlay]]) {
      for (const button of document.querySelectorAll(`[data-${group}]`)) {
        button.addEventListener("click", () => act(button.dataset[group]));
      }
    }
    for (const button of document.querySelectorAll("[data-lesion]")) {
      button.addEventListener("click", () => jump(Number(button.dataset.lesion)));
    }
    byId("opacity").addEventListener("input", () => overlay(page.dataset.overlay));
    document.addEventListener("keydown", (event) => {
      const keys = {
        ArrowUp: () => step(1), ArrowDown: () => step(-1), a: () => plane("axial"),
        c: () => plane("coronal"), s: () => plane("sagittal"), t: () => plane("turn"),
        v: () => plane("all"), m: () => overlay(page.dataset.overlay === "mask" ? "none" : "mask"),
        p: () => estimated && overlay("probability"),
        n: () => told.lesions.length && jump((Number(page.dataset.lesion ?? -1) + 1) % told.lesions.length),
      };
      if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
        keys[event.key]();
        event.preventDefault();
      }
    });
    nv.onLocationChange = (at) => { byId("where").textContent = at.string; };

    plane("all");
    window_("stroke");
    overlay("mask");
    if (told.lesions.length) jump(0);
    if (drawn) document.dispatchEvent(new CustomEvent("drawable", { detail: { nv, told, labels, colours } }));
    page.dataset.state = "ready";
  } catch (error) {
    page.dataset.state = "failed";
    byId("problem").hidden = false;
    byId("problem").textContent =
      `The viewer could not start (${error}). It needs WebGL 2; report.html shows the same without.`;
  }
})();
