// What is drawn under the waveform: the stacked scores of each voice, the markers and the time axis.

const HEAD_PX = 16; // the markers
const TRACK_PX = 72; // one voice
const NAME_PX = 16; // its name above it, where there are several
const AXIS_PX = 18;
const PEAK_PX = 4; // zoomed out, the highest moment of so much is drawn
const PEAK = 0.5; // if it reaches this
const TICK_PX = 80; // least distance of two times on the axis
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const TOUCH_S = 0.001; // a seek lands this near where it was meant to
const MAX_SCORE = 65535; // scores come as 16-bit numbers

function bytes(base64) {
  const text = atob(base64);
  const made = new Uint8Array(text.length);
  for (let i = 0; i < made.length; i++) made[i] = text.charCodeAt(i); // with Uint8Array.from ten times as long
  return made;
}

/** The scores of a voice, as they come from Python: `scores` is (count, 9), `scored` one flag a window. */
function readTrack(track, emotions) {
  const scores = new Uint16Array(bytes(track.scores).buffer);
  const scored = bytes(track.scored);
  return { ...track, scores, scored, count: scored.length, width: emotions };
}

/** The window whose middle is nearest to a time; the same rule as `Trajectory.index_at`. */
function windowAt(track, time) {
  const index = Math.floor((time + TOUCH_S - track.length_s / 2) / track.hop_s + 0.5);
  return Math.min(Math.max(index, 0), track.count - 1);
}

/** The nine scores at a time, or null where nobody speaks. */
function scoresAt(track, time) {
  if (!track.count) return null;
  const index = windowAt(track, time);
  if (!track.scored[index]) return null;
  const row = track.scores.subarray(index * track.width, (index + 1) * track.width);
  return Array.from(row, (value) => value / MAX_SCORE);
}

/** What a column of pixels from `from` to `to` seconds shows: the mean of its windows, so that the stack keeps its sum. */
function columnScores(track, from, to) {
  const first = windowAt(track, from);
  const last = Math.max(first, windowAt(track, to - 2 * TOUCH_S));
  const sums = new Array(track.width).fill(0);
  let found = 0;
  for (let index = first; index <= last; index++) {
    if (!track.scored[index]) continue;
    found += MAX_SCORE;
    for (let k = 0; k < track.width; k++) sums[k] += track.scores[index * track.width + k];
  }
  return found ? sums.map((sum) => sum / found) : null;
}

/** The highest score of an emotion proper in one window of a stretch: [emotion, score, window], or null below `PEAK`. */
function highest(track, emotions, from, to) {
  let found = null;
  for (let index = windowAt(track, from); index <= windowAt(track, to - 2 * TOUCH_S); index++) {
    if (!track.scored[index]) continue;
    for (let k = 0; k < track.width; k++) {
      const score = track.scores[index * track.width + k] / MAX_SCORE;
      if (emotions[k].moved && score >= PEAK && score > (found?.[1] ?? 0)) found = [k, score, index];
    }
  }
  return found;
}

/** Whether a column of pixels shows several windows, so that their mean is drawn. */
function isThinned(track, view) {
  return track.count > 0 && track.hop_s * view.perSecond * view.ratio < 1;
}

function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function timelineHeight(tracks) {
  return HEAD_PX + tracks.reduce((sum, track) => sum + laneHeight(track, tracks), 0) + AXIS_PX;
}

function laneHeight(track, tracks) {
  return (track.count ? TRACK_PX : 0) + (tracks.length > 1 && track.count ? NAME_PX : 0);
}

/** Draw what is visible: `view` has `from` (seconds), `perSecond` (CSS pixels), `width` (CSS pixels) and `ratio`. */
function drawTimeline(canvas, view, tracks, markers, emotions, ink, duration) {
  const height = timelineHeight(tracks);
  canvas.width = Math.round(view.width * view.ratio);
  canvas.height = Math.round(height * view.ratio);
  canvas.style.width = `${view.width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(view.ratio, view.ratio);
  context.font = `11px ${ink.font}`;
  const tops = [];
  let top = HEAD_PX;
  for (const track of tracks) {
    if (tracks.length > 1 && track.count) {
      context.fillStyle = ink.text;
      context.fillText(track.name, 4, top + 12);
      top += NAME_PX;
    }
    tops.push(top);
    drawStack(context, view, track, emotions, top, duration);
    top += track.count ? TRACK_PX : 0;
  }
  drawAxis(context, view, top, ink, duration);
  for (const marker of markers.toReversed()) drawMarker(context, view, marker, tops[marker.track] ?? HEAD_PX, tracks, ink);
}

function drawStack(context, view, track, emotions, top, duration) {
  if (!track.count) return;
  const step = 1 / view.ratio; // one device pixel
  const end = Math.min(view.width, (duration - view.from) * view.perSecond);
  const columns = [];
  for (let x = 0; x < end; x += step) {
    const from = view.from + x / view.perSecond;
    const scores = columnScores(track, from, from + step / view.perSecond);
    if (scores) columns.push({ x, y: top + TRACK_PX, scores });
  }
  emotions.forEach(({ color }, k) => {
    context.fillStyle = color; // once a colour, since reading it takes longer than drawing a column
    for (const column of columns) {
      const height = column.scores[k] * TRACK_PX;
      if (!height) continue;
      column.y -= height;
      context.fillRect(column.x, column.y, step, height);
    }
  });
  if (isThinned(track, view)) drawPeaks(context, view, track, emotions, top, end);
}

/** What a mean hides: the highest moments, as thin lines where they are. */
function drawPeaks(context, view, track, emotions, top, end) {
  for (let x = 0; x < end; x += PEAK_PX) {
    const from = view.from + x / view.perSecond;
    const found = highest(track, emotions, from, from + PEAK_PX / view.perSecond);
    if (!found) continue;
    const [k, score, index] = found;
    const middle = (index * track.hop_s + track.length_s / 2 - view.from) * view.perSecond;
    context.fillStyle = emotions[k].color;
    context.fillRect(Math.floor(middle * view.ratio) / view.ratio, top + TRACK_PX * (1 - score), 1, TRACK_PX * score);
  }
}

function drawAxis(context, view, top, ink, duration) {
  const least = TICK_PX / view.perSecond;
  const step = STEPS_S.find((seconds) => seconds >= least) ?? STEPS_S.at(-1) * Math.ceil(least / STEPS_S.at(-1));
  context.fillStyle = ink.text;
  for (let time = Math.floor(view.from / step) * step; time <= duration; time += step) {
    const x = (time - view.from) * view.perSecond;
    if (x > view.width) break;
    context.globalAlpha = 0.35;
    context.fillRect(x, top, 1, 4);
    context.globalAlpha = 0.85;
    if (x + 30 < view.width) context.fillText(clock(time), x + 3, top + 13);
  }
  context.globalAlpha = 1;
}

/** A sign of its own shape for each kind, and a line through the voice that is meant; a change is seen without one. */
function drawMarker(context, view, marker, top, tracks, ink) {
  const x = (marker.at_s - view.from) * view.perSecond;
  if (x < -8 || x > view.width + 8) return;
  const height = marker.kind !== "change" && tracks[marker.track]?.count ? TRACK_PX : 0;
  context.fillStyle = ink.background;
  context.fillRect(x - 1.5, top, 3, height);
  context.fillStyle = ink.text;
  context.fillRect(x - 0.5, top, 1, height);
  context.fillStyle = marker.kind === "alert" ? ink.alert : marker.color ?? ink.text;
  context.strokeStyle = ink.text;
  context.beginPath();
  const shape = SHAPES[marker.kind];
  shape.forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + dx, dy));
  context.closePath();
  context.fill();
  context.stroke();
}

const SHAPES = {
  alert: [[0, 2], [6, 13], [-6, 13]], // a warning sign
  change: [[0, 2], [5, 7.5], [0, 13], [-5, 7.5]], // a diamond
  label: [[-1, 2], [8, 5], [1, 8], [1, 13], [-1, 13]], // a flag
  worst: [[-5, 3], [5, 3], [0, 13]], // down
  best: [[-5, 12], [5, 12], [0, 2]], // up
};
