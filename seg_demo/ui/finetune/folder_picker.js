// A folder that is chosen goes to the server as one ZIP, packed here without compression: files that are uploaded one
// by one lose the names of their folders. Layout: PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.
const FIRST = navigator.language || "en";
const WORDS = TEXTS[/^zh-(CN|TW)$/i.test(FIRST) ? "zh" : /^ja\b/i.test(FIRST) ? "ja" : "en"];
const MOST_FILES = 65535, MOST_BYTES = 0xffffffff;
const CRC = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Little-endian fields: [value, number of bytes], ... */
function record(...fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, size]) => sum + size, 0)));
  let place = 0;
  for (const [value, size] of fields) {
    if (size === 4) view.setUint32(place, value, true);
    else view.setUint16(place, value, true);
    place += size;
  }
  return new Uint8Array(view.buffer);
}

/** All files as one ZIP; `told(done)` is called after each. */
async function pack(files, told) {
  const parts = [], directory = [];
  let place = 0;
  for (const file of files) {
    const name = new TextEncoder().encode(file.webkitRelativePath || file.name);
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    // Version 2.0, names in UTF-8, stored, 1 January 1980
    const common = [[20, 2], [0x0800, 2], [0, 2], [0, 2], [33, 2], [crc, 4], [file.size, 4], [file.size, 4], [name.length, 2]];
    parts.push(record([0x04034b50, 4], ...common, [0, 2]), name, file);
    directory.push(record([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 2], [0, 4], [place, 4]), name);
    place += 30 + name.length + file.size;
    told(parts.length / 3);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = files.length;
  const end = record([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [place, 4], [0, 2]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

const input = element.querySelector("input"), button = element.querySelector("button");
const note = element.querySelector("p");
button.textContent = WORDS.choose_folder;
input.setAttribute("aria-label", WORDS.choose_folder);
button.addEventListener("click", () => input.click());
input.addEventListener("change", async () => {
  const hidden = (file) => file.webkitRelativePath.split("/").some((part) => part.startsWith("."));
  const files = [...input.files].filter((file) => !hidden(file));
  input.value = ""; // so that the same folder can be chosen again
  if (!files.length) return void (note.textContent = WORDS.folder_empty);
  button.disabled = true;
  try {
    const bytes = files.reduce((sum, file) => sum + file.size, 0);
    if (files.length > MOST_FILES || bytes > MOST_BYTES) throw new Error("too large for a ZIP of this kind");
    const folder = files[0].webkitRelativePath.split("/")[0] || "folder";
    const zip = await pack(files, (done) => (note.textContent = `${done} / ${files.length}`));
    const name = `${folder}.zip`;
    const sent = await upload(new File([zip], name, { type: zip.type }));
    props.value = { path: sent.path, url: sent.url, orig_name: name, meta: { _type: "gradio.FileData" } };
    note.textContent = "";
    trigger("upload", {});
  } catch (error) {
    console.warn("folder:", error);
    note.textContent = WORDS.folder_failed;
  } finally {
    button.disabled = false;
  }
});
