// The script of a trajectory player; `animations.py` calls it with the `id` of the element that holds the poster and
// with the data, `film`. A film of a training has a second slider, for the training's steps. It draws in a shadow root:
// no style leaks in or out, and the poster gives way by itself.
(async function (id, film) {
  "use strict";
  const root = [...document.querySelectorAll("#" + id)].find((element) => !element.shadowRoot);
  if (!root || !("DecompressionStream" in window)) return; // the poster stays
  const shadow = root.attachShadow({ mode: "open" });
  shadow.innerHTML = "<slot></slot>"; // still the poster, while the states are unpacked

  // Unpack: bytes that count 1/32 of a pixel value, each the difference to the state before (modulo 256). The states
  // are stored by time, and at each time by training step; `row` is how many bytes one time has.
  const bytes = Uint8Array.from(atob(film.states), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const states = new Int8Array(await new Response(stream).arrayBuffer());
  const { width, height } = film, area = width * height, moments = film.steps?.length ?? 1;
  const row = states.length / film.ts.length, size = row / moments;
  for (let i = size; i < states.length; i++) states[i] += states[i - size];

  // Build: one canvas per image, then the controls, in the text's own colour, which suits every theme.
  const count = size / area, columns = Math.min(film.columns, count);
  const letters = Math.max(0, ...(film.captions ?? []).join(" ").split(/\s+/).map((word) => word.length));
  const scale = Math.max(Math.floor(432 / (columns * width)), Math.ceil(Math.min(7 * letters, 80) / width));
  const cell = width * Math.min(8, Math.max(2, scale)); // wide enough for a word of its caption
  shadow.innerHTML = `<style>
    :host { display: block; margin: 8px 0 20px; font-size: 14px; line-height: 1.4; }
    #title { margin: 0 0 16px; font-weight: 600; } #title:empty { display: none; }
    #images { display: grid; grid-template-columns: repeat(${columns}, minmax(0, ${cell}px)); gap: 6px; }
    figure { margin: 0; container-type: inline-size; } canvas { display: block; width: 100%; border-radius: 2px; image-rendering: pixelated; }
    figcaption { margin: 2px 0 6px; font-size: clamp(8px, ${170 / letters}cqi, 12px); text-align: center; overflow-wrap: anywhere; }
    #controls { display: flex; flex-wrap: wrap; align-items: center; gap: 12px; margin-top: 20px;
      max-width: ${Math.max(columns * (cell + 6) - 6, 360)}px; }
    button { display: flex; align-items: center; justify-content: center; gap: 8px; width: 40px; height: 40px;
      border: 0; border-radius: 20px; background: none; color: inherit; font: inherit; font-weight: 600; }
    #play { width: 108px; border: 1.5px solid; background: color-mix(in srgb, currentColor 8%, transparent); }
    button:hover, #play:hover { background: color-mix(in srgb, currentColor 16%, transparent); }
    svg { width: 16px; height: 16px; fill: currentColor; }
    input { flex: 1; min-width: 120px; height: 24px; margin: 0; border-radius: 4px; color: inherit;
      appearance: none; background: linear-gradient(currentColor 0 0) 0 50% / var(--done) 4px no-repeat,
        linear-gradient(color-mix(in srgb, currentColor 60%, transparent) 0 0) 0 50% / 100% 2px no-repeat; }
    input::-webkit-slider-thumb { appearance: none; width: 18px; height: 18px; border-radius: 50%; background: currentColor }
    input::-moz-range-thumb { border: 0; width: 18px; height: 18px; border-radius: 50%; background: currentColor }
    button, input, #images { cursor: pointer; }
    :focus-visible { outline: 2px solid currentColor; outline-offset: 3px; }
    #controls span { min-width: ${film.steps ? 84 : 64}px; text-align: right; font-variant-numeric: tabular-nums; }
    #controls hr { flex-basis: 100%; margin: -12px 0 0; border: 0; }
    @media (forced-colors: active) { input { appearance: auto; } }
  </style>
  <p id="title"></p>
  <div id="images" role="img"></div>
  <div id="controls" role="group" aria-label="Player">
    <button id="play" type="button"></button>
    <button id="restart" type="button" aria-label="Restart" title="Restart"><svg viewBox="0 0 16 16" aria-hidden="true"
      ><path d="M8 3V0L3.5 4 8 8V5a4 4 0 1 1-4 4H2a6 6 0 1 0 6-6z"/></svg></button>
    ${film.steps ? `<hr><input id="train" type="range" min="0" max="1" step="any" aria-label="Training step">
    <span id="step" aria-hidden="true"></span><hr>` : ""}
    <input id="scrub" type="range" min="0" max="1" step="any" aria-label="Time t">
    <span id="time" aria-hidden="true"></span>
  </div>`;
  const [title, images, play, restart, train, step, scrub, time] =
    ["title", "images", "play", "restart", "train", "step", "scrub", "time"].map((name) => shadow.getElementById(name));
  title.textContent = film.title;
  images.setAttribute("aria-label", film.alt);
  const pens = Array.from({ length: count }, (_, i) => {
    const figure = images.appendChild(document.createElement("figure"));
    const canvas = figure.appendChild(Object.assign(document.createElement("canvas"), { width, height }));
    if (film.captions) figure.appendChild(document.createElement("figcaption")).textContent = film.captions[i];
    return canvas.getContext("2d");
  });

  // A slider has stops, the places of what is stored: 0 is the first, 1 the last. Between two times pixels move in a
  // straight line; between two training steps there is nothing to see, so that slider rests at its stops alone.
  const first = film.ts[0], span = film.ts.at(-1) - first;
  const flow = {
    slider: scrub, readout: time, place: 1, stops: film.ts.map((t) => (t - first) / span),
    at: () => flow.place,
    words: () => "t = " + (first + flow.place * span).toFixed(2),
  };
  const training = film.steps && {
    slider: train, readout: step, place: 1, stops: film.steps.map((_, i) => i / (moments - 1)),
    at: () => training.stops[moment()],
    words: () => "step " + film.steps[moment()].toLocaleString("en"),
  };
  const moment = () => (training ? Math.round(training.place * (moments - 1)) : 0);
  const main = training ?? flow; // what is played

  const picture = new ImageData(width, height), rgba = picture.data.fill(255);
  let clock, frame, playing;
  function show(axis, where) {
    axis.place = Math.min(1, Math.max(0, where));
    const { place, stops } = flow, k = Math.min(stops.findLastIndex((stop) => stop <= place), stops.length - 2);
    const share = (place - stops[k]) / (stops[k + 1] - stops[k]), start = k * row + moment() * size;
    pens.forEach((pen, i) => {
      for (let p = 0, a = start + i * area, b = a + row; p < 4 * area; p += 4, a++, b++) {
        const ink = (states[a] + share * (states[b] - states[a])) / 32; // -1 is white, 1 is black, beyond is clipped
        rgba[p] = rgba[p + 1] = rgba[p + 2] = 127.5 - 127.5 * ink;
      }
      pen.putImageData(picture, 0, 0);
    });
    axis.slider.value = axis.at();
    axis.slider.style.setProperty("--done", 100 * axis.at() + "%");
    axis.readout.textContent = axis.words();
    axis.slider.setAttribute("aria-valuetext", axis.words());
  }

  // Play once through, in `seconds`, and hold the last state.
  function run(on) {
    const [label, shape] = on ? ["Pause", "M3 1h4v14H3zM9 1h4v14H9z"] : ["Play", "M3 1v14l12-7z"];
    play.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true"><path d="${shape}"/></svg>${label}`;
    cancelAnimationFrame(frame);
    [playing, clock] = [on, performance.now()];
    if (on) frame = requestAnimationFrame(tick);
  }
  function tick(now) {
    show(main, main.place + Math.min(now - clock, 100) / 1000 / film.seconds); // a page that slept does not jump
    clock = now;
    if (main.place === 1) run(false);
    else if (root.isConnected) frame = requestAnimationFrame(tick);
  }
  const jump = (axis, where) => { if (axis === main) run(false); show(axis, where); };
  const start = (where) => { show(main, where); run(true); };
  const toggle = () => (playing ? run(false) : start(main.place < 1 ? main.place : 0));
  const keys = {
    " ": toggle,
    ArrowRight: (axis) => jump(axis, axis.stops.find((stop) => stop > axis.at() + 1e-9) ?? 1),
    ArrowLeft: (axis) => jump(axis, axis.stops.findLast((stop) => stop < axis.at() - 1e-9) ?? 0),
    Home: (axis) => jump(axis, 0),
    End: (axis) => jump(axis, 1),
  };
  shadow.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.stopPropagation(); // or a notebook takes the key for its own
    if (event.key === " " && event.target.matches("button")) return; // the button presses itself
    event.preventDefault();
    keys[event.key](event.target === scrub ? flow : main);
  });
  play.onclick = toggle;
  images.onclick = () => { play.focus({ preventScroll: true }); toggle(); };
  restart.onclick = () => start(0);
  for (const axis of training ? [training, flow] : [flow]) {
    axis.slider.oninput = () => jump(axis, axis.slider.valueAsNumber);
    show(axis, 1);
  }
  run(false);
})
