// Asking again and again, never twice at once; a failure waits for the next turn. A page that nobody sees rests, but for
// what is `awake`: red rings also then. `soon` does many wishes at once.

export function every(ms, ask, failed = () => {}, { awake = false } = {}) {
  let busy = false;
  const turn = async () => {
    if (busy || (document.hidden && !awake)) return;
    busy = true;
    try {
      await ask();
    } catch (problem) {
      failed(problem);
    } finally {
      busy = false;
    }
  };
  setInterval(turn, ms);
  document.addEventListener("visibilitychange", turn);
  return turn;
}

export function soon(act) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      act();
    });
  };
}

// at most once in so many ms, the last wish never lost
export function atMost(ms, act) {
  let last = -Infinity;
  let waiting = null;
  return () => {
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = null;
      last = performance.now();
      act();
    }, Math.max(0, last + ms - performance.now()));
  };
}
