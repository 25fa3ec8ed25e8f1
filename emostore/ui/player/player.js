// The player: sound, waveform, scores and playhead as one thing. `WaveSurfer` and the functions of timeline.js stand above.

const WAVE_PX = 56; // one voice
const MOST_PER_SECOND = 200; // CSS pixels; the waveform has a value for every hundredth of a second
const PARTS_PER_PIXEL = 2; // of the outline, so that what it merges is off by half a pixel at most
const SMALL_S = 5;
const LARGE_S = 30;
const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
const LONG = 50; // rows of a list, surely more than are seen without scrolling it
const SPEAK_MS = 400; // after the last seek

const players = new WeakMap();

export default function ({ data, parentElement }) {
  let player = players.get(parentElement);
  if (player && player.data.identity !== data.identity) {
    player.destroy();
    player = undefined;
  }
  if (player) player.update(data);
  else players.set(parentElement, (player = new Player(parentElement, data)));
  return () => {
    player.destroy();
    players.delete(parentElement);
  };
}

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function magnitudes(levels) {
  const made = new Float32Array(levels.length);
  for (let i = 0; i < made.length; i++) made[i] = levels[i] / 255;
  return made;
}

class Player {
  constructor(root, data) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.stage = this.find(".stage");
    this.stage.replaceChildren();
    this.restored = 0; // the position, where there is no sound
    this.perSecond = 0; // 0: all of it fits
    this.frame = 0;
    this.rows = [];
    this.turn = -1;
    this.seen = ""; // what `draw` has drawn
    this.gone = new AbortController();
    this.data = data;
    this.tracks = data.tracks.map((track) => readTrack(track, data.emotions.length));
    this.audio = data.url ? this.sound(data.url) : null;
    this.wave = this.waveform();
    this.listen();
    this.update(data);
    if (data.start_s) this.seek(data.start_s);
    else this.show();
  }

  /** New words, markers or colours; the sound goes on. */
  update(data) {
    const asked = data.start_s !== this.data.start_s ? data.start_s : null;
    this.data = data;
    this.tracks.forEach((track, i) => (track.name = data.names[i]));
    this.ink = this.colors();
    this.wave.setOptions(this.waveColors());
    this.playhead.style.background = this.ink.text;
    this.words();
    this.list();
    this.table();
    this.seen = "";
    this.draw();
    if (asked !== null) this.seek(asked);
  }

  destroy() {
    this.gone.abort();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.speaking);
    this.resized.disconnect();
    this.wave.destroy();
    if (this.audio) {
      this.audio.pause();
      this.audio.removeAttribute("src");
      this.audio.load(); // ends the download
      this.audio.remove();
    }
  }

  sound(url) {
    const audio = document.createElement("audio");
    audio.preload = "metadata";
    audio.src = url;
    this.stage.after(audio);
    return audio;
  }

  waveform() {
    const { peaks, duration_s } = this.data;
    const drawn = peaks.map((row) => magnitudes(bytes(row)));
    this.parts = drawn[0]?.length ?? 0;
    const wave = WaveSurfer.create({
      container: this.stage,
      height: drawn.length ? WAVE_PX : 0,
      duration: duration_s,
      peaks: drawn.length ? drawn : [[0, 0]],
      splitChannels: drawn.length > 1 ? drawn.map(() => ({})) : undefined,
      maxPeak: 1,
      media: this.audio ?? new Audio(), // else it would put a player of its own into the page
      interact: false, // a place is a time by our own duration, to which the scores belong
      dragToSeek: false,
      cursorWidth: 0,
      autoScroll: true,
      autoCenter: false,
    });
    const wrapper = wave.getWrapper();
    this.lanes = document.createElement("canvas");
    Object.assign(this.lanes.style, { display: "block", position: "sticky", left: "0", top: "auto" });
    this.playhead = document.createElement("div");
    this.playhead.part = "playhead";
    Object.assign(this.playhead.style, {
      position: "absolute", top: "0", bottom: "0", width: "2px", marginLeft: "-1px", zIndex: 6, pointerEvents: "none",
    });
    wrapper.append(this.lanes, this.playhead);
    return wave;
  }

  listen() {
    const { wave, audio, stage } = this;
    const wrapper = wave.getWrapper();
    const timeOf = (event) => {
      const box = wrapper.getBoundingClientRect();
      return ((event.clientX - box.left) / box.width) * this.data.duration_s;
    };
    wrapper.addEventListener("click", (event) => this.seek(timeOf(event)));
    wrapper.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" && event.buttons === 1) this.seek(timeOf(event));
    });
    for (const event of ["scroll", "redraw", "zoom", "resize", "ready"]) wave.on(event, () => this.draw());
    this.resized = new ResizeObserver(() => (this.draw(), this.refine()));
    this.resized.observe(stage);
    document.addEventListener("click", (event) => this.follow(event), { signal: this.gone.signal });
    this.root.querySelector(".player").onkeydown = (event) => this.key(event);
    this.find(".play").onclick = () => this.toggle();
    this.find(".in").onclick = () => this.zoom(2);
    this.find(".out").onclick = () => this.zoom(0.5);
    const speed = this.find(".speed select");
    speed.replaceChildren(...SPEEDS.map((rate) => new Option(`${rate}×`, rate, rate === 1, rate === 1)));
    speed.onchange = () => audio && (audio.playbackRate = Number(speed.value));
    this.find(".failure").hidden = true;
    if (!audio) return;
    audio.onplay = () => this.run();
    audio.onpause = audio.onended = () => (this.show(), this.speak());
    audio.onseeked = audio.ontimeupdate = () => this.show();
    audio.onerror = () => {
      this.find(".failure").textContent = this.data.words.failed;
      this.find(".failure").hidden = false;
    };
  }

  get time() {
    return Math.min(this.audio ? this.audio.currentTime : this.restored, this.data.duration_s);
  }

  seek(time) {
    const target = Math.min(Math.max(time, 0), this.data.duration_s);
    if (this.audio) this.audio.currentTime = target;
    else this.restored = target;
    this.show();
    this.reveal();
    this.speak();
  }

  toggle() {
    if (!this.audio) return;
    if (!this.audio.paused) this.audio.pause();
    else this.audio.play().catch(() => {}); // why it failed comes as an error of the sound
  }

  /** A link of the page to a moment of this recording leads there at once, and the second time as well. */
  follow(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const asked = new URL(link.href);
    const [there, here] = [asked.searchParams, new URLSearchParams(location.search)];
    if (!there.get("t") || asked.pathname !== location.pathname || there.get("id") !== here.get("id")) return;
    if (![this.data.recording, here.get("recording")].includes(there.get("recording"))) return;
    this.data.start_s = Number(there.get("t")); // so that the run of the page that follows does not go there again
    this.seek(this.data.start_s);
  }

  run() {
    this.show();
    if (this.audio && !this.audio.paused) this.frame = requestAnimationFrame(() => this.run());
  }

  zoom(factor) {
    const fit = this.stage.clientWidth / this.data.duration_s;
    const wanted = Math.min(Math.max(this.perSecond, fit) * factor, Math.max(MOST_PER_SECOND, fit));
    this.perSecond = wanted <= fit * 1.001 ? 0 : wanted;
    this.wave.zoom(this.perSecond);
    this.reveal();
    this.draw();
    this.refine();
    this.find(".out").disabled = !this.perSecond;
    this.find(".in").disabled = Math.max(this.perSecond, fit) >= MOST_PER_SECOND;
  }

  /** What comes at once of the outline is enough for a screen; once it is too rough for the zoom, fetch all of it. */
  async refine() {
    const { detail, duration_s } = this.data;
    const pixels = this.wave.getWrapper().clientWidth * (window.devicePixelRatio || 1);
    if (!detail || this.refined || this.parts >= PARTS_PER_PIXEL * pixels) return;
    this.refined = true;
    try {
      const answer = await fetch(detail.url, { signal: this.gone.signal });
      if (!answer.ok) throw new Error(answer.statusText);
      const levels = new Uint8Array(await answer.arrayBuffer());
      const parts = levels.length / detail.channels;
      const rows = detail.rows.map((row) => magnitudes(levels.subarray(row * parts, (row + 1) * parts)));
      const media = this.wave.getMediaElement();
      await this.wave.load(media.currentSrc || media.src, rows, duration_s); // the same sound, which plays on
    } catch {
      this.refined = false; // the rough outline stays, and the next zoom asks again
    }
  }

  /** Scroll so that the playhead is to be seen. */
  reveal() {
    const x = (this.time / this.data.duration_s) * this.wave.getWrapper().clientWidth;
    const left = this.wave.getScroll();
    const width = this.wave.getWidth();
    if (x < left || x > left + width) this.wave.setScroll(Math.max(0, x - width / 2));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onStage = event.target === this.stage;
    const small = event.shiftKey ? 1 : SMALL_S;
    const actions = {
      " ": onStage && (() => this.toggle()),
      ArrowLeft: () => this.seek(this.time - small),
      ArrowRight: () => this.seek(this.time + small),
      ArrowDown: onStage && (() => this.seek(this.time - small)),
      ArrowUp: onStage && (() => this.seek(this.time + small)),
      PageDown: onStage && (() => this.seek(this.time - LARGE_S)),
      PageUp: onStage && (() => this.seek(this.time + LARGE_S)),
      Home: onStage && (() => this.seek(0)),
      End: onStage && (() => this.seek(this.data.duration_s)),
      "+": () => this.zoom(2),
      "=": () => this.zoom(2),
      "-": () => this.zoom(0.5),
    };
    const action = event.target.tagName !== "SELECT" && actions[event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    action();
  }

  /** Everything that depends on where the playhead is. */
  show() {
    const time = this.time;
    this.playhead.style.left = `${(time / this.data.duration_s) * 100}%`;
    const playing = Boolean(this.audio && !this.audio.paused);
    const play = this.find(".play");
    if (play.classList.contains("playing") !== playing || !play.ariaLabel) {
      play.classList.toggle("playing", playing);
      play.ariaLabel = playing ? this.data.words.pause : this.data.words.play;
    }
    if (!playing || Math.floor(time) !== this.second) {
      this.second = Math.floor(time);
      this.find(".now").textContent = clock(time);
      this.stage.setAttribute("aria-valuenow", time.toFixed(2));
      this.stage.setAttribute("aria-valuetext", this.sentence(time));
    }
    this.tracks.forEach((track, i) => this.read(track, i, time));
    this.point(time);
  }

  /** Point out the turn that is heard: of several, the one that began last. */
  point(time) {
    const turn = this.data.turns.findLastIndex(([from, to]) => from <= time + TOUCH_S && time < to);
    if (turn === this.turn) return;
    this.rows[this.turn]?.removeAttribute("aria-current");
    this.rows[turn]?.setAttribute("aria-current", "true");
    this.turn = turn;
  }

  read(track, i, time) {
    const readout = this.readouts[i];
    const index = track.count ? windowAt(track, time) : -1;
    if (!readout || readout.index === index) return;
    readout.index = index;
    const scores = scoresAt(track, time);
    const top = scores ? scores.indexOf(Math.max(...scores)) : -1;
    readout.rows.forEach((row, k) => {
      const missing = track.missing.includes(k);
      row.querySelector("dd").textContent = scores && !missing ? scores[k].toFixed(3) : "–";
      row.classList.toggle("top", k === top);
    });
  }

  sentence(time) {
    const { words, emotions, duration_s } = this.data;
    const where = fill(words.where, { time: clock(time), total: clock(duration_s) });
    const heard = this.tracks.filter((track) => track.count).map((track) => {
      const scores = scoresAt(track, time);
      const whose = this.tracks.length > 1 ? `${track.name}: ` : "";
      if (!scores) return whose + words.nobody;
      const top = scores.indexOf(Math.max(...scores));
      return whose + fill(words.heard, { emotion: emotions[top].label, score: scores[top].toFixed(3) });
    });
    return [where, ...heard].join(" · ");
  }

  /** Tell a screen reader where one has come to, once it is settled. */
  speak() {
    clearTimeout(this.speaking);
    this.speaking = setTimeout(() => {
      if (this.audio && !this.audio.paused) return;
      this.find(".spoken").textContent = this.sentence(this.time);
    }, SPEAK_MS);
  }

  words() {
    const { words, duration_s, emotions } = this.data;
    this.stage.ariaLabel = words.position;
    this.stage.setAttribute("aria-valuemax", duration_s.toFixed(2));
    this.find(".total").textContent = clock(duration_s);
    this.find(".keys").textContent = this.audio ? words.keys : words.keys_silent;
    this.find(".thinned").textContent = words.thinned;
    this.find(".speed span").textContent = words.speed;
    for (const [name, label] of [[".in", words.zoom_in], [".out", words.zoom_out]]) {
      this.find(name).ariaLabel = this.find(name).title = label;
    }
    for (const name of [".play", ".time", ".speed"]) this.find(name).hidden = name !== ".time" && !this.audio;
    this.find(".play").ariaLabel = null;
    this.find(".out").disabled = !this.perSecond;
    this.readouts = this.tracks.map((track) => {
      const list = document.createElement("dl");
      list.className = "readout";
      list.ariaLabel = fill(words.readout, { name: track.name });
      const rows = emotions.map(({ label, color }) => {
        const row = element("div");
        const swatch = element("span", "swatch");
        swatch.style.background = color;
        const term = element("dt", "", label);
        term.prepend(swatch);
        row.append(term, element("dd", "value"));
        return row;
      });
      list.append(...rows);
      const whose = this.tracks.length > 1 ? [element("p", "whose", track.name)] : [];
      return { shown: track.count ? [...whose, list] : [], rows };
    });
    this.find(".readouts").replaceChildren(...this.readouts.flatMap(({ shown }) => shown));
    this.stage.querySelectorAll(".whose").forEach((name) => name.remove());
    const { wave_names } = this.data;
    if (wave_names.length > 1) {
      wave_names.forEach((name, i) => {
        const label = element("span", "whose", name);
        label.style.top = `${i * WAVE_PX + 2}px`;
        this.stage.append(label);
      });
    }
    this.second = -1;
    this.show();
  }

  /** The markers as a list that can be walked and clicked, in the order they come. */
  list() {
    const { markers, words } = this.data;
    this.find(".moments").hidden = !markers.length;
    this.find(".moments h3").textContent = words.moments;
    const items = markers.map((marker) => {
      const button = element("button");
      button.type = "button";
      const time = element("time", "", clock(marker.at_s));
      button.append(time, element("span", "kind", words.kinds[marker.kind]), element("span", "text", marker.text));
      button.onclick = () => this.seek(marker.at_s);
      const item = element("li");
      item.append(button);
      return item;
    });
    this.find(".moments ol").classList.toggle("long", items.length > LONG);
    this.find(".moments ol").replaceChildren(...items);
  }

  /** Who spoke when, as a table whose rows lead to their sound. */
  table() {
    const { turns, words, names, emotions } = this.data;
    const made = JSON.stringify([turns.length, words.columns, names]);
    if (made === this.made) return;
    this.made = made;
    this.turn = -1;
    this.find(".turns").hidden = !turns.length;
    this.find(".turns h3").textContent = words.turns;
    this.find(".turns .rows").ariaLabel = words.turns;
    const heads = words.columns.map((name) => Object.assign(element("th", "", name), { scope: "col" }));
    this.find(".turns thead tr").replaceChildren(...heads);
    this.rows = turns.map(([from, to, track, k, score]) => {
      const row = element("tr");
      const button = element("button", "", clock(from));
      button.type = "button";
      row.onclick = () => this.seek(from);
      const begin = element("td");
      begin.append(button);
      const mood = element("td", "mood", k === null ? "–" : fill(words.heard, { emotion: emotions[k].label, score: score.toFixed(3) }));
      if (k !== null) {
        const swatch = element("span", "swatch");
        swatch.style.background = emotions[k].color;
        mood.prepend(swatch);
      }
      row.append(begin, element("td", "", clock(to)), element("td", "", names[track]), mood);
      return row;
    });
    this.find(".turns .rows").classList.toggle("long", this.rows.length > LONG);
    this.find(".turns tbody").replaceChildren(...this.rows);
    this.point(this.time);
  }

  draw() {
    if (!this.ink || !this.stage.clientWidth) return;
    const wrapper = this.wave.getWrapper();
    const perSecond = wrapper.clientWidth / this.data.duration_s;
    const view = {
      from: this.wave.getScroll() / perSecond,
      perSecond,
      width: this.wave.getWidth(),
      ratio: Math.max(1, window.devicePixelRatio || 1),
    };
    const seen = Object.values(view).join();
    if (seen === this.seen) return; // one change is told by several events
    this.seen = seen;
    this.find(".thinned").hidden = !this.tracks.some((track) => isThinned(track, view));
    drawTimeline(this.lanes, view, this.tracks, this.data.markers, this.data.emotions, this.ink, this.data.duration_s);
  }

  colors() {
    const style = getComputedStyle(this.stage);
    const named = (name) => style.getPropertyValue(name).trim();
    return {
      text: named("--st-text-color"),
      background: named("--st-background-color"),
      primary: named("--st-primary-color"),
      alert: named("--st-red-color"),
      font: style.fontFamily,
    };
  }

  waveColors() {
    const waveColor = `color-mix(in srgb, ${this.ink.text} 55%, transparent)`;
    return { waveColor, progressColor: this.ink.primary };
  }
}

function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}
