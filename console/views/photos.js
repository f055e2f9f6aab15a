// Photos of a case: made small enough before they are sent, and shown.

import * as api from "../talk/api.js";
import { el } from "../dom.js";
import { dayTime, say } from "../words/words.js";

const LONGEST = 2048;
const QUALITY = 0.85;

// a picture from the camera is far larger than anyone needs; what cannot be read is sent as it is and judged there
async function smaller(file) {
  let picture;
  try {
    picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file;
  }
  const factor = Math.min(1, LONGEST / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * factor);
  canvas.height = Math.round(picture.height * factor);
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((done) => canvas.toBlob((blob) => done(blob ?? file), "image/jpeg", QUALITY));
}

export const send = async (id, file, as) => api.attach(id, await smaller(file), as);

export function photoList(photos) {
  if (!photos.length) return null;
  return el("ul", { class: "photos" }, photos.map((photo) => {
    const said = say("photo_of", { name: photo.actor, time: dayTime(photo.t) });
    return el("li", {}, el("a", { href: photo.url, target: "_blank", rel: "noopener" }, el("img", { src: photo.url, alt: said, width: 124, height: 92, loading: "lazy" })), el("small", {}, said));
  }));
}

export function photoButton(word, taken) {
  return el("label", { class: "plain add-photo" }, say(word),
    el("input", { type: "file", class: "photo-file", accept: "image/jpeg,image/png,image/webp", capture: "environment", onchange: (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) taken(file);
    } }));
}
