"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const cloud = data.cloud, instances = data.instances, keyframes = data.keyframes;
  const $ = (id) => document.getElementById(id);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const uint16 = (text) => new Uint16Array(bytes(text));

  // Objects are addressed by their rank 1..K in `instances`; 0 is none.
  let selected = 0;
  const listeners = [];
  const select = (rank, turn = true) => {
    selected = rank === selected ? 0 : rank;
    for (const listener of listeners) listener(turn);
  };

  /* ---- the cloud ---- */
  const scene = $("scene");
  const positions = uint16(cloud.xyz), rgb = uint16(cloud.rgb), ranks = uint16(cloud.rank);
  const subset = (wanted) => {
    const index = [];
    for (let i = 0; i < ranks.length; i++) if (wanted(ranks[i])) index.push(i);
    const axis = (k) => Float32Array.from(index, (i) => cloud.low[k] + positions[3 * i + k] * cloud.step[k]);
    return {
      x: axis(0), y: axis(1), z: axis(2),
      rgb: Array.from(index, (i) => rgb[i]), rank: Array.from(index, (i) => ranks[i]),
    };
  };
  const none = subset((k) => k === 0), some = subset((k) => k > 0);
  const original = Array.from({ length: 4096 }, (_, v) => [v / 4095, `rgb(${(v >> 8) * 17},${((v >> 4) & 15) * 17},${(v & 15) * 17})`]);
  const distinct = instances.length
    ? instances.map((one, i) => [instances.length > 1 ? i / (instances.length - 1) : 0, one.color]).concat(instances.length > 1 ? [] : [[1, instances[0].color]])
    : [[0, "#888"], [1, "#888"]];
  const byRgb = (part) => ({ color: part.rgb, colorscale: original, cmin: 0, cmax: 4095 });
  const byRank = (part) => ({ color: part.rank, colorscale: distinct, cmin: 1, cmax: Math.max(instances.length, 2) });
  const pointSize = () => Number($("point-size").value);
  const tips = ["no instance", ...instances.map((one) => `instance ${one.id} · score ${one.score.toFixed(2)} · ${one.source}`)];
  const tip = (part) => part.rank.map((k) => tips[k]);
  const points = (part, marker, extra) => ({
    type: "scatter3d", mode: "markers", x: part.x, y: part.y, z: part.z, customdata: part.rank, text: tip(part),
    hovertemplate: "%{text}<extra></extra>", showlegend: false, marker: { size: pointSize(), ...marker }, ...extra,
  });
  const EDGES = [[0, 1], [2, 3], [4, 5], [6, 7], [0, 2], [1, 3], [4, 6], [5, 7], [0, 4], [1, 5], [2, 6], [3, 7]];
  const boxes = (wanted) => {
    const out = { x: [], y: [], z: [], color: [] };
    for (const k of wanted) {
      const { corners, color } = instances[k - 1];
      for (const [a, b] of EDGES) {
        for (const corner of [corners[a], corners[b], [null, null, null]]) {
          out.x.push(corner[0]); out.y.push(corner[1]); out.z.push(corner[2]); out.color.push(color);
        }
      }
    }
    return out;
  };
  const names = (wanted) => {
    const at = wanted.map((k) => instances[k - 1]);
    return {
      x: at.map((one) => one.center[0]), y: at.map((one) => one.center[1]),
      z: at.map((one) => Math.max(...one.corners.map((c) => c[2])) + 0.03), text: at.map((one) => String(one.id)),
    };
  };
  const everyone = instances.map((_, i) => i + 1);
  const allBoxes = boxes(everyone), allNames = names(everyone);
  const empty = { x: [], y: [], z: [], rank: [], rgb: [] };
  const NONE = 0, SOME = 1, CHOSEN = 2, BOXES = 3, NAMES = 4;
  const traces = [
    points(none, { color: css("--cloud") }),
    points(some, byRank(some)),
    points(empty, {}),
    { type: "scatter3d", mode: "lines", x: allBoxes.x, y: allBoxes.y, z: allBoxes.z, line: { color: allBoxes.color, width: 3 }, hoverinfo: "skip", showlegend: false },
    { type: "scatter3d", mode: "text", ...allNames, textfont: { size: 12, color: css("--ink") }, hoverinfo: "skip", showlegend: false },
  ];
  const low = cloud.low, extent = cloud.step.map((s) => Math.max(s * 65535, 0.01));
  const longest = Math.max(...extent);
  const inScene = (p) => p.map((v, k) => (v - low[k] - extent[k] / 2) / longest); // Plotly's camera counts so
  const vector = ([x, y, z]) => ({ x, y, z });
  const overview = { eye: { x: 0.65, y: -1.1, z: 0.95 }, center: { x: 0, y: 0, z: -0.08 }, up: { x: 0, y: 0, z: 1 } };
  const axis = (k, title) => ({
    title: { text: title, font: { size: 11 } }, range: [low[k], low[k] + extent[k]], autorange: false, nticks: Math.max(Math.round((7 * extent[k]) / longest), 2),
    tickfont: { size: 10 }, color: css("--muted"), gridcolor: css("--line"), zeroline: false, showbackground: false, showspikes: false,
  });
  const axes = () => ({ xaxis: axis(0, "x, m"), yaxis: axis(1, "y, m"), zaxis: axis(2, "z, m") });
  const layout = {
    margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", hovermode: "closest", uirevision: "kept",
    scene: { ...axes(), aspectmode: "manual", aspectratio: vector(extent.map((e) => e / longest)), camera: overview, dragmode: "orbit" },
  };
  $("scene-note").textContent =
    (cloud.shown < cloud.total ? `${cloud.shown.toLocaleString("en")} of ${cloud.total.toLocaleString("en")} points drawn, chosen evenly; results use all. ` : "") +
    "Drag to turn, scroll to zoom, right-drag to move; click a point to select its instance.";
  const drawn = Plotly.newPlot(scene, traces, layout, { responsive: true, displayModeBar: false });
  // Plotly's own click fires when the button goes down, so that every turn of the view would select something.
  drawn.then(() => {
    let hovered = 0, pressed = null;
    scene.on("plotly_hover", (event) => (hovered = event.points[0].customdata || 0));
    scene.on("plotly_unhover", () => (hovered = 0));
    scene.addEventListener("pointerdown", (e) => (pressed = [e.clientX, e.clientY]), true);
    scene.addEventListener("pointerup", (e) => {
      if (hovered && pressed && Math.hypot(e.clientX - pressed[0], e.clientY - pressed[1]) < 4) select(hovered);
      pressed = null;
    }, true);
  });
  const current = () => scene.layout.scene.camera || overview;
  let flight = 0;
  const fly = (camera) => {
    const from = current(), began = performance.now(), mine = ++flight;
    const length = matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 450;
    const step = (now) => {
      if (mine !== flight) return;
      const t = length ? Math.min((now - began) / length, 1) : 1, s = t * t * (3 - 2 * t);
      const mix = (a, b) => ({ x: a.x + (b.x - a.x) * s, y: a.y + (b.y - a.y) * s, z: a.z + (b.z - a.z) * s });
      Plotly.relayout(scene, { "scene.camera": { eye: mix(from.eye, camera.eye), center: mix(from.center || overview.center, camera.center), up: camera.up } });
      if (t < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  const flyTo = (one) => {
    const center = inScene(one.center), eye = current().eye;
    const from = one.eye ? inScene(one.eye) : [eye.x, eye.y, eye.z];
    let way = from.map((v, k) => v - center[k]);
    const norm = Math.hypot(...way) || 1;
    way = [way[0] / norm, way[1] / norm, Math.max(way[2] / norm, 0.45)];
    const diagonal = Math.hypot(...[0, 1, 2].map((k) => one.corners[7][k] - one.corners[0][k])) / longest;
    const distance = Math.max(1.9 * diagonal, 0.18);
    fly({ center: vector(center), eye: vector(center.map((v, k) => v + distance * way[k])), up: overview.up });
  };
  listeners.push((turn) => {
    const one = instances[selected - 1];
    const chosen = selected ? subset((k) => k === selected) : empty;
    const shown = selected ? boxes([selected]) : allBoxes, named = selected ? names([selected]) : allNames;
    // one call, because each goes through all points again; undefined leaves a trace as it is, a short array is cycled
    const _ = undefined, of = (key) => [_, _, chosen[key], shown[key], named[key]], only = (value) => [_, _, value, _, _];
    Plotly.restyle(scene, {
      x: of("x"), y: of("y"), z: of("z"), customdata: only(chosen.rank), text: [_, _, tip(chosen), _, named.text],
      opacity: [selected ? 0.25 : 1, selected ? 0.35 : 1, _, _, _], "line.color": [_, _, _, shown.color, _],
      "marker.color": only(one ? one.color : "#888"), "marker.size": only(pointSize() + 1.5),
    }, [NONE, SOME, CHOSEN, BOXES, NAMES]);
    if (one && turn) flyTo(one);
  });

  const colorBy = (mode) => {
    const isOriginal = mode === "original";
    $("color-original").setAttribute("aria-pressed", String(isOriginal));
    $("color-instances").setAttribute("aria-pressed", String(!isOriginal));
    const grey = { color: css("--cloud") };
    Plotly.restyle(scene, { marker: [isOriginal ? byRgb(none) : grey, isOriginal ? byRgb(some) : byRank(some)].map((m) => ({ size: pointSize(), ...m })) }, [NONE, SOME]);
  };
  let mode = "instances";
  for (const name of ["instances", "original"]) $(`color-${name}`).addEventListener("click", () => colorBy((mode = name)));
  $("show-unlabelled").addEventListener("change", (e) => Plotly.restyle(scene, { visible: e.target.checked }, [NONE]));
  $("show-boxes").addEventListener("change", (e) => Plotly.restyle(scene, { visible: e.target.checked }, [BOXES, NAMES]));
  $("point-size").addEventListener("change", () => Plotly.restyle(scene, { "marker.size": [pointSize(), pointSize(), pointSize() + 1.5] }, [NONE, SOME, CHOSEN]));
  $("reset-view").addEventListener("click", () => fly(overview));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    Plotly.restyle(scene, { "textfont.color": css("--ink") }, [NAMES]);
    colorBy(mode);
    for (const [name, value] of Object.entries(axes())) Plotly.relayout(scene, { [`scene.${name}`]: value });
  });

  /* ---- the table ---- */
  const body = document.querySelector("#instances tbody");
  const rows = instances.map((one, i) => {
    const picture = make("span", { className: "thumbnail" });
    if (one.thumbnail) picture.append(make("img", { src: `data:image/jpeg;base64,${one.thumbnail}`, alt: `best view of instance ${one.id}` }));
    picture.append(make("span", { textContent: one.view, title: one.view }));
    const number = (text) => make("td", { className: "number", textContent: text });
    const row = make("tr", { tabIndex: 0, id: `instance-${one.id}` },
      make("td", {}, make("span", { className: "chip" }), String(one.id)), make("td", {}, picture),
      make("td", { className: "number", textContent: one.score.toFixed(2), title: one.source }), number(one.points.toLocaleString("en")), number(one.size.join(" × ")),
      number(one.centroid.map((v) => v.toFixed(2)).join(", ")));
    row.style.setProperty("--chip", one.color);
    row.setAttribute("aria-selected", "false");
    row.addEventListener("click", () => select(i + 1));
    row.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" && e.key !== " ") return;
      e.preventDefault();
      select(i + 1);
    });
    return row;
  });
  body.append(...rows);
  if (!rows.length) body.append(make("tr", {}, make("td", { colSpan: 6, className: "note", textContent: "No instance was found." })));
  const key = { id: (o) => o.id, view: (o) => o.view, score: (o) => o.score, points: (o) => o.points, volume: (o) => o.volume, x: (o) => o.centroid[0] };
  const heads = [...document.querySelectorAll("#instances th")];
  const sortBy = (head, falling) => {
    const of = key[head.dataset.key];
    const compare = (a, b) => (typeof of(a) === "string" ? of(a).localeCompare(of(b), "en", { numeric: true }) : of(a) - of(b));
    const order = instances.map((_, i) => i).sort((a, b) => (falling ? -1 : 1) * compare(instances[a], instances[b]));
    body.append(...order.map((i) => rows[i]));
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  };
  for (const head of heads) {
    const numeric = !["id", "view"].includes(head.dataset.key);
    head.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      sortBy(head, sorted ? sorted === "ascending" : numeric);
    });
  }
  if (rows.length) sortBy(heads[0], false);
  $("clear").addEventListener("click", () => select(selected));
  listeners.push(() => {
    const one = instances[selected - 1];
    rows.forEach((row, i) => row.setAttribute("aria-selected", String(i + 1 === selected)));
    if (one) rows[selected - 1].scrollIntoView({ block: "nearest" });
    $("selection").textContent = one ? `Instance ${one.id} selected.` : "Click a row, a point or a mask.";
    $("clear").hidden = !one;
  });

  /* ---- the keyframes ---- */
  const views = keyframes.map((frame) => {
    const { width, height } = frame, pairs = uint16(frame.runs), rank = new Uint16Array(width * height);
    for (let i = 0, at = 0; i < pairs.length; at += pairs[i + 1], i += 2) rank.fill(pairs[i], at, at + pairs[i + 1]);
    const canvas = make("canvas", { width, height });
    const at = (e) => {
      const box = canvas.getBoundingClientRect();
      const x = Math.floor(((e.clientX - box.left) / box.width) * width), y = Math.floor(((e.clientY - box.top) / box.height) * height);
      return rank[Math.min(Math.max(y, 0), height - 1) * width + Math.min(Math.max(x, 0), width - 1)];
    };
    canvas.addEventListener("mousemove", (e) => { const k = at(e); canvas.title = k ? `instance ${instances[k - 1].id}` : ""; });
    canvas.addEventListener("click", (e) => { const k = at(e); if (k || selected) select(k || selected); });
    const count = frame.tags.length;
    const figure = make("figure", {},
      make("div", { className: "image" }, make("img", { src: `data:image/jpeg;base64,${frame.jpeg}`, width, height, alt: `keyframe ${frame.name}` }), canvas),
      make("figcaption", {}, make("span", { textContent: frame.name }), make("span", { textContent: `${count} instance${count === 1 ? "" : "s"}` })));
    return { frame, rank, canvas, figure };
  });
  $("keyframes").append(...views.map((view) => view.figure));
  const colors = [[0, 0, 0], ...instances.map((one) => [1, 3, 5].map((i) => parseInt(one.color.slice(i, i + 2), 16)))];
  const paint = ({ frame, rank, canvas, figure }) => {
    const { width, height } = frame, context = canvas.getContext("2d"), image = context.createImageData(width, height);
    for (let i = 0; i < rank.length; i++) {
      const k = rank[i];
      if (!k || (selected && k !== selected)) continue;
      const x = i % width;
      const edge = (x + 1 < width && rank[i + 1] !== k) || (x > 0 && rank[i - 1] !== k) || rank[i + width] !== k || rank[i - width] !== k;
      image.data.set(colors[k], 4 * i);
      image.data[4 * i + 3] = edge ? 255 : selected ? 140 : 95;
    }
    context.putImageData(image, 0, 0);
    context.font = `600 ${Math.max(Math.round(width / 36), 9)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const [k, x, y] of frame.tags) {
      if (selected && k !== selected) continue;
      const text = String(instances[k - 1].id), half = context.measureText(text).width / 2 + 4, tall = width / 32;
      context.fillStyle = "rgba(16,20,26,0.78)";
      context.fillRect(x - half, y - tall / 2, 2 * half, tall);
      context.fillStyle = "#fff";
      context.fillText(text, x, y + 0.5);
    }
    figure.classList.toggle("without", selected > 0 && !frame.tags.some(([k]) => k === selected));
  };
  views.forEach(paint);
  listeners.push(() => views.forEach(paint));
})();
