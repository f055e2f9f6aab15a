// A sound for red: two tones, made here, no file. It can be muted; a browser lets it be heard after the first touch.

let context = null;
let muted = localStorage.getItem("muted") === "true";
let last = -Infinity;
const QUIET_MS = 3000; // a storm of red rings once

export const isMuted = () => muted;

export function mute(on) {
  muted = on;
  localStorage.setItem("muted", String(on));
}

const ready = () => {
  context ??= new AudioContext();
  if (context.state === "suspended") context.resume();
};

export const prepare = () => ["pointerdown", "keydown"].forEach((name) => addEventListener(name, ready, { once: true }));

function tone(frequency, from, lasting) {
  const oscillator = context.createOscillator();
  const volume = context.createGain();
  oscillator.type = "triangle";
  oscillator.frequency.value = frequency;
  volume.gain.setValueAtTime(0.0001, from);
  volume.gain.exponentialRampToValueAtTime(0.25, from + 0.02);
  volume.gain.exponentialRampToValueAtTime(0.0001, from + lasting);
  oscillator.connect(volume).connect(context.destination);
  oscillator.start(from);
  oscillator.stop(from + lasting);
}

export function ring() {
  if (muted || performance.now() - last < QUIET_MS) return;
  last = performance.now();
  try {
    ready();
    for (const [i, frequency] of [880, 660, 880, 660].entries()) tone(frequency, context.currentTime + i * 0.22, 0.2);
  } catch { /* a machine without sound still shows everything */ }
}
