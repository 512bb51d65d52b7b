// The canvas of `canvas.py`. `value`: 256 hexadecimal digits, the ink of 16 rows of 16 pixels, 0 paper to f full.
const SIDE = 16, FULL = 15;
const REACH = 4 / 3; // pixels from the middle of a stroke to where its ink ends: about as broad as the pens of MNIST
const ERASERS = 2 | 32; // the right button of a mouse, the other end of a pen
const PAUSE = 100; // milliseconds from one message to the next

const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** How far (x, y) lies from the segment from a to b. */
function distance(x, y, a, b) {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const along = clamp(((x - a.x) * dx + (y - a.y) * dy) / (dx * dx + dy * dy || 1), 0, 1);
  return Math.hypot(x - a.x - along * dx, y - a.y - along * dy);
}

function render({ model, el }) {
  const shadow = el.appendChild(document.createElement("div")).attachShadow({ mode: "open" });
  shadow.innerHTML = `<style>
    :host { display: block; color: var(--jp-ui-font-color1, inherit); font: 13px/1.4 var(--jp-ui-font-family, sans-serif); }
    #all { display: grid; padding: 6px 0; grid-template-columns: minmax(0, 8em) auto 1fr; gap: 4px 8px; }
    #name { text-align: right; line-height: 28px; }
    #sheet { position: relative; width: 224px; height: 224px; outline: 1px solid #767676; }
    canvas { display: block; width: 100%; height: 100%; image-rendering: pixelated; cursor: crosshair; touch-action: none; outline: none; }
    canvas:focus { outline: 3px solid currentColor; outline-offset: 2px; }
    #cursor { position: absolute; top: 0; left: 0; width: 14px; height: 14px; box-sizing: border-box; border: 2px solid #a21caf;
      outline: 1px solid #fff; pointer-events: none; visibility: hidden; }
    canvas:focus + #cursor { visibility: visible; }
    #side { display: flex; flex-direction: column; align-items: flex-start; gap: 8px; }
    button { width: 72px; height: 32px; border: 1.5px solid; border-radius: 16px; background: none; color: inherit; font: inherit; }
    button:hover { background: color-mix(in srgb, currentColor 12%, transparent); }
    button:focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }
    p { margin: 0; } #place { white-space: pre-line; } #help { grid-column: 2 / -1; }
  </style>
  <div id="all"><span id="name"></span>
    <div id="sheet"><canvas width="${SIDE}" height="${SIDE}" tabindex="0" role="application" aria-describedby="help"></canvas
      ><div id="cursor"></div></div>
    <div id="side"><button id="clear" type="button">Clear</button><p id="place" role="status"></p></div>
    <p id="help">Draw with the mouse (its right button erases), a pen or a finger. Keys: arrows move, Space draws, Delete erases.</p>
  </div>`;
  const [name, clear, place, cursor] = ["name", "clear", "place", "cursor"].map((id) => shadow.getElementById(id));
  const canvas = shadow.querySelector("canvas"), pen = canvas.getContext("2d"), picture = new ImageData(SIDE, SIDE);
  name.textContent = model.get("description");
  canvas.setAttribute("aria-label", `${model.get("description")}, ${SIDE} by ${SIDE} pixels`);

  let ink, here = { x: 7, y: 7 }, last, timer; // ink of the pixels; where the cursor is; where the stroke has come
  function show() {
    ink.forEach((level, k) => picture.data.set([...Array(3).fill(255 * (1 - level / FULL)), 255], 4 * k));
    pen.putImageData(picture, 0, 0);
    cursor.style.transform = `translate(${14 * here.x}px, ${14 * here.y}px)`;
    const value = (2 * ink[SIDE * here.y + here.x]) / FULL - 1;
    place.textContent = `row ${here.y}\ncolumn ${here.x}\nvalue ${value.toFixed(1).replace("-", "−")}`;
  }
  function read() {
    ink = [...model.get("value")].map((digit) => parseInt(digit, SIDE));
    show();
  }
  function send() {
    clearTimeout(timer);
    timer = undefined;
    model.set("value", ink.map((level) => level.toString(SIDE)).join(""));
    model.save_changes();
  }
  function change() {
    show();
    timer ??= setTimeout(send, PAUSE); // the first change starts the clock, the last one goes along
  }
  function stroke(a, b, erasing) {
    ink = ink.map((level, k) => {
      const wet = Math.round(FULL * clamp(REACH - distance(k % SIDE, Math.floor(k / SIDE), a, b), 0, 1));
      return !erasing ? Math.max(level, wet) : wet ? 0 : level; // erasing where one drew leaves nothing
    });
    change();
  }

  // Pointers: mouse, pen and finger alike.
  function point(event) {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * SIDE - 0.5, y: ((event.clientY - box.top) / box.height) * SIDE - 0.5 };
  }
  function draw(event) {
    for (const each of event.getCoalescedEvents?.().concat(event) ?? [event]) {
      const next = point(each);
      here = { x: clamp(Math.round(next.x), 0, SIDE - 1), y: clamp(Math.round(next.y), 0, SIDE - 1) };
      stroke(last ?? next, next, event.buttons & ERASERS);
      last = next;
    }
  }
  canvas.onpointerdown = (event) => {
    if (!event.isPrimary) return; // a second finger
    canvas.setPointerCapture(event.pointerId);
    draw(event);
  };
  canvas.onpointermove = (event) => last && event.isPrimary && draw(event);
  canvas.onpointerup = canvas.onpointercancel = () => (last = undefined);
  canvas.oncontextmenu = (event) => {
    event.preventDefault();
    event.stopPropagation(); // a notebook has a menu of its own
  };
  clear.onclick = () => {
    ink = ink.map(() => 0);
    change();
  };

  // Keys.
  const go = (dx, dy) => () => {
    here = { x: clamp(here.x + dx, 0, SIDE - 1), y: clamp(here.y + dy, 0, SIDE - 1) };
    show();
  };
  const mark = (erasing) => () => stroke(here, here, erasing);
  const keys = {
    ArrowLeft: go(-1, 0), ArrowRight: go(1, 0), ArrowUp: go(0, -1), ArrowDown: go(0, 1),
    " ": mark(false), Enter: mark(false), Delete: mark(true), Backspace: mark(true),
  };
  shadow.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.stopPropagation(); // or a notebook takes the key for its own
    if (event.target !== canvas) return; // a button presses itself
    event.preventDefault();
    keys[event.key]();
  });

  model.on("change:value", read);
  read();
  return () => {
    if (timer) send();
    model.off("change:value", read);
  };
}

export default { render };
